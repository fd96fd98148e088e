//! What time and hosts' reports do to jobs that are not over: business begins, engineers are seen to be let in and to come,
//! their time is over, a server is deleted.

use innkeeper_wire::{
    id::{AccountId, JobId},
    job::{JobActKind, JobEventKind, JobOutcome, JobParty, JobState},
    time::Timestamp,
};

use super::{
    Happening, Support,
    records::OpenJob,
    rules::job::{Grant, Job, leads_to},
};
use crate::{
    kernel::{Actor, Error, Tx},
    servers::{AccessSeen, rules::server::Lifecycle},
};

/// Jobs that one turn looks at.
const LOOKED_AT: usize = 10_000;

/// What has become of a job by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    HoursBegan,
    Observed,
    Seen,
    Expired,
    ServerGone,
}

impl Support {
    /// Notes what time and reports have done. Gives how many jobs are not over, how many changed, and what went wrong.
    ///
    /// # Errors
    /// When it can't be read which jobs are not over.
    pub(super) async fn follow(&self) -> Result<(usize, usize, Vec<(JobId, Error)>), Error> {
        let open = self.ctx.list_all::<OpenJob>(None, LOOKED_AT)?;
        let (mut changed, mut failures) = (0, Vec::new());
        let all = open.len();
        for (id, found) in open {
            match self.follow_job(found.value.account, id).await {
                Ok(changes) => changed += usize::from(changes),
                Err(error) => failures.push((id, error)),
            }
        }
        Ok((all, changed, failures))
    }

    async fn follow_job(&self, account: AccountId, id: JobId) -> Result<bool, Error> {
        let job = self.find(account, id)?;
        if self.change_of(&job, self.ctx.now())?.is_none() {
            return Ok(false);
        }
        let decide = |tx: &mut Tx<'_>| {
            let mut job = self.find_in(tx, account, id)?;
            // Seen to be open and used may come with one report.
            for _ in 0..3 {
                let Some(change) = self.change_of(&job, tx.now())? else {
                    break;
                };
                job = self.changed(tx, job, change)?;
            }
            tx.put(&(account, id), &job)
        };
        let cause = format!("what became of {id}");
        self.ctx.commit(Actor::System, &cause, decide).await?;
        Ok(true)
    }

    fn change_of(&self, job: &Job, now: Timestamp) -> Result<Option<Change>, Error> {
        if job.state.is_over() {
            return Ok(None);
        }
        let server = match self.servers.find(job.account, job.server) {
            Ok(server) => Some(server),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error),
        };
        if server.is_none_or(|server| server.lifecycle != Lifecycle::Live) {
            return Ok(Some(Change::ServerGone));
        }
        let begins = self.settings.calendar.opens_next(job.submitted_at);
        if job.state == JobState::HoursNotice && begins <= now {
            return Ok(Some(Change::HoursBegan));
        }
        let Some(grant) = job.grant else {
            return Ok(None);
        };
        if !grant.holds(self.ctx.store().epoch(), now) {
            return Ok(Some(Change::Expired));
        }
        let Grant { id, host, .. } = grant;
        let seen = self.servers.access_seen(host, id, now)?;
        Ok(match seen {
            AccessSeen::Open { .. } if !grant.observed => Some(Change::Observed),
            AccessSeen::Open { is_used: true, .. } if !grant.used => Some(Change::Seen),
            _ => None,
        })
    }

    fn changed(&self, tx: &mut Tx<'_>, job: Job, change: Change) -> Result<Job, Error> {
        let (now, calendar) = (tx.now(), &self.settings.calendar);
        let until = job.grant.map(|grant| grant.until);
        let grant = job.grant;
        let (job, kind) = match change {
            Change::HoursBegan => (
                job.moved(JobState::Accepted, calendar, now),
                JobEventKind::HoursBegan,
            ),
            Change::Observed => {
                let grant = grant.map(|grant| Grant {
                    observed: true,
                    ..grant
                });
                (Job { grant, ..job }, JobEventKind::AccessObserved)
            }
            Change::Seen => {
                let grant = grant.map(|grant| Grant {
                    used: true,
                    ..grant
                });
                (Job { grant, ..job }, JobEventKind::EngineerSeen)
            }
            Change::Expired => (self.shut(tx, job)?, JobEventKind::AccessExpired),
            Change::ServerGone => {
                let job = self.end(tx, job)?;
                let cancel = leads_to(job.state, JobActKind::Cancel, JobParty::Customer);
                match cancel {
                    Some(to) => (job.moved(to, calendar, now), JobEventKind::Cancelled),
                    // What was confirmed is not called off: it was not done.
                    None => {
                        let outcome = Some(JobOutcome::NotDone);
                        let job = job.moved(JobState::Closed, calendar, now);
                        (Job { outcome, ..job }, JobEventKind::Closed)
                    }
                }
            }
        };
        let what = Happening {
            until: until.filter(|_| kind == JobEventKind::AccessObserved),
            ..Happening::of(kind, JobParty::System)
        };
        self.note(tx, job, &what)
    }
}
