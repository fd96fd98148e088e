//! What an engineer does to a technical-support job.

use axum::response::Response;
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{ActOnAnyJob, GetAnyJob},
    },
    error::FieldErrorCode,
    id::JobId,
    job::{JOB_TEXT_LENGTH_MAX, JobOutcome, StaffJobAct},
    time::Timestamp,
};

use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Field, Kind},
    pages::{
        id,
        jobs::acts::said,
        staff::{
            ask::Undone,
            deeds::{Loss, StaffDeed, What},
            money::acts::amount,
            subject::Subject,
        },
    },
    visit::Visit,
    words,
};

/// What is done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnJob {
    /// Somebody becomes its engineer.
    Take,
    /// Something is said.
    Comment,
    /// It takes longer.
    Delay,
    /// It goes on.
    Resume,
    /// The application is to be changed.
    AskRevision,
    /// The work is to be approved of.
    AskApproval,
    /// Engineers are to be let in.
    AskAccess,
    /// It is called off.
    Cancel,
    /// It ends, and this came of it.
    Close(JobOutcome),
}

/// What is said.
const TEXT: Field = Field {
    name: "text",
    pointer: "text",
    kind: Kind::Lines(6),
    limit: Some(JOB_TEXT_LENGTH_MAX),
    words: "staff-job-text",
    ..Field::TEXT
};
const WHY: Field = Field {
    words: "staff-job-why",
    ..TEXT
};
const RESULT: Field = Field {
    words: "staff-job-result",
    ..TEXT
};
/// Until when it takes, in the visitor's zone.
const UNTIL: Field = Field {
    name: "until",
    pointer: "until",
    words: "staff-job-until",
    ..Field::TEXT
};
/// What it costs, before tax.
const FEE: Field = Field {
    name: "fee",
    pointer: "fee",
    words: "staff-job-fee",
    ..Field::TEXT
};

/// Makes whoever does it its engineer.
pub const TAKE: StaffDeed = StaffDeed {
    what: What::Job(OnJob::Take),
    code: "take",
    title: "staff-job-take",
    lead: "staff-job-take-lead",
    form: &[],
    who: ActOnAnyJob::ROW.who,
    loss: Loss::None,
};
/// Says something.
pub const COMMENT: StaffDeed = StaffDeed {
    what: What::Job(OnJob::Comment),
    code: "comment",
    title: "staff-job-comment",
    lead: "staff-job-comment-lead",
    form: &[TEXT],
    ..TAKE
};
/// Says that it takes longer.
pub const DELAY: StaffDeed = StaffDeed {
    what: What::Job(OnJob::Delay),
    code: "delay",
    title: "staff-job-delay",
    lead: "staff-job-delay-lead",
    form: &[WHY, UNTIL],
    ..TAKE
};
/// Goes on with it.
pub const RESUME: StaffDeed = StaffDeed {
    what: What::Job(OnJob::Resume),
    code: "resume",
    title: "staff-job-resume",
    lead: "staff-job-resume-lead",
    ..TAKE
};
/// Asks for the application to be changed.
pub const ASK_REVISION: StaffDeed = StaffDeed {
    what: What::Job(OnJob::AskRevision),
    code: "ask-revision",
    title: "staff-job-ask-revision",
    lead: "staff-job-ask-revision-lead",
    form: &[Field {
        words: "staff-job-change",
        ..TEXT
    }],
    ..TAKE
};
/// Asks for the work to be approved of.
pub const ASK_APPROVAL: StaffDeed = StaffDeed {
    what: What::Job(OnJob::AskApproval),
    code: "ask-approval",
    title: "staff-job-ask-approval",
    lead: "staff-job-ask-approval-lead",
    form: &[
        Field {
            words: "staff-job-scope",
            ..TEXT
        },
        FEE,
    ],
    ..TAKE
};
/// Asks the customer to let engineers in.
pub const ASK_ACCESS: StaffDeed = StaffDeed {
    what: What::Job(OnJob::AskAccess),
    code: "ask-access",
    title: "staff-job-ask-access",
    lead: "staff-job-ask-access-lead",
    ..TAKE
};
/// Calls it off.
pub const CANCEL: StaffDeed = StaffDeed {
    what: What::Job(OnJob::Cancel),
    code: "cancel",
    title: "staff-job-cancel",
    lead: "staff-job-cancel-lead",
    form: &[WHY],
    loss: Loss::Some,
    ..TAKE
};
/// Ends it when what was agreed on is done: it is charged.
pub const DONE: StaffDeed = StaffDeed {
    what: What::Job(OnJob::Close(JobOutcome::Done)),
    code: "done",
    title: "staff-job-done",
    lead: "staff-job-done-lead",
    form: &[RESULT],
    ..TAKE
};
/// Ends it when that was not done: nothing is charged.
pub const NOT_DONE: StaffDeed = StaffDeed {
    what: What::Job(OnJob::Close(JobOutcome::NotDone)),
    code: "not-done",
    title: "staff-job-not-done",
    lead: "staff-job-not-done-lead",
    loss: Loss::Some,
    ..DONE
};

/// The job, with what is asked for when its fee is: the sum of what was applied for.
pub(in crate::pages::staff) async fn subject(
    visit: &Visit,
    what: OnJob,
    about: &str,
) -> Result<Subject, Failure> {
    let job = visit.ask(GetAnyJob::at(id(about)?)).await?.job;
    let line = job.line;
    let mut present = Vec::new();
    if what == OnJob::AskApproval {
        present.push((FEE.name.to_owned(), line.fee.net.digits()));
    }
    let services = job.services.into_iter().map(|service| service.name);
    Ok(Subject {
        list: ("/jobs", "nav-jobs"),
        name: line.title,
        href: format!("/jobs/{}", line.id),
        facts: vec![
            (
                visit.say("list-state"),
                visit.say(words::job_state(line.state)),
            ),
            (visit.say("nav-server"), line.server_name.to_string()),
            (
                visit.say("job-services"),
                services.collect::<Vec<_>>().join(", "),
            ),
        ],
        present: Fields::new(present),
    })
}

/// Does it.
pub(in crate::pages::staff) async fn carry_out(
    visit: &Visit,
    what: OnJob,
    about: &str,
    fields: &Fields,
) -> Result<(), Undone> {
    let job: JobId = id(about)?;
    let act = match what {
        OnJob::Take => StaffJobAct::Take,
        OnJob::Resume => StaffJobAct::Resume,
        OnJob::AskAccess => StaffJobAct::AskAccess,
        OnJob::Comment => StaffJobAct::Comment {
            text: text(visit, fields)?,
        },
        OnJob::Delay => StaffJobAct::Delay {
            text: text(visit, fields)?,
            until: until(visit, fields)?,
        },
        OnJob::AskRevision => StaffJobAct::AskRevision {
            text: text(visit, fields)?,
        },
        OnJob::AskApproval => {
            let text = text(visit, fields)?;
            let applied = visit.ask(GetAnyJob::at(job)).await?.job.line;
            let fee = amount(visit, fields, &FEE, applied.fee.net.currency)?;
            StaffJobAct::AskApproval { text, fee }
        }
        OnJob::Cancel => StaffJobAct::Cancel {
            text: text(visit, fields)?,
        },
        OnJob::Close(outcome) => StaffJobAct::Close {
            outcome,
            text: text(visit, fields)?,
        },
    };
    visit.ask(ActOnAnyJob::at_with(job, act)).await?;
    Ok(())
}

/// What was written.
fn text(visit: &Visit, fields: &Fields) -> Result<String, Box<Response>> {
    said(fields).map_err(|wrong| Box::new(form::complaint(visit, fields, &[wrong])))
}

fn until(visit: &Visit, fields: &Fields) -> Result<Timestamp, Box<Response>> {
    match fields.get(UNTIL.name).trim() {
        "" => Err(wrong(visit, fields, &UNTIL, FieldErrorCode::Required)),
        text => {
            let instant = visit.zone().instant(&text.replace(' ', "T"));
            instant.ok_or_else(|| wrong(visit, fields, &UNTIL, FieldErrorCode::Malformed))
        }
    }
}

fn wrong(visit: &Visit, fields: &Fields, field: &Field, code: FieldErrorCode) -> Box<Response> {
    Box::new(form::complaint(visit, fields, &[(field.name, code)]))
}
