//! Jobs as they are told.

use std::time::Duration;

use innkeeper_wire::{
    api::Page,
    id::{AccountId, JobEventId, JobId},
    job::{
        self as told, AllJobsQuery, AnyJob, AnyJobLine, JOB_EVENTS_MAX, Job as JobView, JobEvent,
        JobLine, JobListQuery, JobOffer, JobParty, JobService, JobState,
    },
    money::Money,
    price::{Price, Tax},
    time::Timestamp,
};

use super::{
    Support,
    desk::is_his,
    records::{JobOf, OpenJob},
    rules::job::{Application, Event, Job, Service, permitted},
};
use crate::kernel::{Caller, Error};

/// Jobs that are looked at for a page of those that are wanted.
const LOOKED_AT: usize = 1_000;
/// Events beyond those that customers and engineers may make: what time and hosts do is always noted.
const EVENTS_READ: usize = 4 * JOB_EVENTS_MAX;

impl Support {
    /// What can be applied for now.
    pub fn offer(&self) -> Result<JobOffer, Error> {
        let (now, calendar) = (self.ctx.now(), &self.settings.calendar);
        let services = self.settings.services.iter();
        let services = services.map(|service| view_service(service, self.settings.tax.as_ref()));
        let promised = calendar.days_of(self.settings.business_days);
        Ok(JobOffer {
            services: services.collect::<Result<_, _>>()?,
            begins_at: (!calendar.is_open(now)).then(|| calendar.opens_next(now)),
            due_at: calendar.after(now, promised),
        })
    }

    /// One's own jobs that are wanted, newest first.
    pub fn own_jobs(
        &self,
        caller: &Caller,
        query: &JobListQuery,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Page<JobLine>, Error> {
        let account = caller.account()?;
        let found: Vec<(JobId, Job)> =
            self.ctx
                .list_newest(&account, after.as_ref(), LOOKED_AT + 1)?;
        let has_more_behind = found.len() > LOOKED_AT;
        let (mut data, mut last) = (Vec::new(), None);
        for (id, job) in found.into_iter().take(LOOKED_AT) {
            if data.len() == limit {
                return Ok(Page::part(data, last));
            }
            last = Some(id);
            if query.state.is_none_or(|state| state == job.state) {
                data.push(self.line(&job)?);
            }
        }
        Ok(Page::part(data, last.filter(|_| has_more_behind)))
    }

    /// One's own job.
    pub fn own_job(&self, caller: &Caller, id: JobId) -> Result<JobView, Error> {
        let job = self.find(caller.account()?, id)?;
        let can = permitted(&job, JobParty::Customer, false);
        self.view(&job, can)
    }

    /// Everybody's jobs that are wanted: those that are not over in order of receipt, those that are over newest first.
    pub fn all_jobs(
        &self,
        caller: &Caller,
        query: &AllJobsQuery,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Page<AnyJobLine>, Error> {
        let me = self.engineer(caller)?;
        let names: Vec<(JobId, AccountId)> = if query.state.is_some_and(JobState::is_over) {
            let found = self
                .ctx
                .list_all_newest::<JobOf>(after.as_ref(), LOOKED_AT)?;
            let names = found.into_iter().map(|(id, of)| (id, of.value.account));
            names.collect()
        } else {
            let found = self.ctx.list_all::<OpenJob>(after.as_ref(), LOOKED_AT)?;
            let names = found.into_iter().map(|(id, open)| (id, open.value.account));
            names.collect()
        };
        let has_more_behind = names.len() == LOOKED_AT;
        let (mut data, mut last) = (Vec::new(), None);
        for (id, account) in names {
            if data.len() == limit {
                return Ok(Page::part(data, last));
            }
            last = Some(id);
            let job = self.find(account, id)?;
            let is_wanted = query.state.is_none_or(|state| state == job.state)
                && (!query.mine || (me.is_some() && is_his(&job, me.as_ref())));
            if is_wanted {
                data.push(AnyJobLine {
                    line: self.line(&job)?,
                    account,
                    is_overdue: self.is_overdue(&job),
                    engineer: job.engineer.map(|engineer| engineer.name),
                });
            }
        }
        Ok(Page::part(data, last.filter(|_| has_more_behind)))
    }

    /// A job of anybody.
    pub fn any_job(&self, caller: &Caller, id: JobId) -> Result<AnyJob, Error> {
        let account = self.owner(id)?;
        let job = self.find(account, id)?;
        let me = self.engineer(caller)?;
        let can = permitted(&job, JobParty::Engineer, is_his(&job, me.as_ref()));
        let (addresses, login_user) = match self.servers.find(account, job.server) {
            Ok(server) => (server.nic.addresses, server.image.login_user),
            Err(Error::NotFound) => (Vec::new(), String::new()),
            Err(error) => return Err(error),
        };
        Ok(AnyJob {
            job: self.view(&job, can)?,
            account,
            addresses,
            login_user,
            is_overdue: self.is_overdue(&job),
        })
    }

    fn is_overdue(&self, job: &Job) -> bool {
        let due = job.clock.due_at(&self.settings.calendar);
        due.is_some_and(|due| due < self.ctx.now())
    }

    fn line(&self, job: &Job) -> Result<JobLine, Error> {
        let title = match self.accounts.unseal(job.account, &job.application) {
            Ok(Application { title, .. }) => title,
            Err(Error::Erased) => String::new(),
            Err(error) => return Err(error),
        };
        let fee = job.fee();
        let fee = fee.ok_or_else(|| Error::Storage(format!("{} has no services", job.id)))?;
        Ok(JobLine {
            id: job.id,
            state: job.state,
            is_paused: job.is_paused(self.ctx.store().epoch(), self.ctx.now()),
            server: job.server,
            server_name: job.server_name.clone(),
            title,
            fee: priced(fee, job.tax.as_ref())?,
            submitted_at: job.submitted_at,
            changed_at: job.changed_at,
            due_at: self.due_at(job),
        })
    }

    fn due_at(&self, job: &Job) -> Option<Timestamp> {
        let calendar = &self.settings.calendar;
        if job.state == JobState::HoursNotice {
            let left = Duration::from_secs(job.clock.left_s);
            return Some(calendar.after(job.submitted_at, left));
        }
        job.clock.due_at(calendar)
    }

    fn view(&self, job: &Job, can: Vec<told::JobActKind>) -> Result<JobView, Error> {
        let (now, account) = (self.ctx.now(), job.account);
        let nothing = Application {
            phone: String::new(),
            email: String::new(),
            title: String::new(),
            body: String::new(),
        };
        let application = match self.accounts.unseal(account, &job.application) {
            Err(Error::Erased) => nothing,
            application => application?,
        };
        let services = job.services.iter();
        let services = services.map(|service| view_service(service, job.tax.as_ref()));
        let approval = job.approval.as_ref().map(|asked| {
            Ok::<_, Error>(told::Approval {
                scope: self.unsealed(account, &asked.scope)?.unwrap_or_default(),
                fee: priced(asked.fee, job.tax.as_ref())?,
                engineer: asked.engineer.clone(),
                digest: asked.digest,
                asked_at: asked.asked_at,
                confirmed_at: asked.confirmed_at,
            })
        });
        let begins = self.settings.calendar.opens_next(job.submitted_at);
        Ok(JobView {
            line: self.line(job)?,
            services: services.collect::<Result<_, _>>()?,
            phone: application.phone,
            email: application.email,
            body: application.body,
            engineer: job.engineer.as_ref().map(|engineer| engineer.name.clone()),
            begins_at: (job.state == JobState::HoursNotice).then_some(begins),
            delayed_until: job.delayed_until,
            approval: approval.transpose()?,
            outcome: job.outcome,
            access: self.access_of(job, now)?,
            can,
            events: self.events(job)?,
            now,
        })
    }

    fn events(&self, job: &Job) -> Result<Vec<JobEvent>, Error> {
        let found: Vec<(JobEventId, Event)> = self.ctx.list(&job.id, EVENTS_READ)?;
        let events = found.into_iter().map(|(_, event)| {
            let text = event.text.as_ref();
            let text = text.map(|text| self.unsealed(job.account, text));
            Ok(JobEvent {
                id: event.id,
                at: event.at,
                kind: event.kind,
                by: event.by,
                name: event.name,
                text: text.transpose()?.flatten(),
                until: event.until,
            })
        });
        events.collect()
    }
}

fn view_service(service: &Service, tax: Option<&Tax>) -> Result<JobService, Error> {
    Ok(JobService {
        code: service.code.clone(),
        name: service.name.clone(),
        help: service.help.clone(),
        price: priced(service.net, tax)?,
    })
}

/// An amount with the tax on it. Its size was checked when it was offered or asked for.
fn priced(net: Money, tax: Option<&Tax>) -> Result<Price, Error> {
    Price::with(net, tax).map_err(|error| Error::Storage(error.to_string()))
}
