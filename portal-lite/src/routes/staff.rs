//! The pages of the staff's portal.

use axum::routing::get;

use super::{ANYONE, MEMBERS, STRANGERS};
use crate::{
    pages::{
        account::sessions::END,
        sign_in as of_customers,
        staff::{
            account, accounts, ask, attention, deeds, enrol, home, hosts,
            jobs::{self, acts as on_job},
            lists,
            money::{self, acts, books, prices},
            proof, server, sessions, sign_in,
        },
    },
    sitemap::{Kind, Place, Row},
};

const ACCOUNT: Row = Row {
    place: Place::Account,
    ..MEMBERS
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
const JOBS: Row = Row {
    place: Place::Jobs,
    ..MEMBERS
};
const MONEY: Row = Row {
    place: Place::Money,
    ..MEMBERS
};
const MAILS: Row = Row {
    place: Place::Mails,
    ..MEMBERS
};

/// The page of something that staff can do; its path ends with the code of the deed.
macro_rules! deed {
    ($row:ident, $path:literal, $deed:expr) => {
        Row {
            path: $path,
            form: Some($deed.form),
            handler: || ask::pages(&$deed),
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
    deed!(ACCOUNTS, "/accounts/{id}/unlock", deeds::UNLOCK),
    deed!(ACCOUNTS, "/accounts/{id}/quota", deeds::QUOTA),
    deed!(ACCOUNTS, "/accounts/{id}/approve", deeds::APPROVE),
    deed!(ACCOUNTS, "/accounts/{id}/reject", deeds::REJECT),
    deed!(
        ACCOUNTS,
        "/accounts/{id}/mail-confirmation",
        deeds::MAIL_CONFIRMATION
    ),
    deed!(
        ACCOUNTS,
        "/accounts/{id}/confirm-email",
        deeds::CONFIRM_EMAIL
    ),
    deed!(
        ACCOUNTS,
        "/accounts/{id}/suspend-for-debt",
        deeds::SUSPEND_FOR_DEBT
    ),
    deed!(
        ACCOUNTS,
        "/accounts/{id}/suspend-for-abuse",
        deeds::SUSPEND_FOR_ABUSE
    ),
    deed!(ACCOUNTS, "/accounts/{id}/resume", deeds::RESUME),
    deed!(ACCOUNTS, "/accounts/{id}/erase", deeds::ERASE),
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
    deed!(ATTENTION, "/billing/unfreeze", deeds::UNFREEZE),
    deed!(
        ATTENTION,
        "/lost-factors/{id}/confirm",
        deeds::CONFIRM_FACTOR
    ),
    deed!(ATTENTION, "/lost-factors/{id}/reject", deeds::REJECT_FACTOR),
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
    deed!(SERVERS, "/servers/{id}/start", deeds::START),
    deed!(SERVERS, "/servers/{id}/shutdown", deeds::SHUTDOWN),
    deed!(SERVERS, "/servers/{id}/reboot", deeds::REBOOT),
    deed!(SERVERS, "/servers/{id}/power-off", deeds::POWER_OFF),
    deed!(SERVERS, "/servers/{id}/delete", deeds::DELETE),
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
    deed!(HOSTS, "/hosts/{id}/cordon", deeds::CORDON),
    deed!(HOSTS, "/hosts/{id}/uncordon", deeds::UNCORDON),
    deed!(HOSTS, "/hosts/{id}/release", deeds::RELEASE),
    deed!(HOSTS, "/hosts/{id}/accept-capacity", deeds::ACCEPT_CAPACITY),
    deed!(HOSTS, "/hosts/{id}/revoke", deeds::REVOKE),
    deed!(HOSTS, "/hosts/{id}/lost", deeds::LOSE),
    deed!(HOSTS, "/hosts/{id}/fenced", deeds::FENCE),
    deed!(HOSTS, "/hosts/{id}/replace", deeds::REPLACE),
    Row {
        path: "/orders",
        query: &["owner", "sort", "after", "format"],
        handler: || get(lists::orders),
        ..ORDERS
    },
    deed!(ORDERS, "/orders/{id}/retry", deeds::RETRY_ORDER),
    Row {
        path: "/jobs",
        query: &["state", "mine", "after", "format"],
        handler: || get(jobs::queue),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}",
        handler: || get(jobs::show),
        ..JOBS
    },
    deed!(JOBS, "/jobs/{id}/take", on_job::TAKE),
    deed!(JOBS, "/jobs/{id}/comment", on_job::COMMENT),
    deed!(JOBS, "/jobs/{id}/delay", on_job::DELAY),
    deed!(JOBS, "/jobs/{id}/resume", on_job::RESUME),
    deed!(JOBS, "/jobs/{id}/ask-revision", on_job::ASK_REVISION),
    deed!(JOBS, "/jobs/{id}/ask-approval", on_job::ASK_APPROVAL),
    deed!(JOBS, "/jobs/{id}/ask-access", on_job::ASK_ACCESS),
    deed!(JOBS, "/jobs/{id}/cancel", on_job::CANCEL),
    deed!(JOBS, "/jobs/{id}/done", on_job::DONE),
    deed!(JOBS, "/jobs/{id}/not-done", on_job::NOT_DONE),
    Row {
        path: "/invoices",
        query: &["state", "month", "owner", "after", "format"],
        handler: || get(money::invoices),
        ..MONEY
    },
    Row {
        path: "/invoices/{id}",
        query: &["format"],
        handler: || get(money::invoice),
        ..MONEY
    },
    deed!(MONEY, "/invoices/{id}/credit", acts::CREDIT),
    deed!(MONEY, "/invoices/{id}/write-off", acts::WRITE_OFF),
    Row {
        path: "/months",
        query: &["format", "month"],
        handler: || get(money::months),
        ..MONEY
    },
    deed!(MONEY, "/months/{id}/close", acts::CLOSE),
    Row {
        path: "/books",
        handler: || get(books::show),
        ..MONEY
    },
    Row {
        path: "/prices",
        handler: || get(prices::show),
        ..MONEY
    },
    Row {
        path: "/prices/import",
        form: Some(prices::IMPORT),
        handler: || get(prices::show_import).post(prices::import),
        ..MONEY
    },
    deed!(MONEY, "/prices/{id}/withdraw", acts::WITHDRAW_PRICES),
    Row {
        path: "/accounts/{id}/statement",
        handler: || get(money::statement),
        ..ACCOUNTS
    },
    deed!(ACCOUNTS, "/accounts/{id}/payment", acts::PAY),
    deed!(ACCOUNTS, "/accounts/{id}/refund", acts::REFUND),
    deed!(ACCOUNTS, "/accounts/{id}/promotion", acts::PROMOTION),
    deed!(ACCOUNTS, "/accounts/{id}/trial", acts::TRIAL),
    deed!(ACCOUNTS, "/accounts/{id}/prepaid", acts::PREPAID),
    deed!(ACCOUNTS, "/accounts/{id}/postpaid", acts::POSTPAID),
    Row {
        path: "/mails",
        query: &["state", "owner", "sort", "after", "format"],
        handler: || get(lists::mails),
        ..MAILS
    },
    deed!(MAILS, "/mails/retry", deeds::RETRY_MAILS),
    deed!(MAILS, "/mails/{id}/retry", deeds::RETRY_MAIL),
    deed!(MAILS, "/mails/{id}/drop", deeds::DROP_MAIL),
    Row {
        path: "/audit",
        place: Place::Audit,
        query: &["q", "actor", "since", "until", "sort", "after", "format"],
        handler: || get(lists::audit),
        ..MEMBERS
    },
    Row {
        path: "/account/proof",
        query: &["next"],
        form: Some(proof::PROOF),
        handler: || get(proof::show).post(proof::submit),
        ..ACCOUNT
    },
    Row {
        path: "/account/sessions",
        form: Some(END),
        handler: || get(sessions::show).post(sessions::end_others),
        ..ACCOUNT
    },
    Row {
        path: "/account/sessions/{id}",
        kind: Kind::Target,
        form: Some(END),
        handler: || get(sessions::show_end).post(sessions::end),
        ..ACCOUNT
    },
];
