//! Who the client of a request is: the other end of the connection, or what proxies that are trusted say of it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use axum::http::HeaderMap;
use serde::Deserialize;

use self::forwarded::{forwarded, forwarded_for};

mod forwarded;

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

    /// Those that are written so.
    ///
    /// # Errors
    /// The first that is neither an address nor a network.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NoNetwork> {
        let networks = texts.into_iter().map(str::parse);
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// Both.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(&others.0).copied().collect())
    }

    /// The address of each, as it was written.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.0.iter().map(|network| network.address)
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
        // An IPv4 network that is written in IPv6 is IPv4, as its clients are.
        Ok(match address.to_canonical() {
            v4 @ IpAddr::V4(_) if address.is_ipv6() && prefix >= 96 => Self {
                address: v4,
                prefix: prefix - 96,
            },
            _ => Self { address, prefix },
        })
    }
}

impl TryFrom<String> for Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Self, NoNetwork> {
        text.parse()
    }
}

/// The client's address. Each proxy adds whom it was called by at the end of what it passes on, so that this is read from
/// there, and only for as long as a trusted one has said the next: what stands before is anybody's. What is no address
/// ends it as well: the client is then the last who is known.
///
/// A proxy writes one of `X-Forwarded-For` and `Forwarded` and passes the other on as anybody has sent it. Which one that
/// is nobody says here; so when there are both and they do not agree, neither counts.
#[must_use]
pub fn client_of(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let peer = peer.to_canonical();
    let walk = |entries: &[Option<IpAddr>]| {
        let mut client = peer;
        for entry in entries.iter().rev() {
            match entry {
                Some(said) if trusted.contain(client) => client = *said,
                _ => break,
            }
        }
        client
    };
    let (listed, elements) = (forwarded_for(headers), forwarded(headers));
    match (walk(&listed), walk(&elements)) {
        (client, _) if elements.is_empty() => client,
        (_, client) if listed.is_empty() => client,
        (one, other) if one == other => one,
        _ => peer,
    }
}

/// The first entry of `X-Forwarded-For`: whom the client itself speaks for, if one believes him.
#[must_use]
pub fn first_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    forwarded_for(headers).first().copied().flatten()
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
    use proptest::{collection::vec, prelude::*};

    use super::{
        forwarded::{FORWARDED, FORWARDED_FOR},
        *,
    };

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
        let some =
            networks(r#"["192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::ffff:172.16.0.0/108"]"#);
        let some = some.expect("networks");
        for inside in [
            "192.0.2.7",
            "::ffff:10.1.2.3",
            "2001:db8:ffff::1",
            "172.31.0.1",
        ] {
            assert!(some.contain(address(inside)), "{inside}");
        }
        for outside in [
            "192.0.2.8",
            "11.0.0.1",
            "2001:db9::1",
            "::a00:1",
            "172.32.0.1",
        ] {
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

    /// Lines of `X-Forwarded-For` and of `Forwarded`, as bytes.
    fn headers(listed: &[&[u8]], elements: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, lines) in [(FORWARDED_FOR, listed), (FORWARDED, elements)] {
            for line in lines {
                if let Ok(value) = HeaderValue::from_bytes(line) {
                    headers.append(name, value);
                }
            }
        }
        headers
    }

    fn proxies() -> Networks {
        networks(r#"["10.0.0.0/24", "172.71.0.0/16", "::1"]"#).expect("networks")
    }

    /// Row B4: behind a proxy that does TLS everybody had the proxy's address. Row B18: so had everybody whose proxy
    /// writes ports, brackets or quotes.
    #[test]
    fn proxies_that_are_trusted_name_the_client_from_the_right() {
        let check = |peer: &str, lines: &[&str], expected: &str| {
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            let seen = client_of(address(peer), &headers(&lines, &[]), &proxies());
            assert_eq!(seen, address(expected), "{peer} {lines:?}");
        };
        let (proxy, client) = ("10.0.0.1", "198.51.100.1");
        check("203.0.113.9", &[client], "203.0.113.9");
        check(
            "203.0.113.9",
            &["198.51.100.1:1", "10.0.0.1"],
            "203.0.113.9",
        );
        check(proxy, &[client], client);
        check("::1", &["2001:db8::7"], "2001:db8::7");
        check("::ffff:10.0.0.1", &["6.6.6.6, 198.51.100.1"], client);
        check(proxy, &["6.6.6.6", client], client);
        // Two proxies, one behind the other; the second is a network of somebody else.
        check(proxy, &["6.6.6.6, 198.51.100.1, 10.0.0.2"], client);
        check(proxy, &["198.51.100.1, 172.71.1.1"], client);
        check(proxy, &["198.51.100.1", "172.71.1.1:443"], client);
        check(proxy, &["198.51.100.1:52114"], client);
        check(proxy, &["[2001:db8::7]:443"], "2001:db8::7");
        check(proxy, &["\"198.51.100.1\""], client);
        check(proxy, &["::ffff:198.51.100.1"], client);
        // The last who is known.
        for unknown in [
            "unknown",
            "nonsense",
            "",
            "198.51.100.1, nonsense",
            "198.51.100.1,",
        ] {
            check(proxy, &[unknown], proxy);
        }
        check(proxy, &["unknown, 172.71.1.1"], "172.71.1.1");
        check(proxy, &["unknown, 198.51.100.1"], client);
        check(proxy, &[], proxy);
    }

    #[test]
    fn a_line_that_is_no_text_hides_what_stands_before_it() {
        let seen =
            |listed: &[&[u8]]| client_of(address("10.0.0.1"), &headers(listed, &[]), &proxies());
        let client = address("198.51.100.1");
        assert_eq!(seen(&[b"6.6.6.6", b"\xff, 198.51.100.1"]), client);
        assert_eq!(seen(&[b"6.6.6.6", b"\xff"]), address("10.0.0.1"));
    }

    #[test]
    fn the_standard_header_counts_as_well_and_two_that_differ_do_not() {
        let check = |listed: &[&[u8]], elements: &[&[u8]], expected: &str| {
            let seen = client_of(address("10.0.0.1"), &headers(listed, elements), &proxies());
            assert_eq!(seen, address(expected), "{listed:?} {elements:?}");
        };
        let client = "198.51.100.1";
        check(&[], &[b"for=198.51.100.1;proto=https"], client);
        check(
            &[],
            &[b"for=6.6.6.6, for=\"198.51.100.1:5\", for=172.71.1.1"],
            client,
        );
        check(&[], &[b"for=6.6.6.6", b"for=198.51.100.1"], client);
        check(&[], &[b"for=198.51.100.1", b"for=\"x"], "10.0.0.1");
        check(&[b"198.51.100.1"], &[b"for=198.51.100.1"], client);
        check(&[b"198.51.100.1"], &[b"for=6.6.6.6"], "10.0.0.1");
        check(&[b"6.6.6.6"], &[b"for=198.51.100.1"], "10.0.0.1");
    }

    proptest! {
        #[test]
        fn an_untrusted_peer_is_the_client_whatever_it_sends(
            listed in vec(vec(any::<u8>(), 0..60), 0..3),
            elements in vec("[\\x20-\\x7e]{0,60}", 0..3),
        ) {
            let listed: Vec<&[u8]> = listed.iter().map(Vec::as_slice).collect();
            let elements: Vec<&[u8]> = elements.iter().map(String::as_bytes).collect();
            let peer = address("203.0.113.9");
            prop_assert_eq!(client_of(peer, &headers(&listed, &elements), &proxies()), peer);
        }

        /// Whether the proxy adds to his last line or a line of its own.
        #[test]
        fn what_a_stranger_sends_before_a_proxy_changes_nothing(
            mut sent in vec(vec(any::<u8>(), 0..60), 1..4),
            mut elements in vec("[ -~]{0,60}|(for=\"?[0-9.:]{7,9}\"?[;, ]{0,2}){0,4}", 1..4),
            same_line in any::<bool>(),
        ) {
            let client = address("198.51.100.1");
            if same_line && HeaderValue::from_bytes(&sent[sent.len() - 1]).is_ok() {
                let last = sent.len() - 1;
                sent[last].extend(b", 198.51.100.1");
                let last = elements.len() - 1;
                elements[last] += ", for=198.51.100.1";
            } else {
                sent.push(b"198.51.100.1".to_vec());
                elements.push("for=198.51.100.1".to_owned());
            }
            let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
            let elements: Vec<&[u8]> = elements.iter().map(String::as_bytes).collect();
            let proxy = address("10.0.0.1");
            prop_assert_eq!(client_of(proxy, &headers(&sent, &[]), &proxies()), client);
            // Here he can see to it that nobody knows who he is, and no more.
            let seen = client_of(proxy, &headers(&[], &elements), &proxies());
            prop_assert!(seen == client || seen == proxy, "{}", seen);
        }
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
