//! Which grants there are and until when, on a clock that nobody sets, and what has to change in the kernel for it. Pure:
//! `now` is how long the machine is up ([`innkeeper_wire::time::Clock::monotonic`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use innkeeper_wire::{
    host::{Access, AccessTerms, GRANTS_PER_HOST_MAX, ObservedAccess},
    id::GrantId,
};

use crate::{
    desired::{Desired, Wanted},
    network::rules::grants::{Changes, Door, Held, Sources},
};

/// An open door gets more time only when that is at least such a part of the lease: bursts of answers are no reason for as
/// many changes.
const GAIN_MIN: u32 = 12;
/// Most grants that are remembered, those that are withdrawn included.
const KEPT_MAX: usize = 4 * GRANTS_PER_HOST_MAX;

/// An answer to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When the report was sent. What the control plane's clock showed in the answer it showed then or later, so that
    /// nothing that is reckoned from here ends later than it means.
    pub asked_at: Duration,
    /// What it says.
    pub terms: AccessTerms,
}

/// What this process was told of grants.
#[derive(Debug, Clone)]
pub struct Ledger {
    lease: Duration,
    told: BTreeMap<GrantId, Told>,
    heard: Option<Answer>,
}

/// A grant as it was told.
#[derive(Debug, Clone)]
struct Told {
    access: Access,
    /// When, at the latest, it ends by how long it was granted for.
    most: Duration,
    /// When it ends by what answers have said; `None` before the first.
    end: Option<Duration>,
}

impl Told {
    /// Takes in an answer: it can only shorten.
    fn hear(&mut self, answer: &Answer) {
        let left = self.access.until.since(answer.terms.now);
        let end = answer.asked_at.saturating_add(left).min(self.most);
        self.end = Some(self.end.map_or(end, |before| before.min(end)));
    }
}

/// How long something shall be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// For so long; not at all if that is nothing.
    For(Duration),
    /// As long as it is: nobody has told this process the time yet, and what was there before it ends by itself.
    AsItIs,
}

impl Ledger {
    /// One that was told nothing. `lease` is how long engineers are let in after the control plane was heard last.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            told: BTreeMap::new(),
            heard: None,
        }
    }

    /// Takes in the grants of the desired state.
    pub fn tell(&mut self, access: &[Access], now: Duration) {
        // One that is withdrawn and told again gets no more time by that.
        if self.told.len() > KEPT_MAX {
            let listed: BTreeSet<_> = access.iter().map(|access| access.grant).collect();
            self.told
                .retain(|grant, told| listed.contains(grant) || told.most > now);
        }
        for access in access.iter().take(GRANTS_PER_HOST_MAX) {
            let known = self.told.get(&access.grant);
            if known.is_some_and(|known| known.access == *access) {
                continue;
            }
            let mut told = Told {
                access: access.clone(),
                most: now.saturating_add(Duration::from_secs(access.seconds.into())),
                end: None,
            };
            if let Some(answer) = &self.heard {
                told.hear(answer);
            }
            self.told.insert(access.grant, told);
        }
    }

    /// Takes in an answer.
    pub fn hear(&mut self, answer: &Answer) {
        for told in self.told.values_mut() {
            told.hear(answer);
        }
        self.heard = Some(answer.clone());
    }

    /// What has to change in the kernel for the desired state.
    #[must_use]
    pub fn changes(&self, desired: &Desired, held: &Held, now: Duration) -> Changes {
        let mut changes = Changes::default();
        if let Some(answer) = &self.heard {
            let engineers = Sources::of(&answer.terms.engineers);
            changes.engineers = (engineers != held.engineers).then_some(engineers);
        }
        let doors = self.doors(desired, now);
        for (door, grants) in &doors {
            match self.wish(grants, now) {
                Wish::AsItIs => {}
                Wish::For(left) if left.is_zero() => {
                    changes.close.extend(held.open.get(door).map(|_| *door));
                }
                Wish::For(left) => {
                    let found = held.open.get(door).copied();
                    if is_other(found, left, self.lease / GAIN_MIN) {
                        changes.open.insert(*door, left);
                    }
                    let counts = held.counted.get(door).and_then(|counted| counted.grant);
                    if !counts.is_some_and(|counted| grants.contains(&counted)) {
                        let first = grants.first().map(|grant| (*door, *grant));
                        changes.count.extend(first);
                    }
                }
            }
        }
        let is_unwanted = |door: &&Door| !doors.contains_key(door);
        let closed = held.open.keys().filter(is_unwanted);
        changes.close.extend(closed.copied());
        let forgotten = held.counted.keys().filter(is_unwanted);
        changes.forget.extend(forgotten.copied());
        changes
    }

    /// What is to be reported of what the kernel holds.
    #[must_use]
    pub fn observed(&self, desired: &Desired, held: &Held, now: Duration) -> Vec<ObservedAccess> {
        let mut observed = BTreeMap::new();
        for (door, grants) in self.doors(desired, now) {
            let Some(Some(seconds)) = held.open.get(&door) else {
                continue;
            };
            // The kernel's own time, which is printed rounded down; of several grants for one door each has its own.
            let kernel = seconds.saturating_add(1);
            let packets = held.counted.get(&door).map_or(0, |counted| counted.packets);
            for grant in grants {
                let own = self.left(grant, now).map(ceiling);
                let left_s = own.map_or(kernel, |own| own.min(kernel));
                let entry = observed.entry(grant).or_insert((0, 0));
                *entry = (left_s.max(entry.0), packets.saturating_add(entry.1));
            }
        }
        let entries = observed.into_iter();
        let entries = entries.map(|(grant, (left_s, packets))| ObservedAccess {
            grant,
            left_s,
            packets,
        });
        entries.collect()
    }

    /// What is open for grants that are not over: of servers that shall exist, at their own addresses.
    fn doors(&self, desired: &Desired, now: Duration) -> BTreeMap<Door, BTreeSet<GrantId>> {
        let mut doors: BTreeMap<Door, BTreeSet<GrantId>> = BTreeMap::new();
        for access in &desired.access {
            let is_over = |told: &Told| told.end.is_some_and(|end| end <= now);
            let Some(Wanted::Present(spec)) = desired.servers.get(&access.server) else {
                continue;
            };
            if self.told.get(&access.grant).is_none_or(is_over) {
                continue;
            }
            for address in &spec.network.addresses {
                let door = Door {
                    address: *address,
                    port: access.port,
                };
                doors.entry(door).or_default().insert(access.grant);
            }
        }
        doors
    }

    fn wish(&self, grants: &BTreeSet<GrantId>, now: Duration) -> Wish {
        let Some(answer) = &self.heard else {
            return Wish::AsItIs;
        };
        let leased = answer.asked_at.saturating_add(self.lease);
        let leased = leased.saturating_sub(now);
        let longest = grants.iter().filter_map(|grant| self.left(*grant, now));
        Wish::For(longest.max().unwrap_or_default().min(leased))
    }

    /// How much of a grant's own time is left; `None` while nobody knows.
    fn left(&self, grant: GrantId, now: Duration) -> Option<Duration> {
        let told = self.told.get(&grant)?;
        Some(told.end?.saturating_sub(now))
    }
}

/// Whether a door that is to be open for `left` has to be changed for that. What the kernel shows is rounded down.
fn is_other(found: Option<Option<u32>>, left: Duration, gain: Duration) -> bool {
    let Some(Some(seconds)) = found else {
        return true;
    };
    let found = Duration::from_secs(seconds.into());
    found > left || found.saturating_add(gain) <= left
}

fn ceiling(span: Duration) -> u32 {
    let seconds = span.as_millis().div_ceil(1_000);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
