//! Pools, and which of their addresses are free.
//! Pure: neither clock nor store nor chance; time and ids come in.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub mod free_addresses;
pub mod pools;

/// How many addresses of each kind a server has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Families {
    /// Of IPv4.
    pub ipv4: u32,
    /// Of IPv6.
    pub ipv6: u32,
}

impl Families {
    /// Those of a server that has these.
    #[must_use]
    pub fn of(addresses: &[IpAddr]) -> Self {
        let mut families = Self::default();
        for address in addresses {
            match address {
                IpAddr::V4(_) => families.ipv4 += 1,
                IpAddr::V6(_) => families.ipv6 += 1,
            }
        }
        families
    }

    /// Whether nobody has said how many.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}
