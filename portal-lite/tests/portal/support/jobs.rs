//! What the stubs know of technical-support jobs: one in each state, as its customer sees it and as its engineer does.

use innkeeper_wire::{
    api::Page,
    digest::Digest,
    job::{
        AnyJob, AnyJobLine, Approval, Job, JobAccess, JobActKind, JobEvent, JobEventKind, JobLine,
        JobOffer, JobOutcome, JobParty, JobService, JobState,
    },
    money::{Currency, Money},
    price::Price,
    time::Timestamp,
};

use super::{
    all,
    fixtures::{from, id, server, time},
};

/// What is said in comments and forms.
pub(crate) const SAID: &str = "Please use <version 8> & keep the old one.\nThank you.";

fn price(net: i64) -> Price {
    let won = |amount| Money {
        amount,
        currency: Currency::Krw,
    };
    Price {
        net: won(net),
        tax: won(net / 10),
        gross: won(net + net / 10),
    }
}

fn service(code: &str, name: &str, net: i64) -> JobService {
    JobService {
        code: from(code),
        name: name.to_owned(),
        help: format!("{name}: what is done for that, and <what> is not."),
        price: price(net),
    }
}

/// Outside business hours.
pub(crate) fn offer() -> JobOffer {
    JobOffer {
        services: vec![
            service("web-install", "Web server installation", 30_000),
            service("ssl", "Certificate", 20_000),
        ],
        begins_at: Some(time("2026-11-23T00:00:00Z")),
        due_at: time("2026-11-25T00:00:00Z"),
    }
}

/// The id of the job in this state.
pub(crate) fn job_id(state: JobState) -> String {
    let at = JobState::ALL.iter().position(|one| *one == state);
    let number = at.expect("one of all") + 1;
    format!("job_0190b5c87f1e7c3a8e0f{number:012x}")
}

/// One in each state.
pub(crate) fn jobs() -> Vec<Job> {
    JobState::ALL.iter().map(|state| job(*state)).collect()
}

/// Engineers are let in for four hours, as the host said three seconds ago.
pub(crate) fn open() -> JobAccess {
    JobAccess::Open {
        grant: id("grt", 1),
        until: time("2026-11-21T15:30:00Z"),
        observed_at: time("2026-11-21T11:59:57Z"),
    }
}

fn can(state: JobState) -> Vec<JobActKind> {
    use JobActKind::{AllowAccess, Cancel, Comment, Confirm, ReReview, Revise, WithdrawAccess};
    match state {
        JobState::HoursNotice => vec![Comment, Cancel],
        JobState::Accepted | JobState::Processing | JobState::Delayed => {
            vec![Comment, Cancel, AllowAccess]
        }
        JobState::RevisionRequested => vec![Comment, Revise, Cancel, AllowAccess],
        JobState::ApprovalRequested => vec![
            Comment,
            Confirm,
            ReReview,
            Cancel,
            AllowAccess,
            WithdrawAccess,
        ],
        JobState::Working => vec![Comment, AllowAccess, WithdrawAccess],
        JobState::Closed | JobState::Cancelled => vec![],
    }
}

/// A job in this state, on the server that runs.
pub(crate) fn job(state: JobState) -> Job {
    let has_engineer = !matches!(state, JobState::HoursNotice | JobState::Accepted);
    let is_asked = matches!(
        state,
        JobState::ApprovalRequested | JobState::Working | JobState::Closed
    );
    let is_confirmed = is_asked && state != JobState::ApprovalRequested;
    let on = server(2, "web-1", innkeeper_wire::api::ServerState::Running);
    Job {
        line: JobLine {
            id: from(&job_id(state)),
            state,
            is_paused: false,
            server: on.id,
            server_name: on.name,
            title: "Install <nginx>".to_owned(),
            fee: price(50_000),
            submitted_at: time("2026-11-20T03:00:00Z"),
            changed_at: time("2026-11-21T03:00:00Z"),
            due_at: (!state.is_over()).then(|| time("2026-11-24T03:00:00Z")),
        },
        services: offer().services,
        phone: "010-1234-5678".to_owned(),
        email: String::new(),
        body: SAID.to_owned(),
        engineer: has_engineer.then(|| "Haru".to_owned()),
        begins_at: (state == JobState::HoursNotice).then(|| time("2026-11-23T00:00:00Z")),
        delayed_until: (state == JobState::Delayed).then(|| time("2026-11-22T09:00:00Z")),
        approval: is_asked.then(|| approval(is_confirmed)),
        outcome: (state == JobState::Closed).then_some(JobOutcome::Done),
        access: match state {
            JobState::ApprovalRequested | JobState::Working => open(),
            _ => JobAccess::Closed,
        },
        can: can(state),
        events: events(state),
        now: time("2026-11-21T12:00:00Z"),
    }
}

pub(crate) fn approval(is_confirmed: bool) -> Approval {
    Approval {
        scope: "nginx is installed from the <distribution>.".to_owned(),
        fee: price(50_000),
        engineer: "Haru".to_owned(),
        digest: Digest::of(b"scope and fee"),
        asked_at: time("2026-11-21T03:00:00Z"),
        confirmed_at: is_confirmed.then(|| time("2026-11-21T04:00:00Z")),
    }
}

pub(crate) fn event(number: u32, kind: JobEventKind, by: JobParty, at: Timestamp) -> JobEvent {
    JobEvent {
        id: id("jev", number),
        at,
        kind,
        by,
        name: (by == JobParty::Engineer).then(|| "Haru".to_owned()),
        text: None,
        until: None,
    }
}

fn events(state: JobState) -> Vec<JobEvent> {
    use JobEventKind::{AccessAllowed, AccessObserved, Closed, Commented, Submitted, Taken};
    let (of_customer, of_engineer) = (JobParty::Customer, JobParty::Engineer);
    let mut events = vec![
        event(1, Submitted, of_customer, time("2026-11-20T03:00:00Z")),
        event(2, Taken, of_engineer, time("2026-11-20T04:00:00Z")),
        JobEvent {
            text: Some(SAID.to_owned()),
            ..event(3, Commented, of_engineer, time("2026-11-20T05:00:00Z"))
        },
        JobEvent {
            until: Some(time("2026-11-21T15:30:00Z")),
            ..event(4, AccessAllowed, of_customer, time("2026-11-21T11:30:00Z"))
        },
        event(
            5,
            AccessObserved,
            JobParty::System,
            time("2026-11-21T11:30:02Z"),
        ),
    ];
    if state == JobState::Closed {
        events.push(JobEvent {
            text: Some("nginx <runs>.".to_owned()),
            ..event(6, Closed, of_engineer, time("2026-11-21T11:50:00Z"))
        });
    }
    events
}

/// A job as its engineer sees it, who can do all that anybody can.
pub(crate) fn any_job() -> AnyJob {
    use JobActKind::{
        AskAccess, AskApproval, AskRevision, Cancel, Close, Comment, Delay, Resume, Take,
    };
    let on = server(2, "web-1", innkeeper_wire::api::ServerState::Running);
    AnyJob {
        job: Job {
            can: vec![
                Take,
                Comment,
                Delay,
                Resume,
                AskRevision,
                AskApproval,
                AskAccess,
                Cancel,
                Close,
            ],
            access: open(),
            ..job(JobState::Processing)
        },
        account: id("acc", 1),
        addresses: on.addresses,
        login_user: on.login_user,
        is_overdue: true,
    }
}

/// The queue: one that is not dealt with in time, and one that nobody has taken yet.
pub(crate) fn queue() -> Page<AnyJobLine> {
    let line = |state, is_overdue| {
        let job = job(state);
        AnyJobLine {
            line: job.line,
            account: id("acc", 1),
            engineer: job.engineer,
            is_overdue,
        }
    };
    all(&[
        line(JobState::Processing, true),
        line(JobState::Accepted, false),
    ])
}
