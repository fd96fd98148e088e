//! What whoever signs up for a company is told while an operator has not decided, and after one has rejected him (R26).
//! Both are led to by a right password or a mailed link, and tell of nobody.

use askama::Template;
use axum::{Extension, http::StatusCode, response::Response};

use super::Anyone;
use crate::{
    failure::Failure,
    page::{self, Frame},
    visit::Visit,
};

/// The page of those who wait.
pub const AWAITED: &str = "/sign-up/awaiting-approval";
/// The page of those who are rejected.
pub const REJECTED: &str = "/sign-up/rejected";

#[derive(Template)]
#[template(path = "approval.html")]
struct Approval {
    frame: Frame,
    title: &'static str,
    texts: &'static [&'static str],
    support_email: String,
    /// Whether it makes sense to sign up once more.
    is_rejected: bool,
}

/// `GET /sign-up/awaiting-approval`
pub async fn awaited(Extension(visit): Anyone) -> Result<Response, Failure> {
    let view = Approval {
        frame: page::frame(&visit),
        title: "approval-title",
        texts: &["approval-text", "approval-mail"],
        support_email: support_email(&visit)?,
        is_rejected: false,
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /sign-up/rejected`
pub async fn rejected(Extension(visit): Anyone) -> Result<Response, Failure> {
    let view = Approval {
        frame: page::frame(&visit),
        title: "rejected-title",
        texts: &["rejected-text", "rejected-again"],
        support_email: support_email(&visit)?,
        is_rejected: true,
    };
    page::render(&visit, StatusCode::OK, &view)
}

fn support_email(visit: &Visit) -> Result<String, Failure> {
    Ok(visit.facts()?.installation.support_email.clone())
}
