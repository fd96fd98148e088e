//! What is to be approved of before work begins: the frozen scope and fee, with what was applied for and said.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    digest::Digest,
    endpoints::{
        Endpoint as _,
        rest::{ConfirmJob, GetJob},
    },
    error::ProblemCode,
    id::JobId,
    job::JobConfirmation,
};

use super::{
    one,
    view::{self, For, JobView},
};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form},
    notice::Notice,
    page::{self, Frame},
    pages::id,
    visit::Member,
};

/// The form to confirm what was shown.
pub const CONFIRM: &[Field] = &[Field::hidden("digest")];

#[derive(Template)]
#[template(path = "job_approval.html")]
struct ApprovalPage {
    frame: Frame,
    job: JobView,
    form: Form,
    /// Whether it was refused since engineers are not let in.
    is_closed: bool,
}

/// `GET /jobs/{id}/approval`: what is asked for now, also when something else was confirmed.
pub async fn show(
    Member(visit): Member,
    Path(job): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    let job = visit.ask(GetJob::at(id(&job)?)).await?;
    let form = entered.form(&visit, CONFIRM, Fields::default());
    let address = format!("{}/approval", one::address(job.line.id));
    let job = view::job(&visit, &job, For::Customer);
    let page = ApprovalPage {
        frame: one::frame(&visit, &address, job.waits_for_approval()),
        job,
        is_closed: form.is(ProblemCode::FirewallNotActive),
        form,
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// `POST /jobs/{id}/approval`
pub async fn confirm(
    Member(visit): Member,
    Path(job): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let job: JobId = id(&job)?;
    let digest: Digest = id(fields.get("digest"))?;
    let confirmation = JobConfirmation { digest };
    match visit.ask(ConfirmJob::at_with(job, confirmation)).await {
        Ok(_) => Ok(one::back(&visit, job, Notice::JobConfirmed)),
        Err(error) => form::refused(&visit, CONFIRM, &fields, error),
    }
}
