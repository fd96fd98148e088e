//! Every address of the portal, as a table; `router` makes them answer.

use axum::routing::get;

use crate::{
    area::Area,
    failure::Failure,
    pages::{
        account, approval, billing, billing_profile, calculator, invoices,
        jobs::{self, acts},
        keys, landing, lost_factor, new_server, orders, recovery, server, servers, sign_in,
        sign_in_code, sign_up, spending, statement, texts, trial,
    },
    sitemap::{Kind, Place, Row, Who},
};

mod router;
pub mod staff;

pub use router::router;

/// The pages of a portal.
#[must_use]
pub const fn pages(area: Area) -> &'static [Row] {
    match area {
        Area::Customers => PAGES,
        Area::Staff => staff::STAFF_PAGES,
    }
}

/// What most rows are: a page for members.
const MEMBERS: Row = Row {
    path: "",
    place: Place::None,
    who: Who::Members,
    kind: Kind::Page,
    query: &[],
    form: None,
    handler: || get(async || Failure::NotFound),
};
const SERVERS: Row = Row {
    place: Place::Servers,
    ..MEMBERS
};
const JOBS: Row = Row {
    place: Place::Jobs,
    ..MEMBERS
};
const ANYONE: Row = Row {
    who: Who::Anyone,
    ..MEMBERS
};
const STRANGERS: Row = Row {
    who: Who::Strangers,
    query: &["next"],
    ..MEMBERS
};

/// All pages, parts of pages and targets of forms of the customers' portal.
pub const PAGES: &[Row] = &[
    Row {
        path: "/",
        kind: Kind::Found,
        handler: || get(landing::show),
        ..ANYONE
    },
    Row {
        path: "/calculator",
        place: Place::Billing,
        kind: Kind::Found,
        query: calculator::QUERY,
        handler: || get(calculator::show),
        ..ANYONE
    },
    Row {
        path: "/terms",
        kind: Kind::Found,
        handler: || get(texts::terms),
        ..ANYONE
    },
    Row {
        path: "/privacy",
        kind: Kind::Found,
        handler: || get(texts::privacy_policy),
        ..ANYONE
    },
    Row {
        path: "/sign-up",
        kind: Kind::Found,
        query: &["next", "kind"],
        form: Some(sign_up::SIGN_UP),
        handler: || get(sign_up::show).post(sign_up::submit),
        ..STRANGERS
    },
    Row {
        path: "/sign-up/done",
        query: &["kind"],
        handler: || get(sign_up::done),
        ..ANYONE
    },
    Row {
        path: approval::AWAITED,
        handler: || get(approval::awaited),
        ..ANYONE
    },
    Row {
        path: approval::REJECTED,
        handler: || get(approval::rejected),
        ..ANYONE
    },
    Row {
        path: "/sign-up/resend",
        query: &["next"],
        form: Some(sign_up::RESEND),
        handler: || get(sign_up::show_resend).post(sign_up::resend),
        ..ANYONE
    },
    Row {
        path: "/confirm",
        query: &["token", "lang"],
        form: Some(sign_up::CONFIRM),
        handler: || get(sign_up::show_confirm).post(sign_up::confirm),
        ..ANYONE
    },
    Row {
        path: "/sign-in",
        form: Some(sign_in::SIGN_IN),
        handler: || get(sign_in::show).post(sign_in::submit),
        ..STRANGERS
    },
    Row {
        path: "/sign-in/code",
        form: Some(sign_in_code::CODE),
        handler: || get(sign_in_code::show).post(sign_in_code::submit),
        ..STRANGERS
    },
    Row {
        path: "/sign-in/lost-factor",
        form: Some(lost_factor::ASK),
        handler: || get(lost_factor::show).post(lost_factor::submit),
        ..STRANGERS
    },
    Row {
        path: "/sign-in/lost-factor/done",
        handler: || get(lost_factor::done),
        ..ANYONE
    },
    Row {
        path: "/cancel-lost-factor",
        query: &["token", "lang"],
        form: Some(lost_factor::CANCEL),
        handler: || get(lost_factor::show_cancel).post(lost_factor::cancel),
        ..ANYONE
    },
    Row {
        path: "/find-id",
        form: Some(recovery::FIND_ID),
        handler: || get(recovery::show_find_id).post(recovery::find_id),
        ..ANYONE
    },
    Row {
        path: "/find-id/done",
        handler: || get(recovery::find_id_done),
        ..ANYONE
    },
    Row {
        path: "/find-password",
        form: Some(recovery::FIND_PASSWORD),
        handler: || get(recovery::show_find_password).post(recovery::find_password),
        ..ANYONE
    },
    Row {
        path: "/find-password/done",
        handler: || get(recovery::find_password_done),
        ..ANYONE
    },
    Row {
        path: "/reset-password",
        query: &["token", "lang"],
        form: Some(recovery::RESET_PASSWORD),
        handler: || get(recovery::show_reset_password).post(recovery::reset_password),
        ..ANYONE
    },
    Row {
        path: "/confirm-email",
        query: &["token", "lang"],
        form: Some(account::email::CONFIRM),
        handler: || get(account::email::show_confirm).post(account::email::confirm),
        ..ANYONE
    },
    Row {
        path: "/sign-out",
        kind: Kind::Target,
        form: Some(&[]),
        handler: || get(sign_in::show_sign_out).post(sign_in::sign_out),
        ..ANYONE
    },
    Row {
        path: "/servers",
        query: &["q", "state", "sort", "after"],
        handler: || get(servers::show),
        ..SERVERS
    },
    Row {
        path: "/servers/live",
        kind: Kind::Part,
        query: &["q", "state", "sort", "after"],
        handler: || get(servers::live),
        ..SERVERS
    },
    Row {
        path: "/servers/first-steps",
        kind: Kind::Target,
        form: Some(servers::HIDE),
        handler: || get(servers::show_hide).post(servers::hide),
        ..SERVERS
    },
    Row {
        path: "/servers/new",
        query: &["site", "image", "plan", "name", "ssh_keys"],
        form: Some(new_server::ORDER),
        handler: || get(new_server::show).post(new_server::submit),
        ..SERVERS
    },
    Row {
        path: "/servers/new/confirm",
        query: &["quote"],
        form: Some(new_server::CONFIRM),
        handler: || get(new_server::show_quote).post(new_server::order),
        ..SERVERS
    },
    Row {
        path: "/servers/{id}",
        handler: || get(server::show),
        ..SERVERS
    },
    Row {
        path: "/servers/{id}/live",
        kind: Kind::Part,
        handler: || get(server::live),
        ..SERVERS
    },
    Row {
        path: "/servers/{id}/actions/{action}",
        form: Some(server::ACT),
        handler: || get(server::ask).post(server::act),
        ..SERVERS
    },
    Row {
        path: "/servers/{id}/delete",
        form: Some(server::DELETE),
        handler: || get(server::ask_delete).post(server::delete),
        ..SERVERS
    },
    Row {
        path: "/keys",
        place: Place::Keys,
        form: Some(keys::KEY),
        handler: || get(keys::show).post(keys::add),
        ..MEMBERS
    },
    Row {
        path: "/keys/{id}",
        place: Place::Keys,
        form: Some(keys::RENAME),
        handler: || get(keys::show_one).post(keys::rename),
        ..MEMBERS
    },
    Row {
        path: "/keys/{id}/delete",
        place: Place::Keys,
        kind: Kind::Target,
        form: Some(keys::DELETE),
        handler: || get(keys::show_delete).post(keys::delete),
        ..MEMBERS
    },
    Row {
        path: "/orders",
        place: Place::Orders,
        query: &["state", "from", "until", "after", "format"],
        handler: || get(orders::show),
        ..MEMBERS
    },
    Row {
        path: "/orders/{id}",
        place: Place::Orders,
        handler: || get(orders::show_one),
        ..MEMBERS
    },
    Row {
        path: "/billing",
        place: Place::Billing,
        handler: || get(billing::show),
        ..MEMBERS
    },
    Row {
        path: "/billing/trial",
        place: Place::Billing,
        form: Some(trial::CONVERT),
        handler: || get(trial::show).post(trial::convert),
        ..MEMBERS
    },
    Row {
        path: billing_profile::PATH,
        place: Place::Billing,
        query: &["kind", "next"],
        form: Some(billing_profile::PROFILE),
        handler: || get(billing_profile::show).post(billing_profile::save),
        ..MEMBERS
    },
    Row {
        path: "/billing/alert",
        place: Place::Billing,
        form: Some(spending::ALERT),
        handler: || get(spending::show).post(spending::change),
        ..MEMBERS
    },
    Row {
        path: "/billing/statement",
        place: Place::Billing,
        handler: || get(statement::show),
        ..MEMBERS
    },
    Row {
        path: "/billing/invoices",
        place: Place::Billing,
        query: &["after"],
        handler: || get(invoices::show),
        ..MEMBERS
    },
    Row {
        path: "/billing/invoices/{id}",
        place: Place::Billing,
        query: &["format"],
        handler: || get(invoices::show_one),
        ..MEMBERS
    },
    Row {
        path: jobs::PATH,
        query: &["state", "after"],
        handler: || get(jobs::show),
        ..JOBS
    },
    Row {
        path: "/jobs/new",
        query: &["server", "from", "services"],
        form: Some(jobs::application::APPLICATION),
        handler: || get(jobs::application::show).post(jobs::application::submit),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}",
        form: Some(jobs::one::COMMENT),
        handler: || get(jobs::one::show).post(jobs::one::comment),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}/live",
        kind: Kind::Part,
        handler: || get(jobs::one::live),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}/revise",
        form: Some(jobs::application::REVISION),
        handler: || get(jobs::application::show_revision).post(jobs::application::revise),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}/approval",
        form: Some(jobs::approval::CONFIRM),
        handler: || get(jobs::approval::show).post(jobs::approval::confirm),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}/re-review",
        form: Some(acts::RE_REVIEW.form),
        handler: || acts::pages(&acts::RE_REVIEW),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}/cancel",
        form: Some(acts::CANCEL.form),
        handler: || acts::pages(&acts::CANCEL),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}/access",
        form: Some(acts::ALLOW.form),
        handler: || acts::pages(&acts::ALLOW),
        ..JOBS
    },
    Row {
        path: "/jobs/{id}/access/withdraw",
        kind: Kind::Target,
        form: Some(jobs::one::WITHDRAW),
        handler: || get(jobs::one::show_withdraw).post(jobs::one::withdraw),
        ..JOBS
    },
    Row {
        path: "/account",
        place: Place::Account,
        form: Some(account::PROFILE),
        handler: || get(account::show).post(account::change),
        ..MEMBERS
    },
    Row {
        path: "/account/consents",
        place: Place::Account,
        query: &["next"],
        form: Some(account::consents::CONSENTS),
        handler: || get(account::consents::show).post(account::consents::agree),
        ..MEMBERS
    },
    Row {
        path: "/account/email",
        place: Place::Account,
        form: Some(account::email::EMAIL),
        handler: || get(account::email::show).post(account::email::change),
        ..MEMBERS
    },
    Row {
        path: "/account/mobile",
        place: Place::Account,
        form: Some(account::mobile::MOBILE),
        handler: || get(account::mobile::show).post(account::mobile::change),
        ..MEMBERS
    },
    Row {
        path: "/account/proof",
        place: Place::Account,
        query: &["next"],
        form: Some(account::proof::PROOF),
        handler: || get(account::proof::show).post(account::proof::submit),
        ..MEMBERS
    },
    Row {
        path: "/account/sessions",
        place: Place::Account,
        form: Some(account::sessions::END),
        handler: || get(account::sessions::show).post(account::sessions::end_others),
        ..MEMBERS
    },
    Row {
        path: "/account/sessions/{id}",
        place: Place::Account,
        kind: Kind::Target,
        form: Some(account::sessions::END),
        handler: || get(account::sessions::show_end).post(account::sessions::end),
        ..MEMBERS
    },
    Row {
        path: "/account/tokens",
        place: Place::Account,
        form: Some(account::tokens::MAKE),
        handler: || get(account::tokens::show).post(account::tokens::make),
        ..MEMBERS
    },
    Row {
        path: "/account/tokens/{id}",
        place: Place::Account,
        kind: Kind::Target,
        form: Some(account::tokens::BUTTON),
        handler: || get(account::tokens::show_button).post(account::tokens::end),
        ..MEMBERS
    },
    Row {
        path: "/account/tokens/{id}/enable",
        place: Place::Account,
        kind: Kind::Target,
        form: Some(account::tokens::BUTTON),
        handler: || get(account::tokens::show_button).post(account::tokens::enable),
        ..MEMBERS
    },
    Row {
        path: "/account/two-step",
        place: Place::Account,
        form: Some(account::two_step::BEGIN),
        handler: || get(account::two_step::show).post(account::two_step::begin),
        ..MEMBERS
    },
    Row {
        path: "/account/two-step/confirm",
        place: Place::Account,
        form: Some(account::two_step::CONFIRM),
        handler: || get(account::two_step::show_confirm).post(account::two_step::confirm),
        ..MEMBERS
    },
    Row {
        path: "/account/two-step/codes",
        place: Place::Account,
        form: Some(account::two_step::CHANGE),
        handler: || get(account::two_step::ask_renew).post(account::two_step::renew),
        ..MEMBERS
    },
    Row {
        path: "/account/two-step/off",
        place: Place::Account,
        form: Some(account::two_step::CHANGE),
        handler: || get(account::two_step::ask_off).post(account::two_step::switch_off),
        ..MEMBERS
    },
    Row {
        path: "/account/password",
        place: Place::Account,
        form: Some(account::password::CHANGE),
        handler: || get(account::password::show).post(account::password::change),
        ..MEMBERS
    },
];
