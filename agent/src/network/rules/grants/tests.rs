//! The table's text, and that what the kernel shows is understood.

use innkeeper_wire::{id::uuid_v7, time::Timestamp};
use serde_json::json;

use super::*;

fn networks(texts: &[&str]) -> Vec<IpNetwork> {
    let parsed = texts.iter().map(|text| text.parse().expect("a network"));
    parsed.collect()
}

fn at(address: &str) -> Door {
    Door {
        address: address.parse().expect("an address"),
        port: 22,
    }
}

fn grant() -> GrantId {
    GrantId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10]))
}

#[test]
fn golden() {
    let engineers = networks(&["203.0.113.0/28", "2001:db8:e::/64"]);
    insta::assert_snapshot!(ruleset("innkeeper0", &Sources::of(&engineers)));
}

#[test]
fn a_changed_time_is_a_new_element() {
    let changes = Changes {
        engineers: Some(Sources::of(&networks(&[
            "10.0.0.0/8",
            "10.1.0.0/16",
            "198.51.100.7",
        ]))),
        open: [(at("203.0.113.9"), Duration::from_millis(59_832))].into(),
        close: [at("2001:db8::9")].into(),
        count: [(at("203.0.113.9"), grant())].into(),
        forget: [at("2001:db8::9")].into(),
    };
    insta::assert_snapshot!(change(&changes));
    assert!(!changes.is_empty() && Changes::default().is_empty());
    assert_eq!(change(&Changes::default()), "");
}

/// As nft 1.0.6 prints it.
#[test]
fn what_the_kernel_holds_is_read_back() {
    let concat = |address: &str| json!({ "concat": [address, 22] });
    let table = json!({ "nftables": [
        { "metainfo": {} },
        { "set": { "name": "access4", "elem": [
            { "elem": { "val": concat("203.0.113.9"), "timeout": 59, "expires": 58 } },
            // Less than a second is printed as none.
            { "elem": { "val": concat("203.0.113.10"), "timeout": 59, "expires": 0 } },
            concat("203.0.113.11"),
            { "elem": { "val": "nonsense", "timeout": 59, "expires": 58 } },
        ] } },
        { "set": { "name": "access6" } },
        { "set": { "name": "seen6", "elem": [
            { "elem": { "val": concat("2001:db8::9"), "comment": grant().to_string(),
                "counter": { "packets": 7, "bytes": 420 } } },
            { "elem": { "val": concat("2001:db8::a"), "counter": { "packets": 1, "bytes": 60 } } },
        ] } },
        { "set": { "name": "engineers4", "elem": [
            "198.51.100.7", { "prefix": { "addr": "10.0.0.0", "len": 25 } },
            { "range": ["10.0.0.128", "10.0.0.255"] },
        ] } },
        { "rule": { "comment": "grants" } },
    ] });
    let read = read(&table);
    let expected = [
        (at("203.0.113.9"), Some(58)),
        (at("203.0.113.10"), Some(0)),
        (at("203.0.113.11"), None),
    ];
    assert_eq!(read.open, expected.into());
    let counted = |grant, packets| Counted { grant, packets };
    let expected = [
        (at("2001:db8::9"), counted(Some(grant()), 7)),
        (at("2001:db8::a"), counted(None, 1)),
    ];
    assert_eq!(read.counted, expected.into());
    let engineers = networks(&["198.51.100.7", "10.0.0.0/24"]);
    assert_eq!(read.engineers, Sources::of(&engineers));
    assert_ne!(read.engineers, Sources::of(&engineers[..1]));
}

#[test]
fn the_same_addresses_are_the_same_however_written() {
    for (one, other, same) in [
        (&["0.0.0.0/0"][..], &["0.0.0.0/1", "128.0.0.0/1"][..], true),
        (&["::/0"], &["::/1", "8000::/1"], true),
        (&["10.0.0.0/8", "10.2.0.0/16"], &["10.0.0.0/8"], true),
        (&["10.0.0.0/24"], &["10.0.0.0/25"], false),
        // The same bits in another family.
        (&["0.0.0.1"], &["::1"], false),
        (&[], &["::1"], false),
    ] {
        let is_same = Sources::of(&networks(one)) == Sources::of(&networks(other));
        assert_eq!(is_same, same, "{one:?} {other:?}");
    }
}
