//! Who gets which address: servers by their order, hosts because they are there.
//!
//! An address that a known host was heard from is its own and is claimed for it, in the record by which a server
//! would get it: so no order can take it, whenever it looks, until an operator releases it.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use innkeeper_wire::{
    host::HOST_ADDRESSES_REPORTED_MAX,
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
/// Most addresses of pools that a host has.
const HOST_ADDRESSES_MAX: usize = 32;
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
}

impl Trespasses {
    /// Whether it is the first time.
    fn is_new(&self, host: HostId, address: IpAddr) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.len() < SAID_MAX && said.insert((host, address))
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

    /// Keeps the addresses from servers that a host was heard from, or says that it has, should pools have them. It may
    /// say so of its own site's alone.
    ///
    /// # Errors
    /// When that can't be written.
    pub async fn note_host_addresses(
        &self,
        host: HostId,
        from: IpAddr,
        reported: &[IpAddr],
    ) -> Result<(), AppError> {
        let site = self.check_host(host)?.site;
        let is_its_sites = |address: &IpAddr| {
            let pool = self.pool_of(*address);
            pool.is_some_and(|pool| pool.site == site)
        };
        let reported = reported.iter().take(HOST_ADDRESSES_REPORTED_MAX);
        let reported = reported.map(IpAddr::to_canonical).filter(is_its_sites);
        // The one that it really uses comes first.
        let from = Some(from.to_canonical()).filter(|from| self.pool_of(*from).is_some());
        let pooled: Vec<_> = from
            .into_iter()
            .chain(reported.take(HOST_ADDRESSES_MAX))
            .collect();
        if pooled.is_empty() || !self.follows(host) {
            return Ok(());
        }
        self.decide(Actor::Host(host), "its own addresses", |app, _| {
            // Asked before its addresses are counted, and written after them: of two reports at once, the second is
            // decided anew and counts what the first has taken.
            let counted_at = app.mirror().version_of(host);
            let its = app.check_host(host)?;
            let mut changes = Changes::default();
            app.claim_for_host(&mut changes, host, &pooled)?;
            if !changes.is_empty() {
                changes.replace(host, counted_at, &its)?;
            }
            Ok((changes, ()))
        })
        .await
    }

    /// The same as part of a commit. What it has already counts: it can't say others each time until the pool is empty.
    pub(super) fn claim_for_host(
        &self,
        changes: &mut Changes,
        host: HostId,
        addresses: &[IpAddr],
    ) -> Result<(), AppError> {
        let mut its: BTreeSet<_> = self.mirror().addresses_of(host).into_iter().collect();
        for address in addresses.iter().map(IpAddr::to_canonical) {
            if self.pool_of(address).is_none() || its.contains(&address) {
                continue;
            }
            let claim = read::<AddressClaim>(self.store(), address)?;
            let version = claim.as_ref().map(|claim| claim.version);
            match claim.map(|claim| claim.value) {
                Some(AddressClaim::Host { .. }) => {}
                Some(AddressClaim::Held { server } | AddressClaim::Unlisted { server, .. }) => {
                    if self.trespasses().is_new(host, address) {
                        tracing::error!(
                            host.id = %host, vm.id = %server, %address,
                            "a host is heard from the address of a server: one of the two must get another one"
                        );
                    }
                }
                Some(AddressClaim::Resting { .. }) | None if its.len() >= HOST_ADDRESSES_MAX => {
                    if self.trespasses().is_new(host, address) {
                        tracing::error!(host.id = %host, %address, "a host says that it has more addresses of pools than any host: this one is not kept for it");
                    }
                }
                Some(AddressClaim::Resting { .. }) | None => {
                    tracing::warn!(
                        host.id = %host, %address,
                        "a host has an address of a pool; no server is given it, write it into `reserved`"
                    );
                    changes.replace(address, version, &AddressClaim::Host { host })?;
                    its.insert(address);
                }
            }
        }
        Ok(())
    }

    /// What a host had of the pools rests from now on, as part of the commit that revokes it.
    pub(super) fn release_of_host(
        &self,
        changes: &mut Changes,
        host: HostId,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let until = now.after(self.settings().address_rest);
        for address in self.mirror().addresses_of(host) {
            self.rest(changes, address, &AddressClaim::Host { host }, until)?;
        }
        Ok(())
    }

    /// An address rests until then, if this is still what is said of it.
    pub(super) fn rest(
        &self,
        changes: &mut Changes,
        address: IpAddr,
        held: &AddressClaim,
        until: Timestamp,
    ) -> Result<(), AppError> {
        let claim = read::<AddressClaim>(self.store(), address)?;
        if let Some(claim) = claim.filter(|claim| claim.value == *held) {
            let resting = AddressClaim::Resting { until };
            changes.replace(address, Some(claim.version), &resting)?;
        }
        Ok(())
    }
}
