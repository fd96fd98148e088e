//! What a customer does to a technical-support job by a page that asks before: a table, and one page for all of it.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::Path,
    http::StatusCode,
    response::Response,
    routing::{MethodRouter, get},
};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        rest::{ActOnJob, GetJob},
    },
    error::FieldErrorCode,
    id::JobId,
    job::{ACCESS_HOURS, ACCESS_HOURS_DEFAULT, JobAct, JobActKind},
};

use super::{
    one::{self, COMMENT},
    view::{self, For, JobView},
};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind},
    notice::Notice,
    page::{self, Frame},
    pages::id,
    portal::Portal,
    visit::{Member, Visit},
};

/// What is wrong with a field.
pub(in crate::pages) type Wrong = (&'static str, FieldErrorCode);

/// Something that a customer does.
#[derive(Debug)]
pub struct Deed {
    /// What it is to the API.
    kind: JobActKind,
    /// The end of its page's address.
    code: &'static str,
    /// The name of its words: its title, and on the button that does it.
    title: &'static str,
    /// The name of what is said about it before.
    lead: &'static str,
    /// What is asked.
    pub form: &'static [Field],
    /// What the API is asked.
    act: fn(&Fields) -> Result<JobAct, Wrong>,
    /// What is said when it is done.
    done: Notice,
    /// Whether it can't be undone.
    loses: bool,
}

/// Asks the engineer to look at it once more.
pub const RE_REVIEW: Deed = Deed {
    kind: JobActKind::ReReview,
    code: "re-review",
    title: "job-re-review",
    lead: "job-re-review-lead",
    form: &[Field {
        words: "job-re-review-why",
        ..COMMENT[0]
    }],
    act: |fields| said(fields).map(|text| JobAct::ReReview { text }),
    done: Notice::JobReReview,
    loses: false,
};
/// Calls it off.
pub const CANCEL: Deed = Deed {
    kind: JobActKind::Cancel,
    code: "cancel",
    title: "job-cancel",
    lead: "job-cancel-lead",
    form: &[Field {
        words: "job-cancel-why",
        ..COMMENT[0]
    }],
    act: |fields| said(fields).map(|text| JobAct::Cancel { text }),
    done: Notice::JobCancelled,
    loses: true,
};
/// Lets engineers in.
pub const ALLOW: Deed = Deed {
    kind: JobActKind::AllowAccess,
    code: "access",
    title: "job-access-allow",
    lead: "job-access-allow-lead",
    form: &[Field {
        name: "hours",
        pointer: "hours",
        kind: Kind::Number,
        words: "job-access-hours",
        ..Field::TEXT
    }],
    act: |fields| hours_of(fields).map(|hours| JobAct::AllowAccess { hours }),
    done: Notice::AccessAllowed,
    loses: false,
};

#[derive(Template)]
#[template(path = "job_act.html")]
struct Ask {
    frame: Frame,
    job: JobView,
    form: Form,
    code: &'static str,
    title: &'static str,
    lead: &'static str,
    field: &'static str,
    loses: bool,
    is_possible: bool,
}

/// The page of a deed.
pub fn pages(deed: &'static Deed) -> MethodRouter<Arc<Portal>> {
    let show = move |Member(visit): Member, Path(job): Path<String>, entered: Entered| async move {
        ask(&visit, deed, &job, entered).await
    };
    let submit = move |Member(visit): Member, Path(job): Path<String>, fields: Fields| async move {
        act(&visit, deed, &job, &fields).await
    };
    get(show).post(submit)
}

async fn ask(
    visit: &Visit,
    deed: &'static Deed,
    job: &str,
    entered: Entered,
) -> Result<Response, Failure> {
    let job = visit.ask(GetJob::at(id(job)?)).await?;
    let address = format!("{}/{}", one::address(job.line.id), deed.code);
    let is_possible = job.can.contains(&deed.kind);
    let page = Ask {
        frame: one::frame(visit, &address, is_possible),
        is_possible,
        job: view::job(visit, &job, For::Customer),
        form: entered.form(visit, deed.form, hours().fields),
        code: deed.code,
        title: deed.title,
        lead: deed.lead,
        field: deed.form[0].name,
        loses: deed.loses,
    };
    page::render(visit, StatusCode::OK, &page)
}

async fn act(
    visit: &Visit,
    deed: &'static Deed,
    job: &str,
    fields: &Fields,
) -> Result<Response, Failure> {
    let job: JobId = id(job)?;
    let act = match (deed.act)(fields) {
        Ok(act) => act,
        Err(wrong) => return Ok(form::complaint(visit, fields, &[wrong])),
    };
    match visit.ask(ActOnJob::at_with(job, act)).await {
        Ok(_) => Ok(one::back(visit, job, deed.done)),
        Err(error) => form::refused(visit, deed.form, fields, error),
    }
}

/// The form to let engineers in, as long as they usually are.
pub(super) fn hours() -> Form {
    let hours = ACCESS_HOURS_DEFAULT.to_string();
    let hours = vec![(ALLOW.form[0].name.to_owned(), hours)];
    Form::of(ALLOW.form, Fields::new(hours))
}

/// What was written, with one character for the end of a line.
pub(in crate::pages) fn said(fields: &Fields) -> Result<String, Wrong> {
    match lines(fields, COMMENT[0].name).as_str() {
        "" => Err((COMMENT[0].name, FieldErrorCode::Required)),
        text => Ok(text.to_owned()),
    }
}

/// A text of several lines. Browsers end each with two characters.
pub(super) fn lines(fields: &Fields, name: &str) -> String {
    fields.get(name).trim().replace("\r\n", "\n")
}

fn hours_of(fields: &Fields) -> Result<u32, Wrong> {
    let name = ALLOW.form[0].name;
    let text = fields.get(name).trim();
    if text.is_empty() {
        return Err((name, FieldErrorCode::Required));
    }
    let hours = text.parse().ok();
    let hours = hours.filter(|hours| ACCESS_HOURS.contains(hours));
    hours.ok_or((name, FieldErrorCode::Malformed))
}
