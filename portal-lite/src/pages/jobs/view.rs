//! A technical-support job as templates show it, to its customer and to staff: everything formatted.

use innkeeper_wire::{
    job::{
        Approval, Job, JobAccess, JobActKind, JobEvent, JobEventKind, JobLine, JobOutcome,
        JobParty, JobState,
    },
    price::Price,
    time::Timestamp,
};

use crate::{
    format::{self, Moment},
    language,
    pages::{
        offer,
        view::{Badge, Shape, moment},
    },
    visit::Visit,
    words,
};

/// Who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Whose job it is.
    Customer,
    /// Somebody of the staff.
    Staff,
}

/// A job.
pub struct JobView {
    /// Its id.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// How far it is.
    pub badge: Badge,
    /// What that means.
    pub help: String,
    /// What its customer does, or waits for, next.
    pub next: String,
    /// Whether it is being done, and waits for access.
    pub is_paused: bool,
    /// The server's id and name.
    pub server: (String, String),
    /// Its engineer.
    pub engineer: Option<String>,
    /// The services and their prices.
    pub services: Vec<(String, String)>,
    /// What it costs.
    pub fee: FeeView,
    /// Where its customer can be called.
    pub phone: String,
    /// Where what happens is mailed to; empty where that is the account's address.
    pub email: String,
    /// What is to be done.
    pub body: String,
    /// When it was applied for.
    pub submitted: Moment,
    /// Until when it is dealt with.
    pub due: Option<Moment>,
    /// What is to be approved of, or was.
    pub approval: Option<ApprovalView>,
    /// What came of it, and what was written about that.
    pub outcome: Option<(String, Option<String>)>,
    /// Whether engineers are let in.
    pub access: AccessView,
    /// What has happened, the first first.
    pub events: Vec<EventView>,
    /// Whether nothing comes any more.
    pub is_over: bool,
    can: Vec<&'static str>,
}

/// An amount with the tax on it.
pub struct FeeView {
    /// Before tax.
    pub net: String,
    /// What the tax is called, and how much it is; nothing where no tax is told. Its rate may be another one by now.
    pub tax: Option<(String, String)>,
    /// What is to be paid.
    pub total: String,
}

/// What is to be approved of, or was.
pub struct ApprovalView {
    /// What is going to be done.
    pub scope: String,
    /// What it costs.
    pub fee: FeeView,
    /// Who does it.
    pub engineer: String,
    /// What is confirmed.
    pub digest: String,
    /// When it was asked for.
    pub asked: Moment,
    /// When it was confirmed.
    pub confirmed: Option<Moment>,
}

/// Whether engineers are let in.
pub struct AccessView {
    /// In a word.
    pub badge: Badge,
    /// In a sentence.
    pub text: String,
    /// Until when.
    pub until: Option<Moment>,
    /// What the server's host was heard of last, and when.
    pub seen: Option<(String, Moment)>,
    /// Whether its host says that they are.
    pub is_open: bool,
    /// Whether the customer lets them in, whatever is known of it.
    pub is_granted: bool,
    /// Whether another state follows by itself.
    pub is_moving: bool,
}

/// Something that happened.
pub struct EventView {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Moment,
    /// What.
    pub word: String,
    /// By whom; empty of what happened by itself.
    pub by: String,
    /// What was said.
    pub text: Option<String>,
    /// Until when, of a delay and of access.
    pub until: Option<Moment>,
}

impl JobView {
    /// Whether whoever asks can do this now.
    #[must_use]
    pub fn can(&self, act: &str) -> bool {
        self.can.contains(&act)
    }

    /// Whether something is to be approved of.
    #[must_use]
    pub fn waits_for_approval(&self) -> bool {
        self.badge.code == JobState::ApprovalRequested.as_str() && self.approval.is_some()
    }

    /// The same whenever it is looked at while nothing changes: so a script that has it is told just that.
    #[must_use]
    pub fn still(self) -> Self {
        let access = AccessView {
            seen: self.access.seen.map(|(word, at)| (word, at.still())),
            ..self.access
        };
        Self { access, ..self }
    }
}

/// The one badge that a state has everywhere. What waits for the customer has the shape of trouble.
#[must_use]
pub fn badge(visit: &Visit, state: JobState) -> Badge {
    let shape = match state {
        JobState::HoursNotice | JobState::Accepted => Shape::Rest,
        JobState::Processing | JobState::Delayed | JobState::Working => Shape::Moving,
        JobState::RevisionRequested | JobState::ApprovalRequested => Shape::Trouble,
        JobState::Closed => Shape::Well,
        JobState::Cancelled => Shape::Gone,
    };
    Badge {
        code: state.as_str(),
        word: visit.say(words::job_state(state)),
        shape,
    }
}

/// What it is called: its number, where its applicant was erased with all that he has written.
#[must_use]
pub fn title(line: &JobLine) -> String {
    match line.title.as_str() {
        "" => line.id.to_string(),
        title => title.to_owned(),
    }
}

/// A job.
#[must_use]
pub fn job(visit: &Visit, job: &Job, reader: For) -> JobView {
    let line = &job.line;
    let services = job.services.iter().map(|service| {
        let (price, _) = offer::once(visit, service.price);
        (service.name.clone(), price)
    });
    let events = job.events.iter();
    JobView {
        id: line.id.to_string(),
        title: title(line),
        badge: badge(visit, line.state),
        help: visit.say(help(job)),
        next: next(visit, job),
        is_paused: line.is_paused,
        server: (line.server.to_string(), line.server_name.to_string()),
        engineer: job.engineer.clone(),
        services: services.collect(),
        fee: fee(visit, line.fee),
        phone: job.phone.clone(),
        email: job.email.clone(),
        body: job.body.clone(),
        submitted: moment(visit, line.submitted_at),
        due: line.due_at.map(|at| moment(visit, at)),
        approval: job.approval.as_ref().map(|it| approval(visit, it)),
        outcome: job.outcome.map(|it| outcome(visit, job, it)),
        access: access(visit, &job.access),
        events: events.map(|it| event(visit, it, reader)).collect(),
        is_over: line.state.is_over(),
        can: job.can.iter().copied().map(JobActKind::as_str).collect(),
    }
}

fn help(job: &Job) -> &'static str {
    match job.outcome {
        Some(JobOutcome::NotDone) => "job-help-closed-not-done",
        _ => words::job_state_help(job.line.state),
    }
}

/// What comes next; with a time where there is one.
fn next(visit: &Visit, job: &Job) -> String {
    let key = words::job_state_next(job.line.state);
    let at = match job.line.state {
        JobState::HoursNotice => job.begins_at,
        JobState::Delayed => job.delayed_until,
        _ if job.outcome == Some(JobOutcome::NotDone) => return visit.say("job-next-cancelled"),
        _ => return visit.say(key),
    };
    let at = at.map_or_else(|| "–".to_owned(), |at| moment(visit, at).exact);
    language::say_with(visit.locale, key, "time", &at)
}

/// What came of it, with what its engineer has written at the end.
fn outcome(visit: &Visit, job: &Job, outcome: JobOutcome) -> (String, Option<String>) {
    let mut events = job.events.iter().rev();
    let end = events.find(|event| event.kind == JobEventKind::Closed);
    let note = end.and_then(|event| event.text.clone());
    (visit.say(words::job_outcome(outcome)), note)
}

/// An amount with the tax on it.
#[must_use]
pub fn fee(visit: &Visit, price: Price) -> FeeView {
    let say = |money| format::money(visit.locale, money);
    let tax = offer::tax(visit).map(|tax| {
        let name = tax.name.in_language(visit.locale);
        (name.to_owned(), say(price.tax))
    });
    FeeView {
        net: say(price.net),
        tax,
        total: say(price.gross),
    }
}

fn approval(visit: &Visit, approval: &Approval) -> ApprovalView {
    ApprovalView {
        scope: approval.scope.clone(),
        fee: fee(visit, approval.fee),
        engineer: approval.engineer.clone(),
        digest: approval.digest.to_string(),
        asked: moment(visit, approval.asked_at),
        confirmed: approval.confirmed_at.map(|at| moment(visit, at)),
    }
}

fn access(visit: &Visit, access: &JobAccess) -> AccessView {
    let (code, shape) = match access {
        JobAccess::Closed => ("closed", Shape::Rest),
        JobAccess::Impossible => ("impossible", Shape::Gone),
        JobAccess::Opening { .. } => ("opening", Shape::Moving),
        JobAccess::Open { .. } => ("open", Shape::Well),
        JobAccess::Unknown { .. } => ("unknown", Shape::Unknown),
        JobAccess::Closing { .. } => ("closing", Shape::Moving),
    };
    let (word, text) = access_words(visit, access);
    let (until, seen) = match access {
        JobAccess::Opening { until, .. } => (Some(*until), None),
        JobAccess::Open {
            until, observed_at, ..
        } => (Some(*until), Some(("job-access-read", *observed_at))),
        JobAccess::Unknown {
            until, heard_at, ..
        } => (Some(*until), heard_at.map(|at| ("job-access-heard", at))),
        JobAccess::Closed | JobAccess::Impossible | JobAccess::Closing { .. } => (None, None),
    };
    let at = |at: Timestamp| moment(visit, at);
    AccessView {
        badge: Badge { code, word, shape },
        text,
        until: until.map(at),
        seen: seen.map(|(key, when)| (visit.say(key), at(when))),
        is_open: code == "open",
        is_granted: until.is_some(),
        is_moving: shape == Shape::Moving,
    }
}

/// A word and a sentence.
fn access_words(visit: &Visit, access: &JobAccess) -> (String, String) {
    let (word, text) = match access {
        JobAccess::Closed => ("job-access-closed", "job-access-closed-text"),
        JobAccess::Impossible => ("job-access-impossible", "job-access-impossible-text"),
        JobAccess::Opening { .. } => ("job-access-opening", "job-access-opening-text"),
        JobAccess::Open { .. } => ("job-access-open", "job-access-open-text"),
        JobAccess::Unknown { .. } => ("job-access-unknown", "job-access-unknown-text"),
        JobAccess::Closing { ends_by } => {
            let by = visit.zone().second(*ends_by);
            let text = language::say_with(visit.locale, "job-access-closing-text", "time", &by);
            return (visit.say("job-access-closing"), text);
        }
    };
    (visit.say(word), visit.say(text))
}

fn event(visit: &Visit, event: &JobEvent, reader: For) -> EventView {
    let by = match (event.by, &event.name) {
        (JobParty::System, _) => String::new(),
        (JobParty::Engineer, Some(name)) => name.clone(),
        (JobParty::Engineer, None) => visit.say("job-engineer"),
        (JobParty::Customer, _) if reader == For::Customer => visit.say("job-by-you"),
        (JobParty::Customer, _) => visit.say("job-by-customer"),
    };
    EventView {
        id: event.id.to_string(),
        at: moment(visit, event.at),
        word: visit.say(words::job_event(event.kind)),
        by,
        text: event.text.clone(),
        until: event.until.map(|at| moment(visit, at)),
    }
}
