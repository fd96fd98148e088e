//! Whether the installation is open, and for whom: the answers at the gate (`kernel::gate`). Read from the records,
//! and from what hosts prove; a store of a later epoch than the first is closed until an operator has opened it.

use innkeeper_wire::{
    id::{Code, HostId},
    time::Timestamp,
};

use super::{
    inventories::Inventories,
    witnesses::{Standing, Witnesses},
};
use crate::{
    continuity::rules::{
        recovery::{Phase, Recovery, RestoredFrom, phase},
        unrecorded::{Giving, UNRECORDED_MAX, Unrecorded},
    },
    hosts::rules::host::Host,
    kernel::{Ctx, Error, gate::Answers},
    store::FIRST_EPOCH,
};

/// See the module.
pub struct Openness {
    ctx: Ctx,
    witnesses: Witnesses,
    inventories: Inventories,
}

impl Openness {
    pub(super) fn new(ctx: Ctx, witnesses: Witnesses) -> Self {
        Self {
            ctx,
            witnesses,
            inventories: Inventories::default(),
        }
    }

    pub(super) fn witnesses(&self) -> &Witnesses {
        &self.witnesses
    }

    pub(super) fn inventories(&self) -> &Inventories {
        &self.inventories
    }

    pub(super) fn phase(&self) -> Result<Phase, Error> {
        if self.inventories.is_open() {
            return Ok(Phase::Open);
        }
        Ok(self.read_phase()?.0)
    }

    fn read_phase(&self) -> Result<(Phase, Option<Recovery>), Error> {
        let record = self.ctx.read::<Recovery>(&())?;
        let epoch = self.ctx.store().epoch();
        let phase = phase(epoch, FIRST_EPOCH, record.as_ref());
        Ok((phase, record.filter(|record| record.epoch == epoch)))
    }

    pub(super) fn restored_from(&self) -> Result<Option<RestoredFrom>, Error> {
        self.ctx.read::<RestoredFrom>(&self.ctx.store().epoch())
    }

    fn read_openness(&self) -> Result<(Phase, Giving), Error> {
        let (phase, opened) = self.read_phase()?;
        let mut left_behind = Vec::new();
        if let Phase::OpenWithout(without) = &phase {
            for host in without {
                let found = self.ctx.read::<Host>(host)?;
                let awaited = found.filter(Host::may_use_addresses);
                left_behind.extend(awaited.map(|found| found.site));
            }
        }
        let unrecorded = self.ctx.list_all::<Unrecorded>(None, UNRECORDED_MAX)?;
        let giving = Giving::new(
            opened.map(|opened| opened.finished_at),
            left_behind.iter(),
            unrecorded.iter().map(|(_, record)| &record.value),
        );
        Ok((phase, giving))
    }
}

impl Answers for Openness {
    fn takes_changes(&self) -> Result<bool, Error> {
        Ok(!self.is_accused() && self.phase()? != Phase::Recovering)
    }

    fn is_accused(&self) -> bool {
        self.witnesses.accusers() > 0
    }

    fn is_open(&self) -> Result<bool, Error> {
        Ok(self.phase()? == Phase::Open)
    }

    fn follows(&self, host: HostId) -> bool {
        self.witnesses.standing(host) == Standing::Agrees
            && !self.is_accused()
            && self.is_settled(host)
    }

    fn is_settled(&self, host: HostId) -> bool {
        match self.phase() {
            Ok(Phase::Open) => true,
            Ok(Phase::OpenWithout(without)) => !without.contains(&host),
            Ok(Phase::Recovering) => false,
            Err(error) => {
                tracing::error!(%error, "whether the installation is open can't be read");
                false
            }
        }
    }

    fn is_dismissed(&self, host: HostId) -> Result<bool, Error> {
        let found = self.ctx.read::<Unrecorded>(&host)?;
        Ok(found.is_some_and(|found| !found.is_undecided()))
    }

    fn is_of_this_epoch(&self, at: Timestamp) -> Result<bool, Error> {
        let (phase, opened) = self.read_phase()?;
        Ok(opened.map_or(phase == Phase::Open, |opened| at > opened.finished_at))
    }

    fn is_before_restore(&self, sequence: u64) -> Result<bool, Error> {
        let origin = self.restored_from()?;
        Ok(origin.is_some_and(|origin| sequence <= origin.sequence))
    }

    fn check_addresses_are_given(&self, site: &Code) -> Result<(), Error> {
        if self.inventories.is_open() {
            return Ok(());
        }
        let (phase, giving) = self.read_openness()?;
        let is_unlimited = |phase: &Phase, giving: &Giving| {
            *phase == Phase::Open && giving.is_unlimited(self.ctx.now())
        };
        if is_unlimited(&phase, &giving) {
            // Read again under the lock: whoever commits a limit meanwhile takes this back afterwards.
            self.inventories.open_if(|| {
                let (phase, giving) = self.read_openness()?;
                Ok(is_unlimited(&phase, &giving))
            })?;
        }
        if giving.is_allowed(site, self.ctx.now()) {
            return Ok(());
        }
        // Also said to whoever only looks at what can be had; that a person is needed is a matter of its own.
        tracing::info!(%site, "no address is given away: a host may use it that was not compared; see `recovery show`");
        Err(Error::Restoring)
    }
}
