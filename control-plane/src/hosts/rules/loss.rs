//! When a host may be declared lost. Its servers end by that, so nothing less than silence allows it.

use std::time::Duration;

use innkeeper_wire::{operator::hosts::Condition, time::Timestamp};

/// The agent of a revoked host asks again and again, at least once in a minute. One that has asked nothing for this long
/// is off or cut off.
pub const ASKS_WITHIN: Duration = Duration::from_mins(3);

/// Why a host can't be declared lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LossRefusal {
    /// It reports, or did a moment ago.
    #[error("it is heard of: its servers may run. Cordon it, or revoke it and switch it off")]
    Answers,
    /// Nobody has listened for long enough.
    #[error(
        "the control plane was started a moment ago: wait until hosts had the time to be heard"
    )]
    TooEarly,
    /// It has no servers.
    #[error("it has never reported, so no server is on it: `host revoke` is enough")]
    NeverReported,
    /// It may answer, and is not listened to.
    #[error("it is quarantined, so whether it answers is not known: release it or revoke it first")]
    Quarantined,
    /// It is refused, and asks all the same.
    #[error(
        "it is revoked and still asks to be let in: it runs, with its servers. Switch it off first"
    )]
    StillAsks,
    /// That was done before.
    #[error("it was declared lost before; `host fenced` confirms that it is off for good")]
    Lost,
}

/// What is known of a revoked host's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// When the last one was refused, since the start.
    pub refused_at: Option<Timestamp>,
    /// When the control plane was started.
    pub started_at: Timestamp,
}

/// Whether a host may be declared lost at `now`.
///
/// # Errors
/// Why not.
pub fn check_may_be_lost(
    condition: Condition,
    asking: Asking,
    now: Timestamp,
) -> Result<(), LossRefusal> {
    // What lies ahead was noted before the clock was set back: it counts as a moment ago.
    let is_near = |at: Timestamp| now.since(at) < ASKS_WITHIN;
    match condition {
        Condition::Silent { .. } => Ok(()),
        Condition::Heard { .. } | Condition::LibvirtAway { .. } => Err(LossRefusal::Answers),
        Condition::Awaited { .. } => Err(LossRefusal::TooEarly),
        Condition::NeverHeard { .. } => Err(LossRefusal::NeverReported),
        Condition::Quarantined { .. } => Err(LossRefusal::Quarantined),
        Condition::Lost { .. } => Err(LossRefusal::Lost),
        Condition::Revoked { .. } if asking.refused_at.is_some_and(is_near) => {
            Err(LossRefusal::StillAsks)
        }
        Condition::Revoked { .. } if is_near(asking.started_at) => Err(LossRefusal::TooEarly),
        Condition::Revoked { .. } => Ok(()),
    }
}

/// Until when a host can have been heard that is declared lost at `now`.
#[must_use]
pub fn heard_until(condition: Condition, started_at: Timestamp, now: Timestamp) -> Timestamp {
    let heard = match condition {
        Condition::Silent { since, .. } => since,
        // Nothing that it said counted from then on.
        Condition::Revoked { since } => since,
        Condition::Heard { .. }
        | Condition::NeverHeard { .. }
        | Condition::Awaited { .. }
        | Condition::LibvirtAway { .. }
        | Condition::Quarantined { .. }
        | Condition::Lost { .. } => None,
    };
    heard.unwrap_or(started_at).min(now)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::operator::hosts::Quarantine;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn asking(refused_at: Option<i64>) -> Asking {
        Asking {
            refused_at: refused_at.map(at),
            started_at: at(0),
        }
    }

    #[test]
    fn only_a_host_that_is_not_heard_of_may_be_lost() {
        let silent = |since: Option<i64>| Condition::Silent {
            since: since.map(at),
            started_at: at(0),
        };
        let revoked = Condition::Revoked { since: Some(at(5)) };
        let lost = Condition::Lost {
            since: at(1),
            asked_at: None,
        };
        // How it is, when it was refused last, now; whether it may be lost.
        let table = [
            (silent(Some(90)), None, 106, Ok(())),
            (silent(None), None, 106, Ok(())),
            (revoked, None, 180, Ok(())),
            (revoked, None, 179, Err(LossRefusal::TooEarly)),
            (revoked, Some(100), 280, Ok(())),
            (revoked, Some(101), 280, Err(LossRefusal::StillAsks)),
            (revoked, Some(500), 280, Err(LossRefusal::StillAsks)),
            (
                Condition::Heard { at: at(105) },
                None,
                106,
                Err(LossRefusal::Answers),
            ),
            (
                Condition::LibvirtAway { since: at(1) },
                None,
                106,
                Err(LossRefusal::Answers),
            ),
            (
                Condition::Awaited { since: at(100) },
                None,
                106,
                Err(LossRefusal::TooEarly),
            ),
            (
                Condition::NeverHeard { joined_at: at(1) },
                None,
                900,
                Err(LossRefusal::NeverReported),
            ),
            (
                Condition::Quarantined {
                    why: Quarantine::Rewound,
                    since: None,
                },
                None,
                900,
                Err(LossRefusal::Quarantined),
            ),
            (lost, None, 900, Err(LossRefusal::Lost)),
        ];
        for (condition, refused_at, now, expected) in table {
            let checked = check_may_be_lost(condition, asking(refused_at), at(now));
            assert_eq!(checked, expected, "{condition:?} {refused_at:?} {now}");
        }
    }

    #[test]
    fn it_was_heard_at_the_latest_when_that_is_known() {
        let silent = |since| Condition::Silent {
            since,
            started_at: at(50),
        };
        let revoked = |since| Condition::Revoked { since };
        for (condition, expected) in [
            (silent(Some(at(90))), 90),
            (silent(None), 50),
            (revoked(Some(at(20))), 20),
            (revoked(None), 50),
            // The clock was set back since.
            (silent(Some(at(900))), 100),
        ] {
            assert_eq!(heard_until(condition, at(50), at(100)), at(expected));
        }
    }
}
