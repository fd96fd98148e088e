//! Who gets which address: servers by their order, hosts because they are there.
//!
//! An address that a known host was heard from is its own and is claimed for it, in the record by which a server
//! would get it: so no order can take it, whenever it looks, until an operator releases it.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use innkeeper_wire::{
    host::HOST_ADDRESSES_MAX,
    id::{HostId, ServerId},
    time::Timestamp,
    vm::Subnet,
};

use super::{
    Actor, App,
    error::AppError,
    records::{Changes, read},
};
use crate::domain::{
    addresses::{AddressClaim, Pool},
    host::Host,
};

/// Addresses that one order looks at, when what seemed to be free is taken, before the caller hears `Busy`.
const TRIED_MAX: usize = 16;
/// Most pairs of host and address that are remembered as having been spoken of.
const SAID_MAX: usize = 1_000;

/// What a new server gets.
#[derive(Debug, Default)]
pub(crate) struct TakenAddresses {
    /// One a family, IPv4 first.
    pub(crate) addresses: Vec<IpAddr>,
    /// The subnet of each.
    pub(crate) subnets: Vec<Subnet>,
}

/// What hosts have of the pools' addresses.
#[derive(Debug, Default)]
pub(crate) struct Trespasses {
    /// Hosts that have an address of a server, and were spoken of.
    said: Mutex<BTreeSet<(HostId, IpAddr)>>,
    /// What each host has had since the start.
    had: Mutex<HashMap<HostId, BTreeSet<IpAddr>>>,
}

impl Trespasses {
    /// Whether it is the first time.
    fn is_new(&self, host: HostId, address: IpAddr) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.len() < SAID_MAX && said.insert((host, address))
    }

    /// Those of the addresses that a host may have: it can't say others each time until the pool is empty.
    fn admit(&self, host: HostId, addresses: &BTreeSet<IpAddr>) -> Vec<IpAddr> {
        let mut had = self.had.lock().unwrap_or_else(PoisonError::into_inner);
        let its = had.entry(host).or_default();
        let mut admitted = Vec::new();
        for address in addresses {
            if its.len() < HOST_ADDRESSES_MAX || its.contains(address) {
                its.insert(*address);
                admitted.push(*address);
            } else if self.is_new(host, *address) {
                tracing::error!(host.id = %host, %address, "a host says that it has more addresses of pools than any host: this one is not kept for it");
            }
        }
        admitted
    }
}

impl App {
    /// One IPv4 address, and one IPv6 address where the site has a pool of them, of pools that serve this host.
    /// Nothing when one of the two has run out.
    pub(super) fn take_addresses(
        &self,
        changes: &mut Changes,
        host: &Host,
        server: ServerId,
        now: Timestamp,
    ) -> Result<Option<TakenAddresses>, AppError> {
        let mut taken = TakenAddresses::default();
        for v4 in [true, false] {
            let is_wanted = |pool: &Pool| pool.site == host.site && pool.is_v4() == v4;
            if !self.settings().pools.iter().any(is_wanted) {
                continue;
            }
            let serves = |pool: &Pool| pool.is_v4() == v4 && pool.serves(&host.name);
            let Some((address, version)) = self.free_address(host, serves, now)? else {
                return Ok(None);
            };
            changes.replace(address, version, &AddressClaim::Held { server })?;
            taken.addresses.push(address);
            taken
                .subnets
                .extend(self.pool_of(address).map(Pool::subnet));
        }
        Ok((!taken.addresses.is_empty()).then_some(taken))
    }

    /// A free address of a site's pools, and the version of what its claim says now.
    fn free_address(
        &self,
        host: &Host,
        serves: impl Fn(&Pool) -> bool,
        now: Timestamp,
    ) -> Result<Option<(IpAddr, Option<u64>)>, AppError> {
        for _ in 0..TRIED_MAX {
            let proposed = self.mirror().propose_address(&host.site, &serves, now);
            let Some(address) = proposed else {
                return Ok(None);
            };
            let claim = read::<AddressClaim>(self.store(), address)?;
            if claim.as_ref().is_none_or(|claim| claim.value.is_free(now)) {
                return Ok(Some((address, claim.map(|claim| claim.version))));
            }
        }
        Err(AppError::Busy)
    }

    /// The pool that gives an address away.
    fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        let mut pools = self.settings().pools.iter();
        pools.find(|pool| pool.position(address).is_some())
    }

    /// Keeps the addresses from servers that a host was heard from, or says that it has, should pools have them.
    ///
    /// # Errors
    /// When that can't be written.
    pub async fn note_host_addresses(
        &self,
        host: HostId,
        from: IpAddr,
        reported: &[IpAddr],
    ) -> Result<(), AppError> {
        let reported = reported.iter().copied().take(HOST_ADDRESSES_MAX);
        let all = std::iter::once(from).chain(reported);
        let pooled: BTreeSet<_> = all
            .map(|address| address.to_canonical())
            .filter(|address| self.pool_of(*address).is_some())
            .collect();
        if pooled.is_empty() || !self.follows(host) {
            return Ok(());
        }
        let bound = self.trespasses().admit(host, &pooled);
        self.decide(Actor::Host(host), "its own addresses", |app, _| {
            let mut changes = Changes::default();
            for address in &bound {
                app.claim_for_host(&mut changes, host, *address)?;
            }
            Ok((changes, ()))
        })
        .await
    }

    /// The same as part of a commit.
    pub(super) fn claim_for_host(
        &self,
        changes: &mut Changes,
        host: HostId,
        from: IpAddr,
    ) -> Result<(), AppError> {
        let from = from.to_canonical();
        if self.pool_of(from).is_none() {
            return Ok(());
        }
        let claim = read::<AddressClaim>(self.store(), from)?;
        let version = claim.as_ref().map(|claim| claim.version);
        match claim.map(|claim| claim.value) {
            Some(AddressClaim::Host { .. }) => {}
            Some(AddressClaim::Held { server } | AddressClaim::Unlisted { server, .. }) => {
                if self.trespasses().is_new(host, from) {
                    tracing::error!(
                        host.id = %host, vm.id = %server, address = %from,
                        "a host is heard from the address of a server: one of the two must get another one"
                    );
                }
            }
            Some(AddressClaim::Resting { .. }) | None => {
                tracing::warn!(
                    host.id = %host, address = %from,
                    "a host has an address of a pool; no server is given it, write it into `reserved`"
                );
                changes.replace(from, version, &AddressClaim::Host { host })?;
            }
        }
        Ok(())
    }
}
