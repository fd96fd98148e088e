//! Hosts that are not what they seem: the sessions of their agents, what they had accepted last, and the
//! quarantine when that does not fit together. What a message tells is decided by
//! [`crate::hosts::rules::host_session`].

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use innkeeper_wire::{
    host::Life,
    id::{ChallengeId, HostId},
    operator::reason::Reason,
};

use super::{Hosts, records::Acknowledged};
use crate::{
    hosts::rules::{
        host::{Host, HostState, Quarantine},
        host_session::{HostSession, Position, Verdict},
    },
    kernel::{Actor, Error, Tx, caller::because},
};

/// The sessions of all hosts that were heard of since we started; at most one a host that joined.
#[derive(Debug, Default)]
pub(super) struct AgentSessions(Mutex<HashMap<HostId, HostSession>>);

impl AgentSessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<HostId, HostSession>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    pub(super) fn forget(&self, host: HostId) {
        self.lock().remove(&host);
    }
}

impl Hosts {
    /// Takes in a sign of life, and gives the next challenge. A host of which it tells that something is
    /// wrong is quarantined before this answers.
    ///
    /// # Errors
    /// When the host is quarantined, or what it acknowledges can't be stored.
    pub async fn hear_life(&self, host: HostId, life: &Life) -> Result<ChallengeId, Error> {
        let challenge = ChallengeId::new(self.ctx.ids());
        match self.judge(host, life, challenge)? {
            Verdict::Unproven => Ok(challenge),
            Verdict::Alive(position) => {
                self.acknowledge(host, position).await?;
                Ok(challenge)
            }
            Verdict::Wrong(why) => {
                self.quarantine(host, why).await?;
                Err(Error::HostQuarantined(why.to_string()))
            }
        }
    }

    fn judge(&self, host: HostId, life: &Life, challenge: ChallengeId) -> Result<Verdict, Error> {
        let mut sessions = self.sessions.lock();
        if let Some(session) = sessions.get_mut(&host) {
            return Ok(session.hear(life, challenge));
        }
        let newest = self.ctx.read::<Acknowledged>(&host)?;
        let mut session = HostSession::new(newest.map(|newest| newest.0));
        let verdict = session.hear(life, challenge);
        sessions.insert(host, session);
        Ok(verdict)
    }

    /// Makes it durable that the host has had this desired state. One commit for each, not for each report.
    async fn acknowledge(&self, host: HostId, position: Position) -> Result<(), Error> {
        let decide = |tx: &mut Tx<'_>| {
            let newest = tx.get::<Acknowledged>(&host)?;
            if newest.is_none_or(|newest| newest.0 < position) {
                tx.put(&host, &Acknowledged(position))?;
            }
            Ok(())
        };
        self.ctx
            .commit(Actor::Host(host), "acknowledge", decide)
            .await
    }

    /// No longer tells a host anything, nor believes it, until an operator releases it.
    async fn quarantine(&self, host: HostId, why: Quarantine) -> Result<(), Error> {
        let cause = format!("quarantine: {why}");
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Host>(&host)?.ok_or(Error::HostRefused)?;
            let name = found.name.clone();
            if found.state == HostState::Active {
                let next = Host {
                    state: HostState::Quarantined { why },
                    changed_at: Some(tx.now()),
                    ..found
                };
                tx.put(&host, &next)?;
            }
            Ok(name)
        };
        let name = self.ctx.commit(Actor::System, &cause, decide).await?;
        tracing::error!(
            host.id = %host, host.name = name, reason = %why,
            "a host is quarantined; its servers run on, and it is not served until it is released"
        );
        self.links.close(host);
        Ok(())
    }

    /// Serves a quarantined host again, with whatever it has now.
    pub async fn release(&self, by: Actor, host: HostId, reason: &Reason) -> Result<(), Error> {
        let cause = because(&format!("release {host}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Host>(&host)?.ok_or(Error::NotFound)?;
            let HostState::Quarantined { .. } = found.state else {
                let detail = format!("{} is not quarantined", found.name);
                return Err(Error::OperatorRefused(detail));
            };
            let next = Host {
                state: HostState::Active,
                changed_at: Some(tx.now()),
                ..found
            };
            tx.put(&host, &next)?;
            if tx.get::<Acknowledged>(&host)?.is_some() {
                tx.remove::<Acknowledged>(&host)?;
            }
            Ok(())
        };
        self.ctx.commit(by, &cause, decide).await?;
        self.sessions.forget(host);
        Ok(())
    }
}
