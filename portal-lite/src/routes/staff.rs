//! The pages of the staff's portal.

use axum::routing::get;

use super::{ANYONE, MEMBERS, STRANGERS};
use crate::{
    pages::{
        sign_in as of_customers,
        staff::{account, accounts, enrol, home, lists, sign_in},
    },
    sitemap::{Kind, Place, Row},
};

const ACCOUNTS: Row = Row {
    place: Place::Accounts,
    ..MEMBERS
};

/// All pages, parts of pages and targets of forms.
pub const STAFF_PAGES: &[Row] = &[
    Row {
        path: "/",
        kind: Kind::Target,
        handler: || get(home),
        ..ANYONE
    },
    Row {
        path: "/sign-in",
        form: Some(sign_in::SIGN_IN),
        handler: || get(sign_in::show).post(sign_in::submit),
        ..STRANGERS
    },
    Row {
        path: "/enrol",
        query: &["token"],
        form: Some(enrol::ENROL),
        handler: || get(enrol::show).post(enrol::submit),
        ..ANYONE
    },
    Row {
        path: "/sign-out",
        kind: Kind::Target,
        form: Some(&[]),
        handler: || get(of_customers::show_sign_out).post(sign_in::sign_out),
        ..ANYONE
    },
    Row {
        path: "/accounts",
        query: &["state", "sort", "page"],
        handler: || get(accounts::show),
        ..ACCOUNTS
    },
    Row {
        path: "/accounts/search",
        form: Some(accounts::SEARCH),
        handler: || get(accounts::show_search).post(accounts::search),
        ..ACCOUNTS
    },
    Row {
        path: "/accounts/{id}",
        handler: || get(account::show),
        ..ACCOUNTS
    },
    Row {
        path: "/accounts/{id}/unlock",
        form: Some(account::UNLOCK),
        handler: || get(account::ask_unlock).post(account::unlock),
        ..ACCOUNTS
    },
    Row {
        path: "/accounts/{id}/quota",
        form: Some(account::QUOTA),
        handler: || get(account::ask_quota).post(account::change_quota),
        ..ACCOUNTS
    },
    Row {
        path: "/attention",
        place: Place::Attention,
        handler: || get(lists::attention),
        ..MEMBERS
    },
    Row {
        path: "/servers",
        place: Place::Servers,
        query: &["q", "state", "owner", "after"],
        handler: || get(lists::servers),
        ..MEMBERS
    },
    Row {
        path: "/hosts",
        place: Place::Hosts,
        query: &["q", "state", "after"],
        handler: || get(lists::hosts),
        ..MEMBERS
    },
    Row {
        path: "/orders",
        place: Place::Orders,
        query: &["owner", "after"],
        handler: || get(lists::orders),
        ..MEMBERS
    },
    Row {
        path: "/mails",
        place: Place::Mails,
        query: &["state", "after"],
        handler: || get(lists::mails),
        ..MEMBERS
    },
    Row {
        path: "/audit",
        place: Place::Audit,
        query: &["q", "after"],
        handler: || get(lists::audit),
        ..MEMBERS
    },
];
