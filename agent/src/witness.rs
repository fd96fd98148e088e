//! What this host was told of the control plane's journal, kept as testimony: a control plane whose journal
//! does not reach what it told before has lost commits (an old copy was put back, or somebody cut it), and is
//! not followed until it begins a new epoch or has caught up.
//!
//! Called by `link` with every answer to a report. Pure; the file is written by [`crate::desired::Store`].

use std::time::Duration;

use innkeeper_wire::{
    host::{KeptWitness, Report, Testimony, Witness},
    time::Timestamp,
};

/// Most witnesses that are kept.
pub const KEPT_MAX: usize = 1_000;
/// How far apart they are kept.
pub const KEPT_APART: Duration = Duration::from_secs(60);

/// What is to be thought of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has not yet shown where its journal stands, and told us before: nothing is accepted yet.
    Unheard,
    /// It knows at least what it told us.
    Current,
    /// It has forgotten what it told us.
    Behind,
}

/// What was told and kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witnesses {
    testimony: Testimony,
    /// The last one that was told; on disk it may be up to [`KEPT_APART`] behind.
    newest: Option<Witness>,
}

impl Witnesses {
    /// What lay on disk.
    #[must_use]
    pub fn new(testimony: Testimony) -> Self {
        let newest = testimony.kept.last().map(|kept| kept.witness);
        Self { testimony, newest }
    }

    /// What goes to disk.
    #[must_use]
    pub fn testimony(&self) -> &Testimony {
        &self.testimony
    }

    /// The last one that was told and believed.
    #[must_use]
    pub fn newest(&self) -> Option<Witness> {
        self.newest
    }

    /// What to think of a control plane at the beginning of a connection.
    #[must_use]
    pub fn at_first(&self) -> Standing {
        match self.newest {
            Some(_) => Standing::Unheard,
            None => Standing::Current,
        }
    }

    /// What to think of a control plane that says that its journal stands at `shown`.
    #[must_use]
    pub fn judge(&self, shown: &Witness) -> Standing {
        let Some(told) = self.newest else {
            return Standing::Current;
        };
        let place = |witness: &Witness| (witness.epoch, witness.sequence);
        // In a later epoch there may be fewer commits: a restore lost some, and said so.
        let is_behind = place(shown) < place(&told)
            || (place(shown) == place(&told) && shown.hash != told.hash);
        if is_behind {
            Standing::Behind
        } else {
            Standing::Current
        }
    }

    /// Takes in a witness of a control plane that is [`Standing::Current`]; whether it is to be written to disk.
    pub fn take(&mut self, shown: Witness, now: Timestamp) -> bool {
        self.newest = Some(shown);
        let kept = &mut self.testimony.kept;
        let is_due = kept.last().is_none_or(|last| {
            let clock_was_set_back = now < last.at;
            last.witness != shown
                && (last.witness.epoch != shown.epoch
                    || clock_was_set_back
                    || now.since(last.at) >= KEPT_APART)
        });
        if is_due {
            let excess = (kept.len() + 1).saturating_sub(KEPT_MAX);
            kept.drain(..excess);
            kept.push(KeptWitness {
                at: now,
                witness: shown,
            });
        }
        is_due
    }
}

/// The report as it goes out: with the newest witness, and of what is on the host only what no manifest of its
/// epoch lists.
#[must_use]
pub fn testify(report: &Report, newest: Option<Witness>) -> Report {
    let mut report = report.clone();
    report.witness = newest;
    if newest.is_some_and(|newest| newest.epoch == report.epoch) {
        let listed: std::collections::BTreeSet<_> =
            report.servers.iter().map(|seen| seen.server).collect();
        report.held.retain(|held| !listed.contains(&held.server));
    }
    report
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        digest::Digest,
        host::{
            HeldServer, HostCapacity, HostHealth, HypervisorState, ObservedServer, ObservedState,
        },
        size::Bytes,
    };

    use super::*;
    use crate::fixtures::server;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn witness(epoch: u64, sequence: u64, history: &str) -> Witness {
        Witness {
            epoch,
            sequence,
            hash: Digest::of(history.as_bytes()),
            tag: Digest::of(b"the control plane's"),
        }
    }

    #[test]
    fn a_control_plane_that_forgot_is_behind_until_its_epoch_is_higher_or_it_caught_up() {
        let mut witnesses = Witnesses::default();
        assert_eq!(witnesses.at_first(), Standing::Current);
        assert_eq!(witnesses.judge(&witness(1, 0, "a")), Standing::Current);
        witnesses.take(witness(3, 100, "a"), at(0));
        assert_eq!(witnesses.at_first(), Standing::Unheard);
        for (shown, expected) in [
            (witness(3, 100, "a"), Standing::Current),
            (witness(3, 101, "b"), Standing::Current),
            (witness(4, 7, "b"), Standing::Current),
            (witness(3, 99, "b"), Standing::Behind),
            (witness(3, 100, "b"), Standing::Behind),
            (witness(2, 4_000, "b"), Standing::Behind),
            (witness(0, 0, "b"), Standing::Behind),
        ] {
            assert_eq!(witnesses.judge(&shown), expected, "{shown:?}");
        }
    }

    #[test]
    fn a_thousand_are_kept_a_minute_apart_and_the_newest_is_always_known() {
        let mut witnesses = Witnesses::default();
        assert!(witnesses.take(witness(1, 1, "a"), at(0)));
        for (second, sequence, is_kept) in [
            (5, 2, false),
            (59, 3, false),
            (60, 4, true),
            (1_000, 4, false),
            (1_001, 5, true),
        ] {
            let shown = witness(1, sequence, "a");
            assert_eq!(witnesses.take(shown, at(second)), is_kept, "{second}");
            assert_eq!(witnesses.newest(), Some(shown));
        }
        assert!(
            witnesses.take(witness(2, 3, "a"), at(1_002)),
            "a new epoch at once"
        );
        assert!(
            witnesses.take(witness(2, 4, "a"), at(10)),
            "the clock was set back"
        );
        for minute in 1..=2_000 {
            let sequence = u64::try_from(minute).expect("positive") + 4;
            witnesses.take(witness(2, sequence, "a"), at(10 + minute * 60));
        }
        let kept = &witnesses.testimony().kept;
        assert_eq!(kept.len(), KEPT_MAX);
        assert_eq!(kept.last().map(|kept| kept.witness), witnesses.newest());
        assert_eq!(kept[0].witness.sequence, 1_005, "the oldest go");
        let read = Witnesses::new(witnesses.testimony().clone());
        assert_eq!(read, witnesses);
    }

    #[test]
    fn after_a_restore_everything_is_reported_and_else_what_nobody_lists() {
        let held = |number| HeldServer {
            server: server(number),
            addresses: vec![std::net::IpAddr::from([192, 0, 2, number])],
        };
        let report = Report {
            epoch: 1,
            generation: 5,
            boot_id: "boot".to_owned(),
            sequence: 1,
            started_at: at(0),
            agent_version: "0".to_owned(),
            features: vec![],
            capacity: HostCapacity {
                cpus: 1,
                memory: Bytes(0),
                disk: Bytes(0),
            },
            hypervisor: HypervisorState::Reachable,
            servers: vec![ObservedServer {
                was_ready: None,
                was_started: None,
                network_cut: false,
                server: server(1),
                state: ObservedState::Stopped,
                power_serial: 1,
                reboots: 0,
                problem: None,
            }],
            strangers: vec![],
            witness: None,
            health: HostHealth::default(),
            load: None,
            held: vec![held(1), held(2)],
            addresses: Vec::new(),
            access: Vec::new(),
        };
        for (newest, expected) in [
            (None, vec![held(1), held(2)]),
            (Some(witness(2, 1, "a")), vec![held(1), held(2)]),
            (Some(witness(1, 1, "a")), vec![held(2)]),
        ] {
            let sent = testify(&report, newest);
            assert_eq!((sent.witness, sent.held), (newest, expected));
        }
    }
}
