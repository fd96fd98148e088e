//! One account, and what staff do to it.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{ChangeQuota, GetAccount, UnlockAccount},
    },
    error::FieldErrorCode,
    id::AccountId,
    operator::{
        accounts::{AccountView, ActLine, Deed, QuotaRequest},
        reason::ReasonRequest,
    },
};

use super::{
    REASON,
    accounts::{self, Line},
    reason_of,
};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form},
    format::Moment,
    language,
    notice::Notice,
    page::{self, Frame},
    pages::{id, view},
    visit::{Member, Visit},
    words,
};

/// The form to unlock it.
pub const UNLOCK: &[Field] = &[REASON];
/// The form to change how many servers it may have.
pub const QUOTA: &[Field] = &[
    Field {
        name: "servers",
        pointer: "server_quota",
        words: "staff-quota",
        ..Field::TEXT
    },
    REASON,
];

#[derive(Template)]
#[template(path = "staff_account.html")]
struct Account {
    frame: Frame,
    line: Line,
    mobile: Option<String>,
    language: Option<&'static str>,
    server_quota: u32,
    has_second_factor: bool,
    locked_until: Option<Moment>,
    acts: Vec<Act>,
}

struct Act {
    at: Moment,
    by: String,
    deed: String,
    reason: String,
}

/// A page that asks why before something is done.
#[derive(Template)]
#[template(path = "staff_account_act.html")]
struct Ask {
    frame: Frame,
    line: Line,
    form: Form,
    deed: Asked,
}

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Unlock,
    Quota,
}

impl Asked {
    const fn path(self) -> &'static str {
        match self {
            Self::Unlock => "unlock",
            Self::Quota => "quota",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Unlock => "staff-unlock",
            Self::Quota => "staff-change-quota",
        }
    }

    const fn lead(self) -> &'static str {
        match self {
            Self::Unlock => "staff-unlock-lead",
            Self::Quota => "staff-change-quota-lead",
        }
    }

    const fn form(self) -> &'static [Field] {
        match self {
            Self::Unlock => UNLOCK,
            Self::Quota => QUOTA,
        }
    }
}

/// `GET /accounts/{id}`
pub async fn show(Member(visit): Member, Path(account): Path<String>) -> Result<Response, Failure> {
    let found = account_of(&visit, &account).await?;
    let AccountView {
        line,
        mobile,
        locale,
        server_quota,
        has_second_factor,
        locked_until,
        acts,
    } = found;
    let view = Account {
        frame: page::frame(&visit),
        line: accounts::line(&visit, line),
        mobile,
        language: locale.map(language::own_name),
        server_quota,
        has_second_factor,
        locked_until: locked_until.map(|at| view::moment(&visit, at)),
        acts: acts.into_iter().map(|act| self::act(&visit, act)).collect(),
    };
    page::render(&visit, StatusCode::OK, &view)
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
        Deed::QuotaChanged { before, after } => {
            let change = format!("{before} → {after}");
            language::say_with(visit.locale, "deed-quota-changed", "change", &change)
        }
        Deed::ServerChanged { server, action } => {
            let change = format!("{}: {server}", visit.say(words::server_action(action)));
            language::say_with(visit.locale, "deed-server-changed", "change", &change)
        }
        Deed::OrderRetried { order } => {
            let order = order.to_string();
            language::say_with(visit.locale, "deed-order-retried", "order", &order)
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

async fn account_of(visit: &Visit, account: &str) -> Result<AccountView, Failure> {
    let id: AccountId = id(account)?;
    Ok(visit.ask(GetAccount::at(id)).await?)
}

/// `GET /accounts/{id}/unlock`
pub async fn ask_unlock(
    Member(visit): Member,
    Path(account): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    ask(&visit, &account, entered, Asked::Unlock).await
}

/// `POST /accounts/{id}/unlock`
pub async fn unlock(
    Member(visit): Member,
    Path(account): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let reason = match reason_of(&visit, &fields) {
        Ok(reason) => reason,
        Err(refused) => return Ok(*refused),
    };
    let id: AccountId = id(&account)?;
    let request = ReasonRequest { reason };
    match visit.ask(UnlockAccount::at_with(id, request)).await {
        Ok(_) => Ok(done(&visit, id)),
        Err(error) => form::refused(&visit, UNLOCK, &fields, error),
    }
}

/// `GET /accounts/{id}/quota`
pub async fn ask_quota(
    Member(visit): Member,
    Path(account): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    ask(&visit, &account, entered, Asked::Quota).await
}

/// `POST /accounts/{id}/quota`
pub async fn change_quota(
    Member(visit): Member,
    Path(account): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let Ok(server_quota) = fields.get("servers").trim().parse() else {
        let complaints = [("servers", FieldErrorCode::Malformed)];
        return Ok(form::complaint(&visit, &fields, &complaints));
    };
    let reason = match reason_of(&visit, &fields) {
        Ok(reason) => reason,
        Err(refused) => return Ok(*refused),
    };
    let id: AccountId = id(&account)?;
    let request = QuotaRequest {
        server_quota,
        reason,
    };
    match visit.ask(ChangeQuota::at_with(id, request)).await {
        Ok(_) => Ok(done(&visit, id)),
        Err(error) => form::refused(&visit, QUOTA, &fields, error),
    }
}

fn done(visit: &Visit, id: AccountId) -> Response {
    page::redirect_with(visit, &format!("/accounts/{id}"), Notice::StaffActed)
}

async fn ask(
    visit: &Visit,
    account: &str,
    entered: Entered,
    deed: Asked,
) -> Result<Response, Failure> {
    let found = account_of(visit, account).await?;
    let quota = ("servers".to_owned(), found.server_quota.to_string());
    let default = match deed {
        Asked::Unlock => Fields::default(),
        Asked::Quota => Fields::new(vec![quota]),
    };
    let line = accounts::line(visit, found.line);
    let view = Ask {
        frame: page::frame(visit).with_form(&format!("/accounts/{}/{}", line.id, deed.path())),
        form: entered.form(visit, deed.form(), default),
        line,
        deed,
    };
    page::render(visit, StatusCode::OK, &view)
}
