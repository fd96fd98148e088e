//! The pages of the staff's portal.

use axum::routing::get;

use super::{ANYONE, MEMBERS, STRANGERS};
use crate::{
    pages::{
        sign_in as of_customers,
        staff::{
            account, accounts, ask, attention, deeds, enrol, home, hosts, lists, server, sign_in,
        },
    },
    sitemap::{Kind, Place, Row},
};

const ACCOUNTS: Row = Row {
    place: Place::Accounts,
    ..MEMBERS
};
const ATTENTION: Row = Row {
    place: Place::Attention,
    ..MEMBERS
};
const SERVERS: Row = Row {
    place: Place::Servers,
    ..MEMBERS
};
const HOSTS: Row = Row {
    place: Place::Hosts,
    ..MEMBERS
};
const ORDERS: Row = Row {
    place: Place::Orders,
    ..MEMBERS
};
const MAILS: Row = Row {
    place: Place::Mails,
    ..MEMBERS
};

/// The page of something that staff can do; its path ends with the code of the deed.
macro_rules! deed {
    ($row:ident, $path:literal, $deed:ident) => {
        Row {
            path: $path,
            form: Some(deeds::$deed.form),
            handler: || ask::pages(&deeds::$deed),
            ..$row
        }
    };
}

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
        query: &["state", "sort", "after", "format"],
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
    deed!(ACCOUNTS, "/accounts/{id}/unlock", UNLOCK),
    deed!(ACCOUNTS, "/accounts/{id}/quota", QUOTA),
    deed!(ACCOUNTS, "/accounts/{id}/approve", APPROVE),
    deed!(ACCOUNTS, "/accounts/{id}/reject", REJECT),
    deed!(
        ACCOUNTS,
        "/accounts/{id}/mail-confirmation",
        MAIL_CONFIRMATION
    ),
    deed!(ACCOUNTS, "/accounts/{id}/confirm-email", CONFIRM_EMAIL),
    deed!(
        ACCOUNTS,
        "/accounts/{id}/suspend-for-debt",
        SUSPEND_FOR_DEBT
    ),
    deed!(
        ACCOUNTS,
        "/accounts/{id}/suspend-for-abuse",
        SUSPEND_FOR_ABUSE
    ),
    deed!(ACCOUNTS, "/accounts/{id}/resume", RESUME),
    deed!(ACCOUNTS, "/accounts/{id}/erase", ERASE),
    Row {
        path: "/attention",
        handler: || get(attention::show),
        ..ATTENTION
    },
    Row {
        path: "/lost-factors",
        query: &["format"],
        handler: || get(lists::lost_factors),
        ..ATTENTION
    },
    deed!(ATTENTION, "/billing/unfreeze", UNFREEZE),
    deed!(ATTENTION, "/lost-factors/{id}/confirm", CONFIRM_FACTOR),
    deed!(ATTENTION, "/lost-factors/{id}/reject", REJECT_FACTOR),
    Row {
        path: "/servers",
        query: &["q", "state", "owner", "host", "sort", "after", "format"],
        handler: || get(lists::servers),
        ..SERVERS
    },
    Row {
        path: "/servers/{id}",
        handler: || get(server::show),
        ..SERVERS
    },
    deed!(SERVERS, "/servers/{id}/start", START),
    deed!(SERVERS, "/servers/{id}/shutdown", SHUTDOWN),
    deed!(SERVERS, "/servers/{id}/reboot", REBOOT),
    deed!(SERVERS, "/servers/{id}/power-off", POWER_OFF),
    deed!(SERVERS, "/servers/{id}/delete", DELETE),
    Row {
        path: "/hosts",
        query: &["q", "state", "sort", "after", "format"],
        handler: || get(lists::hosts),
        ..HOSTS
    },
    Row {
        path: "/hosts/invite",
        form: Some(hosts::INVITE),
        handler: || get(hosts::ask_invite).post(hosts::invite),
        ..HOSTS
    },
    Row {
        path: "/hosts/{id}",
        handler: || get(hosts::show),
        ..HOSTS
    },
    deed!(HOSTS, "/hosts/{id}/cordon", CORDON),
    deed!(HOSTS, "/hosts/{id}/uncordon", UNCORDON),
    deed!(HOSTS, "/hosts/{id}/release", RELEASE),
    deed!(HOSTS, "/hosts/{id}/accept-capacity", ACCEPT_CAPACITY),
    deed!(HOSTS, "/hosts/{id}/revoke", REVOKE),
    deed!(HOSTS, "/hosts/{id}/lost", LOSE),
    deed!(HOSTS, "/hosts/{id}/fenced", FENCE),
    deed!(HOSTS, "/hosts/{id}/replace", REPLACE),
    Row {
        path: "/orders",
        query: &["owner", "sort", "after", "format"],
        handler: || get(lists::orders),
        ..ORDERS
    },
    deed!(ORDERS, "/orders/{id}/retry", RETRY_ORDER),
    Row {
        path: "/mails",
        query: &["state", "owner", "sort", "after", "format"],
        handler: || get(lists::mails),
        ..MAILS
    },
    deed!(MAILS, "/mails/retry", RETRY_MAILS),
    deed!(MAILS, "/mails/{id}/retry", RETRY_MAIL),
    deed!(MAILS, "/mails/{id}/drop", DROP_MAIL),
    Row {
        path: "/audit",
        place: Place::Audit,
        query: &["q", "actor", "since", "until", "sort", "after", "format"],
        handler: || get(lists::audit),
        ..MEMBERS
    },
];
