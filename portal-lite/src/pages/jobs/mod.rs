//! Technical-support jobs as their customers see them: the list, and with it what a job is. One of them is in `one`, the
//! application for one in `application`, what is to be approved of in `approval`, and what is asked about before in `acts`.

pub mod acts;
pub mod application;
pub mod approval;
pub mod one;
pub mod view;

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{Endpoint as _, rest::ListJobs},
    job::{JobLine, JobListQuery, JobState},
};
use serde::{Deserialize, Serialize};

use super::{
    offer,
    view::{Badge, moment},
};
use crate::{
    failure::Failure,
    format::Moment,
    page::{self, Frame},
    visit::{Member, Visit},
    words,
};

/// Where the list is.
pub const PATH: &str = "/jobs";
/// Entries of a page.
const ENTRIES: usize = 25;

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs {
    frame: Frame,
    jobs: Vec<LineView>,
    /// States by which it can be narrowed: code, word, and whether it is chosen.
    states: Vec<(&'static str, String, bool)>,
    is_narrowed: bool,
    /// Where it begins, so narrowed.
    first: String,
    next: Option<String>,
    is_first: bool,
}

/// A job in the list.
struct LineView {
    id: String,
    title: String,
    badge: Badge,
    /// The server's id and name.
    server: (String, String),
    /// What it costs, and what is to be known of the tax on it.
    fee: (String, String),
    submitted: Moment,
    due: Option<Moment>,
}

/// How the list is narrowed, as its address has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Asked {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    after: String,
}

impl Asked {
    fn query(&self) -> JobListQuery {
        JobListQuery {
            limit: Some(ENTRIES),
            after: (!self.after.is_empty()).then(|| self.after.clone()),
            state: state_of(&self.state),
        }
    }

    fn address(&self) -> String {
        let query = serde_urlencoded::to_string(self).expect("texts only");
        match query.as_str() {
            "" => PATH.to_owned(),
            query => format!("{PATH}?{query}"),
        }
    }
}

/// The state of this code.
pub(super) fn state_of(code: &str) -> Option<JobState> {
    let mut all = JobState::ALL.iter().copied();
    all.find(|state| state.as_str() == code)
}

/// `GET /jobs`
pub async fn show(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let query = asked.query();
    let is_narrowed = query.state.is_some();
    let found = visit.ask(ListJobs::by(query)).await?;
    let states = JobState::ALL.iter().map(|state| {
        let word = visit.say(words::job_state(*state));
        (state.as_str(), word, state.as_str() == asked.state)
    });
    let first = Asked {
        after: String::new(),
        ..asked.clone()
    };
    let page = Jobs {
        frame: page::frame(&visit),
        jobs: found.data.iter().map(|job| line(&visit, job)).collect(),
        states: states.collect(),
        is_narrowed,
        first: first.address(),
        is_first: asked.after.is_empty(),
        next: found
            .page
            .next
            .map(|after| Asked { after, ..asked }.address()),
    };
    page::render(&visit, StatusCode::OK, &page)
}

fn line(visit: &Visit, job: &JobLine) -> LineView {
    LineView {
        id: job.id.to_string(),
        badge: view::badge(visit, job.state),
        server: (job.server.to_string(), job.server_name.to_string()),
        fee: offer::once(visit, job.fee),
        submitted: moment(visit, job.submitted_at),
        due: job.due_at.map(|at| moment(visit, at)),
        title: view::title(job),
    }
}
