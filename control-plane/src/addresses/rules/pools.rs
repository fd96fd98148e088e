//! Address pools of a site. An address belongs to whoever holds its claim record; a claim is made with the
//! order and guarded by the record's absence, so two orders can't get one address, and no scan is trusted.
//!
//! What a pool gives away is decided once, when it is made: the gateway, the network and broadcast addresses and
//! what is reserved are in none of its spans, so nothing later can hand them out.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use innkeeper_wire::{
    id::{Code, HostId, ServerId},
    time::Timestamp,
    vm::{PoolMode, Subnet},
};
use serde::{Deserialize, Serialize};

pub use description::{PoolDescription, PoolError, Routing};
use description::{gateway, parse_range, parse_subnet, quote, ranges, usable};

mod description;

/// Addresses for servers of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Whose servers get them.
    pub site: Code,
    /// How the network around the hosts finds them.
    pub routing: Routing,
    family: Family,
    /// The network that they lie in.
    subnet: Span,
    /// Length of its prefix, in bits.
    prefix: u8,
    /// The router that guests are told of; none in IPv6.
    gateway: Option<u128>,
    /// What its operator reserved, and what is somebody else's.
    reserved: Vec<Span>,
    /// What is given away: ascending, apart from each other, never empty.
    spans: Vec<Given>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Addresses from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    first: u128,
    last: u128,
}

/// Addresses that are given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Given {
    span: Span,
    /// Where the first of them stands in the pool.
    position: u128,
}

/// Why two pools can't be used together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolConflict {
    /// One network, cut in two ways.
    #[error("the subnets {0} and {1} overlap and are not the same")]
    Subnets(String, String),
    /// Both give one address away.
    #[error("two pools of {subnet} give {address} away")]
    Given {
        /// The subnet of both.
        subnet: String,
        /// The first such address.
        address: IpAddr,
    },
    /// One gives away what the other one keeps.
    #[error(
        "a pool of {subnet} gives {address} away, which is the gateway of, or reserved in, another one"
    )]
    Kept {
        /// The subnet of both.
        subnet: String,
        /// The first such address.
        address: IpAddr,
    },
}

impl Family {
    fn of(address: IpAddr) -> (Self, u128) {
        match address {
            IpAddr::V4(v4) => (Self::V4, u128::from(v4.to_bits())),
            IpAddr::V6(v6) => (Self::V6, v6.to_bits()),
        }
    }

    fn address(self, bits: u128) -> IpAddr {
        match self {
            Self::V4 => {
                let bits = u32::try_from(bits).expect("a v4 pool is made of 32-bit addresses");
                IpAddr::V4(Ipv4Addr::from_bits(bits))
            }
            Self::V6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }
}

impl Span {
    const fn one(bits: u128) -> Self {
        Self {
            first: bits,
            last: bits,
        }
    }

    fn has(self, bits: u128) -> bool {
        (self.first..=self.last).contains(&bits)
    }

    /// What both have.
    fn common(self, other: Self) -> Option<Self> {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        (first <= last).then_some(Self { first, last })
    }

    /// What is left of it without `cut`.
    fn without(self, cut: Self) -> impl Iterator<Item = Self> {
        let Some(cut) = self.common(cut) else {
            return [Some(self), None].into_iter().flatten();
        };
        let before = (self.first < cut.first).then(|| Self {
            first: self.first,
            last: cut.first - 1,
        });
        let after = (cut.last < self.last).then(|| Self {
            first: cut.last + 1,
            last: self.last,
        });
        [before, after].into_iter().flatten()
    }
}

impl Pool {
    /// The pool of a whole network in CIDR form: its gateway is its first usable address.
    ///
    /// # Errors
    /// [`PoolError`].
    pub fn parse(site: Code, cidr: &str) -> Result<Self, PoolError> {
        Self::new(&PoolDescription {
            site,
            subnet: cidr,
            gateway: None,
            ranges: None,
            reserved: &[],
            ours: &[],
            routing: Routing::ProxyNeighbour,
        })
    }

    /// The pool of a description.
    ///
    /// Network and broadcast addresses of IPv4 are kept aside, where there are any (RFC 3021 has none in a /31),
    /// since many peers mishandle them; in IPv6 the all-zero address (subnet-router anycast, RFC 4291 2.6.1).
    ///
    /// # Errors
    /// [`PoolError`].
    pub fn new(description: &PoolDescription<'_>) -> Result<Self, PoolError> {
        let (family, subnet, prefix) = parse_subnet(description.subnet)?;
        let usable = usable(family, subnet);
        if family == Family::V4 && subnet.first == subnet.last {
            return Err(PoolError::TooSmall(quote(description.subnet)));
        }
        let gateway = gateway(description, family, subnet, usable)?;
        let mut reserved = Vec::new();
        for text in description.reserved {
            reserved.push(parse_range("reserved", text, family, subnet)?);
        }
        for ours in description.ours {
            let (of, bits) = Family::of(*ours);
            if of == family && subnet.has(bits) {
                reserved.push(Span::one(bits));
            }
        }
        let mut given = ranges(description, family, subnet)?;
        for cut in reserved.iter().copied().chain(gateway.map(Span::one)) {
            given = given
                .into_iter()
                .flat_map(|span| span.without(cut))
                .collect();
        }
        let mut position = 0;
        let mut spans = Vec::new();
        for span in given.into_iter().filter_map(|span| span.common(usable)) {
            spans.push(Given { span, position });
            position += span.last - span.first + 1;
        }
        if spans.is_empty() {
            return Err(PoolError::Empty);
        }
        Ok(Self {
            site: description.site.clone(),
            routing: description.routing.clone(),
            family,
            subnet,
            prefix,
            gateway,
            reserved,
            spans,
        })
    }

    /// How many addresses it has.
    #[must_use]
    pub fn size(&self) -> u128 {
        let last = self.spans.last().expect("a pool gives something away");
        last.position + (last.span.last - last.span.first) + 1
    }

    /// Whether its addresses are IPv4.
    #[must_use]
    pub fn is_v4(&self) -> bool {
        self.family == Family::V4
    }

    /// Whether servers on the host of this name may get its addresses.
    #[must_use]
    pub fn serves(&self, host_name: &str) -> bool {
        match &self.routing {
            Routing::ProxyNeighbour => true,
            Routing::Static { host } => host == host_name,
        }
    }

    /// What a server that has one of its addresses is told of the network.
    #[must_use]
    pub fn subnet(&self) -> Subnet {
        Subnet {
            prefix: self.prefix,
            gateway: self.gateway.map(|bits| self.family.address(bits)),
            mode: match self.routing {
                Routing::ProxyNeighbour => PoolMode::ProxyNeighbour,
                Routing::Static { .. } => PoolMode::Static,
            },
        }
    }

    /// Where an address stands in it, counted from 0; `None` when it gives that address to nobody.
    #[must_use]
    pub fn position(&self, address: IpAddr) -> Option<u128> {
        let (family, bits) = Family::of(address);
        let behind = self.spans.partition_point(|given| given.span.first <= bits);
        let given = self.spans.get(behind.checked_sub(1)?)?;
        let is_ours = family == self.family && given.span.has(bits);
        is_ours.then(|| given.position + (bits - given.span.first))
    }

    /// The address at a position below [`Pool::size`]; positions beyond it begin anew.
    #[must_use]
    pub fn address(&self, position: u128) -> IpAddr {
        let position = position % self.size();
        let behind = self
            .spans
            .partition_point(|given| given.position <= position);
        let given = self.spans[behind - 1];
        self.family
            .address(given.span.first + (position - given.position))
    }

    /// What keeps an address of its subnet from ever being given away, if something does.
    #[must_use]
    pub fn kept(&self, address: IpAddr) -> Option<Kept> {
        let (family, bits) = Family::of(address);
        if family != self.family {
            return None;
        }
        if self.gateway == Some(bits) {
            return Some(Kept::Gateway);
        }
        let mut reserved = self.reserved.iter();
        reserved
            .any(|span| span.has(bits))
            .then_some(Kept::Reserved)
    }

    /// What stands in the way of using both.
    fn conflict(&self, other: &Self) -> Option<PoolConflict> {
        if self.family != other.family {
            return None;
        }
        self.subnet.common(other.subnet)?;
        if self.subnet != other.subnet {
            return Some(PoolConflict::Subnets(self.to_string(), other.to_string()));
        }
        let given = |pool: &Self| {
            pool.spans
                .iter()
                .map(|given| given.span)
                .collect::<Vec<_>>()
        };
        let kept = |pool: &Self| {
            let gateway = pool.gateway.map(Span::one);
            pool.reserved
                .iter()
                .copied()
                .chain(gateway)
                .collect::<Vec<_>>()
        };
        let subnet = self.to_string();
        if let Some(bits) = first_common(&given(self), &given(other)) {
            let address = self.family.address(bits);
            return Some(PoolConflict::Given { subnet, address });
        }
        let first_kept = first_common(&given(self), &kept(other))
            .or_else(|| first_common(&kept(self), &given(other)));
        first_kept.map(|bits| PoolConflict::Kept {
            subnet,
            address: self.family.address(bits),
        })
    }
}

/// As its subnet.
impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}",
            self.family.address(self.subnet.first),
            self.prefix
        )
    }
}

/// Why an address is never given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is the gateway.
    Gateway,
    /// It is reserved.
    Reserved,
}

/// Whether pools can be used together: each address is given away by one of them at most, and by none if another
/// one keeps it.
///
/// # Errors
/// The first conflict.
pub fn check_together(pools: &[Pool]) -> Result<(), PoolConflict> {
    for (index, pool) in pools.iter().enumerate() {
        for other in pools.iter().skip(index + 1) {
            if let Some(conflict) = pool.conflict(other) {
                return Err(conflict);
            }
        }
    }
    Ok(())
}

fn first_common(left: &[Span], right: &[Span]) -> Option<u128> {
    let common = left
        .iter()
        .flat_map(|left| right.iter().filter_map(|right| left.common(*right)));
    common.map(|span| span.first).min()
}

/// Who has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum AddressClaim {
    /// A server has it.
    Held {
        /// Which.
        server: ServerId,
    },
    /// A server uses it that no record knows: made after the copy from which the store was restored.
    Unlisted {
        /// Which, as its host says.
        server: ServerId,
        /// Where.
        host: HostId,
    },
    /// A host itself has it: it was heard from there.
    Host {
        /// Which.
        host: HostId,
    },
    /// Nobody has it yet again.
    Resting {
        /// Until when.
        until: Timestamp,
    },
}

impl AddressClaim {
    /// Whether the address can be given away at `now`.
    #[must_use]
    pub fn is_free(self, now: Timestamp) -> bool {
        match self {
            Self::Held { .. } | Self::Unlisted { .. } | Self::Host { .. } => false,
            Self::Resting { until } => now >= until,
        }
    }
}

/// What the configuration says of an address that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A server has the gateway's.
    #[error(
        "{address} is to be the gateway and is the address of {server}: write `gateway = \"...\"` into the pool, with \
         another address of the subnet that no server has; a pool without that line takes its first address"
    )]
    Gateway {
        /// The address.
        address: IpAddr,
        /// Who has it.
        server: ServerId,
    },
    /// A server has a reserved one.
    #[error(
        "{address} is kept aside and is the address of {server}: the server keeps it, and nobody gets it afterwards; if \
         another machine has it as well, one of the two must get another"
    )]
    Reserved {
        /// The address.
        address: IpAddr,
        /// Who has it.
        server: ServerId,
    },
}

impl Contradiction {
    /// Whether the service can't go on with it: guests would take a server for their router. An address that is only
    /// kept aside harms nobody, and its server is there already.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Gateway { .. })
    }
}

/// Whether a pool keeps what a server has already.
#[must_use]
pub fn contradiction(pool: &Pool, address: IpAddr, claim: AddressClaim) -> Option<Contradiction> {
    let server = match claim {
        AddressClaim::Held { server } | AddressClaim::Unlisted { server, .. } => server,
        AddressClaim::Host { .. } | AddressClaim::Resting { .. } => return None,
    };
    Some(match pool.kept(address)? {
        Kept::Gateway => Contradiction::Gateway { address, server },
        Kept::Reserved => Contradiction::Reserved { address, server },
    })
}

#[cfg(test)]
mod tests;
