//! What hosts have, as they report it after a restore.

use std::{collections::HashMap, sync::RwLock};

use innkeeper_wire::{
    host::{ADDRESSES_PER_SERVER_MAX, HeldServer, SERVERS_PER_HOST_MAX},
    id::HostId,
};

use crate::{continuity::rules::recovery::Inventory, kernel::Error};

/// What hosts have reported since they heard of the present epoch. In memory: each brings it again.
#[derive(Debug, Default)]
pub(super) struct Inventories {
    hosts: RwLock<HashMap<HostId, Inventory>>,
    /// That it was found to be open without limits; taken back by whoever commits a limit.
    is_open: RwLock<bool>,
}

impl Inventories {
    pub(super) fn of(&self, host: HostId) -> Option<Inventory> {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        hosts.get(&host).cloned()
    }

    pub(super) fn note(&self, host: HostId, inventory: Inventory) {
        let mut hosts = self.hosts.write().expect("no holder of this lock panics");
        hosts.insert(host, inventory);
    }

    pub(super) fn forget(&self, host: HostId) {
        let hosts = self.hosts.write();
        hosts.expect("no holder of this lock panics").remove(&host);
    }

    /// Notes that it is open, should that be so under the lock.
    pub(super) fn open_if(
        &self,
        is_open: impl FnOnce() -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut flag = self.is_open.write().expect("no holder of this lock panics");
        *flag = is_open()?;
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        *self.is_open.read().expect("no holder of this lock panics")
    }

    /// A commit that was made has put a limit to what is open.
    pub(super) fn look_again(&self) {
        *self.is_open.write().expect("no holder of this lock panics") = false;
    }
}

/// What a host says that it has, within the limits.
pub(super) fn bounded(held: &[HeldServer]) -> Vec<HeldServer> {
    let addresses = |held: &HeldServer| {
        let addresses = held.addresses.iter().take(ADDRESSES_PER_SERVER_MAX);
        addresses.copied().collect()
    };
    let servers = held.iter().take(SERVERS_PER_HOST_MAX);
    let bounded = servers.map(|held| HeldServer {
        server: held.server,
        addresses: addresses(held),
    });
    bounded.collect()
}
