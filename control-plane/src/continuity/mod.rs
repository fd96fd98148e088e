//! The installation's life beyond single records: hosts as witnesses of the journal, what a restore has lost and how
//! the installation is opened again, hosts that no record knows, and the roll-over of the authority.
//!
//! It lies above all that it mends; what others ask of it they ask at the gate, for which [`openness::Openness`]
//! answers.

use std::sync::Arc;

use innkeeper_wire::{
    host::{Report, Testimony, Witness},
    id::HostId,
};

use self::{
    inventories::Inventories,
    openness::Openness,
    roll_over::Trust,
    unrecorded::Contacts,
    witnesses::{Standing, WitnessKey, Witnesses},
};
use crate::{
    addresses::Addresses,
    continuity::rules::recovery::{Phase, RestoredFrom},
    hosts::{Hosts, rules::host_session::Position},
    kernel::{Ctx, Error},
    servers::Servers,
};

mod inventories;
pub mod openness;
pub(crate) mod records;
pub mod recovery;
pub mod roll_over;
pub mod rules;
pub mod unrecorded;
pub mod witnesses;

/// See the module.
#[derive(Clone)]
pub struct Continuity {
    ctx: Ctx,
    addresses: Addresses,
    hosts: Hosts,
    servers: Servers,
    openness: Arc<Openness>,
    contacts: Arc<Contacts>,
    trust: Arc<Trust>,
}

impl Continuity {
    /// Begins with what the journal says, and answers at the gate from now on.
    #[must_use]
    pub fn new(
        ctx: Ctx,
        addresses: Addresses,
        hosts: Hosts,
        servers: Servers,
        key: WitnessKey,
    ) -> Self {
        let witnesses = Witnesses::new(key, ctx.store().head());
        let openness = Arc::new(Openness::new(ctx.clone(), witnesses));
        let answers = Arc::downgrade(&openness);
        ctx.gate().register(answers);
        Self {
            ctx,
            addresses,
            hosts,
            servers,
            openness,
            contacts: Arc::default(),
            trust: Arc::default(),
        }
    }

    /// Whether the installation is open.
    pub fn phase(&self) -> Result<Phase, Error> {
        self.openness.phase()
    }

    /// From what the store was restored, if it was and says so.
    pub fn restored_from(&self) -> Result<Option<RestoredFrom>, Error> {
        self.openness.restored_from()
    }

    /// Where the journal stands, as a host shall be told it.
    #[must_use]
    pub fn witness(&self) -> Witness {
        self.witnesses().tell(self.ctx.store())
    }

    /// Takes in what a host's report says of the journal.
    pub(crate) fn note_witness(&self, host: HostId, report: &Report) -> Result<(), Error> {
        let generation = self.hosts.manifest_generation(host)?;
        let (store, now) = (self.ctx.store(), self.ctx.now());
        self.witnesses().note(host, report, store, generation, now);
        Ok(())
    }

    /// Takes in that a host asks with a later desired state than there is.
    pub(crate) fn note_claim(&self, host: HostId, has: Position) {
        self.witnesses().note_claim(host, has.epoch, has.generation);
    }

    /// What a host knows that the journal may not.
    #[must_use]
    pub fn standing(&self, host: HostId) -> Standing {
        self.witnesses().standing(host)
    }

    /// Hosts that prove that the journal is not what it was.
    #[must_use]
    pub fn accusers(&self) -> usize {
        self.witnesses().accusers()
    }

    /// What hosts have testified to since the start, for holding the journal against it.
    #[must_use]
    pub fn testimonies(&self) -> Vec<(HostId, Testimony)> {
        self.witnesses().testimonies()
    }

    /// No longer remembers what a host said that was revoked.
    pub fn forget(&self, host: HostId) {
        self.trust.forget(host);
    }

    fn witnesses(&self) -> &Witnesses {
        self.openness.witnesses()
    }

    fn inventories(&self) -> &Inventories {
        self.openness.inventories()
    }
}
