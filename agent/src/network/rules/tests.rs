//! Golden rules, and that what is installed is read back.

use innkeeper_wire::vm::PoolMode;
use proptest::prelude::*;

use super::*;
use crate::fixtures;

/// The table's objects as `nft -j list table` would print them, comments and elements included.
fn listed(transaction: &Value, family: &str) -> Value {
    let commands = transaction["nftables"].as_array().expect("a list");
    let added = commands.iter().filter_map(|command| command.get("add"));
    let objects = added.filter(|object| {
        let inner = object
            .as_object()
            .expect("an object")
            .values()
            .next()
            .expect("one");
        inner["family"] == family
    });
    json!({ "nftables": objects.collect::<Vec<_>>() })
}

#[test]
fn golden() {
    let transaction = ruleset(&fixtures::network(), "innkeeper0");
    let commands = transaction["nftables"].as_array().expect("a list");
    let lines: Vec<_> = commands.iter().map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_is_whole_is_read_back_and_what_is_not_is_not() {
    let state = fixtures::network();
    let transaction = ruleset(&state, "innkeeper0");
    let whole = ["bridge", "inet"].map(|family| listed(&transaction, family));
    let expected = Installed {
        state: state.digest(),
        addresses: state.guests[0].nic.addresses.iter().copied().collect(),
        routed: BTreeSet::new(),
        gateways: BTreeSet::new(),
        taps: [tap_name(state.guests[0].server)].into(),
    };
    assert_eq!(read(&whole), Some(expected));
    for (table, objects) in whole.iter().map(|table| &table["nftables"]).enumerate() {
        for index in 0..objects.as_array().expect("a list").len() {
            let mut damaged = whole.clone();
            let objects = damaged[table]["nftables"].as_array_mut().expect("a list");
            let gone = objects.remove(index);
            let elements = gone["set"].get("elem").or(gone["map"].get("elem"));
            if gone.get("rule").is_some() || elements.is_some() {
                assert_eq!(read(&damaged), None, "without {gone}");
            }
        }
    }
    let other = ruleset(&NetworkState::default(), "innkeeper0");
    assert_eq!(read(&[whole[0].clone(), listed(&other, "inet")]), None);
}

/// What a routed pool needs is read back from the kernel: an agent that starts anew has nothing else.
#[test]
fn a_routed_pool_is_read_back() {
    let mut state = NetworkState {
        guests: vec![GuestNetwork {
            server: fixtures::server(1),
            nic: fixtures::spec_with_subnets().network,
        }],
    };
    for subnet in &mut state.guests[0].nic.subnets {
        subnet.mode = PoolMode::Static;
    }
    let transaction = ruleset(&state, "innkeeper0");
    let tables = ["bridge", "inet"].map(|family| listed(&transaction, family));
    let installed = read(&tables).expect("whole");
    assert_eq!(installed.routed, installed.addresses);
    assert_eq!(installed.gateways, [Ipv4Addr::new(198, 51, 100, 1)].into());
}

#[test]
fn ranges_are_merged() {
    for (ranges, expected) in [
        (&[][..], &[][..]),
        (&[(22, 22)], &[(22, 22)]),
        (&[(80, 90), (85, 95), (22, 22)], &[(22, 22), (80, 95)]),
        (&[(1, 65535), (22, 22)], &[(1, 65535)]),
        (&[(10, 19), (20, 29)], &[(10, 29)]),
        (&[(65535, 65535), (65534, 65535)], &[(65534, 65535)]),
        (&[(9, 8)], &[]),
    ] {
        assert_eq!(merged(ranges.iter().copied()), expected, "{ranges:?}");
    }
}

proptest! {
    /// Merging neither opens nor closes a port, and nft never sees ranges that overlap.
    #[test]
    fn merged_ranges_are_the_same_ports(
        ranges in prop::collection::vec((any::<u16>(), any::<u16>()), 0..12),
        port in any::<u16>(),
    ) {
        let merged = merged(ranges.iter().copied());
        let holds = |list: &[(u16, u16)], port| {
            list.iter().any(|(first, last)| (*first..=*last).contains(&port))
        };
        for probe in ranges.iter().flat_map(|(first, last)| [*first, *last]).chain([port]) {
            prop_assert_eq!(holds(&merged, probe), holds(&ranges, probe));
        }
        for pair in merged.windows(2) {
            prop_assert!(pair[0].1 < pair[1].0);
        }
    }
}
