//! Which addresses are free, in memory: read from the store at the start, told of every write after that. A hint only:
//! whoever takes an address reads and guards its record.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use innkeeper_wire::{
    id::{Code, HostId, ServerId},
    time::Timestamp,
};

use crate::{
    addresses::rules::{
        free_addresses::{Carriers, FreeAddresses, Tally},
        pools::{AddressClaim, Pool},
    },
    kernel::{
        Ctx, Error,
        record::{name_in, written},
    },
    store::{Follower, Write},
};

pub(super) struct Free {
    addresses: Mutex<FreeAddresses>,
    /// Whether what was there at the start has been read.
    loaded: Mutex<bool>,
}

impl Free {
    pub(super) fn new(pools: &[Pool]) -> Self {
        Self {
            addresses: Mutex::new(FreeAddresses::new(pools)),
            loaded: Mutex::new(false),
        }
    }

    /// Reads what is there, unless that was done before. It must follow the store already.
    pub(super) fn load(&self, ctx: &Ctx) -> Result<(), Error> {
        let mut loaded = lock(&self.loaded);
        if !*loaded {
            ctx.for_each::<AddressClaim>(|address, claim| {
                lock(&self.addresses).note(*address, claim.version, Some(claim.value));
            })?;
            *loaded = true;
        }
        Ok(())
    }

    /// An address that seems to be free.
    pub(super) fn propose(
        &self,
        site: &Code,
        is_wanted: impl Fn(&Pool) -> bool,
        now: Timestamp,
    ) -> Option<IpAddr> {
        lock(&self.addresses).propose(site, is_wanted, now)
    }

    /// The pools' addresses that a host has itself.
    pub(super) fn of_host(&self, host: HostId) -> Vec<IpAddr> {
        lock(&self.addresses).of_host(host)
    }

    pub(super) fn unlisted(&self) -> Vec<(IpAddr, ServerId, HostId)> {
        lock(&self.addresses).unlisted()
    }

    pub(super) fn carriers(&self, site: &Code, now: Timestamp) -> Carriers {
        lock(&self.addresses).carriers(site, now)
    }

    pub(super) fn tally(&self, now: Timestamp) -> Vec<Tally> {
        lock(&self.addresses).tally(now)
    }
}

impl Follower for Free {
    fn applied(&self, version: u64, write: &Write) {
        if let Some(address) = name_in::<AddressClaim>(write.key()) {
            lock(&self.addresses).note(address, version, written(write));
        }
    }
}

/// What these locks guard is whole between any two statements, so a panic elsewhere must not stop all orders.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Key;

    #[test]
    fn what_comes_is_heard() {
        let site: Code = "lab".parse().expect("a code");
        let pool = Pool::parse(site.clone(), "192.0.2.8/29").expect("a network");
        let free = Free::new(&[pool]);
        let propose = || free.propose(&site, Pool::is_v4, Timestamp::from_millis(1));
        let first = propose().expect("one is free");
        let resting = AddressClaim::Resting {
            until: Timestamp::from_millis(2),
        };
        let mut value = vec![2];
        serde_json::to_writer(&mut value, &resting).expect("it has JSON");
        let key = Key::new(format!("addr/{first}")).expect("a key");
        free.applied(1, &Write::Put(key, value));
        assert!((0..4).all(|_| propose().is_some_and(|other| other != first)));
    }
}
