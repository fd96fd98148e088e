//! Hosts that are not what they seem: the sessions of their agents, what they had accepted last, and the
//! quarantine when that does not fit together. What a message tells is decided by
//! [`crate::domain::host_session`].

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use innkeeper_wire::{
    host::Life,
    id::{ChallengeId, HostId},
};

use super::{
    Actor, App,
    error::AppError,
    records::{Acknowledged, Changes, read},
};
use crate::domain::{
    host::{Host, HostState, Quarantine},
    host_session::{HostSession, Position, Verdict},
};

/// The sessions of all hosts that were heard of since we started; at most one a host that joined.
#[derive(Debug, Default)]
pub(crate) struct Lives(Mutex<HashMap<HostId, HostSession>>);

impl Lives {
    fn lock(&self) -> MutexGuard<'_, HashMap<HostId, HostSession>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn forget(&self, host: HostId) {
        self.lock().remove(&host);
    }
}

impl App {
    /// Takes in a sign of life, and gives the next challenge. A host of which it tells that something is
    /// wrong is quarantined before this answers.
    ///
    /// # Errors
    /// When the host is quarantined, or what it acknowledges can't be stored.
    pub async fn hear_life(&self, host: HostId, life: &Life) -> Result<ChallengeId, AppError> {
        let challenge = ChallengeId::new(self.ids());
        match self.judge(host, life, challenge)? {
            Verdict::Unproven => Ok(challenge),
            Verdict::Alive(position) => {
                self.acknowledge(host, position).await?;
                Ok(challenge)
            }
            Verdict::Wrong(why) => {
                self.quarantine_host(host, why).await?;
                Err(AppError::HostQuarantined(why))
            }
        }
    }

    fn judge(
        &self,
        host: HostId,
        life: &Life,
        challenge: ChallengeId,
    ) -> Result<Verdict, AppError> {
        let mut lives = self.lives().lock();
        if let Some(session) = lives.get_mut(&host) {
            return Ok(session.hear(life, challenge));
        }
        let newest = read::<Acknowledged>(self.store(), host)?;
        let mut session = HostSession::new(newest.map(|record| record.value.0));
        let verdict = session.hear(life, challenge);
        lives.insert(host, session);
        Ok(verdict)
    }

    /// Makes it durable that the host has had this desired state. One commit for each, not for each report.
    async fn acknowledge(&self, host: HostId, position: Position) -> Result<(), AppError> {
        self.decide(Actor::Host(host), "acknowledge", |app, _| {
            let found = read::<Acknowledged>(app.store(), host)?;
            let mut changes = Changes::default();
            if found.as_ref().is_none_or(|found| found.value.0 < position) {
                let version = found.map(|found| found.version);
                changes.replace(host, version, &Acknowledged(position))?;
            }
            Ok((changes, ()))
        })
        .await
    }

    /// No longer tells a host anything, nor believes it, until an operator releases it.
    async fn quarantine_host(&self, host: HostId, why: Quarantine) -> Result<(), AppError> {
        let cause = format!("quarantine: {why}");
        let name = self
            .decide(Actor::System, &cause, |app, now| {
                let found = read::<Host>(app.store(), host)?.ok_or(AppError::HostRefused)?;
                let name = found.value.name.clone();
                let mut changes = Changes::default();
                if found.value.state == HostState::Active {
                    let state = HostState::Quarantined { why };
                    let next = Host {
                        state,
                        changed_at: Some(now),
                        ..found.value
                    };
                    changes.replace(host, Some(found.version), &next)?;
                }
                Ok((changes, name))
            })
            .await?;
        tracing::error!(
            host.id = %host, host.name = name, reason = %why,
            "a host is quarantined; its servers run on, and it is not served until it is released"
        );
        self.links().close(host);
        Ok(())
    }

    /// Serves a quarantined host again, with whatever it has now.
    pub async fn release_host(&self, host: HostId) -> Result<(), AppError> {
        self.decide(Actor::Operator, &format!("release {host}"), |app, now| {
            let found = read::<Host>(app.store(), host)?.ok_or(AppError::NotFound)?;
            let HostState::Quarantined { .. } = found.value.state else {
                let name = &found.value.name;
                let detail = format!("{name} is not quarantined");
                return Err(AppError::OperatorRefused(detail));
            };
            let mut changes = Changes::default();
            let next = Host {
                state: HostState::Active,
                changed_at: Some(now),
                ..found.value
            };
            changes.replace(host, Some(found.version), &next)?;
            if let Some(newest) = read::<Acknowledged>(app.store(), host)? {
                changes.remove::<Acknowledged>(host, newest.version)?;
            }
            Ok((changes, ()))
        })
        .await?;
        self.lives().forget(host);
        Ok(())
    }
}
