//! While the clock is in doubt: what would begin waits, what ends does so at the last instant that is known to be good.
//! Servers are made, deleted and switched as ever; only what is charged for them stands still.

use innkeeper_wire::{
    api::OutageCause,
    id::ContractId,
    operator::{
        billing::{BillingStatus, FreezeView},
        reason::Reason,
    },
    time::Timestamp,
};

use super::{Billing, clock::Standing, find, open_interval};
use crate::{
    billing::rules::freeze::{ClockNote, Freeze, Reading, WaitingUsage},
    kernel::{Actor, Error, Tx, caller::because},
};

/// Contracts that one commit makes up for: each is up to three records, and one of its account.
const CONTRACTS_PER_COMMIT: usize = 20;

impl Billing {
    /// Looks at the clock, also when nobody commits anything. Gives why billing is frozen, if it is.
    ///
    /// # Errors
    /// When that can't be read, or be said in the journal.
    pub async fn look_at_clock(&self) -> Result<Option<FreezeView>, Error> {
        let decide = |tx: &mut Tx<'_>| {
            if self.standing(tx)? == Standing::Good && self.watch.is_quiet(tx.now()) {
                tx.get::<ClockNote>(&())?;
                tx.put(&(), &ClockNote { at: tx.now() })?;
            }
            Ok(())
        };
        let cause = "a look at the clock";
        self.ctx.commit(Actor::System, cause, decide).await?;
        self.freeze()
    }

    /// Why billing is frozen, if it is.
    ///
    /// # Errors
    /// When that can't be read.
    pub fn freeze(&self) -> Result<Option<FreezeView>, Error> {
        let known = self.ctx.read::<Freeze>(&())?;
        Ok(known.and_then(|freeze| freeze.view()))
    }

    /// Whether usage is counted.
    ///
    /// # Errors
    /// When that can't be read.
    pub fn status(&self) -> Result<BillingStatus, Error> {
        let mut waiting = 0;
        self.ctx.for_each::<WaitingUsage>(|_, _| waiting += 1)?;
        Ok(BillingStatus {
            clock: self.ctx.now(),
            freeze: self.freeze()?,
            waiting,
        })
    }

    /// Believes the clock as it is now: what waits counts from now on.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] when billing is not frozen.
    pub async fn unfreeze(&self, by: Actor, reason: &Reason) -> Result<(), Error> {
        if self.freeze()?.is_none() {
            return Err(NOT_FROZEN);
        }
        // Before the commit, which would say again that both clocks have come apart. Until it is made the record stands.
        self.watch.anchor_anew(self.reading());
        let decide = |tx: &mut Tx<'_>| {
            let known = tx.get::<Freeze>(&())?;
            let freeze = known.filter(|freeze| freeze.thawed_at.is_none());
            let freeze = freeze.ok_or(NOT_FROZEN)?;
            let thawed = Freeze {
                thawed_at: Some(tx.now()),
                ..freeze
            };
            tx.put(&(), &thawed)
        };
        let cause = because("billing goes on", reason.as_str());
        self.ctx.commit(by, &cause, decide).await
    }

    /// Makes up for what waited until somebody believed the clock again. Gives of how many contracts it did.
    ///
    /// # Errors
    /// When it can't be read or written; what was done stays, and the next time goes on from there.
    pub async fn thaw(&self) -> Result<usize, Error> {
        let mut done = 0;
        loop {
            let known = self.ctx.read::<Freeze>(&())?;
            if known.and_then(|freeze| freeze.thawed_at).is_none() {
                return Ok(done);
            }
            let waiting = self
                .ctx
                .list_all::<WaitingUsage>(None, CONTRACTS_PER_COMMIT)?;
            let decide = |tx: &mut Tx<'_>| {
                let Standing::Thawing { at } = self.standing(tx)? else {
                    return Ok(0);
                };
                for (contract, _) in &waiting {
                    self.settle(tx, *contract, at)?;
                }
                // Nothing comes to it once it is over, so what was not seen is not there.
                if waiting.is_empty() {
                    tx.remove::<Freeze>(&())?;
                }
                Ok(waiting.len())
            };
            let cause = "what waited for the clock is made up for";
            done += self.ctx.commit(Actor::System, cause, decide).await?;
        }
    }

    /// Clause: refuses what must not be done while the clock is in doubt, or while something still waits for its end.
    ///
    /// # Errors
    /// [`Error::BillingFrozen`].
    pub fn check_not_frozen(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match self.standing(tx)? {
            Standing::Good => Ok(()),
            Standing::Frozen { .. } | Standing::Thawing { .. } => Err(Error::BillingFrozen),
        }
    }

    /// Until when usage can be told: the present instant by the clock of billing, or the last one that is known to be good.
    pub(super) fn present(&self) -> Result<Timestamp, Error> {
        let freeze = self.freeze()?;
        let at = freeze.map_or_else(|| self.ctx.now(), |freeze| freeze.since);
        Ok(self.instant(at))
    }

    pub(super) fn reading(&self) -> Reading {
        Reading {
            wall: self.ctx.now(),
            monotonic: self.ctx.monotonic(),
        }
    }

    /// Whether instants may be counted with, told by the clock of billing.
    pub(super) fn standing(&self, tx: &mut Tx<'_>) -> Result<Standing, Error> {
        let standing = self.watch.standing(tx, self.ctx.monotonic())?;
        Ok(standing.ahead_by(self.settings.ahead))
    }

    /// The instant at which what a contract is charged for ends: now, or the last one that is known to be good. What of it
    /// waited does so no more.
    pub(super) fn last_instant(
        &self,
        tx: &mut Tx<'_>,
        contract: ContractId,
    ) -> Result<Timestamp, Error> {
        match self.standing(tx)? {
            Standing::Good => Ok(self.now(tx)),
            Standing::Thawing { at } => {
                self.settle(tx, contract, at)?;
                Ok(self.now(tx))
            }
            Standing::Frozen { since } => {
                if tx.get::<WaitingUsage>(&contract)?.is_some() {
                    tx.remove::<WaitingUsage>(&contract)?;
                }
                Ok(since)
            }
        }
    }

    /// Makes up for what waited of a contract.
    pub(super) fn settle(
        &self,
        tx: &mut Tx<'_>,
        contract: ContractId,
        at: Timestamp,
    ) -> Result<(), Error> {
        let Some(waits) = tx.get::<WaitingUsage>(&contract)? else {
            return Ok(());
        };
        tx.remove::<WaitingUsage>(&contract)?;
        if waits.opens {
            let open = find(tx, contract)?;
            return self.open_usage(tx, open, at, waits.outage);
        }
        match open_interval(tx, contract)? {
            Some(open) => tx.put(&open.name(), &open.with_outage(waits.outage, at)),
            None => Ok(()),
        }
    }

    /// Whoever is charged does not lose by our clock: what he can't use is so from the last good instant on, and is over
    /// when the freeze is.
    pub(super) fn mark_frozen_outage(
        &self,
        tx: &mut Tx<'_>,
        contract: ContractId,
        outage: Option<OutageCause>,
        since: Timestamp,
    ) -> Result<(), Error> {
        let waits = tx.get::<WaitingUsage>(&contract)?;
        if let Some(WaitingUsage { opens: true, .. }) = waits {
            return tx.put(&contract, &opening(outage));
        }
        let Some(open) = open_interval(tx, contract)? else {
            return Ok(());
        };
        if outage.is_none() {
            let ends = WaitingUsage {
                opens: false,
                outage,
            };
            return tx.put(&contract, &ends);
        }
        if waits.is_some() {
            tx.remove::<WaitingUsage>(&contract)?;
        }
        tx.put(&open.name(), &open.with_outage(outage, since))
    }

    /// Has what is to be charged for from now on wait.
    pub(super) fn defer(
        &self,
        tx: &mut Tx<'_>,
        contract: ContractId,
        outage: Option<OutageCause>,
    ) -> Result<(), Error> {
        tx.get::<WaitingUsage>(&contract)?;
        tx.put(&contract, &opening(outage))
    }
}

const NOT_FROZEN: Error = Error::OutOfTurn("billing is not frozen");

const fn opening(outage: Option<OutageCause>) -> WaitingUsage {
    WaitingUsage {
        opens: true,
        outage,
    }
}
