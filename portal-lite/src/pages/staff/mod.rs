//! The staff's pages.

pub mod account;
pub mod accounts;
pub mod enrol;
pub mod lists;
pub mod sign_in;

use axum::{Extension, response::Response};
use innkeeper_wire::{
    error::FieldErrorCode,
    operator::reason::{REASON_LENGTH_MAX, Reason},
    staff::Role,
};

use super::Anyone;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Field},
    page,
    visit::Visit,
};

/// Why something is done: asked for wherever staff change something of a customer's.
pub const REASON: Field = Field {
    name: "reason",
    pointer: "reason",
    limit: Some(REASON_LENGTH_MAX),
    words: "staff-reason",
    ..Field::TEXT
};

/// `GET /`
pub async fn home(Extension(visit): Anyone) -> Result<Response, Failure> {
    let path = match visit.session {
        Some(_) => visit.portal.area().home(),
        None => "/sign-in",
    };
    Ok(page::redirect(path))
}

/// What is wrong with a reason, before anybody is asked.
fn reason_of(visit: &Visit, fields: &Fields) -> Result<Reason, Box<Response>> {
    let text = fields.get("reason").trim();
    text.parse().map_err(|_| {
        let code = if text.is_empty() {
            FieldErrorCode::Required
        } else if text.chars().count() > REASON_LENGTH_MAX {
            FieldErrorCode::TooLong
        } else {
            FieldErrorCode::Malformed
        };
        Box::new(form::complaint(visit, fields, &[("reason", code)]))
    })
}

/// The name of a role's words.
fn role_key(role: Role) -> &'static str {
    match role {
        Role::Viewer => "role-viewer",
        Role::Support => "role-support",
        Role::Engineer => "role-engineer",
        Role::Billing => "role-billing",
        Role::Admin => "role-admin",
    }
}
