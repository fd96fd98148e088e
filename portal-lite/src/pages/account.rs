//! The account: what is known of it.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::endpoints::{Endpoint as _, rest::GetMe};

use super::view;
use crate::{
    failure::Failure,
    format::Moment,
    language,
    page::{self, Frame},
    visit::Member,
};

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    login_id: String,
    name: String,
    email: String,
    mail_language: &'static str,
    created: Moment,
    server_quota: u32,
}

/// `GET /account`
pub async fn show(Member(visit): Member) -> Result<Response, Failure> {
    let me = visit.ask(GetMe::ask()).await?;
    let view = Account {
        frame: page::frame(&visit),
        mail_language: language::own_name(me.locale),
        created: view::moment(&visit, me.created_at),
        login_id: me.login_id,
        name: me.name,
        email: me.email_shown,
        server_quota: me.server_quota,
    };
    page::render(&visit, StatusCode::OK, &view)
}
