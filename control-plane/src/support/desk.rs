//! What engineers do to jobs. What is not taking one, or calling off one that nobody has taken, is for its own engineer, and
//! for the operator of the installation.

use innkeeper_wire::{
    error::FieldErrorCode,
    id::JobId,
    job::{AnyJob, JobActKind, JobEventKind, JobOutcome, JobParty, JobState, StaffJobAct},
    money::Money,
    time::Timestamp,
};

use super::{
    Happening, Support,
    rules::{
        form,
        job::{Approval, Engineer, Job, JobText, digest_of, leads_to, permitted},
    },
};
use crate::kernel::{Actor, Caller, Error, Tx, error::field};

const NOT_NOW: &str = "this can't be done to the job as it is, or is for its own engineer";
/// What an operator at the machine is called.
const OPERATOR: &str = "operator";

impl Support {
    /// Does something to a job of anybody.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] when it can't be done in the job's state, or is another engineer's.
    pub async fn act_as_engineer(
        &self,
        caller: &Caller,
        id: JobId,
        act: &StaffJobAct,
    ) -> Result<AnyJob, Error> {
        let account = self.owner(id)?;
        let text = text_of(act)
            .map(|text| form::text("/text", text))
            .transpose()
            .map_err(|error| Error::Invalid(vec![error]))?;
        let me = self.engineer(caller)?;
        let decide = |tx: &mut Tx<'_>| {
            let job = self.find_in(tx, account, id)?;
            let next = self.engineers(tx, job, me.as_ref(), act, text.as_deref())?;
            tx.put(&(account, id), &next)
        };
        let kind = kind_of(act).as_str();
        let cause = format!("{kind} {id}");
        self.ctx.commit(caller.actor, &cause, decide).await?;
        tracing::info!(job.id = %id, act = kind, "something was done to a support job");
        self.any_job(caller, id)
    }

    /// Who asks, if he is somebody of the staff.
    pub(super) fn engineer(&self, caller: &Caller) -> Result<Option<Engineer>, Error> {
        let Actor::Staff(id) = caller.actor else {
            return Ok(None);
        };
        let name = self.staff.name_of(id)?.ok_or(Error::NotFound)?;
        Ok(Some(Engineer { id, name }))
    }

    fn engineers(
        &self,
        tx: &mut Tx<'_>,
        job: Job,
        me: Option<&Engineer>,
        act: &StaffJobAct,
        text: Option<&str>,
    ) -> Result<Job, Error> {
        let kind = kind_of(act);
        let can = permitted(&job, JobParty::Engineer, is_his(&job, me));
        let to = leads_to(job.state, kind, JobParty::Engineer);
        let to = to
            .filter(|_| can.contains(&kind))
            .ok_or(Error::OutOfTurn(NOT_NOW))?;
        let until = match act {
            StaffJobAct::Delay { until, .. } => Some(check_until(*until, tx.now())?),
            _ => None,
        };
        let (job, event) = match act {
            StaffJobAct::Take => {
                let engineer = Some(me.cloned().ok_or(Error::OutOfTurn(
                    "only somebody of the staff can be a job's engineer",
                ))?);
                (Job { engineer, ..job }, JobEventKind::Taken)
            }
            StaffJobAct::Comment { .. } => (job, JobEventKind::Commented),
            StaffJobAct::Delay { .. } => (job, JobEventKind::Delayed),
            StaffJobAct::Resume => (job, JobEventKind::Resumed),
            StaffJobAct::AskRevision { .. } => (job, JobEventKind::RevisionAsked),
            StaffJobAct::AskAccess => (job, JobEventKind::AccessAsked),
            StaffJobAct::AskApproval { fee, .. } => {
                let scope = text.unwrap_or_default();
                let approval = self.approval(&job, scope, *fee, tx.now())?;
                let approval = Some(approval);
                (Job { approval, ..job }, JobEventKind::ApprovalAsked)
            }
            StaffJobAct::Cancel { .. } => (self.end(tx, job)?, JobEventKind::Cancelled),
            StaffJobAct::Close { outcome, .. } => {
                (self.closed(tx, job, *outcome)?, JobEventKind::Closed)
            }
        };
        let mut job = job.moved(to, &self.settings.calendar, tx.now());
        if to == JobState::Delayed {
            job.delayed_until = until;
        }
        let what = Happening {
            kind: event,
            by: JobParty::Engineer,
            text,
            until,
        };
        self.note(tx, job, &what)
    }

    /// What the customer is asked to approve of, frozen.
    fn approval(
        &self,
        job: &Job,
        scope: &str,
        fee: Money,
        now: Timestamp,
    ) -> Result<Approval, Error> {
        let before = Job {
            approval: None,
            ..job.clone()
        };
        let of = before.fee().unwrap_or(fee);
        if !form::is_fee(fee, of) {
            let detail = "an amount in the currency of the services, not below zero";
            let error = field("/fee", FieldErrorCode::Malformed, detail);
            return Err(Error::Invalid(vec![error]));
        }
        let engineer = job.engineer.as_ref();
        let engineer = engineer.map_or(OPERATOR, |engineer| engineer.name.as_str());
        Ok(Approval {
            scope: self
                .accounts
                .seal(job.account, &JobText(scope.to_owned()))?,
            fee,
            engineer: engineer.to_owned(),
            digest: digest_of(job, scope, fee, engineer),
            asked_at: now,
            confirmed_at: None,
        })
    }

    /// The job as it ends: what was done is charged, once, at the fee that was confirmed.
    fn closed(&self, tx: &mut Tx<'_>, job: Job, outcome: JobOutcome) -> Result<Job, Error> {
        let job = self.end(tx, job)?;
        let fee = job.approval.as_ref().map(|approval| approval.fee);
        if let (JobOutcome::Done, Some(fee)) = (outcome, fee) {
            let services = job.services.iter().map(|service| service.name.clone());
            let services = services.collect();
            self.billing
                .charge_once(tx, job.contract, job.id, services, fee)?;
        }
        Ok(Job {
            outcome: Some(outcome),
            ..job
        })
    }
}

/// Whether a job is for whoever asks: its own engineer, or the operator of the installation.
pub(super) fn is_his(job: &Job, me: Option<&Engineer>) -> bool {
    let Some(me) = me else {
        return true;
    };
    job.engineer
        .as_ref()
        .is_some_and(|engineer| engineer.id == me.id)
}

fn check_until(until: Timestamp, now: Timestamp) -> Result<Timestamp, Error> {
    if until <= now {
        let error = field("/until", FieldErrorCode::Malformed, "this is over");
        return Err(Error::Invalid(vec![error]));
    }
    Ok(until)
}

fn text_of(act: &StaffJobAct) -> Option<&str> {
    match act {
        StaffJobAct::Comment { text }
        | StaffJobAct::Delay { text, .. }
        | StaffJobAct::AskRevision { text }
        | StaffJobAct::AskApproval { text, .. }
        | StaffJobAct::Cancel { text }
        | StaffJobAct::Close { text, .. } => Some(text),
        StaffJobAct::Take | StaffJobAct::Resume | StaffJobAct::AskAccess => None,
    }
}

const fn kind_of(act: &StaffJobAct) -> JobActKind {
    match act {
        StaffJobAct::Take => JobActKind::Take,
        StaffJobAct::Comment { .. } => JobActKind::Comment,
        StaffJobAct::Delay { .. } => JobActKind::Delay,
        StaffJobAct::Resume => JobActKind::Resume,
        StaffJobAct::AskRevision { .. } => JobActKind::AskRevision,
        StaffJobAct::AskApproval { .. } => JobActKind::AskApproval,
        StaffJobAct::AskAccess => JobActKind::AskAccess,
        StaffJobAct::Cancel { .. } => JobActKind::Cancel,
        StaffJobAct::Close { .. } => JobActKind::Close,
    }
}
