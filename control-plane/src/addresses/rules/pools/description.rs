//! How an operator describes a pool, and what that means or why it is refused.

use std::{net::IpAddr, str::FromStr};

use innkeeper_wire::id::Code;

use super::{Family, Span};

/// Longest piece of a configuration that an error repeats, in characters.
const QUOTED_CHARS_MAX: usize = 100;

/// How the network around the hosts finds the addresses of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// Each host answers ARP and ND for the addresses of its servers.
    ProxyNeighbour,
    /// The network routes all of them to one host.
    Static {
        /// The name of that host: only servers that are on it get these addresses.
        host: String,
    },
}

/// A pool as its operator describes it.
#[derive(Debug, Clone)]
pub struct PoolDescription<'a> {
    /// Whose servers get the addresses.
    pub site: Code,
    /// The network in CIDR form.
    pub subnet: &'a str,
    /// The router that guests are told of; the first usable address of an IPv4 subnet when not given.
    pub gateway: Option<IpAddr>,
    /// What is given away, such as `198.51.100.64-198.51.100.127`; everything when not given.
    pub ranges: Option<&'a [String]>,
    /// What is never given away, in the same form.
    pub reserved: &'a [String],
    /// Addresses that are known to be in use by our own machines, in this subnet or elsewhere.
    pub ours: &'a [IpAddr],
    /// How the network finds them.
    pub routing: Routing,
}

/// Why a description is no pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The subnet can't be read.
    #[error(
        "subnet `{0}` is not a network such as 203.0.113.128/25 or 2001:db8::/64, with no host bits set"
    )]
    Subnet(String),
    /// There is no room for a gateway beside the one address.
    #[error(
        "subnet `{0}` has no room for a gateway and a server: write the subnet that the address lies in as \
         `subnet`, and the address alone as `ranges`"
    )]
    TooSmall(String),
    /// The gateway is of another network.
    #[error("gateway {0} is not in the subnet")]
    GatewayOutside(IpAddr),
    /// The gateway can't be an address of a machine.
    #[error("gateway {0} is the network or broadcast address of the subnet")]
    GatewayUnusable(IpAddr),
    /// IPv6 guests are told another one.
    #[error(
        "gateway {0}: servers use fe80::1 of their host as the IPv6 gateway; leave `gateway` out"
    )]
    GatewayV6(IpAddr),
    /// A range can't be read.
    #[error(
        "{key} `{text}` is neither an address nor a range such as 198.51.100.64-198.51.100.127"
    )]
    Range {
        /// Where it stands.
        key: &'static str,
        /// The range.
        text: String,
    },
    /// A range is not within the subnet.
    #[error("{key} `{text}` is not in the subnet")]
    RangeOutside {
        /// Where it stands.
        key: &'static str,
        /// The range.
        text: String,
    },
    /// Two ranges have an address in common.
    #[error("ranges: two of them have {0}")]
    RangesOverlap(IpAddr),
    /// `ranges` is there, and empty.
    #[error("ranges: there is none; leave it out to give away the whole subnet")]
    NoRanges,
    /// Everything is kept aside.
    #[error(
        "no address is left to give away: gateway, network and broadcast address, what is reserved and the \
         control plane's own addresses are kept"
    )]
    Empty,
}

pub(super) fn quote(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

pub(super) fn parse_subnet(cidr: &str) -> Result<(Family, Span, u8), PoolError> {
    let refused = || PoolError::Subnet(quote(cidr));
    let (address, prefix) = cidr.split_once('/').ok_or_else(refused)?;
    let address = IpAddr::from_str(address).map_err(|_| refused())?;
    let prefix = u8::from_str(prefix).map_err(|_| refused())?;
    let (family, first) = Family::of(address);
    let bits: u8 = match family {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    let host_bits = bits
        .checked_sub(prefix)
        .filter(|_| prefix >= 8)
        .ok_or_else(refused)?;
    let rest = (1u128 << host_bits) - 1;
    if first & rest != 0 {
        return Err(refused());
    }
    let last = first + rest;
    Ok((family, Span { first, last }, prefix))
}

/// The subnet without the addresses that no machine may have.
pub(super) fn usable(family: Family, subnet: Span) -> Span {
    let (skip_first, skip_last) = match (family, subnet.last - subnet.first) {
        (Family::V4, 3..) => (1, 1),
        (Family::V6, 1..) => (1, 0),
        _ => (0, 0),
    };
    Span {
        first: subnet.first + skip_first,
        last: subnet.last - skip_last,
    }
}

pub(super) fn gateway(
    description: &PoolDescription<'_>,
    family: Family,
    subnet: Span,
    usable: Span,
) -> Result<Option<u128>, PoolError> {
    match (family, description.gateway) {
        (Family::V6, Some(address)) => Err(PoolError::GatewayV6(address)),
        (Family::V6, None) => Ok(None),
        (Family::V4, None) => Ok(Some(usable.first)),
        (Family::V4, Some(address)) => match Family::of(address) {
            (Family::V4, bits) if usable.has(bits) => Ok(Some(bits)),
            (Family::V4, bits) if subnet.has(bits) => Err(PoolError::GatewayUnusable(address)),
            _ => Err(PoolError::GatewayOutside(address)),
        },
    }
}

/// The ranges of a description, ascending.
pub(super) fn ranges(
    description: &PoolDescription<'_>,
    family: Family,
    subnet: Span,
) -> Result<Vec<Span>, PoolError> {
    let Some(texts) = description.ranges else {
        return Ok(vec![subnet]);
    };
    let mut spans = Vec::new();
    for text in texts {
        spans.push(parse_range("range", text, family, subnet)?);
    }
    spans.sort_unstable();
    for (span, next) in spans.iter().zip(spans.iter().skip(1)) {
        if let Some(both) = span.common(*next) {
            return Err(PoolError::RangesOverlap(family.address(both.first)));
        }
    }
    if spans.is_empty() {
        return Err(PoolError::NoRanges);
    }
    Ok(spans)
}

pub(super) fn parse_range(
    key: &'static str,
    text: &str,
    family: Family,
    subnet: Span,
) -> Result<Span, PoolError> {
    let refused = || PoolError::Range {
        key,
        text: quote(text),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let parse = |text: &str| {
        let address = IpAddr::from_str(text.trim()).map_err(|_| refused())?;
        Ok(Family::of(address))
    };
    let ((of_first, first), (of_last, last)) = (parse(first)?, parse(last)?);
    if of_first != of_last || first > last {
        return Err(refused());
    }
    if of_first != family || !subnet.has(first) || !subnet.has(last) {
        let text = quote(text);
        return Err(PoolError::RangeOutside { key, text });
    }
    Ok(Span { first, last })
}
