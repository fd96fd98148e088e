//! The account (회원정보관리): what is known of it, and what of it its owner can change. One module a page.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::endpoints::{Endpoint as _, rest::GetMe};

use crate::{
    failure::Failure,
    format::Moment,
    language,
    page::{self, Entry, Frame},
    pages::view,
    visit::{Member, Visit},
};

pub mod password;

/// Its pages: an address, the name of its text.
const PAGES: [(&str, &str); 2] = [
    ("/account", "account-profile"),
    ("/account/password", "change-password"),
];

/// The way from each of these pages to the others.
#[derive(Debug)]
pub struct Tabs(pub Vec<Entry>);

impl Tabs {
    /// Those of the page that is visited.
    #[must_use]
    pub fn of(visit: &Visit) -> Self {
        let entry = |(href, key): (&'static str, &str)| Entry {
            href,
            word: visit.say(key),
            current: visit.path() == href,
        };
        Self(PAGES.into_iter().map(entry).collect())
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    tabs: Tabs,
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
        tabs: Tabs::of(&visit),
        mail_language: language::own_name(me.locale),
        created: view::moment(&visit, me.created_at),
        login_id: me.login_id,
        name: me.name,
        email: me.email_shown,
        server_quota: me.server_quota,
    };
    page::render(&visit, StatusCode::OK, &view)
}
