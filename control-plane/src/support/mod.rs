//! Technical-support jobs: a customer asks for paid help on one server, and for exactly that job engineers get in, visibly
//! and for a limited time (R95-R119). The life of a job is drawn in its rules (`support::rules::job`).
//!
//! Customers (`acts`) and engineers (`desk`) change a job in one commit with all that follows from it: its history, mails,
//! the grant of its server, its charge. What time and hosts' reports do to jobs, a duty notes (`following`).

use std::{sync::Arc, time::Duration};

use innkeeper_wire::{
    host::LEASE_S,
    id::{AccountId, JobEventId, JobId},
    ip_network::IpNetwork,
    job::{JOB_EVENTS_MAX, JobEventKind, JobParty},
    price::Tax,
    time::Timestamp,
};

use self::{
    records::{JobOf, OpenJob, OpenJobs, WorkingJob},
    rules::{
        calendar::Calendar,
        job::{Application, EndedGrant, Event, Job, JobText, Service},
    },
};
use crate::{
    accounts::{Accounts, Personal},
    billing::Billing,
    kernel::{Ctx, Error, Record as _, Tx, sealed::Sealed},
    mails::{Mails, rules::MailContent},
    servers::Servers,
    staff::Staffs,
};

mod access;
mod acts;
mod desk;
pub mod duties;
mod following;
mod mails;
pub(crate) mod records;
pub mod rules;
mod views;

/// How long engineers are let in after their host has heard us last.
const LEASE: Duration = Duration::from_secs(LEASE_S as u64);
/// The port of SSH.
const SSH_PORT: u16 = 22;

impl Personal for Application {
    const RECORD: &'static str = Job::KIND.prefix;
    const FIELD: &'static str = "application 1";
}

impl Personal for JobText {
    const RECORD: &'static str = Event::KIND.prefix;
    const FIELD: &'static str = "text 1";
}

/// What an operator decides about jobs.
#[derive(Debug, Clone)]
pub struct SupportSettings {
    /// What can be applied for; nothing when there are no jobs.
    pub services: Vec<Service>,
    /// When there is business.
    pub calendar: Calendar,
    /// Within how many business days a job is dealt with.
    pub business_days: u32,
    /// Where engineers come from.
    pub engineer_networks: Vec<IpNetwork>,
    /// The tax on what is sold.
    pub tax: Option<Tax>,
}

/// The jobs of an installation.
#[derive(Clone)]
pub struct Support {
    ctx: Ctx,
    accounts: Accounts,
    billing: Billing,
    mails: Mails,
    servers: Servers,
    staff: Staffs,
    settings: Arc<SupportSettings>,
}

/// What is noted of what happens to a job.
struct Happening<'a> {
    kind: JobEventKind,
    by: JobParty,
    text: Option<&'a str>,
    until: Option<Timestamp>,
}

impl Happening<'_> {
    const fn of(kind: JobEventKind, by: JobParty) -> Self {
        Self {
            kind,
            by,
            text: None,
            until: None,
        }
    }
}

/// Whether it is taken however much has happened: it leads to an end, or nobody has asked for it.
fn is_an_end(what: &Happening<'_>) -> bool {
    what.by == JobParty::System
        || matches!(
            what.kind,
            JobEventKind::AccessWithdrawn
                | JobEventKind::Confirmed
                | JobEventKind::Cancelled
                | JobEventKind::Closed
        )
}

impl Support {
    /// The jobs of a store.
    #[must_use]
    pub fn new(
        ctx: Ctx,
        accounts: Accounts,
        billing: Billing,
        mails: Mails,
        servers: Servers,
        staff: Staffs,
        settings: SupportSettings,
    ) -> Self {
        Self {
            ctx,
            accounts,
            billing,
            mails,
            servers,
            staff,
            settings: Arc::new(settings),
        }
    }

    /// Where engineers come from, as hosts are told.
    #[must_use]
    pub fn engineer_networks(&self) -> &[IpNetwork] {
        &self.settings.engineer_networks
    }

    fn find(&self, account: AccountId, id: JobId) -> Result<Job, Error> {
        let found = self.ctx.read::<Job>(&(account, id))?;
        found.ok_or(Error::NotFound)
    }

    fn find_in(&self, tx: &mut Tx<'_>, account: AccountId, id: JobId) -> Result<Job, Error> {
        let found = tx.get::<Job>(&(account, id))?;
        found.ok_or(Error::NotFound)
    }

    /// Whose a job is.
    fn owner(&self, id: JobId) -> Result<AccountId, Error> {
        let found = self.ctx.read::<JobOf>(&id)?;
        found.map(|of| of.account).ok_or(Error::NotFound)
    }

    /// Notes what happens to a job, and has its two sides told as far as that is told by mail.
    fn note(&self, tx: &mut Tx<'_>, mut job: Job, what: &Happening<'_>) -> Result<Job, Error> {
        let is_of_course = matches!(
            what.kind,
            JobEventKind::AccessObserved | JobEventKind::EngineerSeen
        );
        if job.events >= JOB_EVENTS_MAX && !is_an_end(what) {
            return Err(Error::OutOfTurn(
                "too much has happened to this job already",
            ));
        }
        let text = what
            .text
            .map(|text| self.accounts.seal(job.account, &JobText(text.to_owned())));
        let is_engineers = what.by == JobParty::Engineer;
        let engineer = job.engineer.as_ref().filter(|_| is_engineers);
        let event = Event {
            id: JobEventId::new(self.ctx.ids()),
            at: tx.now(),
            kind: what.kind,
            by: what.by,
            name: engineer.map(|engineer| engineer.name.clone()),
            text: text.transpose()?,
            until: what.until,
        };
        tx.insert(&(job.id, event.id), &event)?;
        job.events += 1;
        if !is_of_course {
            self.tell(tx, &job, &event)?;
        }
        Ok(job)
    }

    /// Mails of what has happened: its customer of what he has not done himself and when he has applied, its engineer of what
    /// the customer has done.
    fn tell(&self, tx: &mut Tx<'_>, job: &Job, event: &Event) -> Result<(), Error> {
        let content = MailContent::JobStep {
            job: job.id,
            account: job.account,
            step: event.kind,
        };
        let is_receipt = matches!(
            event.kind,
            JobEventKind::Submitted | JobEventKind::Confirmed | JobEventKind::Cancelled
        );
        if event.by != JobParty::Customer || is_receipt {
            self.mails.queue(tx, job.account, content.clone())?;
        }
        if event.by == JobParty::Engineer {
            return Ok(());
        }
        match &job.engineer {
            Some(engineer) => self.mails.queue_to_staff(tx, engineer.id, content),
            None if event.kind == JobEventKind::Submitted => {
                for engineer in self.staff.engineers()? {
                    self.mails.queue_to_staff(tx, engineer, content.clone())?;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Takes a job that is over out of the queue, and ends the access that it has.
    fn end(&self, tx: &mut Tx<'_>, job: Job) -> Result<Job, Error> {
        tx.get::<OpenJob>(&job.id)?;
        tx.remove::<OpenJob>(&job.id)?;
        let open = tx.get::<OpenJobs>(&job.account)?;
        let count = open.map_or(0, |open| open.count.saturating_sub(1));
        tx.put(&job.account, &OpenJobs { count })?;
        let working = tx.get::<WorkingJob>(&job.server)?;
        if working.is_some_and(|working| working.job == job.id) {
            tx.remove::<WorkingJob>(&job.server)?;
        }
        self.shut(tx, job)
    }

    /// Lets engineers in no more for a job.
    fn shut(&self, tx: &mut Tx<'_>, job: Job) -> Result<Job, Error> {
        let Some(grant) = job.grant else {
            return Ok(job);
        };
        let server = (job.account, job.server);
        let host = self.servers.shut_out(tx, server, grant.id)?;
        // Its host may have heard an answer of ours just now, and counts the lease from that.
        let ends_by = tx.now().after(LEASE).min(grant.until);
        let ended = host.map(|host| EndedGrant {
            id: grant.id,
            host,
            ends_by,
        });
        Ok(Job {
            grant: None,
            ended,
            ..job
        })
    }

    /// What is sealed of a job's texts; nothing when its account is erased.
    fn unsealed(
        &self,
        account: AccountId,
        text: &Sealed<JobText>,
    ) -> Result<Option<String>, Error> {
        match self.accounts.unseal(account, text) {
            Ok(JobText(text)) => Ok(Some(text)),
            Err(Error::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
