//! Golden rules, and that what is installed is read back.

use innkeeper_wire::vm::PoolMode;
use proptest::prelude::*;

use super::*;
use crate::{
    action::{GuestNetwork, tap_name},
    fixtures,
};

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

/// The tables that are replaced, as they would be listed.
fn tables(transaction: &Value) -> Tables {
    Tables {
        replaced: ["bridge", "inet"].map(|family| listed(transaction, family)),
        grants: json!({ "nftables": [] }),
        flows: json!({ "nftables": [] }),
    }
}

#[test]
fn what_is_made_is_read_back() {
    let state = fixtures::network();
    let whole = tables(&ruleset(&state, "innkeeper0")).replaced;
    let guest = &state.guests[0];
    let expected = Installed {
        state: state.digest(),
        addresses: guest.nic.addresses.iter().copied().collect(),
        routed: BTreeSet::new(),
        gateways: BTreeSet::new(),
        pools: BTreeSet::new(),
        taps: [(tap_name(guest.server), guest.nic.mac)].into(),
    };
    assert_eq!(read(&whole), Some(expected));
    let other = tables(&ruleset(&NetworkState::default(), "innkeeper0")).replaced;
    assert_eq!(read(&[whole[0].clone(), other[1].clone()]), None);
}

/// Trial row C8: a rule that was replaced by another one, so that there are as many as before.
#[test]
fn whatever_is_changed_shows() {
    let whole = tables(&ruleset(&fixtures::network(), "innkeeper0"));
    let prints = whole.prints();
    for (table, objects) in whole
        .replaced
        .iter()
        .map(|table| &table["nftables"])
        .enumerate()
    {
        for index in 0..objects.as_array().expect("a list").len() {
            let changed = |change: &dyn Fn(&mut Vec<Value>)| {
                let mut changed = whole.clone();
                let objects = &mut changed.replaced[table]["nftables"];
                change(objects.as_array_mut().expect("a list"));
                changed.prints()
            };
            let gone = &objects[index];
            let removed = changed(&|objects| drop_one(objects, index));
            assert_ne!(removed, prints, "without {gone}");
            if gone.get("rule").is_some() {
                let replaced = changed(&|objects| {
                    objects[index]["rule"]["expr"] = json!([accept()]);
                });
                assert_ne!(replaced, prints, "accept for {gone}");
            }
        }
    }
}

fn drop_one(objects: &mut Vec<Value>, index: usize) {
    objects.remove(index);
}

/// What packets put into sets, what counts, and the kernel's numbers are no change.
#[test]
fn what_packets_leave_behind_does_not_show() {
    let mut found = tables(&ruleset(&fixtures::network(), "innkeeper0"));
    let prints = found.prints();
    let objects = found.replaced[0]["nftables"].as_array_mut();
    for (index, object) in objects.expect("a list").iter_mut().enumerate() {
        for inner in object.as_object_mut().expect("an object").values_mut() {
            inner["handle"] = json!(index);
            if inner.get("timeout").is_some() {
                inner["elem"] =
                    json!([{ "elem": { "val": "fe80::5", "timeout": 600, "expires": 9 } }]);
            }
            if let Some(elements) = inner.get_mut("elem").and_then(Value::as_array_mut) {
                elements.reverse();
            }
        }
    }
    assert_eq!(found.prints(), prints);
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
    assert_eq!(installed.pools, pools::routed_pools(&state));
    assert_eq!(installed.pools.len(), 2);
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
