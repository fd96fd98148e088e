//! Engineers' access for a job: its customer allows it, its server's host does it, and what that says counts (R113, R114).

use std::time::Duration;

use innkeeper_wire::{
    id::GrantId,
    job::{JobAccess, JobState},
    time::Timestamp,
};

use super::{
    SSH_PORT, Support,
    rules::job::{Grant, Job},
};
use crate::{
    kernel::{Error, Tx},
    servers::{AccessSeen, rules::server::ServerAccess},
};

/// How much of a grant must be left for the work to begin.
const LEFT_MIN: Duration = Duration::from_mins(5);

impl Support {
    /// Lets engineers in for a job from now on, in place of what was allowed before.
    pub(super) fn let_in(&self, tx: &mut Tx<'_>, job: Job, hours: u32) -> Result<Job, Error> {
        if self.settings.engineer_networks.is_empty() {
            return Err(Error::OutOfTurn(
                "nobody has said where engineers come from",
            ));
        }
        if let Some(suspended) = self.accounts.suspended(tx, job.account)? {
            return Err(Error::AccountSuspended(suspended.kind));
        }
        let seconds = hours * 3_600;
        let until = tx.now().after(Duration::from_secs(u64::from(seconds)));
        let id = GrantId::new(self.ctx.ids());
        let access = ServerAccess {
            grant: id,
            port: SSH_PORT,
            until,
            seconds,
            epoch: self.ctx.store().epoch(),
        };
        let server = (job.account, job.server);
        let before = job.grant.map(|grant| grant.id);
        let host = self.servers.let_in(tx, server, before, access)?;
        let grant = Grant {
            id,
            until,
            host,
            observed: false,
            used: false,
            epoch: self.ctx.store().epoch(),
        };
        Ok(Job {
            grant: Some(grant),
            ended: None,
            ..job
        })
    }

    /// Clause: that a job's server is open to engineers, as its host has just said, for long enough (R119). What hosts say is
    /// in memory: a report that comes between this look and the commit is as good as one that comes right behind it.
    ///
    /// # Errors
    /// [`Error::FirewallNotActive`] with how old the newest word is.
    pub(super) fn check_open(&self, tx: &Tx<'_>, job: &Job) -> Result<(), Error> {
        let now = tx.now();
        let epoch = self.ctx.store().epoch();
        let Some(grant) = job.grant.filter(|grant| grant.holds(epoch, now)) else {
            return Err(Error::FirewallNotActive(
                "nobody has allowed it, or its time is over".to_owned(),
            ));
        };
        let age = |at: Timestamp| now.since(at).as_secs();
        match self.servers.access_seen(grant.host, grant.id, now)? {
            AccessSeen::Open {
                is_current: true, ..
            } if grant.until.since(now) >= LEFT_MIN => Ok(()),
            AccessSeen::Open {
                is_current: true, ..
            } => Err(Error::FirewallNotActive(
                "less than five minutes are left of it".to_owned(),
            )),
            AccessSeen::Open { at, .. } | AccessSeen::Shut { at, .. } => {
                Err(Error::FirewallNotActive(format!(
                    "{} s ago the server's host did not say so yet",
                    age(at)
                )))
            }
            AccessSeen::Unheard { at: Some(at) } => Err(Error::FirewallNotActive(format!(
                "the server's host was heard of {} s ago",
                age(at)
            ))),
            AccessSeen::Unheard { at: None } => Err(Error::FirewallNotActive(
                "the server's host was not heard of".to_owned(),
            )),
        }
    }

    /// Whether engineers are let in for a job, as far as its host says.
    pub(super) fn access_of(&self, job: &Job, now: Timestamp) -> Result<JobAccess, Error> {
        let epoch = self.ctx.store().epoch();
        let held = job.grant.filter(|grant| grant.holds(epoch, now));
        if let Some(Grant {
            id, until, host, ..
        }) = held
        {
            return Ok(match self.servers.access_seen(host, id, now)? {
                AccessSeen::Open { at, .. } => JobAccess::Open {
                    grant: id,
                    until,
                    observed_at: at,
                },
                AccessSeen::Shut { .. } => JobAccess::Opening { grant: id, until },
                AccessSeen::Unheard { at } => JobAccess::Unknown {
                    grant: id,
                    until,
                    heard_at: at,
                },
            });
        }
        if let Some(ended) = job.ended.filter(|ended| ended.ends_by > now) {
            let seen = self.servers.access_seen(ended.host, ended.id, now)?;
            let is_shut = matches!(
                seen,
                AccessSeen::Shut {
                    is_current: true,
                    ..
                }
            );
            if !is_shut {
                return Ok(JobAccess::Closing {
                    ends_by: ended.ends_by,
                });
            }
        }
        let is_possible = match self.servers.find(job.account, job.server) {
            Ok(server) => self.servers.can_let_in(&server),
            Err(Error::NotFound) => false,
            Err(error) => return Err(error),
        };
        let is_possible = is_possible && !self.settings.engineer_networks.is_empty();
        Ok(match is_possible || job.state == JobState::Closed {
            true => JobAccess::Closed,
            false => JobAccess::Impossible,
        })
    }
}
