//! A lost second factor (security.md T35): who has the password, but neither app nor recovery codes, asks for the factor to
//! be switched off. Nobody does that alone, and nobody does it fast.
//!
//! ```text
//! none, ended --(asked for, with the password; three times in 30 days at most)--> open
//! open --(one of the staff confirms)--> open --(another one confirms)--> open
//! open --(both have, and 72 hours have passed)--> ended: the factor is off
//! open --(a mailed link, a code of the factor, one of the staff, 14 days, or a restore)--> ended: the factor stays
//! ```

use std::{collections::BTreeMap, time::Duration};

use innkeeper_wire::{id::StaffId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// The factor is not off before that, so that whoever reads the mails can end the request.
pub const WAIT: Duration = Duration::from_hours(72);
/// A request is over after that.
pub const VALID: Duration = Duration::from_hours(14 * 24);
/// How many of the staff must confirm.
pub const CONFIRMATIONS: usize = 2;
/// Who was added to the staff later than this before can't be the one whose confirmation is the last: an intruder would
/// add somebody for that.
const NEWCOMER: Duration = Duration::from_hours(72);
/// Most requests of an account in [`SPAN`].
const REQUESTS_MAX: usize = 3;
/// In which time requests are counted.
const SPAN: Duration = Duration::from_hours(30 * 24);

/// The newest request of an account. It stays for as long as it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostFactor {
    /// When it was made.
    pub requested_at: Timestamp,
    /// The epoch of the store in which it was made: a backup may bring one back that was ended since.
    pub epoch: u64,
    /// How far it is.
    pub phase: Phase,
    /// Hashes of the secrets in the links that end it, by the number of the address that each was mailed to.
    pub links: BTreeMap<u32, String>,
    /// When those before it were made that still count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Timestamp>,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is decided.
    Open {
        /// Who of the staff has confirmed it.
        confirmations: Vec<Confirmation>,
    },
    /// It is over.
    Ended {
        /// What ended it.
        by: Ending,
        /// When.
        at: Timestamp,
    },
}

/// What ends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A link of one of the mails.
    Link,
    /// Somebody had the factor, and used a code of it.
    FactorUsed,
    /// One of the staff.
    Rejected,
    /// Time, or a restore.
    Expired,
    /// The factor was switched off.
    SwitchedOff,
}

/// That somebody has confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Who.
    pub by: Approver,
    /// When.
    pub at: Timestamp,
}

/// Who decides about requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// An operator at the socket: one, however many share the machine.
    Operator,
    /// Somebody of the staff.
    Staff(StaffId),
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A mailed link was used.
    Link,
    /// A code of the factor was used.
    FactorUsed,
    /// One of the staff, who is of it since then, has confirmed.
    Confirmed(Approver, Option<Timestamp>),
    /// One of the staff has rejected it.
    Rejected,
}

/// Why something can't happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is over.
    Over,
    /// He has confirmed it already.
    SamePerson,
    /// Two have confirmed it already.
    Enough,
    /// He was added too lately to be the second.
    Newcomer,
}

impl LostFactor {
    /// The next request of an account, whose earlier ones are these; else when there may be one.
    pub fn asked(before: Option<&Self>, now: Timestamp, epoch: u64) -> Result<Self, Timestamp> {
        let earlier = before.map_or_else(Vec::new, |before| before.counted(now));
        if earlier.len() >= REQUESTS_MAX {
            return Err(earlier[earlier.len() - REQUESTS_MAX].after(SPAN));
        }
        Ok(Self {
            requested_at: now,
            epoch,
            phase: Phase::Open {
                confirmations: Vec::new(),
            },
            links: BTreeMap::new(),
            earlier,
        })
    }

    /// When this and earlier ones were made that still count, the oldest first.
    fn counted(&self, now: Timestamp) -> Vec<Timestamp> {
        let all = self.earlier.iter().copied().chain([self.requested_at]);
        all.filter(|at| now.since(*at) < SPAN).collect()
    }

    /// Whether it is over and counts no more.
    #[must_use]
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        matches!(self.phase, Phase::Ended { .. }) && self.counted(now).is_empty()
    }

    /// From when the factor can be off.
    #[must_use]
    pub fn off_from(&self) -> Timestamp {
        self.requested_at.after(WAIT)
    }

    /// When it is over.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.requested_at.after(VALID)
    }

    /// Who has confirmed it, while it is open.
    #[must_use]
    pub fn open(&self, now: Timestamp, epoch: u64) -> Option<&[Confirmation]> {
        match &self.phase {
            Phase::Open { confirmations } if self.epoch == epoch && now < self.expires_at() => {
                Some(confirmations)
            }
            Phase::Open { .. } | Phase::Ended { .. } => None,
        }
    }

    /// What time alone makes of it.
    #[must_use]
    pub fn due(&self, now: Timestamp, epoch: u64) -> Option<Ending> {
        if matches!(self.phase, Phase::Ended { .. }) {
            return None;
        }
        match self.open(now, epoch) {
            None => Some(Ending::Expired),
            Some(confirmations) => {
                let is_confirmed = confirmations.len() >= CONFIRMATIONS;
                (is_confirmed && now >= self.off_from()).then_some(Ending::SwitchedOff)
            }
        }
    }

    /// What an event makes of it.
    pub fn after(self, event: Event, now: Timestamp, epoch: u64) -> Result<Self, Refusal> {
        let confirmations = self.open(now, epoch).ok_or(Refusal::Over)?;
        let phase = match event {
            Event::Link => ended(Ending::Link, now),
            Event::FactorUsed => ended(Ending::FactorUsed, now),
            Event::Rejected => ended(Ending::Rejected, now),
            Event::Confirmed(by, added_at) => {
                check(confirmations, by, added_at, now)?;
                let mut confirmations = confirmations.to_vec();
                confirmations.push(Confirmation { by, at: now });
                Phase::Open { confirmations }
            }
        };
        Ok(Self { phase, ..self })
    }

    /// The same ended by time.
    #[must_use]
    pub fn ended(self, by: Ending, now: Timestamp) -> Self {
        Self {
            phase: ended(by, now),
            ..self
        }
    }

    /// The same with the link of a mail that is written now to an address, which ends that of an earlier one.
    #[must_use]
    pub fn mailed(mut self, address: u32, secret_hash: String) -> Self {
        self.links.insert(address, secret_hash);
        self
    }

    /// Whether a secret of this hash ends it.
    #[must_use]
    pub fn admits(&self, secret_hash: &str) -> bool {
        self.links.values().any(|hash| hash == secret_hash)
    }
}

fn ended(by: Ending, at: Timestamp) -> Phase {
    Phase::Ended { by, at }
}

fn check(
    confirmations: &[Confirmation],
    by: Approver,
    added_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Refusal> {
    if confirmations.iter().any(|other| other.by == by) {
        return Err(Refusal::SamePerson);
    }
    if confirmations.len() >= CONFIRMATIONS {
        return Err(Refusal::Enough);
    }
    let is_last = confirmations.len() + 1 == CONFIRMATIONS;
    if is_last && added_at.is_some_and(|added_at| now.since(added_at) < NEWCOMER) {
        return Err(Refusal::Newcomer);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
