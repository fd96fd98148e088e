//! What nftables shall hold for a [`NetworkState`]: a pure function to nft's JSON, and its reading back.
//!
//! Four tables, all ours:
//! - `bridge innkeeper` ([`spoof`]): what a guest may send at all, at its tap, in front of everything else; and that
//!   nobody gets what is for others.
//! - `inet innkeeper_grants` ([`grants`]): engineers' timed access. Made when it is missing and never flushed here, since
//!   its elements are known to the kernel only.
//! - `inet innkeeper`: the judge. One chain, jumped to from forward, output and input, so that packets from
//!   outside, between guests and from the host itself are judged alike: grants, parts of TCP connections, answers,
//!   what the customer opened, nothing else.
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
    nft::{Table, accept, concat, drop, equal, in_set, jump, meta, payload, unequal},
    pools,
};
use crate::action::NetworkState;

pub(super) use flows::TABLE as FLOWS_TABLE;
pub(super) use grants::TABLE as GRANTS_TABLE;
pub(super) use read_back::{Installed, Prints, Tables, has_comment, print_kept, read};

pub mod flows;
pub mod grants;
mod read_back;
mod spoof;

/// Those of our tables that are replaced.
pub(super) const TABLES: [(&str, &str); 2] = [("bridge", TABLE), ("inet", TABLE)];
const TABLE: &str = "innkeeper";

/// Mark of packets that a grant lets through: "ik" and a number.
const MARK_GRANTED: u32 = 0x696b_0001;
/// Names of taps begin so; a tap that no set knows may send nothing.
const TAPS: &str = "ik*";
/// Comment of the rule that names a table's state.
const STATE_COMMENT: &str = "state";

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
    for table in [spoof::table(state), judge_table(state, bridge)] {
        commands.extend(stamped(table, &digest));
    }
    json!({ "nftables": commands })
}

/// A table's commands, with the rule at the end that names its state.
fn stamped(mut table: Table, digest: &Digest) -> Vec<Value> {
    table.chain("state");
    let comment = format!("{STATE_COMMENT} {digest}");
    table.commented_rule("state", vec![json!({ "return": null })], &comment);
    table.into_commands()
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
    let routed = pools::routed(state);
    let of_family = |v4: bool| routed.iter().filter(move |address| address.is_ipv4() == v4);
    let values = |v4| of_family(v4).map(|address| json!(address)).collect();
    table.set("routed4", &json!("ipv4_addr"), &[], values(true));
    table.set("routed6", &json!("ipv6_addr"), &[], values(false));
    let gateways = to_values(&pools::gateways(state));
    table.set("gateway4", &json!("ipv4_addr"), &[], gateways);
    let pools = pools::routed_pools(state);
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
    // First the one that the other goes to.
    for (chain, rules) in [("opened", opened_rules()), ("judge", judge_rules())] {
        table.chain(chain);
        for rule in rules {
            table.rule(chain, rule);
        }
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
    // Answers to what the host asked itself, and no errors (*related*): they would be of any of its connections, and
    // have it send smaller packets to whomever a guest names.
    table.rule("received", vec![in_state(json!("established")), accept()]);
    table.rule("received", vec![discovery(), accept()]);
    table.rule("received", vec![drop()]);
}

fn judge_rules() -> Vec<Vec<Value>> {
    let opened = || json!({ "goto": { "target": "opened" } });
    // From whoever began what the kernel takes the packet for a part of.
    let from_beginner = || equal(json!({ "ct": { "key": "direction" } }), json!("original"));
    // Of FIN, SYN, RST and ACK: nft's JSON joins no more than two names.
    let flags = json!({ "&": [payload("tcp", "flags"), 0x17] });
    vec![
        vec![equal(meta("mark"), json!(MARK_GRANTED)), accept()],
        // A TCP connection that begins anew from where an old one came is a part of that for the kernel, for up to five
        // days: the port may have been closed since then, and the address be another server's.
        vec![from_beginner(), equal(flags, json!(0x02)), opened()],
        // Nothing else has a beginning that could be told from what follows, nor an end: whoever goes on sending would
        // reach a closed port forever. Answers to what a guest began are not of this direction, errors are *related*.
        vec![
            in_state(json!("established")),
            from_beginner(),
            unequal(meta("l4proto"), json!("tcp")),
            opened(),
        ],
        vec![in_state(json!(["established", "related"])), accept()],
        vec![opened()],
    ]
}

/// What customers opened, and that their servers get nothing else.
fn opened_rules() -> Vec<Vec<Value>> {
    let mut rules = Vec::new();
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

fn in_state(states: Value) -> Value {
    json!({ "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": states } })
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
