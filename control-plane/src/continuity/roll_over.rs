//! Rolling the authority over: what hosts said of their trust, whether a step may be taken, and the note of it in
//! the journal. The authorities themselves are given: the module `authority` keeps them.
//!
//! What hosts said is in memory: each says it again within seconds of a restart, and one that is off is not known to
//! be ready. A host that was restored from an old copy says so itself.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use innkeeper_mtls::{KeyId, Other, Succession};
use innkeeper_wire::{digest::Digest, id::HostId, time::Timestamp};

use super::Continuity;
use crate::{
    continuity::rules::{
        recovery::Phase,
        roll_over::{
            CertificateOf, Member, Pace, Renewal, Said, Stage, Step, StepTaken, Trusts, decide,
        },
    },
    hosts::rules::host::HostState,
    kernel::{Actor, Error, Tx},
};

/// Hosts that are read at a time.
const PAGE: usize = 1_000;

/// What hosts said since we started; at most one a host that joined.
#[derive(Debug, Default)]
pub(super) struct Trust {
    heard: Mutex<HashMap<HostId, Heard>>,
    pace: Mutex<Pace>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    trusted: Digest,
    issuer: KeyId,
}

impl Trust {
    fn heard(&self) -> MutexGuard<'_, HashMap<HostId, Heard>> {
        self.heard.lock().expect("no holder of this lock panics")
    }

    pub(super) fn forget(&self, host: HostId) {
        self.heard().remove(&host);
    }
}

/// Where an installation with these authorities stands.
#[must_use]
pub fn stage(authorities: &Succession) -> Stage {
    match authorities.other() {
        Other::None => Stage::Settled,
        Other::Next(_) => Stage::Begun,
        Other::Previous(_) => Stage::Switched,
    }
}

impl Continuity {
    /// Takes note of what a host trusts, and who signed the certificate that it came with.
    pub fn note_trust(&self, host: HostId, trusted: Digest, issuer: KeyId) {
        let heard = Heard { trusted, issuer };
        self.trust.heard().insert(host, heard);
    }

    /// Whether a host whose certificate has to be replaced shall renew now.
    #[must_use]
    pub fn renewal(&self) -> Renewal {
        let mut pace = self.trust.pace.lock();
        let pace = pace.as_mut().expect("no holder of this lock panics");
        pace.sends(self.ctx.now())
    }

    /// All hosts that are not revoked, with what they said of their trust.
    pub fn members(&self, authorities: &Succession) -> Result<Vec<Member>, Error> {
        let mut members = Vec::new();
        let mut after = None;
        loop {
            let page = self.hosts.page(after, PAGE)?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|host| host.id);
            for host in page {
                if host.state == HostState::Revoked {
                    continue;
                }
                members.push(Member {
                    servers: self.hosts.reserved(host.id)?.servers,
                    said: self.said(host.id, authorities),
                    state: host.state,
                    host: host.id,
                    name: host.name,
                });
            }
            if is_last {
                return Ok(members);
            }
        }
    }

    fn said(&self, host: HostId, authorities: &Succession) -> Option<Said> {
        let heard = self.trust.heard().get(&host).copied()?;
        Some(Said {
            trusts: if heard.trusted == authorities.trusted_digest() {
                Trusts::Present
            } else {
                Trusts::Other
            },
            certificate: if heard.issuer == authorities.issuer().key_id() {
                CertificateOf::Issuer
            } else {
                CertificateOf::Other
            },
        })
    }

    /// Decides a step; gives the hosts that it leaves behind.
    pub fn decide_step(
        &self,
        authorities: &Succession,
        step: Step,
        without: &[String],
    ) -> Result<Vec<Member>, Error> {
        // Hosts that no record knows would be locked out by what nobody asked them.
        if matches!(step, Step::Switch | Step::Finish) {
            if self.phase()? == Phase::Recovering {
                let detail = "the installation is being restored: `recovery finish` comes first";
                return Err(Error::OperatorRefused(detail.to_owned()));
            }
            self.check_all_decided()?;
        }
        let members = self.members(authorities)?;
        let decided = decide(stage(authorities), step, &members, without);
        let (_, left) = decided.map_err(|refusal| Error::OperatorRefused(refusal.to_string()))?;
        Ok(left)
    }

    /// The last step, as it was noted.
    pub fn step_taken(&self) -> Result<Option<StepTaken>, Error> {
        self.ctx.read::<StepTaken>(&())
    }

    /// Notes in the journal where the installation stands, if that is not what it says already. A crash between a
    /// step and its note is made up for at the next start.
    pub async fn note_step(
        &self,
        actor: Actor,
        cause: &str,
        authorities: &Succession,
    ) -> Result<(), Error> {
        let decide = |tx: &mut Tx<'_>| {
            let noted = tx.get::<StepTaken>(&())?;
            let taken = self
                .standing_now(authorities, tx.now())
                .since(noted.as_ref());
            let is_known = match &noted {
                Some(noted) => *noted == taken,
                // Nothing was ever begun.
                None => taken.stage == Stage::Settled,
            };
            if !is_known {
                tx.put(&(), &taken)?;
            }
            Ok(())
        };
        self.ctx.commit(actor, cause, decide).await
    }

    /// Notes at the start what was not noted of the last step. Authorities that can't follow what the journal says are
    /// those of an old copy; that is said at each start, and not noted.
    pub async fn note_at_start(&self, authorities: &Succession) -> Result<(), Error> {
        let now = self.standing_now(authorities, self.ctx.now());
        let noted = self.step_taken()?;
        if let Some(noted) = noted.filter(|noted| !noted.leads_to(&now)) {
            tracing::error!(
                ?noted,
                ?now,
                "an old copy of host-authority.pem was put back: hosts refuse an authority that they have dropped, so put the newest one back"
            );
            return Ok(());
        }
        if now.stage != Stage::Settled {
            tracing::info!(stage = ?now.stage, "a roll-over of the authority is under way");
        }
        let cause = "authority: found at start";
        self.note_step(Actor::System, cause, authorities).await
    }

    fn standing_now(&self, authorities: &Succession, now: Timestamp) -> StepTaken {
        let other = authorities.other().certificate();
        StepTaken {
            stage: stage(authorities),
            issuer: authorities.issuer().fingerprint(),
            other: other.map(|other| other.fingerprint()),
            epoch: self.ctx.store().epoch(),
            at: now,
        }
    }

    /// No longer serves hosts that were left behind: their connections were opened with certificates that nobody
    /// honours any more.
    pub fn close_links_of(&self, left: &[Member]) {
        for member in left {
            self.hosts.links().close(member.host);
        }
    }
}
