//! Pools: what they give away, what they never do, and which descriptions are refused.

use innkeeper_wire::id::uuid_v7;
use proptest::{collection::vec, prelude::*};

use super::*;

fn lab() -> Code {
    "lab".parse().expect("a code")
}

fn pool(cidr: &str) -> Result<Pool, PoolError> {
    Pool::parse(lab(), cidr)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A pool in the configuration's words; empty texts stand for keys that are not given.
#[derive(Default, Clone, Copy)]
struct Words<'a> {
    subnet: &'a str,
    gateway: &'a str,
    ranges: &'a [&'a str],
    reserved: &'a [&'a str],
    ours: &'a [&'a str],
}

impl Words<'_> {
    fn pool(self) -> Result<Pool, PoolError> {
        let ranges = owned(self.ranges);
        let ours: Vec<_> = self.ours.iter().map(|text| address(text)).collect();
        Pool::new(&PoolDescription {
            site: lab(),
            subnet: self.subnet,
            gateway: self.gateway.parse().ok(),
            ranges: (!ranges.is_empty()).then_some(ranges.as_slice()),
            reserved: &owned(self.reserved),
            ours: &ours,
            routing: Routing::ProxyNeighbour,
        })
    }

    #[track_caller]
    fn refused(self, expected: &str) {
        let error = self.pool().expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }

    fn given(self) -> Vec<String> {
        let pool = self.pool().expect("a pool");
        (0..pool.size())
            .map(|position| pool.address(position).to_string())
            .collect()
    }
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
fn a_network_alone_keeps_its_first_address_for_the_gateway() {
    check("192.0.2.0/29", "192.0.2.2", "192.0.2.6");
    check("192.0.2.8/31", "192.0.2.9", "192.0.2.9");
    check("2001:db8::/126", "2001:db8::1", "2001:db8::3");
    check(
        "2001:db8::/64",
        "2001:db8::1",
        "2001:db8::ffff:ffff:ffff:ffff",
    );
    let subnet = pool("192.0.2.0/29").expect("a good network").subnet();
    let expected = Subnet {
        prefix: 29,
        gateway: Some(address("192.0.2.1")),
        mode: PoolMode::ProxyNeighbour,
    };
    assert_eq!(subnet, expected);
    let subnet = pool("2001:db8::/64").expect("a good network").subnet();
    assert_eq!((subnet.prefix, subnet.gateway), (64, None));
}

#[test]
fn a_few_addresses_of_the_uplinks_network_can_be_written() {
    let words = Words {
        subnet: "198.51.100.0/24",
        gateway: "198.51.100.1",
        ranges: &["198.51.100.68-198.51.100.71", "198.51.100.64-198.51.100.66"],
        reserved: &["198.51.100.70", "198.51.100.2-198.51.100.20"],
        ..Words::default()
    };
    assert_eq!(
        words.given(),
        [
            "198.51.100.64",
            "198.51.100.65",
            "198.51.100.66",
            "198.51.100.68",
            "198.51.100.69",
            "198.51.100.71",
        ]
    );
    let subnet = words.pool().expect("a pool").subnet();
    assert_eq!(
        (subnet.prefix, subnet.gateway),
        (24, Some(address("198.51.100.1")))
    );
    // The one address that a hoster got, of a network that is somebody else's.
    let single = Words {
        subnet: "198.51.100.0/24",
        gateway: "198.51.100.254",
        ranges: &["198.51.100.9"],
        ..Words::default()
    };
    assert_eq!(single.given(), ["198.51.100.9"]);
}

/// Row B2: the first order must not get the gateway's address, nor the second one the host's.
#[test]
fn neither_the_gateway_nor_our_own_machines_addresses_are_given_away() {
    let words = Words {
        subnet: "198.51.100.0/29",
        ours: &["198.51.100.1", "198.51.100.2", "203.0.113.9", "2001:db8::1"],
        ..Words::default()
    };
    assert_eq!(
        words.given(),
        [
            "198.51.100.3",
            "198.51.100.4",
            "198.51.100.5",
            "198.51.100.6"
        ]
    );
}

#[test]
fn what_is_not_of_a_pool() {
    let pool = pool("192.0.2.0/29").expect("a good network");
    for stranger in [
        "192.0.2.0",
        "192.0.2.1",
        "192.0.2.7",
        "198.51.100.1",
        "::192.0.2.2",
    ] {
        assert_eq!(pool.position(address(stranger)), None, "{stranger}");
    }
    assert_eq!(pool.kept(address("192.0.2.1")), Some(Kept::Gateway));
    assert_eq!(pool.kept(address("192.0.2.2")), None);
    assert_eq!(pool.kept(address("::192.0.2.1")), None);
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
    let words = Words {
        subnet: "198.51.100.0/28",
        ..Words::default()
    };
    let gateway = |gateway| Words { gateway, ..words };
    gateway("198.51.100.129").refused("gateway 198.51.100.129 is not in the subnet");
    gateway("2001:db8::1").refused("gateway 2001:db8::1 is not in the subnet");
    gateway("198.51.100.0").refused("network or broadcast address");
    gateway("198.51.100.15").refused("network or broadcast address");
    let v6 = Words {
        subnet: "2001:db8::/64",
        gateway: "2001:db8::1",
        ..Words::default()
    };
    v6.refused("fe80::1");
    let one = Words {
        subnet: "198.51.100.9/32",
        ..Words::default()
    };
    one.refused("no room for a gateway");
    let ranges = |ranges| Words { ranges, ..words };
    ranges(&["198.51.100.14-198.51.100.16"])
        .refused("range `198.51.100.14-198.51.100.16` is not in");
    ranges(&["2001:db8::1-2001:db8::2"]).refused("is not in the subnet");
    ranges(&["198.51.100.5-198.51.100.4"]).refused("is neither an address nor a range");
    ranges(&["198.51.100.5-"]).refused("is neither an address nor a range");
    ranges(&["198.51.100.2-198.51.100.5", "198.51.100.5"]).refused("two of them have 198.51.100.5");
    ranges(&["198.51.100.1"]).refused("no address is left");
    ranges(&["198.51.100.0", "198.51.100.15"]).refused("no address is left");
    let reserved = |reserved| Words { reserved, ..words };
    reserved(&["198.51.100.16"]).refused("reserved `198.51.100.16` is not in the subnet");
    reserved(&["198.51.100.0-198.51.100.15"]).refused("no address is left");
    let endless = "1".repeat(10_000);
    let error = ranges(&[&endless]).pool().expect_err("that is no range");
    assert!(error.to_string().len() < 300);
}

#[test]
fn pools_that_can_not_be_used_together() {
    let words = |subnet, gateway, ranges| Words {
        subnet,
        gateway,
        ranges,
        ..Words::default()
    };
    let together = |left: Words<'_>, right: Words<'_>| {
        let pools = [left, right].map(|words| words.pool().expect("a pool"));
        check_together(&pools).map_err(|conflict| conflict.to_string())
    };
    let low = words(
        "198.51.100.0/24",
        "198.51.100.1",
        &["198.51.100.64-198.51.100.99"],
    );
    let high = words("198.51.100.0/24", "198.51.100.1", &["198.51.100.100"]);
    assert_eq!(together(low, high), Ok(()));
    let other = words("203.0.113.0/24", "", &[]);
    assert_eq!(together(low, other), Ok(()));
    assert_eq!(together(low, words("2001:db8::/64", "", &[])), Ok(()));
    let refused = |left, right, expected: &str| {
        let why = together(left, right).expect_err(expected);
        assert!(why.contains(expected), "{why}");
        let why = together(right, left).expect_err(expected);
        assert!(why.contains(expected), "{why}");
    };
    let overlapping = words(
        "198.51.100.0/24",
        "198.51.100.1",
        &["198.51.100.99-198.51.100.120"],
    );
    refused(low, overlapping, "give 198.51.100.99 away");
    refused(low, words("198.51.100.128/25", "", &[]), "overlap");
    let other_gateway = words("198.51.100.0/24", "198.51.100.70", &["198.51.100.200"]);
    refused(low, other_gateway, "gives 198.51.100.70 away");
    let reserving = Words {
        reserved: &["198.51.100.80-198.51.100.90"],
        ..high
    };
    refused(low, reserving, "gives 198.51.100.80 away");
}

#[test]
fn a_static_pool_serves_one_host() {
    let description = PoolDescription {
        site: lab(),
        subnet: "192.0.2.0/29",
        gateway: None,
        ranges: None,
        reserved: &[],
        ours: &[],
        routing: Routing::Static {
            host: "h1".to_owned(),
        },
    };
    let pool = Pool::new(&description).expect("a pool");
    assert!(pool.serves("h1") && !pool.serves("h2"));
    assert_eq!(pool.subnet().mode, PoolMode::Static);
}

#[test]
fn what_a_server_has_can_not_be_kept_aside() {
    let words = Words {
        subnet: "192.0.2.0/28",
        reserved: &["192.0.2.4"],
        ..Words::default()
    };
    let pool = words.pool().expect("a pool");
    let uuid = uuid_v7(Timestamp::from_millis(1), [1; 10]);
    let (server, host) = (ServerId::from_uuid(uuid), HostId::from_uuid(uuid));
    let held = AddressClaim::Held { server };
    let found = |text: &str, claim| contradiction(&pool, address(text), claim);
    assert_eq!(
        found("192.0.2.1", held),
        Some(Contradiction::Gateway {
            address: address("192.0.2.1"),
            server
        })
    );
    assert_eq!(
        found("192.0.2.4", AddressClaim::Unlisted { server, host }),
        Some(Contradiction::Reserved {
            address: address("192.0.2.4"),
            server
        })
    );
    assert_eq!(found("192.0.2.5", held), None);
    assert_eq!(found("192.0.2.4", AddressClaim::Host { host }), None);
    let until = Timestamp::from_millis(1);
    assert_eq!(found("192.0.2.4", AddressClaim::Resting { until }), None);
}

/// Addresses of 192.0.2.0/27 as positions in it, from and to.
fn pieces(most: usize) -> impl Strategy<Value = Vec<(u8, u8)>> {
    vec((0u8..32, 0u8..6), 0..most).prop_map(|pieces| {
        let piece = |(first, more): (u8, u8)| (first, (first + more).min(31));
        pieces.into_iter().map(piece).collect()
    })
}

proptest! {
    /// Whatever is written: what is given away is of a range and never kept aside, each address once, and
    /// position and address are each other's inverse.
    #[test]
    fn gives_away_what_is_written_and_nothing_else(
        ranges in pieces(4),
        reserved in pieces(4),
        gateway in 1u8..31,
        ours in 0u8..32,
    ) {
        let text = |pieces: &[(u8, u8)]| -> Vec<String> {
            let range = |(first, last): &(u8, u8)| format!("192.0.2.{first}-192.0.2.{last}");
            pieces.iter().map(range).collect()
        };
        let (range_texts, reserved_texts) = (text(&ranges), text(&reserved));
        let pool = Pool::new(&PoolDescription {
            site: lab(),
            subnet: "192.0.2.0/27",
            gateway: Some(IpAddr::from([192, 0, 2, gateway])),
            ranges: (!ranges.is_empty()).then_some(range_texts.as_slice()),
            reserved: &reserved_texts,
            ours: &[IpAddr::from([192, 0, 2, ours])],
            routing: Routing::ProxyNeighbour,
        });
        let within = |pieces: &[(u8, u8)], last: u8| {
            pieces.iter().any(|(first, end)| (*first..=*end).contains(&last))
        };
        let wanted: Vec<IpAddr> = (1u8..31)
            .filter(|last| ranges.is_empty() || within(&ranges, *last))
            .filter(|last| !within(&reserved, *last) && *last != gateway && *last != ours)
            .map(|last| IpAddr::from([192, 0, 2, last]))
            .collect();
        match pool {
            Ok(pool) => {
                let given: Vec<IpAddr> = (0..pool.size()).map(|at| pool.address(at)).collect();
                prop_assert_eq!(&given, &wanted);
                for last in 0u8..=255 {
                    let address = IpAddr::from([192, 0, 2, last]);
                    let expected = wanted.iter().position(|wanted| *wanted == address);
                    let found = pool.position(address).map(|at| usize::try_from(at).expect("small"));
                    prop_assert_eq!(found, expected);
                }
            }
            Err(PoolError::Empty) => prop_assert!(wanted.is_empty()),
            Err(PoolError::RangesOverlap(address)) => {
                let IpAddr::V4(v4) = address else { panic!("of another family") };
                let last = v4.octets()[3];
                let times = ranges.iter().filter(|range| within(&[**range], last)).count();
                prop_assert!(times > 1);
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
