//! When the clock is in doubt (T41). A wall clock that is set, by an attacker who plays the time server, by an empty battery
//! or by hand, must not make years of usage. It is held against the clock that nobody sets, and at a start against the
//! last commit; what it shows in doubt begins and ends nothing that is charged for.

use std::time::Duration;

use innkeeper_wire::{
    api::OutageCause,
    operator::billing::{FreezeCause, FreezeView},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// How far wall and monotonic time may come apart. What a time server does step by step is far below it.
pub const APART_MAX: Duration = Duration::from_mins(5);
/// How long after the last commit a start may be without somebody saying that this was so.
pub const DOWN_MAX: Duration = Duration::from_hours(7 * 24);

/// Both clocks, read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The one that can be set.
    pub wall: Timestamp,
    /// The one that nobody sets; good within one boot of the machine.
    pub monotonic: Duration,
}

impl Reading {
    /// What the wall clock should show at `now`, had nobody set it since.
    #[must_use]
    pub fn expected(self, now: Self) -> Timestamp {
        let passed = millis(now.monotonic).saturating_sub(millis(self.monotonic));
        Timestamp::from_millis(self.wall.as_millis().saturating_add(passed))
    }

    /// Whether the clocks have come apart since then.
    #[must_use]
    pub fn is_apart(self, now: Self) -> bool {
        let expected = i128::from(self.expected(now).as_millis());
        let apart = i128::from(now.wall.as_millis()) - expected;
        apart.unsigned_abs() > APART_MAX.as_millis()
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Why the clock is in doubt that shows `wall` at a start, if it is. An empty store says nothing about it.
#[must_use]
pub fn doubt_at_start(last_commit: Option<Timestamp>, wall: Timestamp) -> Option<FreezeCause> {
    let last = last_commit?;
    if wall < last {
        Some(FreezeCause::StartedBefore)
    } else if wall.since(last) > DOWN_MAX {
        Some(FreezeCause::StartedLate)
    } else {
        None
    }
}

/// That the clock is in doubt. Once somebody has looked at it, it stays until all that waited has been made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The last instant that is known to be good.
    pub since: Timestamp,
    /// Why.
    pub why: FreezeCause,
    /// What the clock showed when that was noticed.
    pub shown: Timestamp,
    /// What it should have shown about then; of a start, when the last commit was made.
    pub expected: Timestamp,
    /// When somebody has said that the clock is right.
    pub thawed_at: Option<Timestamp>,
}

impl Freeze {
    /// Of clocks that have come apart since `anchor`; `last_good` is the last time when they had not.
    #[must_use]
    pub fn while_running(anchor: Reading, last_good: Timestamp, now: Reading) -> Self {
        Self {
            since: last_good,
            why: FreezeCause::ClockSet,
            shown: now.wall,
            expected: anchor.expected(now),
            thawed_at: None,
        }
    }

    /// Of a start, as [`doubt_at_start`] says it. Which of both times is wrong nobody knows, so the earlier one is taken:
    /// nobody is charged up to the later one.
    #[must_use]
    pub fn at_start(last_commit: Option<Timestamp>, wall: Timestamp) -> Option<Self> {
        let why = doubt_at_start(last_commit, wall)?;
        let last_commit = last_commit?;
        Some(Self {
            since: last_commit.min(wall),
            why,
            shown: wall,
            expected: last_commit,
            thawed_at: None,
        })
    }

    /// As operators see it; nothing once it is over.
    #[must_use]
    pub fn view(&self) -> Option<FreezeView> {
        let Self {
            since,
            why,
            shown,
            expected,
            thawed_at,
        } = *self;
        thawed_at.is_none().then_some(FreezeView {
            since,
            why,
            shown,
            expected,
        })
    }
}

/// That the clock was in no doubt where nobody committed anything for a day: a start is held against the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockNote {
    /// Then.
    pub at: Timestamp,
}

/// What of a contract waits for the end of a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingUsage {
    /// Whether usage is to be opened: it would have been meanwhile. Else it is open, and the end of an outage waits.
    pub opens: bool,
    /// By what the server can't be used, as far as that is known now.
    pub outage: Option<OutageCause>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: i64 = 1_790_000_000_000;
    const MINUTES_5: i64 = 5 * 60 * 1_000;
    const DAYS_7: i64 = 7 * 24 * 3_600 * 1_000;
    const YEARS_10: i64 = 10 * 365 * 24 * 3_600 * 1_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn reading(wall: i64, monotonic_ms: u64) -> Reading {
        Reading {
            wall: at(wall),
            monotonic: Duration::from_millis(monotonic_ms),
        }
    }

    #[test]
    fn clocks_are_apart_beyond_five_minutes_in_either_direction_however_long_they_ran() {
        for passed in [0, 1, 30_000, 3_600_000, YEARS_10] {
            let anchor = reading(WALL, 77_000);
            let later = 77_000 + passed.unsigned_abs();
            for (jump, is_apart) in [
                (0, false),
                (1, false),
                (-1, false),
                (MINUTES_5 - 1, false),
                (MINUTES_5, false),
                (MINUTES_5 + 1, true),
                (-MINUTES_5 + 1, false),
                (-MINUTES_5, false),
                (-MINUTES_5 - 1, true),
                (3_600_000, true),
                (-3_600_000, true),
                (YEARS_10, true),
                (-YEARS_10, true),
                (i64::MAX - WALL - passed, true),
                (i64::MIN + WALL, true),
            ] {
                let now = reading(WALL + passed + jump, later);
                assert_eq!(anchor.is_apart(now), is_apart, "{jump} after {passed}");
                assert_eq!(anchor.expected(now), at(WALL + passed));
            }
        }
    }

    #[test]
    fn a_machine_that_slept_is_not_in_doubt_and_one_whose_clocks_both_stood_is() {
        let anchor = reading(WALL, 1_000);
        let slept = reading(WALL + DAYS_7, 1_000 + DAYS_7.unsigned_abs());
        assert!(!anchor.is_apart(slept));
        // A guest that its host has paused: its time server then sets the wall clock alone.
        let paused = reading(WALL + DAYS_7, 1_000);
        assert!(anchor.is_apart(paused));
        let freeze = Freeze::while_running(anchor, at(WALL + 9), paused);
        assert_eq!((freeze.since, freeze.shown), (at(WALL + 9), paused.wall));
        assert_eq!(
            (freeze.expected, freeze.why),
            (anchor.wall, FreezeCause::ClockSet)
        );
    }

    #[test]
    fn a_start_is_held_against_the_last_commit() {
        use FreezeCause::{StartedBefore, StartedLate};
        for (after, doubt) in [
            (0, None),
            (1, None),
            (-1, Some(StartedBefore)),
            (-MINUTES_5, Some(StartedBefore)),
            (-YEARS_10, Some(StartedBefore)),
            (3_600_000, None),
            (DAYS_7 - 1, None),
            (DAYS_7, None),
            (DAYS_7 + 1, Some(StartedLate)),
            (YEARS_10, Some(StartedLate)),
            (i64::MIN + WALL, Some(StartedBefore)),
            (i64::MAX - WALL, Some(StartedLate)),
        ] {
            let (last, wall) = (Some(at(WALL)), at(WALL + after));
            assert_eq!(doubt_at_start(last, wall), doubt, "{after}");
            assert_eq!(doubt_at_start(None, wall), None);
            assert_eq!(Freeze::at_start(None, wall), None);
            let freeze = Freeze::at_start(last, wall);
            assert_eq!(freeze.map(|freeze| freeze.why), doubt);
            let Some(freeze) = freeze else { continue };
            assert_eq!(freeze.since, at(WALL.min(WALL + after)));
            assert_eq!((freeze.shown, freeze.expected), (wall, at(WALL)));
        }
    }

    #[test]
    fn a_freeze_is_seen_until_somebody_has_ended_it() {
        let freeze = Freeze::at_start(Some(at(WALL)), at(0)).expect("in doubt");
        assert_eq!(freeze.view().map(|view| view.since), Some(at(0)));
        let thawed = Freeze {
            thawed_at: Some(at(WALL)),
            ..freeze
        };
        assert_eq!(thawed.view(), None);
    }
}
