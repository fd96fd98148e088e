//! One account: whose it is, how far it is, and what staff have done to it.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    billing_profile::{BillTo, BillingProfile},
    endpoints::{
        Endpoint as _,
        operators::{GetAccount, GetAccountProfile, GetStaffMe},
    },
    id::AccountId,
    operator::accounts::{AccountStanding, AccountView, ActLine, Deed},
    staff::Role,
};

use super::{
    accounts::{self, Line},
    deeds::{self, Button, StaffDeed},
};
use crate::{
    failure::Failure,
    format::{self, Moment},
    language,
    page::{self, Frame},
    pages::{funds, id, view},
    visit::{Member, Visit},
    words,
};

#[derive(Template)]
#[template(path = "staff_account.html")]
struct Account {
    frame: Frame,
    line: Line,
    kind: String,
    company: Option<String>,
    /// Since when it waits to be approved, if it does.
    waits_since: Option<Moment>,
    /// What it is suspended for, since when and why, if it is.
    suspension: Option<(String, Moment, String)>,
    mobile: Option<String>,
    language: Option<&'static str>,
    server_quota: u32,
    /// To whom invoices are addressed, line by line; nothing where nobody has said so.
    bill_to: Vec<String>,
    has_second_factor: bool,
    locked_until: Option<Moment>,
    acts: Vec<Act>,
    buttons: Vec<Button>,
}

struct Act {
    at: Moment,
    by: String,
    deed: String,
    reason: String,
}

/// `GET /accounts/{id}`
pub async fn show(Member(visit): Member, Path(account): Path<String>) -> Result<Response, Failure> {
    let id: AccountId = id(&account)?;
    let (found, profile, me) = tokio::try_join!(
        visit.ask(GetAccount::at(id)),
        visit.ask(GetAccountProfile::at(id)),
        visit.ask(GetStaffMe::ask())
    )?;
    let buttons = buttons(&visit, me.role, &found);
    let AccountView {
        line,
        kind,
        company,
        waits_since,
        mobile,
        locale,
        server_quota,
        has_second_factor,
        locked_until,
        acts,
        suspension,
    } = found;
    let view = Account {
        frame: page::frame(&visit),
        line: accounts::line(&visit, line),
        kind: visit.say(words::member_kind(kind)),
        company,
        waits_since: waits_since.map(|at| view::moment(&visit, at)),
        suspension: suspension.map(|suspension| {
            let kind = visit.say(words::suspension(suspension.kind));
            let since = view::moment(&visit, suspension.since);
            (kind, since, suspension.reason)
        }),
        mobile,
        language: locale.map(language::own_name),
        server_quota,
        bill_to: profile.map_or_else(Vec::new, |profile| payer(&visit, profile)),
        has_second_factor,
        locked_until: locked_until.map(|at| view::moment(&visit, at)),
        acts: acts.into_iter().map(|act| self::act(&visit, act)).collect(),
        buttons,
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// As on an invoice, with the telephone numbers and addresses.
fn payer(visit: &Visit, profile: BillingProfile) -> Vec<String> {
    let details = profile.details;
    let by_telephone = [Some(details.mobile.clone()), details.landline.clone()];
    let emails = details.emails.clone();
    let to = BillTo::of(profile.version.unwrap_or_default(), details);
    let reached = by_telephone.into_iter().flatten().chain(emails);
    to.lines(visit.locale).into_iter().chain(reached).collect()
}

/// What makes sense to do to an account as it is.
fn buttons(visit: &Visit, role: Role, account: &AccountView) -> Vec<Button> {
    let possible: &[&StaffDeed] = match account.line.state {
        AccountStanding::PendingEmail => &[
            &deeds::MAIL_CONFIRMATION,
            &deeds::CONFIRM_EMAIL,
            &deeds::ERASE,
        ],
        AccountStanding::PendingApproval => &[
            &deeds::APPROVE,
            &deeds::REJECT,
            &deeds::UNLOCK,
            &deeds::QUOTA,
            &deeds::ERASE,
        ],
        AccountStanding::Active => &[
            &deeds::UNLOCK,
            &deeds::QUOTA,
            &deeds::SUSPEND_FOR_DEBT,
            &deeds::SUSPEND_FOR_ABUSE,
            &deeds::ERASE,
        ],
        AccountStanding::Suspended => {
            &[&deeds::RESUME, &deeds::UNLOCK, &deeds::QUOTA, &deeds::ERASE]
        }
        AccountStanding::Rejected => &[&deeds::ERASE],
        AccountStanding::Erased => &[],
    };
    let base = format!("/accounts/{}", account.line.id);
    deeds::buttons(visit, role, &base, possible)
}

fn act(visit: &Visit, act: ActLine) -> Act {
    let ActLine {
        at,
        by,
        deed,
        reason,
    } = act;
    let deed = match deed {
        Deed::Unlocked => visit.say("deed-unlocked"),
        Deed::Approved => visit.say("deed-approved"),
        Deed::Rejected => visit.say("deed-rejected"),
        Deed::EmailConfirmed => visit.say("deed-email-confirmed"),
        Deed::ConfirmationMailed => visit.say("deed-confirmation-mailed"),
        Deed::Erased => visit.say("deed-erased"),
        Deed::Suspended { cause } => {
            let cause = visit.say(words::suspension(cause));
            language::say_with(visit.locale, "deed-suspended", "cause", &cause)
        }
        Deed::Resumed => visit.say("deed-resumed"),
        Deed::LostFactorConfirmed => visit.say("deed-lost-factor-confirmed"),
        Deed::LostFactorRejected => visit.say("deed-lost-factor-rejected"),
        Deed::QuotaChanged { before, after } => {
            let change = format!("{before} → {after}");
            language::say_with(visit.locale, "deed-quota-changed", "change", &change)
        }
        Deed::ServerChanged { server, action } => {
            let change = format!("{}: {server}", visit.say(words::server_action(action)));
            language::say_with(visit.locale, "deed-server-changed", "change", &change)
        }
        Deed::PromotionGranted { amount, days } => {
            let days = language::say_count(visit.locale, "promotion-days", u64::from(days));
            let grant = format!("{}, {days}", format::money(visit.locale, amount));
            language::say_with(visit.locale, "deed-promotion-granted", "grant", &grant)
        }
        Deed::TrialGranted { amount } => {
            let amount = format::money(visit.locale, amount);
            language::say_with(visit.locale, "deed-trial-granted", "amount", &amount)
        }
        Deed::TermsChanged { terms } => {
            let terms = funds::terms(visit, terms, funds::own_days(terms));
            language::say_with(visit.locale, "deed-terms-changed", "terms", &terms)
        }
        Deed::OrderRetried { order } => {
            let order = order.to_string();
            language::say_with(visit.locale, "deed-order-retried", "order", &order)
        }
        Deed::MailRetried { mail } => {
            let mail = mail.to_string();
            language::say_with(visit.locale, "deed-mail-retried", "mail", &mail)
        }
        Deed::MailDropped { mail } => {
            let mail = mail.to_string();
            language::say_with(visit.locale, "deed-mail-dropped", "mail", &mail)
        }
    };
    Act {
        at: view::moment(visit, at),
        by,
        deed,
        reason: reason.unwrap_or_else(|| "–".to_owned()),
    }
}
