//! What customers do to their jobs.

use innkeeper_wire::{
    digest::Digest,
    error::FieldErrorCode,
    id::{AccountId, JobId},
    job::{
        ACCESS_HOURS, Job as JobView, JobAct, JobActKind, JobConfirmation, JobEventKind, JobParty,
        JobRequest, JobState, OPEN_JOBS_MAX,
    },
};

use super::{
    Happening, Support,
    records::{JobOf, OpenJob, OpenJobs, WorkingJob},
    rules::{
        form,
        job::{Application, Job, JobClock, Service, leads_to},
    },
};
use crate::{
    kernel::{Caller, Error, Tx, error::field, sealed::Sealed},
    servers::rules::server::{Lifecycle, Server},
};

impl Support {
    /// Applies for a job on one of one's own servers.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong with the form.
    pub async fn submit(&self, caller: &Caller, request: &JobRequest) -> Result<JobView, Error> {
        let account = caller.account()?;
        let id = JobId::new(self.ctx.ids());
        let checked = form::check(request, &self.settings.services);
        let (application, services) = checked.map_err(Error::Invalid)?;
        let sealed = self.accounts.seal(account, &application)?;
        let decide = |tx: &mut Tx<'_>| {
            let server = self.server_for(tx, account, request)?;
            let open = tx.get::<OpenJobs>(&account)?;
            let count = open.map_or(0, |open| open.count) + 1;
            if count > OPEN_JOBS_MAX {
                return Err(Error::OutOfTurn("too many jobs of yours are not over yet"));
            }
            let job = self.new_job(tx, id, &server, services.clone(), sealed.clone());
            tx.put(&account, &OpenJobs { count })?;
            tx.insert(&id, &JobOf { account })?;
            tx.insert(&id, &OpenJob { account })?;
            let what = Happening::of(JobEventKind::Submitted, JobParty::Customer);
            let job = self.note(tx, job, &what)?;
            tx.insert(&(account, id), &job)
        };
        let cause = format!("apply for {id}, {}", caller.request);
        self.ctx.commit(caller.actor, &cause, decide).await?;
        tracing::info!(job.id = %id, server.id = %request.server, "a support job was applied for");
        self.own_job(caller, id)
    }

    /// The server that a job is for.
    fn server_for(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        request: &JobRequest,
    ) -> Result<Server, Error> {
        if let Some(suspended) = self.accounts.suspended(tx, account)? {
            return Err(Error::AccountSuspended(suspended.kind));
        }
        let unknown = || {
            let detail = "you have no such server";
            Error::Invalid(vec![field("/server", FieldErrorCode::Unknown, detail)])
        };
        let server = self.servers.find_in(tx, account, request.server);
        let server = server.map_err(|error| match error {
            Error::NotFound => unknown(),
            error => error,
        })?;
        let is_there = server.lifecycle == Lifecycle::Live;
        is_there.then_some(server).ok_or_else(unknown)
    }

    fn new_job(
        &self,
        tx: &Tx<'_>,
        id: JobId,
        server: &Server,
        services: Vec<Service>,
        application: Sealed<Application>,
    ) -> Job {
        let (now, calendar) = (tx.now(), &self.settings.calendar);
        let promised = calendar.days_of(self.settings.business_days).as_secs();
        let is_open = calendar.is_open(now);
        Job {
            id,
            account: server.account,
            server: server.id,
            contract: server.contract,
            server_name: server.name.clone(),
            state: match is_open {
                true => JobState::Accepted,
                false => JobState::HoursNotice,
            },
            services,
            tax: self.settings.tax.clone(),
            application,
            engineer: None,
            submitted_at: now,
            changed_at: now,
            clock: JobClock::new(promised, is_open.then_some(now)),
            delayed_until: None,
            approval: None,
            outcome: None,
            grant: None,
            ended: None,
            events: 0,
        }
    }

    /// Does something to one's own job.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] when it can't be done in the job's state.
    pub async fn act(&self, caller: &Caller, id: JobId, act: &JobAct) -> Result<JobView, Error> {
        let account = caller.account()?;
        let text = match act {
            JobAct::Comment { text } | JobAct::ReReview { text } | JobAct::Cancel { text } => {
                let text = form::text("/text", text);
                Some(text.map_err(|error| Error::Invalid(vec![error]))?)
            }
            JobAct::Revise { .. } | JobAct::AllowAccess { .. } | JobAct::WithdrawAccess => None,
        };
        let decide = |tx: &mut Tx<'_>| {
            let job = self.find_in(tx, account, id)?;
            let next = self.customers(tx, job, act, text.as_deref())?;
            tx.put(&(account, id), &next)
        };
        let kind = kind_of(act).as_str();
        let cause = format!("{kind} {id}, {}", caller.request);
        self.ctx.commit(caller.actor, &cause, decide).await?;
        self.own_job(caller, id)
    }

    fn customers(
        &self,
        tx: &mut Tx<'_>,
        job: Job,
        act: &JobAct,
        text: Option<&str>,
    ) -> Result<Job, Error> {
        let to = leads_to(job.state, kind_of(act), JobParty::Customer);
        let to = to.ok_or(Error::OutOfTurn("this can't be done to the job as it is"))?;
        let mut text = text.map(str::to_owned);
        let (job, kind, until) = match act {
            JobAct::Comment { .. } => (job, JobEventKind::Commented, None),
            JobAct::ReReview { .. } => {
                let job = Job {
                    approval: None,
                    ..job
                };
                (job, JobEventKind::ReReviewAsked, None)
            }
            JobAct::Cancel { .. } => (self.end(tx, job)?, JobEventKind::Cancelled, None),
            JobAct::Revise { request } => {
                let (job, before) = self.revised(job, request)?;
                text = Some(before);
                (job, JobEventKind::Revised, None)
            }
            JobAct::AllowAccess { hours } => {
                if !ACCESS_HOURS.contains(hours) {
                    let error = field("/hours", FieldErrorCode::Malformed, "1 to 48 hours");
                    return Err(Error::Invalid(vec![error]));
                }
                let job = self.let_in(tx, job, *hours)?;
                let until = job.grant.map(|grant| grant.until);
                (job, JobEventKind::AccessAllowed, until)
            }
            JobAct::WithdrawAccess if job.grant.is_none() => return Ok(job),
            JobAct::WithdrawAccess => (self.shut(tx, job)?, JobEventKind::AccessWithdrawn, None),
        };
        let job = job.moved(to, &self.settings.calendar, tx.now());
        let what = Happening {
            kind,
            by: JobParty::Customer,
            text: text.as_deref(),
            until,
        };
        self.note(tx, job, &what)
    }

    /// The same job with another application, and what it said before, which its history keeps.
    fn revised(&self, job: Job, request: &JobRequest) -> Result<(Job, String), Error> {
        let checked = form::check(request, &self.settings.services);
        let (application, services) = checked.map_err(Error::Invalid)?;
        if request.server != job.server {
            let detail = "the server of a job stays: apply for another one";
            let error = field("/server", FieldErrorCode::Unknown, detail);
            return Err(Error::Invalid(vec![error]));
        }
        let before = self.accounts.unseal(job.account, &job.application)?;
        let Application { title, body, .. } = before;
        let job = Job {
            application: self.accounts.seal(job.account, &application)?,
            services,
            approval: None,
            ..job
        };
        Ok((job, format!("{title}\n\n{body}")))
    }

    /// Approves of what a job's engineer is going to do, which begins the work. Only while its server's host has just said
    /// that engineers are let in (R119), and of what was shown (T29). Asked for again, nothing more happens.
    ///
    /// # Errors
    /// [`Error::FirewallNotActive`]; [`Error::ApprovalChanged`]; [`Error::OutOfTurn`].
    pub async fn confirm(
        &self,
        caller: &Caller,
        id: JobId,
        confirmation: JobConfirmation,
    ) -> Result<JobView, Error> {
        let account = caller.account()?;
        let decide = |tx: &mut Tx<'_>| {
            let job = self.find_in(tx, account, id)?;
            match self.confirmed(tx, job, confirmation.digest)? {
                Some(next) => tx.put(&(account, id), &next),
                None => Ok(()),
            }
        };
        let cause = format!("confirm {id}, {}", caller.request);
        self.ctx.commit(caller.actor, &cause, decide).await?;
        self.own_job(caller, id)
    }

    /// The job as it is being done; nothing of one of which exactly this was confirmed before.
    fn confirmed(&self, tx: &mut Tx<'_>, job: Job, shown: Digest) -> Result<Option<Job>, Error> {
        let approval = job.approval.clone();
        let is_same = approval.as_ref().is_some_and(|asked| asked.digest == shown);
        let is_confirmed = approval
            .as_ref()
            .is_some_and(|asked| asked.confirmed_at.is_some());
        if is_same && is_confirmed {
            return Ok(None);
        }
        let to = leads_to(job.state, JobActKind::Confirm, JobParty::Customer);
        let to = to.ok_or(Error::OutOfTurn("nothing is to be approved of"))?;
        let Some(mut approval) = approval.filter(|_| is_same) else {
            return Err(Error::ApprovalChanged);
        };
        self.server_is_there(tx, &job)?;
        if tx.get::<WorkingJob>(&job.server)?.is_some() {
            return Err(Error::OutOfTurn("another job is being done on this server"));
        }
        self.check_open(tx, &job)?;
        tx.put(&job.server, &WorkingJob { job: job.id })?;
        approval.confirmed_at = Some(tx.now());
        let job = Job {
            approval: Some(approval),
            ..job
        };
        let job = job.moved(to, &self.settings.calendar, tx.now());
        let what = Happening::of(JobEventKind::Confirmed, JobParty::Customer);
        self.note(tx, job, &what).map(Some)
    }

    fn server_is_there(&self, tx: &mut Tx<'_>, job: &Job) -> Result<(), Error> {
        let server = self.servers.find_in(tx, job.account, job.server)?;
        if server.lifecycle != Lifecycle::Live {
            return Err(Error::OutOfTurn("the server is deleted"));
        }
        Ok(())
    }
}

const fn kind_of(act: &JobAct) -> JobActKind {
    match act {
        JobAct::Comment { .. } => JobActKind::Comment,
        JobAct::Revise { .. } => JobActKind::Revise,
        JobAct::ReReview { .. } => JobActKind::ReReview,
        JobAct::Cancel { .. } => JobActKind::Cancel,
        JobAct::AllowAccess { .. } => JobActKind::AllowAccess,
        JobAct::WithdrawAccess => JobActKind::WithdrawAccess,
    }
}
