//! Address pools of a site. An address belongs to whoever holds its claim record; a claim is made with the
//! order and guarded by the record's absence, so two orders can't get one address, and no scan is trusted.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    time::Duration,
};

use innkeeper_wire::{
    id::{Code, ServerId},
    planted::{Bug, planted},
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

    /// All its addresses, in order, starting at the `offset`-th and wrapping round; at most `limit`.
    pub fn candidates(&self, offset: u128, limit: usize) -> impl Iterator<Item = IpAddr> + '_ {
        let size = self.size();
        let limit = u128::try_from(limit).unwrap_or(u128::MAX).min(size);
        (0..limit).map(move |step| {
            let position = (offset % size + step) % size;
            self.address(self.first + position)
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

    fn address(&self, bits: u128) -> IpAddr {
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
            Self::Held { .. } => false,
            Self::Resting { until } => now >= until || planted(Bug::ReuseAddressEarly),
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
    fn check(cidr: &str, offset: u128, expected: &[&str]) {
        let pool = pool(cidr).expect("a good network");
        let found: Vec<String> = pool.candidates(offset, 4).map(|a| a.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn addresses_in_order_and_round() {
        check(
            "192.0.2.0/29",
            0,
            &["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"],
        );
        check(
            "192.0.2.0/29",
            4,
            &["192.0.2.5", "192.0.2.6", "192.0.2.1", "192.0.2.2"],
        );
        check("192.0.2.9/32", 3, &["192.0.2.9"]);
        check("192.0.2.8/31", 0, &["192.0.2.8", "192.0.2.9"]);
        check(
            "2001:db8::/126",
            0,
            &["2001:db8::1", "2001:db8::2", "2001:db8::3"],
        );
        check(
            "2001:db8::/64",
            u128::from(u64::MAX) - 1,
            &[
                "2001:db8::ffff:ffff:ffff:ffff",
                "2001:db8::1",
                "2001:db8::2",
                "2001:db8::3",
            ],
        );
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
