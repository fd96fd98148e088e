//! A network of addresses, in text such as `203.0.113.0/28` or `2001:db8::/64`.

use std::{fmt, net::IpAddr, str::FromStr};

/// A network: its first address and the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpNetwork {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a network is an address, or one with the length of its prefix, such as 203.0.113.0/28, and the bits behind the \
     prefix are 0"
)]
pub struct ParseNetworkError;

impl IpNetwork {
    /// Its first address.
    #[must_use]
    pub const fn first(self) -> IpAddr {
        self.first
    }

    /// Length of its prefix, in bits.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }

    /// Whether the two have an address in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }
}

impl FromStr for IpNetwork {
    type Err = ParseNetworkError;
    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| ParseNetworkError)?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(prefix) if prefix.bytes().all(|b| b.is_ascii_digit()) => {
                prefix.parse().map_err(|_| ParseNetworkError)?
            }
            Some(_) => return Err(ParseNetworkError),
        };
        let trailing = match first {
            IpAddr::V4(first) => first.to_bits().trailing_zeros(),
            IpAddr::V6(first) => first.to_bits().trailing_zeros(),
        };
        if prefix > longest || trailing < u32::from(longest - prefix) {
            return Err(ParseNetworkError);
        }
        Ok(Self { first, prefix })
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

travels_as_text!(IpNetwork);

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNetwork {
        text.parse().expect("a network")
    }

    #[test]
    fn what_is_a_network() {
        for (text, written) in [
            ("203.0.113.0/28", "203.0.113.0/28"),
            ("203.0.113.9", "203.0.113.9/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::/64", "2001:db8::/64"),
            ("2001:db8::1", "2001:db8::1/128"),
        ] {
            assert_eq!(network(text).to_string(), written);
        }
        for text in [
            "",
            "203.0.113.1/28",
            "203.0.113.0/33",
            "203.0.113.0/",
            "203.0.113.0/+8",
            "2001:db8::1/64",
            "example.com",
        ] {
            assert_eq!(text.parse::<IpNetwork>(), Err(ParseNetworkError), "{text}");
        }
    }

    #[test]
    fn what_lies_in_one() {
        for (text, address, lies) in [
            ("203.0.113.0/28", "203.0.113.15", true),
            ("203.0.113.0/28", "203.0.113.16", false),
            ("0.0.0.0/0", "198.51.100.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/64", "2001:db8::ffff", true),
            ("2001:db8::/64", "2001:db8:0:1::", false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(network(text).contains(address), lies, "{text} {address}");
        }
        assert!(network("203.0.113.0/28").overlaps(network("203.0.113.0/24")));
        assert!(network("203.0.113.0/24").overlaps(network("203.0.113.8/29")));
        assert!(!network("203.0.113.0/28").overlaps(network("203.0.113.16/28")));
    }
}
