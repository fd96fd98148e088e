//! One technical-support job: how far it is, whether engineers are let in as the server's host says, and what has happened.
//! It follows by itself. What is said here is posted to its own address; what is taken back at once needs no question.

use askama::Template;
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        rest::{ActOnJob, GetJob},
    },
    id::JobId,
    job::{JOB_TEXT_LENGTH_MAX, Job, JobAct},
};

use super::{
    acts,
    view::{self, For, JobView},
};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind},
    notice::Notice,
    page::{self, Frame},
    pages::{
        id,
        live::{self, Note},
    },
    visit::{Member, Visit},
};

/// What is said about a job.
pub const COMMENT: &[Field] = &[Field {
    name: "text",
    pointer: "text",
    kind: Kind::Lines(4),
    limit: Some(JOB_TEXT_LENGTH_MAX),
    words: "job-comment",
    ..Field::TEXT
}];
/// The form to let engineers in no more: a button.
pub const WITHDRAW: &[Field] = &[];

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    note: Note,
    job: JobView,
    /// For how long engineers are let in.
    allow: Form,
    form: Form,
}

/// The part of the page that keeps itself up to date.
#[derive(Template)]
#[template(path = "job_live.html")]
struct Live {
    frame: Frame,
    job: JobView,
    allow: Form,
}

/// `GET /jobs/{id}`
pub async fn show(
    Member(visit): Member,
    Path(job): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    let job = visit.ask(GetJob::at(id(&job)?)).await?;
    let form = entered.form(&visit, COMMENT, Fields::default());
    job_page(&visit, &job, form)
}

/// `GET /jobs/{id}/live`
pub async fn live(
    Member(visit): Member,
    Path(job): Path<String>,
    asked: HeaderMap,
) -> Result<Response, Failure> {
    let job = GetJob::at(id(&job)?);
    let job = visit.portal.api.watch(visit.caller(), job).await?;
    let part = Live {
        frame: page::frame(&visit),
        job: view::job(&visit, &job, For::Customer).still(),
        allow: acts::hours(),
    };
    live::answer(&asked, &part)
}

/// `POST /jobs/{id}`: says something.
pub async fn comment(
    Member(visit): Member,
    Path(job): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let job: JobId = id(&job)?;
    let text = match acts::said(&fields) {
        Ok(text) => text,
        Err(wrong) => return Ok(form::complaint(&visit, &fields, &[wrong])),
    };
    let act = ActOnJob::at_with(job, JobAct::Comment { text });
    match visit.ask(act).await {
        Ok(_) => Ok(back(&visit, job, Notice::JobCommented)),
        Err(error) => form::refused(&visit, COMMENT, &fields, error),
    }
}

/// `GET /jobs/{id}/access/withdraw`: to the job.
pub async fn show_withdraw(
    Member(visit): Member,
    Path(job): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    let job: JobId = id(&job)?;
    if !entered.is_again() {
        return Ok(page::redirect(&address(job)));
    }
    let form = entered.form(&visit, WITHDRAW, Fields::default());
    let form = Form {
        list: COMMENT,
        fields: Fields::default(),
        ..form
    };
    let job = visit.ask(GetJob::at(job)).await?;
    job_page(&visit, &job, form)
}

/// `POST /jobs/{id}/access/withdraw`: at once, whatever is being done there.
pub async fn withdraw(
    Member(visit): Member,
    Path(job): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let job: JobId = id(&job)?;
    match visit
        .ask(ActOnJob::at_with(job, JobAct::WithdrawAccess))
        .await
    {
        Ok(_) => Ok(back(&visit, job, Notice::AccessWithdrawn)),
        Err(error) => form::refused(&visit, WITHDRAW, &fields, error),
    }
}

/// The page of a job.
pub(super) fn address(job: JobId) -> String {
    format!("/jobs/{job}")
}

/// There again, where it is said what was done.
pub(super) fn back(visit: &Visit, job: JobId, notice: Notice) -> Response {
    page::redirect_with(visit, &address(job), notice)
}

/// What is around a page, whose form is at this address if it has one.
pub(super) fn frame(visit: &Visit, address: &str, has_form: bool) -> Frame {
    let frame = page::frame(visit);
    match has_form {
        true => frame.with_form(address),
        false => frame,
    }
}

fn job_page(visit: &Visit, job: &Job, form: Form) -> Result<Response, Failure> {
    let view = view::job(visit, job, For::Customer);
    let page = JobPage {
        frame: frame(visit, &address(job.line.id), view.can("comment")),
        note: Note {
            here: address(job.line.id),
            ..live::note(visit)
        },
        job: view,
        allow: acts::hours(),
        form,
    };
    page::render(visit, StatusCode::OK, &page)
}
