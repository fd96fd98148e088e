//! Reads our tables back as `nft -j list table` prints them: what the kernel holds is the truth, for an agent that
//! starts anew as well.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use innkeeper_wire::digest::Digest;
use serde_json::Value;

use super::{GRANTS_COMMENT, STATE_COMMENT};

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
    /// The guests' taps.
    pub(in crate::network) taps: BTreeSet<String>,
}

/// Reads both tables as `nft -j list table` prints them. `None` when one is not whole: a rule or an element is
/// missing or too many, or they name different states.
#[must_use]
pub(in crate::network) fn read(tables: &[Value]) -> Option<Installed> {
    let mut states = BTreeSet::new();
    let mut found = Found::default();
    for table in tables {
        let objects = table["nftables"].as_array()?;
        let rules: Vec<_> = objects
            .iter()
            .filter_map(|object| object.get("rule"))
            .collect();
        let sets = objects
            .iter()
            .filter_map(|object| object.get("set").or(object.get("map")));
        let mut elements = 0;
        for set in sets {
            let listed = set["elem"].as_array().map_or(&[][..], Vec::as_slice);
            elements += listed.len();
            found.take_in(set["name"].as_str()?, listed)?;
        }
        let marks = rules.iter().filter_map(|rule| rule["comment"].as_str());
        let (state, wanted) = marks.filter_map(read_mark).next()?;
        if wanted != (rules.len(), elements) {
            return None;
        }
        states.insert(state);
    }
    let mut states = states.into_iter();
    match (states.next(), states.next()) {
        (Some(state), None) => Some(Installed {
            state,
            addresses: found.addresses,
            routed: found.routed,
            gateways: found.gateways,
            taps: found.taps,
        }),
        _ => None,
    }
}

/// What the sets say.
#[derive(Default)]
struct Found {
    addresses: BTreeSet<IpAddr>,
    routed: BTreeSet<IpAddr>,
    gateways: BTreeSet<Ipv4Addr>,
    taps: BTreeSet<String>,
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
                "mac" => {
                    self.taps.insert(element["concat"][0].as_str()?.to_owned());
                }
                _ => {}
            }
        }
        Some(())
    }
}

/// Whether `nft -j list table inet innkeeper_grants` shows the grants' table whole.
#[must_use]
pub(in crate::network) fn is_grants(table: &Value) -> bool {
    let Some(objects) = table["nftables"].as_array() else {
        return false;
    };
    let rules = objects.iter().filter_map(|object| object.get("rule"));
    let comments = rules.filter_map(|rule| rule["comment"].as_str());
    comments
        .into_iter()
        .any(|comment| comment == GRANTS_COMMENT)
}

fn read_mark(comment: &str) -> Option<(Digest, (usize, usize))> {
    let mut words = comment.strip_prefix(STATE_COMMENT)?.split_whitespace();
    let rules = words.next()?.parse().ok()?;
    let elements = words.next()?.parse().ok()?;
    let state = words.next()?.parse().ok()?;
    Some((state, (rules, elements)))
}
