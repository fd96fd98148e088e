//! Address pools of a site. An address belongs to whoever holds its claim record; a claim is made with the
//! order and guarded by the record's absence, so two orders can't get one address, and no scan is trusted.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    time::Duration,
};

use innkeeper_wire::{
    id::{Code, HostId, ServerId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// How long a freed address rests before somebody else gets it, so that packets and caches meant for its
/// last holder are gone.
pub const QUARANTINE: Duration = Duration::from_secs(3_600);

/// A range of addresses for servers of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Whose servers get them.
    pub site: Code,
    /// First address.
    first: u128,
    /// Last address.
    last: u128,
    /// Whether they are IPv4.
    family: Family,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Why a text is no pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network such as 203.0.113.128/25 or 2001:db8::/64, with no host bits set")]
pub struct ParsePoolError(String);

impl Pool {
    /// The pool of a network in CIDR form. Network and broadcast addresses of IPv4 are used too where the
    /// prefix is longer than /30 or the pool is routed; they are left out here since many peers mishandle
    /// them. The all-zero IPv6 address (subnet-router anycast, RFC 4291 2.6.1) is left out.
    pub fn parse(site: Code, cidr: &str) -> Result<Self, ParsePoolError> {
        let refused = || ParsePoolError(cidr.chars().take(64).collect());
        let (address, prefix) = cidr.split_once('/').ok_or_else(refused)?;
        let address = IpAddr::from_str(address).map_err(|_| refused())?;
        let prefix = u32::from_str(prefix).map_err(|_| refused())?;
        let (family, base, bits): (_, _, u32) = match address {
            IpAddr::V4(v4) => (Family::V4, u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (Family::V6, v6.to_bits(), 128),
        };
        let host_bits = bits
            .checked_sub(prefix)
            .filter(|_| prefix >= 8)
            .ok_or_else(refused)?;
        let span = (1u128 << host_bits) - 1;
        if base & span != 0 {
            return Err(refused());
        }
        let (skip_first, skip_last) = match family {
            Family::V4 if host_bits >= 2 => (1, 1),
            Family::V6 if host_bits >= 1 => (1, 0),
            _ => (0, 0),
        };
        Ok(Self {
            site,
            first: base + skip_first,
            last: base + span - skip_last,
            family,
        })
    }

    /// How many addresses it has.
    #[must_use]
    pub fn size(&self) -> u128 {
        self.last - self.first + 1
    }

    /// Whether its addresses are IPv4.
    #[must_use]
    pub fn is_v4(&self) -> bool {
        self.family == Family::V4
    }

    /// Where an address stands in it, counted from 0; `None` when it is not of this pool.
    #[must_use]
    pub fn position(&self, address: IpAddr) -> Option<u128> {
        let (family, bits) = match address {
            IpAddr::V4(v4) => (Family::V4, u128::from(v4.to_bits())),
            IpAddr::V6(v6) => (Family::V6, v6.to_bits()),
        };
        let is_ours = family == self.family && (self.first..=self.last).contains(&bits);
        is_ours.then(|| bits - self.first)
    }

    /// The address at a position below [`Pool::size`]; positions beyond it begin anew.
    #[must_use]
    pub fn address(&self, position: u128) -> IpAddr {
        let bits = self.first + position % self.size();
        match self.family {
            Family::V4 => {
                let bits = u32::try_from(bits).expect("a v4 pool is made of 32-bit addresses");
                IpAddr::V4(Ipv4Addr::from_bits(bits))
            }
            Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }
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
            Self::Held { .. } | Self::Unlisted { .. } => false,
            Self::Resting { until } => now >= until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(cidr: &str) -> Result<Pool, ParsePoolError> {
        Pool::parse("lab".parse().expect("a code"), cidr)
    }

    #[track_caller]
    fn check(cidr: &str, first: &str, last: &str) {
        let pool = pool(cidr).expect("a good network");
        let ends = [pool.address(0), pool.address(pool.size() - 1)];
        assert_eq!(ends.map(|a| a.to_string()), [first, last]);
        assert_eq!(pool.address(pool.size()), ends[0], "and round");
        let positions = ends.map(|address| pool.position(address));
        assert_eq!(positions, [Some(0), Some(pool.size() - 1)]);
    }

    #[test]
    fn addresses_in_order() {
        check("192.0.2.0/29", "192.0.2.1", "192.0.2.6");
        check("192.0.2.9/32", "192.0.2.9", "192.0.2.9");
        check("192.0.2.8/31", "192.0.2.8", "192.0.2.9");
        check("2001:db8::/126", "2001:db8::1", "2001:db8::3");
        check(
            "2001:db8::/64",
            "2001:db8::1",
            "2001:db8::ffff:ffff:ffff:ffff",
        );
    }

    #[test]
    fn what_is_not_of_a_pool() {
        let pool = pool("192.0.2.0/29").expect("a good network");
        for stranger in ["192.0.2.0", "192.0.2.7", "198.51.100.1", "::192.0.2.1"] {
            let stranger = stranger.parse().expect("an address");
            assert_eq!(pool.position(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn what_is_no_pool() {
        for bad in [
            "",
            "192.0.2.0",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/-1",
            "::/0",
            "0.0.0.0/0",
            "x/24",
        ] {
            assert!(pool(bad).is_err(), "{bad}");
        }
    }
}
