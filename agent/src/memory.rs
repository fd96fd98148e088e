//! What the agent must not forget between two looks at the host, because the host cannot tell: how often
//! each step of each server was tried, which network state was installed, when tombstones were destroyed.
//!
//! Every attempt is counted here, and the memory stored, *before* it is made: a step that kills the agent
//! is seen to have been tried. Pure values; [`crate::desired::Store`] keeps them on disk, and
//! [`crate::plan`] clears what is settled.

use std::{collections::BTreeMap, time::Duration};

use innkeeper_wire::{id::ServerId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    action::{Action, NetworkState},
    hypervisor::HypervisorError,
};

/// Longest pause between two attempts of a step. Steps are retried for as long as they are wanted.
pub const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Longest time between two looks that is no gap. By so much a jump of the clock can go unnoticed.
pub const LOOK_GAP_MAX: Duration = Duration::from_secs(6 * 3600);
const LOOK_NOTED_EVERY: Duration = Duration::from_secs(3600);
/// Longest account of a failure that is kept, in characters.
pub const DETAIL_CHARS_MAX: usize = 500;

/// Everything that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// By server, for those that have something to remember.
    pub servers: BTreeMap<ServerId, ServerMemory>,
    /// The network state that was seen installed last. It names the addresses of servers that the manifest
    /// no longer describes and whose domains still exist.
    pub network: NetworkState,
    /// The attempts to install another one; `None` when the last was successful.
    pub network_attempt: Option<Attempt>,
    /// When tombstones were destroyed, within the last hour.
    pub purges: Vec<Timestamp>,
    /// Since when this host has been looked at without a gap; `None` before the first look.
    #[serde(default)]
    pub watched: Option<Watched>,
    /// Which servers were ready, and since which start.
    #[serde(default)]
    pub readiness: BTreeMap<ServerId, Readiness>,
    /// Which listed servers were started, as this process knows it: a disk that was put back to an old copy tells
    /// nothing of what was done since. `None` before the first look.
    #[serde(skip)]
    pub starts: Option<BTreeMap<ServerId, Started>>,
}

/// Whether a server was ever started here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// Certainly not: it was asked for, and no start was begun since. No guest ever had its addresses.
    Never,
    /// A start was begun at least.
    Possibly,
}

/// Whether a server was ready. A guest that has answered once counts as ready until it is started anew: a firewall
/// in it that falls silent later is its owner's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "readiness", rename_all = "snake_case")]
pub enum Readiness {
    /// Never since it was made.
    Never,
    /// It was.
    Ready {
        /// The start since which, as [`crate::hypervisor::Domain::started_at`] has it.
        start: Option<Timestamp>,
    },
}

/// A time over which looks followed each other, by the host's clock. What a clock did in a gap nobody knows: it
/// may have jumped ten years ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The first look.
    pub from: Timestamp,
    /// The last one, give or take an hour, so that the memory need not be stored after each.
    pub to: Timestamp,
}

/// What is remembered of one server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServerMemory {
    /// Steps that were tried and whose goal was not seen reached.
    pub attempts: BTreeMap<Step, Attempt>,
    /// Reboots that were asked for while the server did not run: they are not made up for.
    pub reboots_noted: u32,
}

/// The attempts of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What the step is about (a power serial, a count of reboots, the start of a digest; else 0): another
    /// subject counts anew.
    pub subject: u64,
    /// How many were begun.
    pub count: u32,
    /// When the last one began or, if it failed, ended.
    pub last_at: Timestamp,
    /// Why the last failed one failed.
    pub failure: Option<Failure>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// For operators.
    pub detail: String,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// It was tried and did not work.
    Failed,
    /// It did not end in time; whether it had an effect is unknown.
    Deadline,
}

/// Kinds of actions, as they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the action of the same name")]
pub enum Step {
    FetchImage,
    CreateDisk,
    WriteSeed,
    ApplyNetwork,
    Define,
    Start,
    Resume,
    Shutdown,
    PowerOff,
    Reboot,
    NotePower,
    RemoveDomain,
    RemoveSeed,
    BuryDisk,
    PurgeTombstone,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::FetchImage,
        Self::CreateDisk,
        Self::WriteSeed,
        Self::ApplyNetwork,
        Self::Define,
        Self::Start,
        Self::Resume,
        Self::Shutdown,
        Self::PowerOff,
        Self::Reboot,
        Self::NotePower,
        Self::RemoveDomain,
        Self::RemoveSeed,
        Self::BuryDisk,
        Self::PurgeTombstone,
    ];

    /// Whether it is a step towards less, which must not wait for room on a disk.
    #[must_use]
    pub const fn gives_back(self) -> bool {
        match self {
            Self::Shutdown
            | Self::PowerOff
            | Self::NotePower
            | Self::RemoveDomain
            | Self::RemoveSeed
            | Self::BuryDisk
            | Self::PurgeTombstone => true,
            Self::FetchImage
            | Self::CreateDisk
            | Self::WriteSeed
            | Self::ApplyNetwork
            | Self::Define
            | Self::Start
            | Self::Resume
            | Self::Reboot => false,
        }
    }

    /// The kind of an action and its subject.
    #[must_use]
    pub fn of(action: &Action) -> (Self, u64) {
        match action {
            Action::FetchImage(_) => (Self::FetchImage, 0),
            Action::CreateDisk(_) => (Self::CreateDisk, 0),
            Action::WriteSeed(_) => (Self::WriteSeed, 0),
            Action::ApplyNetwork(state) => {
                let digest = state.digest();
                let start = digest.as_bytes().first_chunk().expect("32 bytes hold 8");
                (Self::ApplyNetwork, u64::from_be_bytes(*start))
            }
            Action::Define(_) => (Self::Define, 0),
            Action::Start { serial, .. } => (Self::Start, u64::from(*serial)),
            Action::Resume(_) => (Self::Resume, 0),
            Action::Shutdown { serial, .. } => (Self::Shutdown, u64::from(*serial)),
            Action::PowerOff { serial, .. } => (Self::PowerOff, u64::from(*serial)),
            Action::Reboot { reboots, .. } => (Self::Reboot, u64::from(*reboots)),
            Action::NotePower { serial, .. } => (Self::NotePower, u64::from(*serial)),
            Action::RemoveDomain(_) => (Self::RemoveDomain, 0),
            Action::RemoveSeed(_) => (Self::RemoveSeed, 0),
            Action::BuryDisk(_) => (Self::BuryDisk, 0),
            Action::PurgeTombstone(_) => (Self::PurgeTombstone, 0),
        }
    }
}

impl Memory {
    /// Counts an attempt that is about to be made for `server`. The network belongs to no server.
    pub fn begin(&mut self, server: Option<ServerId>, action: &Action, now: Timestamp) {
        let (step, subject) = Step::of(action);
        match (step, server) {
            (Step::PurgeTombstone, _) => self.purges.push(now),
            (Step::Start, Some(server)) => {
                let starts = self.starts.get_or_insert_default();
                starts.insert(server, Started::Possibly);
            }
            _ => {}
        }
        let fresh = Attempt {
            subject,
            count: 0,
            last_at: now,
            failure: None,
        };
        let attempt = match server {
            Some(server) => {
                let attempts = &mut self.servers.entry(server).or_default().attempts;
                attempts.entry(step).or_insert_with(|| fresh.clone())
            }
            None => self.network_attempt.get_or_insert_with(|| fresh.clone()),
        };
        if attempt.subject != subject {
            *attempt = fresh;
        }
        attempt.count = attempt.count.saturating_add(1);
        attempt.last_at = now;
    }

    /// Notes that the attempt counted last has failed.
    pub fn fail(
        &mut self,
        server: Option<ServerId>,
        action: &Action,
        error: &HypervisorError,
        now: Timestamp,
    ) {
        let (step, subject) = Step::of(action);
        let attempt = match server {
            Some(server) => self
                .servers
                .get_mut(&server)
                .and_then(|memory| memory.attempts.get_mut(&step)),
            None => self.network_attempt.as_mut(),
        };
        // Without an entry its goal was seen reached meanwhile: then it does not matter any more.
        if let Some(attempt) = attempt.filter(|attempt| attempt.subject == subject) {
            attempt.last_at = now;
            attempt.failure = Some(Failure::of(error));
        }
    }

    /// The attempts made at `action`.
    #[must_use]
    pub fn attempt(&self, server: Option<ServerId>, action: &Action) -> Option<&Attempt> {
        let (step, subject) = Step::of(action);
        let attempt = match server {
            Some(server) => self.servers.get(&server)?.attempts.get(&step),
            None => self.network_attempt.as_ref(),
        };
        attempt.filter(|attempt| attempt.subject == subject)
    }
}

impl Memory {
    /// Notes that the host is looked at.
    pub fn look(&mut self, now: Timestamp) {
        let watched = self.watched.get_or_insert(Watched { from: now, to: now });
        let distance = now.since(watched.to).max(watched.to.since(now));
        if distance > LOOK_GAP_MAX {
            *watched = Watched { from: now, to: now };
        } else if now.since(watched.to) >= LOOK_NOTED_EVERY {
            watched.to = now;
        }
    }

    /// How long something from `then` has certainly been there: only the time counts in which the host was
    /// watched.
    #[must_use]
    pub fn age(&self, then: Timestamp, now: Timestamp) -> Duration {
        let watched = self.watched.map_or(now, |watched| watched.from);
        now.since(then.max(watched))
    }
}

impl Attempt {
    /// Whether the next one may be made. A clock that was set back does not stop anything.
    #[must_use]
    pub fn is_due(&self, pause: Duration, now: Timestamp) -> bool {
        now < self.last_at || now.since(self.last_at) >= pause
    }

    /// How long to wait after this many attempts: 1 s, then twice as long each time.
    #[must_use]
    pub fn backoff(&self) -> Duration {
        let doublings = self.count.saturating_sub(1).min(16);
        Duration::from_secs(1 << doublings).min(BACKOFF_MAX)
    }
}

impl Failure {
    fn of(error: &HypervisorError) -> Self {
        let kind = match error {
            HypervisorError::Deadline(_) => FailureKind::Deadline,
            HypervisorError::Unreachable(_) | HypervisorError::Failed { .. } => FailureKind::Failed,
        };
        Self {
            kind,
            detail: error.to_string().chars().take(DETAIL_CHARS_MAX).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn server() -> ServerId {
        ServerId::from_uuid(innkeeper_wire::id::uuid_v7(NOW, [1; 10]))
    }

    fn failed() -> HypervisorError {
        HypervisorError::Failed {
            what: "start".to_owned(),
            reason: "x".repeat(1_000),
        }
    }

    #[test]
    fn all_steps_are_listed() {
        let listed: std::collections::BTreeSet<_> = Step::ALL.into_iter().collect();
        assert_eq!(listed.len(), Step::ALL.len());
        for step in Step::ALL {
            // A step that is missing here does not compile: it belongs into the list as well.
            match step {
                Step::FetchImage | Step::CreateDisk | Step::WriteSeed | Step::ApplyNetwork => {}
                Step::Define | Step::Start | Step::Resume | Step::Shutdown | Step::PowerOff => {}
                Step::Reboot | Step::NotePower | Step::RemoveDomain | Step::RemoveSeed => {}
                Step::BuryDisk | Step::PurgeTombstone => {}
            }
        }
    }

    #[test]
    fn an_attempt_counts_from_its_beginning_and_anew_for_another_subject() {
        let mut memory = Memory::default();
        let start = |serial| Action::Start {
            server: server(),
            serial,
        };
        for count in 1..=3 {
            memory.begin(Some(server()), &start(1), NOW);
            memory.fail(Some(server()), &start(1), &failed(), NOW);
            let attempt = memory.attempt(Some(server()), &start(1)).expect("counted");
            assert_eq!(attempt.count, count);
            let failure = attempt.failure.as_ref().expect("failed");
            assert_eq!(failure.detail.chars().count(), DETAIL_CHARS_MAX);
        }
        assert_eq!(memory.attempt(Some(server()), &start(2)), None);
        memory.begin(Some(server()), &start(2), NOW);
        let attempt = memory.attempt(Some(server()), &start(2)).expect("counted");
        assert_eq!((attempt.count, &attempt.failure), (1, &None));
    }

    #[test]
    fn pauses_grow_to_a_limit_and_survive_a_clock_that_goes_back() {
        let mut attempt = Attempt {
            subject: 0,
            count: 1,
            last_at: NOW,
            failure: None,
        };
        let mut pauses = Vec::new();
        for count in [1, 2, 3, 9, 10, u32::MAX] {
            attempt.count = count;
            pauses.push(attempt.backoff().as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 256, 300, 300]);
        assert!(!attempt.is_due(attempt.backoff(), NOW));
        assert!(attempt.is_due(attempt.backoff(), NOW.after(BACKOFF_MAX)));
        assert!(attempt.is_due(attempt.backoff(), Timestamp::from_millis(0)));
    }

    #[test]
    fn only_watched_time_makes_things_older() {
        let hours = |count: u64| Duration::from_secs(count * 3_600);
        let mut memory = Memory::default();
        assert_eq!(memory.age(NOW, NOW.after(hours(500))), hours(0));
        for hour in 0..=100 {
            memory.look(NOW.after(hours(hour)));
        }
        let hundred = NOW.after(hours(100));
        assert_eq!(memory.age(NOW, hundred), hours(100));
        assert_eq!(memory.age(NOW.after(hours(60)), hundred), hours(40));
        // Small steps happen, back and forth.
        for now in [NOW.after(hours(99)), NOW.after(hours(104))] {
            memory.look(now);
            assert_eq!(memory.age(NOW, now), now.since(NOW));
        }
        for jump in [NOW.after(hours(87_600)), NOW, NOW.after(hours(7))] {
            memory.look(jump);
            assert_eq!(memory.age(NOW, jump), hours(0), "{jump}");
        }
        memory.look(NOW.after(hours(8)));
        assert_eq!(memory.age(NOW, NOW.after(hours(8))), hours(1));
    }

    #[test]
    fn the_stored_form_round_trips() {
        let mut memory = Memory::default();
        memory.begin(Some(server()), &Action::RemoveSeed(server()), NOW);
        memory.begin(None, &Action::ApplyNetwork(NetworkState::default()), NOW);
        memory.begin(Some(server()), &Action::PurgeTombstone(server()), NOW);
        memory.fail(
            None,
            &Action::ApplyNetwork(NetworkState::default()),
            &failed(),
            NOW,
        );
        let json = serde_json::to_string(&memory).expect("plain values");
        assert_eq!(
            serde_json::from_str::<Memory>(&json).expect("round trip"),
            memory
        );
    }
}
