//! Who gets which address of the pools: servers by their order, hosts because they are there.
//!
//! ```text
//! free -> held by a server -> resting -> free
//!      -> had by a host ----> resting -> free
//!      -> held for a server that no record knows (after a restore) -> resting -> free
//! ```
//!
//! An address that a known host was heard from is its own and is claimed for it, in the record by which a server
//! would get it: so no order can take it, whenever it looks, until an operator releases it.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use innkeeper_wire::{
    id::{Code, HostId, ServerId},
    planted::{Bug, planted},
    time::Timestamp,
    vm::Subnet,
};

use self::free::Free;
use crate::{
    addresses::rules::{
        Families,
        free_addresses::{Carriers, Tally},
        pools::{AddressClaim, Pool},
    },
    kernel::{Ctx, Error, Tx},
};

mod free;
pub(crate) mod records;
pub mod rules;
mod unlisted;

pub use self::unlisted::UnlistedAddress;

/// Addresses that one order looks at, when what seemed to be free is taken, before the caller hears `Busy`.
const TRIED_MAX: usize = 16;
/// Most addresses of pools that a host has.
pub(crate) const HOST_ADDRESSES_MAX: usize = 32;
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

/// The addresses of all pools.
#[derive(Clone)]
pub struct Addresses {
    ctx: Ctx,
    pools: Arc<[Pool]>,
    /// How long an address that a guest had rests before somebody else gets it, so that packets, caches and names meant
    /// for its last holder are gone (T43).
    rest: Duration,
    free: Arc<Free>,
    /// Hosts that have an address of a server, and were spoken of.
    said: Arc<Mutex<BTreeSet<(HostId, IpAddr)>>>,
}

impl Addresses {
    /// The addresses of these pools. What of them is taken is read at the first order, unless [`Addresses::load`] was
    /// called before.
    #[must_use]
    pub fn new(ctx: Ctx, pools: Vec<Pool>, rest: Duration) -> Self {
        let free = Arc::new(Free::new(&pools));
        let follower = Arc::downgrade(&free);
        ctx.store().follow(follower);
        Self {
            ctx,
            pools: pools.into(),
            rest,
            free,
            said: Arc::default(),
        }
    }

    /// Reads what is taken, unless that was done before.
    pub fn load(&self) -> Result<(), Error> {
        self.free.load(&self.ctx)
    }

    /// The pools.
    #[must_use]
    pub fn pools(&self) -> &[Pool] {
        &self.pools
    }

    /// Until when an address rests that somebody gives back at `now`.
    pub(crate) fn rest_until(&self, now: Timestamp) -> Timestamp {
        now.after(self.rest)
    }

    /// On which hosts of a site a server can be given addresses.
    pub(crate) fn carriers(&self, site: &Code, now: Timestamp) -> Carriers {
        self.free.carriers(site, now)
    }

    /// How full the pools are.
    #[must_use]
    pub fn tally(&self) -> Vec<Tally> {
        self.free.tally(self.ctx.now())
    }

    /// How many addresses of each kind a server of a site is given.
    #[must_use]
    pub fn families(&self, site: &Code) -> Families {
        let count = |v4: bool| {
            let mut pools = self.pools.iter();
            u32::from(pools.any(|pool| pool.site == *site && pool.is_v4() == v4))
        };
        Families {
            ipv4: count(true),
            ipv6: count(false),
        }
    }

    /// One IPv4 address, and one IPv6 address where the site has a pool of them, of pools that serve this host.
    /// Nothing when one of the two has run out.
    pub(crate) fn take(
        &self,
        tx: &mut Tx<'_>,
        site: &Code,
        host_name: &str,
        server: ServerId,
    ) -> Result<Option<TakenAddresses>, Error> {
        let mut taken = TakenAddresses::default();
        for v4 in [true, false] {
            let is_wanted = |pool: &Pool| pool.site == *site && pool.is_v4() == v4;
            if !self.pools.iter().any(is_wanted) {
                continue;
            }
            let serves = |pool: &Pool| pool.is_v4() == v4 && pool.serves(host_name);
            let Some(address) = self.find_free(tx, site, serves)? else {
                return Ok(None);
            };
            tx.put(&address, &AddressClaim::Held { server })?;
            taken.addresses.push(address);
            taken
                .subnets
                .extend(self.pool_of(address).map(Pool::subnet));
        }
        Ok((!taken.addresses.is_empty()).then_some(taken))
    }

    /// A free address of a site's pools.
    fn find_free(
        &self,
        tx: &mut Tx<'_>,
        site: &Code,
        serves: impl Fn(&Pool) -> bool,
    ) -> Result<Option<IpAddr>, Error> {
        let now = tx.now();
        for _ in 0..TRIED_MAX {
            let Some(address) = self.free.propose(site, &serves, now) else {
                return Ok(None);
            };
            let claim = tx.get::<AddressClaim>(&address)?;
            if claim.is_none_or(|claim| claim.is_free(now)) {
                return Ok(Some(address));
            }
        }
        Err(Error::Busy)
    }

    /// The pool that gives an address away.
    pub(crate) fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        let mut pools = self.pools.iter();
        pools.find(|pool| pool.position(address).is_some())
    }

    /// Gives back what a server had: from `rest_until` on others may get it, at once when that is `None`.
    pub(crate) fn give_back(
        &self,
        tx: &mut Tx<'_>,
        server: ServerId,
        addresses: &[IpAddr],
        rest_until: Option<Timestamp>,
    ) -> Result<(), Error> {
        let until = rest_until.filter(|_| !planted(Bug::ReuseAddressEarly));
        let until = until.unwrap_or(tx.now());
        for address in addresses {
            rest(tx, *address, AddressClaim::Held { server }, until)?;
        }
        Ok(())
    }

    /// Claims addresses of pools for a host that has them itself. What it has already counts: it can't say others each
    /// time until the pool is empty.
    pub(crate) fn claim_for_host(
        &self,
        tx: &mut Tx<'_>,
        host: HostId,
        addresses: &[IpAddr],
    ) -> Result<(), Error> {
        let mut its: BTreeSet<_> = self.free.of_host(host).into_iter().collect();
        for address in addresses.iter().map(IpAddr::to_canonical) {
            if self.pool_of(address).is_none() || its.contains(&address) {
                continue;
            }
            match tx.get::<AddressClaim>(&address)? {
                Some(AddressClaim::Host { .. }) => {}
                Some(AddressClaim::Held { server } | AddressClaim::Unlisted { server, .. }) => {
                    if self.is_news(host, address) {
                        tracing::error!(
                            host.id = %host, vm.id = %server, %address,
                            "a host is heard from the address of a server: one of the two must get another one"
                        );
                    }
                }
                Some(AddressClaim::Resting { .. }) | None if its.len() >= HOST_ADDRESSES_MAX => {
                    if self.is_news(host, address) {
                        tracing::error!(host.id = %host, %address, "a host says that it has more addresses of pools than any host: this one is not kept for it");
                    }
                }
                Some(AddressClaim::Resting { .. }) | None => {
                    tracing::warn!(
                        host.id = %host, %address,
                        "a host has an address of a pool; no server is given it, write it into `reserved`"
                    );
                    tx.put(&address, &AddressClaim::Host { host })?;
                    its.insert(address);
                }
            }
        }
        Ok(())
    }

    /// What a host had of the pools rests from now on, as part of the commit that revokes it.
    pub(crate) fn release_of_host(&self, tx: &mut Tx<'_>, host: HostId) -> Result<(), Error> {
        let until = self.rest_until(tx.now());
        for address in self.free.of_host(host) {
            rest(tx, address, AddressClaim::Host { host }, until)?;
        }
        Ok(())
    }

    /// Whether this host and address are spoken of for the first time.
    fn is_news(&self, host: HostId, address: IpAddr) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.len() < SAID_MAX && said.insert((host, address))
    }
}

/// An address rests until then, if `held` is still what is said of it.
fn rest(
    tx: &mut Tx<'_>,
    address: IpAddr,
    held: AddressClaim,
    until: Timestamp,
) -> Result<(), Error> {
    if tx.get::<AddressClaim>(&address)? == Some(held) {
        tx.put(&address, &AddressClaim::Resting { until })?;
    }
    Ok(())
}
