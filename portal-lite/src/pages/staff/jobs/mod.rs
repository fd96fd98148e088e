//! Technical-support jobs as the staff see them: the queue, and all of one with what its engineer needs.

use std::net::IpAddr;

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{GetAnyJob, GetStaffMe, ListAllJobs},
    },
    id::JobId,
    job::{AllJobsQuery, AnyJobLine, JobActKind, JobState},
    staff::Role,
};

use super::{
    deeds::{self, Button, StaffDeed},
    list::{self, Asked, Cell, Choice, Filter, Line, Part, Search, Table, line, plain},
    lists::Which,
};
use crate::{
    failure::Failure,
    form::Form,
    language,
    page::{self, Frame},
    pages::{
        id,
        jobs::{
            state_of,
            view::{self, For, JobView},
        },
        view::moment,
    },
    visit::{Member, Visit},
    words,
};

pub mod acts;

/// The queue.
pub(super) const JOBS: Table = Table {
    path: "/jobs",
    title: "nav-jobs",
    lead: Some("jobs-queue-lead"),
    search: Search::None,
    columns: &[
        plain("job-title"),
        plain("list-state"),
        plain("nav-server"),
        plain("act-owner"),
        plain("job-engineer"),
        plain("job-submitted"),
        plain("job-due"),
    ],
    order: "",
};

/// `GET /jobs`
pub async fn queue(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    list::answer(visit, Which::Jobs, asked).await
}

/// A part of the queue. Only engineers see more of a job.
pub(super) async fn part(
    visit: &Visit,
    asked: &Asked,
    limit: usize,
    role: Role,
) -> Result<Part, Failure> {
    let query = AllJobsQuery {
        limit: Some(limit),
        after: asked.after(),
        state: state_of(&asked.state),
        mine: asked.wants_mine(),
    };
    let found = visit.ask(ListAllJobs::by(query)).await?;
    let lines = found.data.into_iter();
    Ok(Part {
        lines: lines.map(|job| queued(visit, job, role)).collect(),
        next: found.page.next,
    })
}

fn queued(visit: &Visit, any: AnyJobLine, role: Role) -> Line {
    let job = any.line;
    let is_engineer = deeds::is_for(GetAnyJob::ROW.who, role);
    let page = is_engineer.then(|| format!("/jobs/{}", job.id));
    let due = match job.due_at {
        Some(at) if any.is_overdue => {
            let at = moment(visit, at).exact;
            let text = language::say_with(visit.locale, "job-overdue-since", "time", &at);
            Cell::text(text)
        }
        due => Cell::at(visit, due),
    };
    let cells = vec![
        Cell::text(view::title(&job)).leading_to(page),
        Cell::text(visit.say(words::job_state(job.state))),
        Cell::link(
            job.server_name.to_string(),
            format!("/servers/{}", job.server),
        ),
        Cell::owner(None, any.account),
        Cell::text(any.engineer.unwrap_or_else(|| "–".to_owned())),
        Cell::at(visit, Some(job.submitted_at)),
        due,
    ];
    line(job.id, cells)
}

/// States by which the queue can be narrowed.
pub(super) fn states(visit: &Visit) -> Vec<Choice> {
    let states = JobState::ALL.iter();
    states
        .map(|state| Choice {
            code: state.as_str(),
            word: visit.say(words::job_state(*state)),
        })
        .collect()
}

/// The box that narrows it to those of whoever asks.
pub(super) fn mine_filter(visit: &Visit, asked: &Asked) -> Filter {
    let value = if asked.wants_mine() { "1" } else { "" };
    Filter {
        name: "mine",
        kind: "checkbox",
        word: visit.say("job-mine"),
        value: value.to_owned(),
    }
}

#[derive(Template)]
#[template(path = "staff_job.html")]
struct JobPage {
    frame: Frame,
    job: JobView,
    account: String,
    is_overdue: bool,
    login_user: String,
    /// How its engineer gets in, with the address of each family.
    commands: Vec<String>,
    buttons: Vec<Button>,
    comment: Form,
}

/// `GET /jobs/{id}`
pub async fn show(Member(visit): Member, Path(job): Path<String>) -> Result<Response, Failure> {
    let job: JobId = id(&job)?;
    let (any, me) = tokio::try_join!(visit.ask(GetAnyJob::at(job)), visit.ask(GetStaffMe::ask()))?;
    let possible = any.job.can.iter().flat_map(|act| deeds_of(*act));
    let possible: Vec<_> = possible.copied().collect();
    let addresses = any.addresses.iter();
    let page = JobPage {
        frame: page::frame(&visit),
        job: view::job(&visit, &any.job, For::Staff),
        account: any.account.to_string(),
        is_overdue: any.is_overdue,
        commands: addresses
            .map(|address| command(&any.login_user, *address))
            .collect(),
        login_user: any.login_user,
        buttons: deeds::buttons(&visit, me.role, &format!("/jobs/{job}"), &possible),
        comment: Form::of(acts::COMMENT.form, crate::fields::Fields::default()),
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// Pinned to the family of the address: a name could lead to the other one, where nobody is let in.
fn command(user: &str, address: IpAddr) -> String {
    let family = if address.is_ipv4() { "-4" } else { "-6" };
    format!("ssh {family} {user}@{address}")
}

/// What an act is done by. A comment has its field on the job's own page.
fn deeds_of(act: JobActKind) -> &'static [&'static StaffDeed] {
    match act {
        JobActKind::Take => &[&acts::TAKE],
        JobActKind::Delay => &[&acts::DELAY],
        JobActKind::Resume => &[&acts::RESUME],
        JobActKind::AskRevision => &[&acts::ASK_REVISION],
        JobActKind::AskApproval => &[&acts::ASK_APPROVAL],
        JobActKind::AskAccess => &[&acts::ASK_ACCESS],
        JobActKind::Close => &[&acts::DONE, &acts::NOT_DONE],
        JobActKind::Cancel => &[&acts::CANCEL],
        JobActKind::Comment
        | JobActKind::Revise
        | JobActKind::Confirm
        | JobActKind::ReReview
        | JobActKind::AllowAccess
        | JobActKind::WithdrawAccess => &[],
    }
}
