//! Hosts that are lost for good: declaring it, and confirming that they are fenced. What becomes of their servers is
//! `closing`'s. A lost host is a revoked one that keeps its name and its own addresses until it is fenced.

use innkeeper_wire::{
    id::HostId,
    operator::{
        hosts::{Fencing, Loss},
        reason::Reason,
    },
};

use super::Hosts;
use crate::{
    hosts::rules::{
        host::{Host, HostState},
        loss::{Asking, check_may_be_lost, heard_until},
    },
    kernel::{Actor, Error, Tx, caller::because},
};

impl Hosts {
    /// Declares a host lost: it is refused from now on, whatever it says.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of one that may be there.
    pub(crate) async fn declare_lost(
        &self,
        by: Actor,
        host: HostId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = because(&format!("lost {host}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let (found, now) = (tx.get::<Host>(&host)?.ok_or(Error::NotFound)?, tx.now());
            let condition = self.presence.condition(&found, now);
            let started_at = self.presence.started_at();
            let asking = Asking {
                refused_at: self.presence.refused_at(host),
                started_at,
            };
            check_may_be_lost(condition, asking, now).map_err(|refusal| {
                Error::OperatorRefused(format!("{} is not lost: {refusal}", found.name))
            })?;
            let loss = Loss {
                since: now,
                reason: reason.as_str().to_owned(),
                heard_until: heard_until(condition, started_at, now),
                fenced: None,
            };
            let was_revoked = found.state == HostState::Revoked;
            let next = Host {
                state: HostState::Revoked,
                changed_at: found.changed_at.filter(|_| was_revoked).or(Some(now)),
                loss: Some(loss),
                ..found
            };
            tx.put(&host, &next)
        };
        self.ctx.commit(by, &cause, decide).await?;
        self.part_from(host);
        Ok(())
    }

    /// Confirms that a lost host will never use its addresses again. Its name is free from now on, and its own addresses
    /// after their rest.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of one that is not lost, or for which that was confirmed.
    pub(crate) async fn confirm_fencing(
        &self,
        by: Actor,
        host: HostId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = because(&format!("fenced {host}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let counted_at = self.known_version(host)?;
            let found = tx.get::<Host>(&host)?.ok_or(Error::NotFound)?;
            let refused = |why| Err(Error::OperatorRefused(format!("{} {why}", found.name)));
            let Some(loss) = found.loss.clone() else {
                return refused("was not declared lost: `host lost` comes first");
            };
            if loss.fenced.is_some() {
                return refused("is fenced already, as was confirmed");
            }
            self.give_back_its_own(tx, &found)?;
            // As when it is revoked.
            tx.require_version::<Host>(&host, counted_at)?;
            let fencing = Fencing {
                at: tx.now(),
                reason: reason.as_str().to_owned(),
            };
            let loss = Loss {
                fenced: Some(fencing),
                ..loss
            };
            let next = Host {
                loss: Some(loss),
                ..found.clone()
            };
            tx.put(&host, &next)
        };
        self.ctx.commit(by, &cause, decide).await
    }

    /// That a host is lost, as part of a commit.
    pub(crate) fn loss(&self, tx: &mut Tx<'_>, host: HostId) -> Result<Option<Loss>, Error> {
        Ok(tx.get::<Host>(&host)?.and_then(|found| found.loss))
    }

    /// The hosts that are lost.
    pub(crate) fn lost(&self) -> Result<Vec<(HostId, Loss)>, Error> {
        let mut lost = Vec::new();
        self.ctx.for_each::<Host>(|id, host| {
            lost.extend(host.value.loss.map(|loss| (*id, loss)));
        })?;
        Ok(lost)
    }
}
