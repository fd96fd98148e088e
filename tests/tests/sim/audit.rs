//! What the journal of a history says: it replays to the state that is served, and each step in it is one that
//! may be made.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use innkeeper_control_plane::{
    addresses::rules::pools::AddressClaim,
    nouns::Nouns,
    store::{
        Entry, JournalError, Key, Write, replay,
        simulated::{MemoryHome, SimulatedDisk, open_in_turns},
    },
};
use innkeeper_wire::{id::ServerId, time::Timestamp};

use crate::{installation::options, oracle::decode};

/// How long an address rests, as was promised.
const REST: Duration = Duration::from_secs(3_600);

/// Everything that is wrong with it.
pub(crate) fn breaches(
    nouns: &Nouns,
    disk: &SimulatedDisk,
    started: &BTreeSet<ServerId>,
) -> Vec<String> {
    let mut audit = Audit {
        started: started.clone(),
        ..Audit::default()
    };
    let replayed = replay(disk, |entry: Entry| {
        audit.commit(&entry);
        Ok::<(), JournalError>(())
    });
    if let Err(error) = replayed {
        audit.breaches.push(format!("the journal: {error}"));
        return audit.breaches;
    }
    // Index and journal: the same records, by another way.
    match open_in_turns(&disk.copy(), &MemoryHome::default(), &options()) {
        Ok((again, _, _)) => {
            let all = |store: &innkeeper_control_plane::store::Store| {
                store.range("", None, 100_000).expect("readable")
            };
            if all(&again) != all(nouns.ctx.store()) || again.head() != nouns.ctx.store().head() {
                let what = "the journal replays to another state than the one that is served";
                audit.breaches.push(what.to_owned());
            }
        }
        Err(error) => audit
            .breaches
            .push(format!("the journal does not open: {error}")),
    }
    audit.breaches
}

#[derive(Default)]
struct Audit {
    /// Who has an address, and since when.
    addresses: BTreeMap<Key, (AddressClaim, Timestamp)>,
    /// Servers that some host has started.
    started: BTreeSet<ServerId>,
    generations: BTreeMap<Key, u64>,
    breaches: Vec<String>,
}

impl Audit {
    fn commit(&mut self, entry: &Entry) {
        for write in &entry.commit.writes {
            let Write::Put(key, value) = write else {
                continue;
            };
            if key.as_str().starts_with("addr/") {
                self.address(entry, key, decode(value));
            } else if key.as_str().starts_with("manifest/") {
                let head: serde_json::Value = decode(value);
                let next = head["generation"].as_u64().unwrap_or_default();
                let before = self.generations.insert(key.clone(), next);
                if before.is_some_and(|before| before >= next) {
                    self.breaches
                        .push(format!("{key} went from {before:?} to {next}"));
                }
            }
        }
    }

    /// An address goes from nobody to a server, then rests, and goes on only when it has rested. One of a server that no
    /// host ever started needs no rest.
    fn address(&mut self, entry: &Entry, key: &Key, next: AddressClaim) {
        let now = entry.commit.at;
        let before = self.addresses.insert(key.clone(), (next, now));
        let is_right = match (before, next) {
            (None, AddressClaim::Held { .. } | AddressClaim::Unlisted { .. }) => true,
            (Some((AddressClaim::Resting { until }, _)), AddressClaim::Held { .. }) => now >= until,
            (Some((AddressClaim::Held { server }, _)), AddressClaim::Resting { until }) => {
                until.since(now) >= REST || !self.started.contains(&server)
            }
            // Somebody whom a restore made unknown uses it.
            (
                Some((AddressClaim::Held { .. } | AddressClaim::Resting { .. }, _)),
                AddressClaim::Unlisted { .. },
            ) => true,
            (None | Some(_), _) => false,
        };
        if !is_right {
            self.breaches
                .push(format!("{key} went from {before:?} to {next:?} at {now}"));
        }
    }
}
