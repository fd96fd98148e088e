//! What nftables shall hold for a [`NetworkState`]: a pure function to nft's JSON, and its reading back.
//!
//! Four tables, all ours:
//! - `bridge innkeeper`: what a guest may send at all, at its tap: its own addresses only, no router or DHCP
//!   answers, no VLAN, nothing but ARP, IPv4 and IPv6, nothing to addresses that are reserved for bridges. In front
//!   of everything else.
//! - `inet innkeeper_grants`: engineers' timed access. Made when it is missing and never flushed here, since its
//!   elements are known to the kernel only.
//! - `inet innkeeper`: the judge. One chain, jumped to from forward, output and input, so that packets from
//!   outside, between guests and from the host itself are judged alike: grants, established, what the
//!   customer opened, nothing else.
//! - `inet innkeeper_flows` ([`flows`]): how much of the host's connection table a guest may have. Kept as well: who
//!   has how many is known to the kernel only.
//!
//! `bridge innkeeper` and `inet innkeeper` are replaced whole, each reload one transaction. Guests are data in sets:
//! the number of rules does not grow with them, but for two chains a guest. A rule's comment names the state that the
//! table belongs to. What the kernel shows of them afterwards is what it has to show from then on ([`Prints`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use innkeeper_wire::{digest::Digest, vm::Opening};
use serde_json::{Value, json};

use super::{
    drift,
    nft::{Table, accept, concat, drop, equal, in_set, jump, meta, payload, remember, unequal},
};
use crate::action::{GuestNetwork, NetworkState, tap_name};

pub(super) use flows::TABLE as FLOWS_TABLE;
pub(super) use read_back::{Installed, Prints, Tables, has_comment, print_kept, read};

pub mod flows;
mod read_back;

/// Those of our tables that are replaced.
pub(super) const TABLES: [(&str, &str); 2] = [("bridge", TABLE), ("inet", TABLE)];
/// The table of the grants, of family `inet`.
pub(super) const GRANTS_TABLE: &str = "innkeeper_grants";
const TABLE: &str = "innkeeper";

/// As a number: its name is looked up in /etc/protocols, which a small host may not have.
const IPPROTO_ICMPV6: u8 = 58;
/// Mark of packets that a grant lets through: "ik" and a number.
const MARK_GRANTED: u32 = 0x696b_0001;
/// Names of taps begin so; a tap that no set knows may send nothing.
const TAPS: &str = "ik*";
/// How many link-local addresses a guest may speak with at a time: its kernel has one, another one before that was up,
/// and privacy extensions may choose anew. For each that it speaks with the host keeps a neighbour entry, and the kernel
/// has 1,024 of them for everybody.
const LINK_LOCALS_MAX: u32 = 8;
/// How long one that is not heard of any more counts.
const LINK_LOCAL_S: u32 = 600;
/// Comment of the rule that names a table's state.
const STATE_COMMENT: &str = "state";
/// Comment of the rule that says that the grants' table is whole.
pub(super) const GRANTS_COMMENT: &str = "grants 1";

/// Whether a table is one of ours.
pub(super) fn is_ours(family: &str, table: &str) -> bool {
    TABLES.contains(&(family, table))
        || (family == "inet" && [GRANTS_TABLE, FLOWS_TABLE].contains(&table))
}

/// Whether a table of ours has this name, in whatever family.
pub(super) fn is_our_name(table: &str) -> bool {
    [TABLE, GRANTS_TABLE, FLOWS_TABLE].contains(&table)
}

/// The transaction that replaces the tables by those of `state`.
#[must_use]
pub fn ruleset(state: &NetworkState, bridge: &str) -> Value {
    let mut commands = Vec::new();
    let digest = state.digest();
    for table in [spoof_table(state), judge_table(state, bridge)] {
        commands.extend(stamped(table, &digest));
    }
    json!({ "nftables": commands })
}

/// The transaction that makes the grants' table.
#[must_use]
pub fn grants() -> Value {
    let mut table = Table::new("inet", GRANTS_TABLE);
    table.base_chain("forwarded", "forward", -10);
    for (suffix, kind, protocol) in [("4", "ipv4_addr", "ip"), ("6", "ipv6_addr", "ip6")] {
        let (access, bastion) = (format!("access{suffix}"), format!("bastion{suffix}"));
        // source . guest . port
        let access_kind = json!([kind, kind, "inet_service"]);
        table.set(&access, &access_kind, &["timeout"], Vec::new());
        table.set(&bastion, &json!(kind), &[], Vec::new());
        let (saddr, daddr) = (payload(protocol, "saddr"), payload(protocol, "daddr"));
        let (sport, dport) = (payload("tcp", "sport"), payload("tcp", "dport"));
        let grant =
            json!({ "mangle": { "key": { "meta": { "key": "mark" } }, "value": MARK_GRANTED } });
        table.rule(
            "forwarded",
            vec![
                equal(saddr.clone(), in_set(&bastion)),
                equal(
                    concat([saddr.clone(), daddr.clone(), dport]),
                    in_set(&access),
                ),
                grant.clone(),
                accept(),
            ],
        );
        table.rule("forwarded", vec![
            equal(daddr.clone(), in_set(&bastion)),
            equal(concat([daddr.clone(), saddr.clone(), sport]), in_set(&access)),
            json!({ "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": "established" } }),
            grant,
            accept(),
        ]);
        table.rule("forwarded", vec![equal(saddr, in_set(&bastion)), drop()]);
        table.rule("forwarded", vec![equal(daddr, in_set(&bastion)), drop()]);
    }
    table.commented_rule("forwarded", vec![accept()], GRANTS_COMMENT);
    json!({ "nftables": table.into_commands() })
}

/// A table's commands, with the rule at the end that names its state.
fn stamped(mut table: Table, digest: &Digest) -> Vec<Value> {
    table.chain("state");
    let comment = format!("{STATE_COMMENT} {digest}");
    table.commented_rule("state", vec![json!({ "return": null })], &comment);
    table.into_commands()
}

/// Anti-spoofing at the taps.
fn spoof_table(state: &NetworkState) -> Table {
    let mut table = Table::new("bridge", TABLE);
    let (mut mac, mut own4, mut own6) = (vec![], vec![], vec![]);
    let (mut advertise, mut speak) = (vec![], vec![]);
    for guest in &state.guests {
        let tap = tap_name(guest.server);
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
    table.map("advertise", "ifname", "verdict", advertise);
    table.map("speak", "ifname", "verdict", speak);
    table.chain("check");
    for rule in spoof_rules() {
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
    table
}

/// For an address that is reserved for bridges and what is beside them (IEEE 802.1Q, table 8-1): no guest has
/// business there.
fn is_reserved() -> Value {
    let all = json!({ "range": ["01:80:c2:00:00:00", "01:80:c2:00:00:0f"] });
    equal(payload("ether", "daddr"), all)
}

fn spoof_rules() -> Vec<Vec<Value>> {
    let ether = |kind: &str| equal(payload("ether", "type"), json!(kind));
    let from = |field: Value| concat([meta("iifname"), field]);
    let discovery = [
        "nd-neighbor-solicit",
        "nd-neighbor-advert",
        "nd-router-solicit",
    ];
    let link_local = json!({ "prefix": { "addr": "fe80::", "len": 10 } });
    let advertisement = equal(payload("icmpv6", "type"), json!("nd-neighbor-advert"));
    let chosen = |map: &str| json!({ "vmap": { "key": meta("iifname"), "data": map } });
    let mut rules = vec![
        vec![is_reserved(), drop()],
        vec![
            unequal(from(payload("ether", "saddr")), in_set("mac")),
            drop(),
        ],
    ];
    rules.extend(arp_rules());
    rules.extend([
        vec![
            ether("ip"),
            unequal(from(payload("ip", "saddr")), in_set("own4")),
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
            equal(from(payload("ip6", "saddr")), in_set("own6")),
            accept(),
        ],
        // Every other protocol, VLAN tags included.
        vec![drop()],
    ]);
    rules
}

/// ARP: a guest speaks of itself alone.
fn arp_rules() -> Vec<Vec<Value>> {
    let ether = |kind: &str| equal(payload("ether", "type"), json!(kind));
    let from = |field: Value| concat([meta("iifname"), field]);
    vec![
        vec![
            ether("arp"),
            unequal(from(payload("arp", "saddr ether")), in_set("mac")),
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
            unequal(from(payload("arp", "saddr ip")), in_set("own4")),
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
    let mut rules = vec![vec![
        equal(target(64, 128), json!(hex(super::GATEWAY_V6))),
        drop(),
    ]];
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
    rules.push(vec![unequal(target(64, 64), json!(link_local)), drop()]);
    rules
}

fn hex(address: Ipv6Addr) -> String {
    format!("0x{:032x}", u128::from(address))
}

/// The judge.
fn judge_table(state: &NetworkState, bridge: &str) -> Table {
    let mut table = Table::new("inet", TABLE);
    let openings = Openings::of(state);
    table.set(
        "guest4",
        &json!("ipv4_addr"),
        &[],
        to_values(&openings.guest4),
    );
    table.set(
        "guest6",
        &json!("ipv6_addr"),
        &[],
        to_values(&openings.guest6),
    );
    table.set(
        "ping4",
        &json!("ipv4_addr"),
        &[],
        to_values(&openings.ping4),
    );
    table.set(
        "ping6",
        &json!("ipv6_addr"),
        &[],
        to_values(&openings.ping6),
    );
    // Nothing asks for these: they are read back, to compare routes, answers and addresses with.
    let routed = drift::routed(state);
    let of_family = |v4: bool| routed.iter().filter(move |address| address.is_ipv4() == v4);
    let values = |v4| of_family(v4).map(|address| json!(address)).collect();
    table.set("routed4", &json!("ipv4_addr"), &[], values(true));
    table.set("routed6", &json!("ipv6_addr"), &[], values(false));
    let gateways = to_values(&drift::gateways(state));
    table.set("gateway4", &json!("ipv4_addr"), &[], gateways);
    let pools = drift::routed_pools(state);
    for (name, kind, v4) in [("pool4", "ipv4_addr", true), ("pool6", "ipv6_addr", false)] {
        let pools = pools.iter().filter(|(network, _)| network.is_ipv4() == v4);
        // The length of the prefix as a port: nft would print a prefix in several ways.
        let elements = pools.map(|(network, length)| concat([json!(network), json!(length)]));
        table.set(
            name,
            &json!([kind, "inet_service"]),
            &[],
            elements.collect(),
        );
    }
    for (name, kind, ports) in [
        ("tcp4", "ipv4_addr", to_ranges(&openings.tcp4)),
        ("udp4", "ipv4_addr", to_ranges(&openings.udp4)),
        ("tcp6", "ipv6_addr", to_ranges(&openings.tcp6)),
        ("udp6", "ipv6_addr", to_ranges(&openings.udp6)),
    ] {
        table.set(name, &json!([kind, "inet_service"]), &["interval"], ports);
    }
    table.chain("judge");
    for rule in judge_rules() {
        table.rule("judge", rule);
    }
    hook_judge(&mut table, bridge);
    table
}

/// The chains that packets come from: forwarded ones, the host's own, and those for the host.
fn hook_judge(table: &mut Table, bridge: &str) {
    let from_guests = equal(meta("iifname"), json!(bridge));
    let not_from_guests = unequal(meta("iifname"), json!(bridge));
    // What reaches the host by a tap and not by the bridge has passed no check: the tap is off the bridge, or the
    // kernel took a frame for the bridge's own.
    let from_tap = || vec![equal(meta("iifname"), json!(TAPS)), drop()];
    table.base_chain("forwarded", "forward", 0);
    table.rule("forwarded", from_tap());
    for (protocol, set) in [("ip", "guest4"), ("ip6", "guest6")] {
        // A second line behind the taps, and nobody outside may speak as a guest of this host.
        let source = |op: fn(Value, Value) -> Value| op(payload(protocol, "saddr"), in_set(set));
        table.rule(
            "forwarded",
            vec![from_guests.clone(), source(unequal), drop()],
        );
        table.rule(
            "forwarded",
            vec![not_from_guests.clone(), source(equal), drop()],
        );
    }
    table.rule("forwarded", vec![jump("judge")]);
    table.base_chain("sent", "output", 0);
    for redirect in [
        equal(payload("icmp", "type"), json!("redirect")),
        equal(payload("icmpv6", "type"), json!("nd-redirect")),
    ] {
        // Two guests are on one link and still can't reach each other but through the host.
        table.rule(
            "sent",
            vec![equal(meta("oifname"), json!(bridge)), redirect, drop()],
        );
    }
    table.rule("sent", vec![discovery(), accept()]);
    table.rule("sent", vec![jump("judge")]);
    table.base_chain("received", "input", 0);
    table.rule("received", from_tap());
    table.rule("received", vec![not_from_guests, accept()]);
    table.rule("received", vec![established(), accept()]);
    table.rule("received", vec![discovery(), accept()]);
    table.rule("received", vec![drop()]);
}

fn judge_rules() -> Vec<Vec<Value>> {
    let mut rules = vec![
        vec![equal(meta("mark"), json!(MARK_GRANTED)), accept()],
        vec![established(), accept()],
    ];
    for (protocol, family, icmp) in [("ip", "4", "icmp"), ("ip6", "6", "icmpv6")] {
        let daddr = payload(protocol, "daddr");
        for transport in ["tcp", "udp"] {
            let open = concat([daddr.clone(), payload(transport, "dport")]);
            rules.push(vec![
                equal(open, in_set(&format!("{transport}{family}"))),
                accept(),
            ]);
        }
        rules.push(vec![
            equal(payload(icmp, "type"), json!("echo-request")),
            equal(daddr.clone(), in_set(&format!("ping{family}"))),
            accept(),
        ]);
        rules.push(vec![
            equal(daddr, in_set(&format!("guest{family}"))),
            drop(),
        ]);
    }
    rules
}

fn established() -> Value {
    json!({ "match": {
        "op": "in", "left": { "ct": { "key": "state" } }, "right": ["established", "related"],
    } })
}

/// Neighbour discovery between the host and its guests; never forwarded, by its hop limit.
fn discovery() -> Value {
    let kinds = [
        "nd-neighbor-solicit",
        "nd-neighbor-advert",
        "nd-router-solicit",
    ];
    equal(payload("icmpv6", "type"), json!({ "set": kinds }))
}

type Ports<A> = BTreeMap<A, Vec<(u16, u16)>>;

/// What customers opened, by family and protocol; no two ranges of one address touch.
#[derive(Debug, Default)]
struct Openings {
    guest4: BTreeSet<Ipv4Addr>,
    guest6: BTreeSet<Ipv6Addr>,
    ping4: BTreeSet<Ipv4Addr>,
    ping6: BTreeSet<Ipv6Addr>,
    tcp4: Ports<Ipv4Addr>,
    tcp6: Ports<Ipv6Addr>,
    udp4: Ports<Ipv4Addr>,
    udp6: Ports<Ipv6Addr>,
}

impl Openings {
    fn of(state: &NetworkState) -> Self {
        let mut openings = Self::default();
        for guest in &state.guests {
            for address in &guest.nic.addresses {
                match *address {
                    IpAddr::V4(v4) => openings.open4(v4, &guest.nic.openings),
                    IpAddr::V6(v6) => openings.open6(v6, &guest.nic.openings),
                }
            }
        }
        openings
    }

    fn open4(&mut self, address: Ipv4Addr, openings: &[Opening]) {
        self.guest4.insert(address);
        if openings.contains(&Opening::Icmp) {
            self.ping4.insert(address);
        }
        self.tcp4
            .insert(address, merged(openings.iter().filter_map(tcp)));
        self.udp4
            .insert(address, merged(openings.iter().filter_map(udp)));
    }

    fn open6(&mut self, address: Ipv6Addr, openings: &[Opening]) {
        self.guest6.insert(address);
        if openings.contains(&Opening::Icmp) {
            self.ping6.insert(address);
        }
        self.tcp6
            .insert(address, merged(openings.iter().filter_map(tcp)));
        self.udp6
            .insert(address, merged(openings.iter().filter_map(udp)));
    }
}

fn tcp(opening: &Opening) -> Option<(u16, u16)> {
    match *opening {
        Opening::Tcp { first, last } => Some((first, last)),
        Opening::Icmp | Opening::Udp { .. } => None,
    }
}

fn udp(opening: &Opening) -> Option<(u16, u16)> {
    match *opening {
        Opening::Udp { first, last } => Some((first, last)),
        Opening::Icmp | Opening::Tcp { .. } => None,
    }
}

/// Ranges without empty ones, overlaps and neighbours: nft refuses overlapping elements, and with them the
/// whole host's rules.
fn merged(ranges: impl Iterator<Item = (u16, u16)>) -> Vec<(u16, u16)> {
    let mut sorted: Vec<_> = ranges.filter(|(first, last)| first <= last).collect();
    sorted.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (first, last) in sorted {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn to_values<A: serde::Serialize>(addresses: &BTreeSet<A>) -> Vec<Value> {
    addresses.iter().map(|address| json!(address)).collect()
}

fn to_ranges<A: serde::Serialize>(ports: &Ports<A>) -> Vec<Value> {
    let mut elements = Vec::new();
    for (address, ranges) in ports {
        for (first, last) in ranges {
            let range = if first == last {
                json!(first)
            } else {
                json!({ "range": [first, last] })
            };
            elements.push(concat([json!(address), range]));
        }
    }
    elements
}

#[cfg(test)]
mod tests;
