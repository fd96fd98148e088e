//! Reads our tables back as `nft -j list table` prints them: what the kernel holds is the truth, for an agent that
//! starts anew as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use innkeeper_wire::{digest::Digest, vm::MacAddress};
use serde_json::Value;

use super::STATE_COMMENT;

/// What was found in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::network) struct Installed {
    /// The state that both tables name.
    pub(in crate::network) state: Digest,
    /// The guests' addresses that they know.
    pub(in crate::network) addresses: BTreeSet<IpAddr>,
    /// Those of them that the network around routes to this host.
    pub(in crate::network) routed: BTreeSet<IpAddr>,
    /// Gateways that the host is itself.
    pub(in crate::network) gateways: BTreeSet<Ipv4Addr>,
    /// Subnets of routed pools: network and length.
    pub(in crate::network) pools: BTreeSet<(IpAddr, u8)>,
    /// The guests' taps, with the hardware address behind each.
    pub(in crate::network) taps: BTreeMap<String, MacAddress>,
}

/// Our tables as `nft -j list table` prints them.
#[derive(Debug, Clone)]
pub(in crate::network) struct Tables {
    /// Those of [`super::TABLES`].
    pub(in crate::network) replaced: [Value; 2],
    /// The grants'.
    pub(in crate::network) grants: Value,
    /// That of [`super::flows`].
    pub(in crate::network) flows: Value,
}

/// Fingerprints of what tables hold, but for what packets and grants put into them: a rule that was replaced by
/// another one shows as well as one that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::network) struct Prints {
    replaced: [Digest; 2],
    /// Of the grants' table.
    pub(in crate::network) grants: Digest,
    /// Of that of [`super::flows`].
    pub(in crate::network) flows: Digest,
}

impl Tables {
    /// What they hold.
    pub(in crate::network) fn prints(&self) -> Prints {
        let is_memory = |set: &Value| set.get("timeout").is_some();
        let [first, second] = &self.replaced;
        Prints {
            replaced: [first, second].map(|table| print(table, is_memory)),
            grants: print_kept(&self.grants),
            flows: print_kept(&self.flows),
        }
    }
}

/// The fingerprint of a table that is kept: others fill all of its sets.
pub(in crate::network) fn print_kept(table: &Value) -> Digest {
    print(table, |_| true)
}

/// The fingerprint of a table, without the elements of sets that others fill, and without what counts or names only.
fn print(table: &Value, is_filled: impl Fn(&Value) -> bool) -> Digest {
    let objects = table["nftables"].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines: Vec<Value> = Vec::new();
    for object in objects
        .iter()
        .filter(|object| object.get("metainfo").is_none())
    {
        let mut object = object.clone();
        for (kind, inner) in object.as_object_mut().into_iter().flatten() {
            let elements_count = !is_filled(inner);
            let Some(inner) = inner.as_object_mut() else {
                continue;
            };
            inner.remove("handle");
            match kind.as_str() {
                "counter" => inner.retain(|name, _| name != "packets" && name != "bytes"),
                "set" | "map" if !elements_count => drop(inner.remove("elem")),
                "set" | "map" => {
                    // Their order is the kernel's.
                    if let Some(elements) = inner.get_mut("elem").and_then(Value::as_array_mut) {
                        elements.sort_by_cached_key(Value::to_string);
                    }
                }
                _ => {}
            }
        }
        lines.push(object);
    }
    Digest::of(&serde_json::to_vec(&lines).expect("plain values"))
}

/// Reads the tables that are replaced. `None` when they name no state, or different ones.
#[must_use]
pub(in crate::network) fn read(tables: &[Value]) -> Option<Installed> {
    let mut states = BTreeSet::new();
    let mut found = Found::default();
    for table in tables {
        let objects = table["nftables"].as_array()?;
        let sets = objects.iter().filter_map(|object| object.get("set"));
        for set in sets {
            let listed = set["elem"].as_array().map_or(&[][..], Vec::as_slice);
            found.take_in(set["name"].as_str()?, listed)?;
        }
        states.insert(comments(table).find_map(read_mark)?);
    }
    let mut states = states.into_iter();
    match (states.next(), states.next()) {
        (Some(state), None) => Some(Installed {
            state,
            addresses: found.addresses,
            routed: found.routed,
            gateways: found.gateways,
            pools: found.pools,
            taps: found.taps,
        }),
        _ => None,
    }
}

/// Comments of a table's rules.
fn comments(table: &Value) -> impl Iterator<Item = &str> {
    let objects = table["nftables"].as_array().map_or(&[][..], Vec::as_slice);
    let rules = objects.iter().filter_map(|object| object.get("rule"));
    rules.filter_map(|rule| rule["comment"].as_str())
}

/// Whether a rule of the table has this comment, by which one that is kept is known to be whole.
#[must_use]
pub(in crate::network) fn has_comment(table: &Value, comment: &str) -> bool {
    comments(table).any(|found| found == comment)
}

/// What the sets say.
#[derive(Default)]
struct Found {
    addresses: BTreeSet<IpAddr>,
    routed: BTreeSet<IpAddr>,
    gateways: BTreeSet<Ipv4Addr>,
    pools: BTreeSet<(IpAddr, u8)>,
    taps: BTreeMap<String, MacAddress>,
}

impl Found {
    /// `None` when an element is not understood.
    fn take_in(&mut self, set: &str, elements: &[Value]) -> Option<()> {
        for element in elements {
            match set {
                "guest4" | "guest6" => {
                    self.addresses.insert(element.as_str()?.parse().ok()?);
                }
                "routed4" | "routed6" => {
                    self.routed.insert(element.as_str()?.parse().ok()?);
                }
                "gateway4" => {
                    self.gateways.insert(element.as_str()?.parse().ok()?);
                }
                "pool4" | "pool6" => {
                    let network = element["concat"][0].as_str()?.parse().ok()?;
                    let length = element["concat"][1].as_u64()?.try_into().ok()?;
                    self.pools.insert((network, length));
                }
                "mac" => {
                    let [tap, mac] = [0, 1].map(|part| element["concat"][part].as_str());
                    self.taps.insert(tap?.to_owned(), mac?.parse().ok()?);
                }
                _ => {}
            }
        }
        Some(())
    }
}

fn read_mark(comment: &str) -> Option<Digest> {
    comment
        .strip_prefix(STATE_COMMENT)?
        .trim_start()
        .parse()
        .ok()
}
