//! Who the client of a request is: the other end of the connection, or what proxies that are trusted say of it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use axum::http::HeaderMap;
use serde::Deserialize;

/// Header to which each proxy adds the address that it was called from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Addresses and networks, as a configuration names them: `["127.0.0.1", "2001:db8::/32"]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// This machine.
    #[must_use]
    pub fn loopback() -> Self {
        let v4 = Network {
            address: Ipv4Addr::LOCALHOST.into(),
            prefix: 8,
        };
        let v6 = Network {
            address: Ipv6Addr::LOCALHOST.into(),
            prefix: 128,
        };
        Self(vec![v4, v6])
    }

    /// Both.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(&others.0).copied().collect())
    }

    /// Whether an address is in one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// What is neither an address nor a network.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither an address nor a network, such as 192.0.2.7 or 2001:db8::/32")]
pub struct NoNetwork(String);

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let wrong = || NoNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| wrong())?,
            None => bits,
        };
        if prefix > bits {
            return Err(wrong());
        }
        Ok(Self { address, prefix })
    }
}

impl TryFrom<String> for Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Self, NoNetwork> {
        text.parse()
    }
}

/// The client's address. Each proxy adds whom it was called by at the end of `X-Forwarded-For`, so that the list is
/// read from there, and only for as long as a trusted one has said the next: what stands before is anybody's.
#[must_use]
pub fn client_of(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let mut client = peer.to_canonical();
    for entry in forwarded(headers).into_iter().rev() {
        if !trusted.contain(client) {
            break;
        }
        let Ok(said) = entry.parse::<IpAddr>() else {
            break;
        };
        client = said.to_canonical();
    }
    client
}

/// The first entry of `X-Forwarded-For`: whom the client itself speaks for, if one believes him.
#[must_use]
pub fn first_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let address: IpAddr = forwarded(headers).first()?.parse().ok()?;
    Some(address.to_canonical())
}

fn forwarded(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(FORWARDED_FOR).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    texts
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect()
}

/// What counts as one client: in IPv6 one customer of an access provider has a whole /64.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn networks(list: &str) -> Result<Networks, toml::de::Error> {
        #[derive(Deserialize)]
        struct File {
            list: Networks,
        }
        toml::from_str::<File>(&format!("list = {list}")).map(|file| file.list)
    }

    #[test]
    fn networks_are_read_and_contain_what_they_say() {
        let some = networks(r#"["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]"#).expect("networks");
        for inside in ["192.0.2.7", "::ffff:10.1.2.3", "2001:db8:ffff::1"] {
            assert!(some.contain(address(inside)), "{inside}");
        }
        for outside in ["192.0.2.8", "11.0.0.1", "2001:db9::1", "::a00:1"] {
            assert!(!some.contain(address(outside)), "{outside}");
        }
        let all = networks(r#"["0.0.0.0/0"]"#).expect("a network");
        assert!(all.contain(address("203.0.113.1")));
        assert!(Networks::loopback().contain(address("127.8.0.1")));
        for wrong in ["proxy", "10.0.0.0/33", "10.0.0.0/-1", "::1/129", "1.2.3.4/"] {
            let error = networks(&format!("[\"{wrong}\"]")).expect_err(wrong);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    /// Row B4: behind a proxy that does TLS everybody had the proxy's address.
    #[test]
    fn proxies_that_are_trusted_name_the_client_from_the_right() {
        let trusted = networks(r#"["10.0.0.0/24", "::1"]"#).expect("networks");
        let check = |peer: &str, lines: &[&'static str], expected: &str| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
            }
            let seen = client_of(address(peer), &headers, &trusted);
            assert_eq!(seen, address(expected), "{peer} {lines:?}");
        };
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("::1", &["2001:db8::7"], "2001:db8::7");
        check(
            "::ffff:10.0.0.1",
            &["6.6.6.6, 198.51.100.1"],
            "198.51.100.1",
        );
        check("10.0.0.1", &["6.6.6.6", "198.51.100.1"], "198.51.100.1");
        // Two proxies, one behind the other.
        check(
            "10.0.0.1",
            &["6.6.6.6, 198.51.100.1, 10.0.0.2"],
            "198.51.100.1",
        );
        check("10.0.0.1", &["nonsense"], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.1, nonsense"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
    }

    #[test]
    fn a_whole_64_is_one_client() {
        assert_eq!(
            network_of(address("2001:db8:1:2:3:4:5:6")),
            address("2001:db8:1:2::")
        );
        assert_eq!(
            network_of(address("::ffff:192.0.2.1")),
            address("192.0.2.1")
        );
    }
}
