//! The table `bridge innkeeper`: what a guest may send at all, at its tap, and what reaches it. Its own addresses only,
//! no router or DHCP answers, nothing but ARP, IPv4 and IPv6, nothing to addresses that are reserved for bridges. In
//! front of everything else. One whose network is cut sends and gets nothing, not even to or from the host: this is where
//! all that it sends and gets passes, of whatever family and connection.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Value, json};

use super::{TABLE, TAPS};
use crate::{
    action::{GuestNetwork, NetworkState, tap_name},
    network::{
        GATEWAY_V6,
        nft::{Table, accept, concat, drop, equal, in_set, jump, meta, payload, remember, unequal},
    },
};

/// As a number: its name is looked up in /etc/protocols, which a small host may not have.
const IPPROTO_ICMPV6: u8 = 58;
/// How many link-local addresses a guest may speak with at a time: its kernel has one, another one before that was up,
/// and privacy extensions may choose anew. For each that it speaks with the host keeps a neighbour entry, and the kernel
/// has 1,024 of them for everybody.
const LINK_LOCALS_MAX: u32 = 8;
/// How long one that is not heard of any more counts.
const LINK_LOCAL_S: u32 = 600;
/// How many parts of packets a guest may send a second, and at once.
const FRAGMENTS_PER_S: u32 = 2_000;
const FRAGMENTS_AT_ONCE: u32 = 1_000;
/// More taps than a host has.
const FRAGMENTERS_MAX: u32 = 4_096;
/// How long one that sends none is remembered: its share is full again by then.
const FRAGMENTER_S: u32 = 10;

/// The table.
pub(super) fn table(state: &NetworkState) -> Table {
    let mut table = Table::new("bridge", TABLE);
    let (mut mac, mut own4, mut own6) = (vec![], vec![], vec![]);
    let (mut advertise, mut speak, mut cut) = (vec![], vec![], vec![]);
    for guest in &state.guests {
        let tap = tap_name(guest.server);
        if guest.nic.cut {
            cut.push(json!(tap));
        }
        mac.push(concat([json!(tap), json!(guest.nic.mac)]));
        for address in &guest.nic.addresses {
            let own = concat([json!(tap), json!(address)]);
            if address.is_ipv4() {
                own4.push(own)
            } else {
                own6.push(own)
            }
        }
        let chain = format!("nd_{tap}");
        table.chain(&chain);
        for rule in pin_advertisements(guest) {
            table.rule(&chain, rule);
        }
        advertise.push(json!([tap, jump(&chain)]));
        let locals = format!("ll_{tap}");
        table.memory(&locals, "ipv6_addr", LINK_LOCALS_MAX, LINK_LOCAL_S);
        table.chain(&locals);
        let source = remember(payload("ip6", "saddr"), &locals);
        table.rule(&locals, vec![source, accept()]);
        table.rule(&locals, vec![drop()]);
        speak.push(json!([tap, jump(&locals)]));
    }
    table.set("mac", &json!(["ifname", "ether_addr"]), &[], mac);
    table.set("own4", &json!(["ifname", "ipv4_addr"]), &[], own4);
    table.set("own6", &json!(["ifname", "ipv6_addr"]), &[], own6);
    table.set("cut", &json!("ifname"), &[], cut);
    table.map("advertise", "ifname", "verdict", advertise);
    table.map("speak", "ifname", "verdict", speak);
    table.memory("fragments", "ifname", FRAGMENTERS_MAX, FRAGMENTER_S);
    table.chain("check");
    for rule in rules() {
        table.rule("check", rule);
    }
    table.base_chain("from_taps", "prerouting", -300);
    table.rule(
        "from_taps",
        vec![equal(meta("iifname"), json!(TAPS)), jump("check")],
    );
    // One reserved address the bridge does not treat as any other, and shows here alone.
    table.base_chain("kept_from_taps", "input", -300);
    table.rule(
        "kept_from_taps",
        vec![equal(meta("iifname"), json!(TAPS)), is_reserved(), drop()],
    );
    table.base_chain("to_taps", "postrouting", -300);
    table.rule("to_taps", vec![is_cut("oifname"), drop()]);
    for rule in owner_rules() {
        let to_tap = equal(meta("oifname"), json!(TAPS));
        table.rule("to_taps", [vec![to_tap], rule].concat());
    }
    table
}

/// A guest gets what is for its own addresses. Without this one that names its neighbour's hardware address as its own,
/// which in neighbour discovery can't be pinned, would have the host send its packets there.
fn owner_rules() -> [Vec<Value>; 2] {
    let to = |field: Value| concat([meta("oifname"), field]);
    // Neighbour discovery: to groups, and to link-local addresses.
    let others = json!({ "set": [
        { "prefix": { "addr": "fe80::", "len": 10 } }, { "prefix": { "addr": "ff00::", "len": 8 } },
    ] });
    [
        vec![
            ether("ip"),
            unequal(to(payload("ip", "daddr")), in_set("own4")),
            drop(),
        ],
        vec![
            ether("ip6"),
            unequal(payload("ip6", "daddr"), others),
            unequal(to(payload("ip6", "daddr")), in_set("own6")),
            drop(),
        ],
    ]
}

fn ether(kind: &str) -> Value {
    equal(payload("ether", "type"), json!(kind))
}

fn from_tap(field: Value) -> Value {
    concat([meta("iifname"), field])
}

/// For an address that is reserved for bridges and what is beside them (IEEE 802.1Q, table 8-1): no guest has
/// business there.
fn is_reserved() -> Value {
    let all = json!({ "range": ["01:80:c2:00:00:00", "01:80:c2:00:00:0f"] });
    equal(payload("ether", "daddr"), all)
}

/// From or to a guest whose network is cut.
fn is_cut(direction: &str) -> Value {
    equal(meta(direction), in_set("cut"))
}

fn rules() -> Vec<Vec<Value>> {
    let discovery = [
        "nd-neighbor-solicit",
        "nd-neighbor-advert",
        "nd-router-solicit",
    ];
    let link_local = json!({ "prefix": { "addr": "fe80::", "len": 10 } });
    let advertisement = equal(payload("icmpv6", "type"), json!("nd-neighbor-advert"));
    let chosen = |map: &str| json!({ "vmap": { "key": meta("iifname"), "data": map } });
    let mut rules = vec![
        vec![is_cut("iifname"), drop()],
        vec![is_reserved(), drop()],
        // VLAN tags included. First: a rule for what is in a packet looks through the tag, and one for the frame's type
        // does not, so that a frame with a tag would pass some of those below and not be seen by the others.
        vec![
            unequal(
                payload("ether", "type"),
                json!({ "set": ["arp", "ip", "ip6"] }),
            ),
            drop(),
        ],
        vec![
            unequal(from_tap(payload("ether", "saddr")), in_set("mac")),
            drop(),
        ],
    ];
    rules.extend(arp_rules());
    rules.extend(fragment_rules());
    rules.extend([
        vec![
            ether("ip"),
            unequal(from_tap(payload("ip", "saddr")), in_set("own4")),
            drop(),
        ],
        // A guest is no DHCP server.
        vec![
            ether("ip"),
            equal(payload("udp", "sport"), json!(67)),
            drop(),
        ],
        vec![ether("ip"), accept()],
        // Nor a router, nor may it redirect others.
        vec![
            equal(
                payload("icmpv6", "type"),
                json!({ "set": ["nd-router-advert", "nd-redirect"] }),
            ),
            drop(),
        ],
        vec![
            ether("ip6"),
            equal(payload("udp", "sport"), json!(547)),
            drop(),
        ],
        vec![advertisement, chosen("@advertise")],
        // Link-local and unspecified sources are for neighbour discovery alone, without extension headers in
        // front that could hide something else; and of link-local ones a guest has a few.
        vec![
            equal(payload("ip6", "saddr"), link_local),
            equal(payload("ip6", "nexthdr"), json!(IPPROTO_ICMPV6)),
            equal(payload("icmpv6", "type"), json!({ "set": discovery })),
            chosen("@speak"),
        ],
        vec![
            equal(payload("ip6", "saddr"), json!("::")),
            equal(payload("ip6", "nexthdr"), json!(IPPROTO_ICMPV6)),
            equal(payload("icmpv6", "type"), json!("nd-neighbor-solicit")),
            accept(),
        ],
        vec![
            ether("ip6"),
            equal(from_tap(payload("ip6", "saddr")), in_set("own6")),
            accept(),
        ],
        vec![drop()],
    ]);
    rules
}

/// Parts of packets: what a guest hides in them, and how many.
///
/// The host puts the parts together before it judges a packet, and what misses a part waits for it, in memory that all
/// guests share. [`crate::network::settings`] says how much and for how long; by that this is a fifth of it.
fn fragment_rules() -> Vec<Vec<Value>> {
    // Headers that may come before what matters: the rules below would not find that in the first part (RFC 7112).
    let hiding = json!({ "set": [0, 43, 44, 51, 60, 135, 139, 140] });
    let next = json!({ "exthdr": { "name": "frag", "field": "nexthdr" } });
    let offset = json!({ "&": [payload("ip", "frag-off"), 0x3fff] });
    let is_part = json!({ "exthdr": { "name": "frag" } });
    let too_many = || {
        let limit = json!({ "limit": {
            "rate": FRAGMENTS_PER_S, "burst": FRAGMENTS_AT_ONCE, "per": "second", "inv": true,
        } });
        json!({ "set": {
            "op": "update", "elem": meta("iifname"), "set": "@fragments", "stmt": [limit],
        } })
    };
    vec![
        vec![ether("ip6"), equal(next, hiding), drop()],
        vec![ether("ip"), unequal(offset, json!(0)), too_many(), drop()],
        vec![
            ether("ip6"),
            equal(is_part, json!(true)),
            too_many(),
            drop(),
        ],
    ]
}

/// ARP: a guest speaks of itself alone.
fn arp_rules() -> Vec<Vec<Value>> {
    vec![
        vec![
            ether("arp"),
            unequal(from_tap(payload("arp", "saddr ether")), in_set("mac")),
            drop(),
        ],
        // A guest asks whether somebody has its address before it takes it (RFC 5227).
        vec![
            ether("arp"),
            equal(payload("arp", "operation"), json!("request")),
            equal(payload("arp", "saddr ip"), json!("0.0.0.0")),
            accept(),
        ],
        vec![
            ether("arp"),
            unequal(from_tap(payload("arp", "saddr ip")), in_set("own4")),
            drop(),
        ],
        vec![ether("arp"), accept()],
    ]
}

/// A guest may claim its own addresses to neighbours, and link-local ones but the gateway's.
///
/// nft 1.0.6 has no name for the target of an advertisement: it is the 128 bits after the first 64.
fn pin_advertisements(guest: &GuestNetwork) -> Vec<Vec<Value>> {
    let target = |offset: u32, length: u32| json!({ "payload": { "base": "th", "offset": offset, "len": length } });
    let mut rules = vec![vec![equal(target(64, 128), json!(hex(GATEWAY_V6))), drop()]];
    for address in &guest.nic.addresses {
        if let IpAddr::V6(own) = address {
            rules.push(vec![
                equal(target(64, 128), json!(hex(*own))),
                json!({ "return": null }),
            ]);
        }
    }
    // fe80::/64 and no more of fe80::/10: nothing else is in use.
    let link_local = format!("0x{:016x}", 0xfe80_u64 << 48);
    rules.push(vec![
        equal(target(64, 64), json!(link_local)),
        json!({ "return": null }),
    ]);
    // Nor what has no target, as the first part of an advertisement whose rest comes in another (RFC 6980).
    rules.push(vec![drop()]);
    rules
}

fn hex(address: Ipv6Addr) -> String {
    format!("0x{:032x}", u128::from(address))
}
