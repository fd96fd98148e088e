//! Engineers' timed access: the table `inet innkeeper_grants`, in front of the judge. It is made when it is missing or not
//! as it was, and never flushed here: what its sets hold the kernel ends by itself, whether an agent runs or not.
//!
//! A connection that an engineer has opened is known by the kernel's note of who opened it. What belongs to it passes by
//! the timed sets alone, in both directions and before anything that is *established* passes, so that the end of a grant
//! is the end of a running session. Everything else of engineers is dropped, whatever the customer has opened to the
//! world. What a guest opens to an engineer's address is judged as any other connection.
//!
//! The timed sets have no source in their key: engineers come from networks, which would make it a range, and sets of
//! ranges with several fields and timeouts (`pipapo`) are what nftables has had most faults in. Sets of single values are
//! plain hash tables. They are keyed by what a grant is for, so adding and deleting a grant is one element for each address.
//!
//! Counters live in sets of their own, without timeouts: an element's time is changed by deleting it and adding it anew,
//! which would take its counter with it.
//!
//! The kernel's notes of connections are left as they are when a grant ends. A session whose note was deleted would begin
//! anew with the next packet of its guest, as a connection that the guest opened; no first packet of a TCP connection to
//! an engineer passes but one that begins it. And who is let in again soon finds his session alive.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use innkeeper_wire::{id::GrantId, ip_network::IpNetwork};
use serde_json::Value;

use super::MARK_GRANTED;

/// Its name, of family `inet`.
pub(in crate::network) const TABLE: &str = "innkeeper_grants";
/// Suffixes of its sets' names, with what is different in each family: the type of addresses, the protocol, and that of
/// errors.
const FAMILIES: [(&str, &str, &str, &str); 2] = [
    ("4", "ipv4_addr", "ip", "icmp"),
    ("6", "ipv6_addr", "ip6", "ipv6-icmp"),
];

/// Where engineers are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Door {
    /// An address of a guest.
    pub address: IpAddr,
    /// A TCP port.
    pub port: u16,
}

/// What a counter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The grant that it was made for; `None` when it does not say.
    pub grant: Option<GrantId>,
    /// Packets of engineers that came in.
    pub packets: u64,
}

/// What the table holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Open doors, with the whole seconds that each is open for, rounded down; `None`: without end, which is nothing that
    /// an agent has done.
    pub open: BTreeMap<Door, Option<u32>>,
    /// Counters.
    pub counted: BTreeMap<Door, Counted>,
    /// Who is an engineer.
    pub engineers: Sources,
}

/// What shall become different, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Who is an engineer.
    pub engineers: Option<Sources>,
    /// Doors that shall be open for so long from now on, whatever they are now.
    pub open: BTreeMap<Door, Duration>,
    /// Doors that shall be closed.
    pub close: BTreeSet<Door>,
    /// Counters that shall begin at zero.
    pub count: BTreeMap<Door, GrantId>,
    /// Counters that shall go.
    pub forget: BTreeSet<Door>,
}

/// A set of addresses, in whatever networks it was given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources(Vec<Span>);

/// A family, and the first and last address of a range in it.
type Span = (IpVersion, u128, u128);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum IpVersion {
    V4,
    V6,
}

impl Door {
    fn suffix(self) -> &'static str {
        if self.address.is_ipv4() { "4" } else { "6" }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} . {}", self.address, self.port)
    }
}

impl Changes {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Sources {
    /// The addresses of some networks.
    #[must_use]
    pub fn of(networks: &[IpNetwork]) -> Self {
        Self::merged(networks.iter().copied().map(span).collect())
    }

    /// The same for every way to write them.
    fn merged(mut spans: Vec<Span>) -> Self {
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::new();
        for (version, first, last) in spans {
            match merged.last_mut() {
                Some((before, _, end)) if *before == version && first <= end.saturating_add(1) => {
                    *end = last.max(*end);
                }
                _ => merged.push((version, first, last)),
            }
        }
        Self(merged)
    }
}

fn bits(address: IpAddr) -> (IpVersion, u128) {
    match address {
        IpAddr::V4(v4) => (IpVersion::V4, v4.to_bits().into()),
        IpAddr::V6(v6) => (IpVersion::V6, v6.to_bits()),
    }
}

fn address(version: IpVersion, bits: u128) -> IpAddr {
    match version {
        IpVersion::V4 => Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into(),
        IpVersion::V6 => Ipv6Addr::from_bits(bits).into(),
    }
}

fn span(network: IpNetwork) -> Span {
    let (version, first) = bits(network.first());
    let longest = match version {
        IpVersion::V4 => 32,
        IpVersion::V6 => 128,
    };
    let host_bits = longest - u32::from(network.prefix());
    let hosts = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
    (version, first, first | hosts)
}

/// Comment of the rule that says that the table is whole, and for which bridge.
#[must_use]
pub(in crate::network) fn comment(bridge: &str) -> String {
    format!("grants 2 {bridge}")
}

/// The transaction that makes the table anew, without any grant, in nft's language: its JSON knows no milliseconds, which
/// [`change`] needs.
#[must_use]
pub fn ruleset(bridge: &str, engineers: &Sources) -> String {
    let mut text =
        format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n");
    for (suffix, kind, protocol, errors) in FAMILIES {
        text.push_str(&format!(
            "set engineers{suffix} {{ type {kind}; flags interval; }}\n\
             set access{suffix} {{ type {kind} . inet_service; flags timeout; }}\n\
             set seen{suffix} {{ type {kind} . inet_service; counter; }}\n"
        ));
        let original = format!("ct direction original {protocol} daddr . tcp dport");
        let reply = format!("ct direction reply {protocol} saddr . tcp sport");
        // Errors about a session come from whoever is on the way, and are needed: without them packets that are too
        // large for it vanish.
        let error = format!(
            "meta l4proto {errors} ct state related ct protocol tcp \
             ct original {protocol} daddr . ct original proto-dst"
        );
        let grant = format!("@access{suffix} meta mark set {MARK_GRANTED:#x} accept");
        text.push_str(&format!(
            "chain opened{suffix} {{\n\
             {original} @access{suffix} {protocol} daddr . tcp dport @seen{suffix}\n\
             {original} {grant}\n{reply} {grant}\n{error} {grant}\ndrop\n}}\n"
        ));
    }
    text.push_str("chain forwarded {\ntype filter hook forward priority -10; policy accept;\n");
    // What others forward on this host is none of our business.
    text.push_str(&format!(
        "iifname != \"{bridge}\" oifname != \"{bridge}\" accept\n"
    ));
    for (suffix, _, protocol, _) in FAMILIES {
        let engineers_set = format!("@engineers{suffix}");
        // Of what has no connection nobody knows who opened it.
        let none = "ct state invalid,untracked drop";
        // The kernel takes any packet for the first one of a connection that it does not know.
        let no_beginning = "ct state new tcp flags & (fin|syn|rst|ack) != syn drop";
        text.push_str(&format!(
            "ct original {protocol} saddr {engineers_set} goto opened{suffix}\n\
             {protocol} saddr {engineers_set} {none}\n\
             {protocol} daddr {engineers_set} {none}\n\
             {protocol} daddr {engineers_set} {no_beginning}\n"
        ));
    }
    text.push_str(&format!("accept comment \"{}\"\n}}\n}}\n", comment(bridge)));
    text.push_str(&name_engineers(engineers));
    text
}

/// The transaction for some changes.
#[must_use]
pub(in crate::network) fn change(changes: &Changes) -> String {
    let mut text = String::new();
    if let Some(engineers) = &changes.engineers {
        for (suffix, ..) in FAMILIES {
            text.push_str(&format!("flush set inet {TABLE} engineers{suffix}\n"));
        }
        text.push_str(&name_engineers(engineers));
    }
    for door in &changes.close {
        delete(&mut text, "access", *door, " timeout 1s");
    }
    for door in &changes.forget {
        delete(&mut text, "seen", *door, "");
    }
    for (door, grant) in &changes.count {
        delete(&mut text, "seen", *door, "");
        add(&mut text, "seen", *door, &format!(" comment \"{grant}\""));
    }
    for (door, left) in &changes.open {
        delete(&mut text, "access", *door, " timeout 1s");
        let (seconds, millis) = (left.as_secs(), left.subsec_millis());
        let timeout = format!(" timeout {seconds}s{millis}ms");
        add(&mut text, "access", *door, &timeout);
    }
    text
}

fn add(text: &mut String, set: &str, door: Door, rest: &str) {
    let suffix = door.suffix();
    let line = format!("add element inet {TABLE} {set}{suffix} {{ {door}{rest} }}");
    writeln!(text, "{line}").expect("writing to memory does not fail");
}

/// An element may have ended by itself a moment ago, and deleting what is not there fails: so it is added first.
fn delete(text: &mut String, set: &str, door: Door, rest: &str) {
    add(text, set, door, rest);
    let suffix = door.suffix();
    let line = format!("delete element inet {TABLE} {set}{suffix} {{ {door} }}");
    writeln!(text, "{line}").expect("writing to memory does not fail");
}

/// Adds addresses to the sets of engineers.
fn name_engineers(engineers: &Sources) -> String {
    let mut text = String::new();
    for (version, first, last) in &engineers.0 {
        let [first, last] = [first, last].map(|bits| address(*version, *bits));
        let suffix = if first.is_ipv4() { "4" } else { "6" };
        let range = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        text.push_str(&format!(
            "add element inet {TABLE} engineers{suffix} {{ {range} }}\n"
        ));
    }
    text
}

/// Reads the table as `nft -j list table` prints it.
#[must_use]
pub(in crate::network) fn read(table: &Value) -> Held {
    let objects = table["nftables"].as_array().map_or(&[][..], Vec::as_slice);
    let mut held = Held::default();
    let mut spans = Vec::new();
    for set in objects.iter().filter_map(|object| object.get("set")) {
        let elements = set["elem"].as_array().map_or(&[][..], Vec::as_slice);
        match set["name"].as_str().unwrap_or_default() {
            "access4" | "access6" => held.open.extend(elements.iter().filter_map(open)),
            "seen4" | "seen6" => held.counted.extend(elements.iter().filter_map(counted)),
            "engineers4" | "engineers6" => spans.extend(elements.iter().filter_map(source)),
            _ => {}
        }
    }
    held.engineers = Sources::merged(spans);
    held
}

fn open(element: &Value) -> Option<(Door, Option<u32>)> {
    let with = element.get("elem");
    let timed = with.filter(|inner| inner.get("timeout").is_some());
    let left = timed.map(|inner| inner["expires"].as_u64().unwrap_or(0));
    let left = left.map(|left| u32::try_from(left).unwrap_or(u32::MAX));
    Some((door(element)?, left))
}

fn counted(element: &Value) -> Option<(Door, Counted)> {
    let with = &element["elem"];
    let grant = with["comment"].as_str().and_then(|text| text.parse().ok());
    let packets = with["counter"]["packets"].as_u64().unwrap_or(0);
    Some((door(element)?, Counted { grant, packets }))
}

/// An element alone, or with what belongs to it.
fn door(element: &Value) -> Option<Door> {
    let value = element.get("elem").map_or(element, |inner| &inner["val"]);
    Some(Door {
        address: value["concat"][0].as_str()?.parse().ok()?,
        port: value["concat"][1].as_u64()?.try_into().ok()?,
    })
}

fn source(element: &Value) -> Option<Span> {
    let address = |value: &Value| -> Option<IpAddr> { value.as_str()?.parse().ok() };
    if let Some(range) = element.get("range") {
        let (version, first) = bits(address(&range[0])?);
        let (_, last) = bits(address(&range[1])?);
        return Some((version, first, last));
    }
    let network = match element.get("prefix") {
        Some(prefix) => format!("{}/{}", prefix["addr"].as_str()?, prefix["len"]),
        None => element.as_str()?.to_owned(),
    };
    network.parse().ok().map(span)
}

#[cfg(test)]
mod tests;
