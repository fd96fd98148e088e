//! The page that asks before staff do something, and the deed itself: one for the whole table of `deeds`.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::RawPathParams,
    http::StatusCode,
    response::Response,
    routing::{MethodRouter, get},
};
use innkeeper_wire::{
    api::ServerAction,
    endpoints::{
        Endpoint as _, Who,
        operators::{
            AcceptCapacity, ActOnAnyServer, ApproveAccount, ChangeQuota, ConfirmAccountEmail,
            ConfirmFencing, CordonHost, DeleteAnyServer, DropMail, EraseAccount, GetStaffMe,
            LoseHost, MailConfirmation, RejectAccount, ReleaseHost, ReplaceHost, ResumeAccount,
            RetryMail, RetryMails, RetryOrder, RevokeHost, SuspendAccount, UncordonHost,
            UnfreezeBilling, UnlockAccount,
        },
    },
    error::{FieldErrorCode, Problem, ProblemCode},
    operator::{
        accounts::{QuotaRequest, SuspendRequest},
        reason::{Reason, ReasonError, ReasonRequest},
        servers::AnyServerActionRequest,
    },
};

use super::{
    REASON,
    deeds::{Loss, OnAccount, OnHost, SERVERS, StaffDeed, TYPED, What, is_for},
    hosts::{host_of, shown_once},
    jobs, lost_factor, money,
    subject::{Subject, subject},
};
use crate::{
    api::ApiError,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Form},
    notice::Notice,
    page::{self, Frame},
    pages::{id, server::is_name},
    portal::Portal,
    visit::{Member, Visit},
};

#[derive(Template)]
#[template(path = "staff_act.html")]
struct Ask {
    frame: Frame,
    subject: Subject,
    form: Form,
    /// Names of the form's fields.
    fields: Vec<&'static str>,
    title: &'static str,
    lead: &'static str,
    loses: bool,
    /// Where the form is sent: the page's own address.
    address: String,
}

/// How it goes on when something is done.
enum Done {
    /// At another page, which says that it is done.
    GoOn,
    /// With what is shown this once.
    Shown(Box<Response>),
}

/// Why something was not done.
pub(super) enum Undone {
    /// The form is shown again.
    Complaint(Box<Response>),
    /// The API has refused.
    Refused(ApiError),
    /// There is a page for it.
    Failed(Failure),
}

impl From<Box<Response>> for Undone {
    fn from(complaint: Box<Response>) -> Self {
        Self::Complaint(complaint)
    }
}

impl From<ApiError> for Undone {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for Undone {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The page of a deed. What it is done to stands in its address.
pub fn pages(deed: &'static StaffDeed) -> MethodRouter<Arc<Portal>> {
    let show = move |Member(visit): Member, about: RawPathParams, entered: Entered| async move {
        ask(&visit, deed, about_of(&about), entered).await
    };
    let submit = move |Member(visit): Member, about: RawPathParams, fields: Fields| async move {
        act(&visit, deed, about_of(&about), &fields).await
    };
    get(show).post(submit)
}

fn about_of(parameters: &RawPathParams) -> &str {
    parameters.iter().next().map_or("", |(_, value)| value)
}

async fn ask(
    visit: &Visit,
    deed: &'static StaffDeed,
    about: &str,
    entered: Entered,
) -> Result<Response, Failure> {
    check_role(visit, deed.who).await?;
    let subject = subject(visit, deed, about).await?;
    let address = visit.path();
    let view = Ask {
        frame: page::frame(visit).with_form(&address),
        form: entered.form(visit, deed.form, subject.present.clone()),
        subject,
        fields: deed.form.iter().map(|field| field.name).collect(),
        title: deed.title,
        lead: deed.lead,
        loses: deed.loss == Loss::Some,
        address,
    };
    page::render(visit, StatusCode::OK, &view)
}

async fn act(
    visit: &Visit,
    deed: &'static StaffDeed,
    about: &str,
    fields: &Fields,
) -> Result<Response, Failure> {
    check_role(visit, deed.who).await?;
    match carry_out(visit, deed, about, fields).await {
        Ok(Done::Shown(page)) => Ok(*page),
        Ok(Done::GoOn) => {
            let (to, notice) = after(deed.what, about);
            Ok(page::redirect_with(visit, &to, notice))
        }
        Err(Undone::Complaint(complaint)) => Ok(*complaint),
        Err(Undone::Refused(error)) => refused(visit, deed, fields, error),
        Err(Undone::Failed(failure)) => Err(failure),
    }
}

fn refused(
    visit: &Visit,
    deed: &StaffDeed,
    fields: &Fields,
    error: ApiError,
) -> Result<Response, Failure> {
    let error = match error {
        ApiError::Refused(problem) if problem.code == ProblemCode::NotYourRole => {
            return Err(Failure::Refused(problem));
        }
        // So the operators' API answers what makes no sense as things are, and says why: what is asked here can always be
        // read.
        ApiError::Refused(problem) if problem.code == ProblemCode::BadRequest => {
            ApiError::Refused(Box::new(Problem {
                detail: problem.detail,
                ..Problem::new(ProblemCode::InvalidState)
            }))
        }
        error => error,
    };
    form::refused(visit, deed.form, fields, error)
}

/// That whoever asks has a role that may: others are told so before they write anything.
pub(super) async fn check_role(visit: &Visit, who: Who) -> Result<(), Failure> {
    let me = visit.ask(GetStaffMe::ask()).await?;
    if is_for(who, me.role) {
        return Ok(());
    }
    let problem = Problem::new(ProblemCode::NotYourRole);
    Err(Failure::Refused(Box::new(problem)))
}

async fn carry_out(
    visit: &Visit,
    deed: &StaffDeed,
    about: &str,
    fields: &Fields,
) -> Result<Done, Undone> {
    if deed.asks_for(&TYPED) {
        check_typed(visit, deed, about, fields).await?;
    }
    match deed.what {
        What::Account(what) => on_account(visit, what, about, fields).await?,
        What::Server(action) => on_server(visit, action, about, fields).await?,
        What::Host(what) => return on_host(visit, what, about, fields).await,
        What::RetryOrder => {
            let why = why(visit, fields)?;
            visit.ask(RetryOrder::at_with(id(about)?, why)).await?;
        }
        What::RetryMail => {
            let why = why(visit, fields)?;
            visit.ask(RetryMail::at_with(id(about)?, why)).await?;
        }
        What::DropMail => {
            let why = why(visit, fields)?;
            visit.ask(DropMail::at_with(id(about)?, why)).await?;
        }
        What::LostFactor(what) => {
            let reason = reason_of(visit, fields)?;
            lost_factor::decide(visit, what, about, fields, reason).await?;
        }
        What::Money(what) => {
            let reason = reason_of(visit, fields)?;
            money::acts::carry_out(visit, what, about, fields, reason).await?;
        }
        What::Job(what) => jobs::acts::carry_out(visit, what, about, fields).await?,
        What::UnfreezeBilling => {
            let why = why(visit, fields)?;
            visit.ask(UnfreezeBilling::with(why)).await?;
        }
        What::RetryMails => {
            let why = why(visit, fields)?;
            visit.ask(RetryMails::with(why)).await?;
        }
    }
    Ok(Done::GoOn)
}

async fn check_typed(
    visit: &Visit,
    deed: &StaffDeed,
    about: &str,
    fields: &Fields,
) -> Result<(), Undone> {
    let missing = form::missing(fields, &[TYPED.name]);
    if !missing.is_empty() {
        return Err(Box::new(form::complaint(visit, fields, &missing)).into());
    }
    let subject = subject(visit, deed, about).await?;
    if is_name(fields.get(TYPED.name), &subject.name) {
        return Ok(());
    }
    let wrong = [(TYPED.name, FieldErrorCode::Unknown)];
    Err(Box::new(form::complaint(visit, fields, &wrong)).into())
}

async fn on_account(
    visit: &Visit,
    what: OnAccount,
    about: &str,
    fields: &Fields,
) -> Result<(), Undone> {
    let account = id(about)?;
    match what {
        OnAccount::Unlock => {
            let why = why(visit, fields)?;
            visit.ask(UnlockAccount::at_with(account, why)).await?;
        }
        OnAccount::Quota => {
            let request = QuotaRequest {
                server_quota: quota_of(visit, fields)?,
                reason: reason_of(visit, fields)?,
            };
            visit.ask(ChangeQuota::at_with(account, request)).await?;
        }
        OnAccount::Approve => {
            let why = why(visit, fields)?;
            visit.ask(ApproveAccount::at_with(account, why)).await?;
        }
        OnAccount::Reject => {
            let why = why(visit, fields)?;
            visit.ask(RejectAccount::at_with(account, why)).await?;
        }
        OnAccount::MailConfirmation => {
            let why = why(visit, fields)?;
            visit.ask(MailConfirmation::at_with(account, why)).await?;
        }
        OnAccount::ConfirmEmail => {
            let why = why(visit, fields)?;
            let confirm = ConfirmAccountEmail::at_with(account, why);
            visit.ask(confirm).await?;
        }
        OnAccount::Suspend(kind) => {
            let reason = reason_of(visit, fields)?;
            let request = SuspendRequest { kind, reason };
            visit.ask(SuspendAccount::at_with(account, request)).await?;
        }
        OnAccount::Resume => {
            let why = why(visit, fields)?;
            visit.ask(ResumeAccount::at_with(account, why)).await?;
        }
        OnAccount::Erase => {
            let why = why(visit, fields)?;
            visit.ask(EraseAccount::at_with(account, why)).await?;
        }
    }
    Ok(())
}

/// The number of servers that was written, or what is wrong with it.
fn quota_of(visit: &Visit, fields: &Fields) -> Result<u32, Box<Response>> {
    let text = fields.get(SERVERS.name).trim();
    text.parse().map_err(|_| {
        let code = match text {
            "" => FieldErrorCode::Required,
            _ => FieldErrorCode::Malformed,
        };
        Box::new(form::complaint(visit, fields, &[(SERVERS.name, code)]))
    })
}

async fn on_server(
    visit: &Visit,
    action: ServerAction,
    about: &str,
    fields: &Fields,
) -> Result<(), Undone> {
    let server = id(about)?;
    let reason = reason_of(visit, fields)?;
    if action == ServerAction::Delete {
        let why = ReasonRequest { reason };
        visit.ask(DeleteAnyServer::at_with(server, why)).await?;
    } else {
        let request = AnyServerActionRequest { action, reason };
        visit.ask(ActOnAnyServer::at_with(server, request)).await?;
    }
    Ok(())
}

async fn on_host(
    visit: &Visit,
    what: OnHost,
    about: &str,
    fields: &Fields,
) -> Result<Done, Undone> {
    let host = host_of(visit, about).await?;
    match what {
        OnHost::Cordon => {
            let why = why(visit, fields)?;
            visit.ask(CordonHost::at_with(host.name, why)).await?;
        }
        OnHost::Uncordon => {
            let why = why(visit, fields)?;
            visit.ask(UncordonHost::at_with(host.name, why)).await?;
        }
        OnHost::Release => {
            let why = why(visit, fields)?;
            visit.ask(ReleaseHost::at_with(host.name, why)).await?;
        }
        OnHost::AcceptCapacity => {
            let why = why(visit, fields)?;
            visit.ask(AcceptCapacity::at_with(host.name, why)).await?;
        }
        OnHost::Revoke => {
            let why = why(visit, fields)?;
            visit.ask(RevokeHost::at_with(host.name, why)).await?;
        }
        // One that was revoked may have the name of another one.
        OnHost::Lose => {
            let (id, why) = (host.id.to_string(), why(visit, fields)?);
            visit.ask(LoseHost::at_with(id, why)).await?;
        }
        OnHost::Fence => {
            let (id, why) = (host.id.to_string(), why(visit, fields)?);
            visit.ask(ConfirmFencing::at_with(id, why)).await?;
        }
        // Answered at once with the command that lets the machine join, since that is shown once.
        OnHost::Replace => {
            let (id, why) = (host.id.to_string(), why(visit, fields)?);
            let invited = visit.ask(ReplaceHost::at_with(id, why)).await?;
            let page = shown_once(visit, host.name, invited.join_command)?;
            return Ok(Done::Shown(Box::new(page)));
        }
    }
    Ok(Done::GoOn)
}

/// Where one goes on when something is done, and what is said there.
fn after(what: What, about: &str) -> (String, Notice) {
    match what {
        What::Account(_) => (format!("/accounts/{about}"), Notice::StaffActed),
        What::Server(_) => (format!("/servers/{about}"), Notice::ActionAccepted),
        What::Host(_) => (format!("/hosts/{about}"), Notice::StaffDone),
        What::Money(what) => money::acts::after(what, about),
        What::Job(_) => (format!("/jobs/{about}"), Notice::StaffDone),
        What::UnfreezeBilling => ("/attention".to_owned(), Notice::StaffDone),
        What::RetryOrder => ("/orders".to_owned(), Notice::StaffDone),
        What::LostFactor(_) => (lost_factor::TABLE.path.to_owned(), Notice::StaffDone),
        What::RetryMail | What::DropMail | What::RetryMails => {
            ("/mails".to_owned(), Notice::StaffDone)
        }
    }
}

fn why(visit: &Visit, fields: &Fields) -> Result<ReasonRequest, Box<Response>> {
    let reason = reason_of(visit, fields)?;
    Ok(ReasonRequest { reason })
}

/// The reason that was written, or what is wrong with it, before anybody is asked.
fn reason_of(visit: &Visit, fields: &Fields) -> Result<Reason, Box<Response>> {
    let reason = fields.get(REASON.name).parse();
    reason.map_err(|error: ReasonError| {
        let wrong = [(REASON.name, error.code())];
        Box::new(form::complaint(visit, fields, &wrong))
    })
}
