//! How a host is, as operators see it: one state of several, each with its time, so that a dead machine, a dead
//! libvirt and a revoked host are told apart.

use innkeeper_wire::time::Timestamp;

use crate::hosts::rules::host::HostState;

pub use innkeeper_wire::operator::hosts::Condition;

/// What is known of a host's reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastReport {
    /// When the newest came.
    pub at: Timestamp,
    /// Whether it came lately.
    pub is_recent: bool,
    /// Since when its libvirt does not answer.
    pub libvirt_away_since: Option<Timestamp>,
}

/// What is known of a host, from which its condition follows.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Whether it may talk to us.
    pub state: HostState,
    /// When that changed last.
    pub changed_at: Option<Timestamp>,
    /// When it was declared lost.
    pub lost_since: Option<Timestamp>,
    /// When it asked for something last, and was refused.
    pub asked_at: Option<Timestamp>,
    /// When it joined.
    pub joined_at: Timestamp,
    /// Whether it ever said what it has.
    pub has_reported: bool,
    /// Its newest report since this control plane was started.
    pub report: Option<LastReport>,
    /// When that was.
    pub started_at: Timestamp,
    /// Whether that was only a moment ago, so that silence means nothing.
    pub is_starting: bool,
}

/// How a host is.
#[must_use]
pub fn condition(known: &Known) -> Condition {
    if let Some(since) = known.lost_since {
        return Condition::Lost {
            since,
            // What it asked for until then is no news.
            asked_at: known.asked_at.filter(|at| *at > since),
        };
    }
    match (known.state, known.report) {
        (HostState::Revoked, _) => Condition::Revoked {
            since: known.changed_at,
        },
        (HostState::Quarantined { why }, _) => Condition::Quarantined {
            why,
            since: known.changed_at,
        },
        (HostState::Active, Some(report)) if !report.is_recent => Condition::Silent {
            since: Some(report.at),
            started_at: known.started_at,
        },
        (HostState::Active, Some(report)) => match report.libvirt_away_since {
            Some(since) => Condition::LibvirtAway { since },
            None => Condition::Heard { at: report.at },
        },
        (HostState::Active, None) if !known.has_reported => Condition::NeverHeard {
            joined_at: known.joined_at,
        },
        (HostState::Active, None) if known.is_starting => Condition::Awaited {
            since: known.started_at,
        },
        (HostState::Active, None) => Condition::Silent {
            since: None,
            started_at: known.started_at,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::rules::host::Quarantine;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn known() -> Known {
        Known {
            state: HostState::Active,
            changed_at: None,
            lost_since: None,
            asked_at: Some(at(70)),
            joined_at: at(1),
            has_reported: true,
            report: Some(LastReport {
                at: at(90),
                is_recent: true,
                libvirt_away_since: None,
            }),
            started_at: at(50),
            is_starting: false,
        }
    }

    #[test]
    fn what_silent_once_meant_is_several_states_each_with_its_time() {
        let report = known().report.expect("one");
        let away = LastReport {
            libvirt_away_since: Some(at(80)),
            ..report
        };
        let old = LastReport {
            is_recent: false,
            ..away
        };
        let with = |report| Known { report, ..known() };
        let revoked = Known {
            state: HostState::Revoked,
            changed_at: Some(at(60)),
            ..known()
        };
        let lost = Known {
            lost_since: Some(at(75)),
            ..revoked
        };
        let returned = Known {
            asked_at: Some(at(80)),
            ..lost
        };
        let quarantined = Known {
            state: HostState::Quarantined {
                why: Quarantine::Rewound,
            },
            ..known()
        };
        let new = Known {
            has_reported: false,
            ..with(None)
        };
        let starting = Known {
            is_starting: true,
            ..with(None)
        };
        let cases = [
            (known(), "heard", "at 1970-01-01T00:01:30Z"),
            (
                with(Some(away)),
                "libvirt-away",
                "since 1970-01-01T00:01:20Z",
            ),
            (with(Some(old)), "silent", "since 1970-01-01T00:01:30Z"),
            (with(None), "silent", "since before 1970-01-01T00:00:50Z"),
            (starting, "awaited", "started 1970-01-01T00:00:50Z"),
            (
                new,
                "joining",
                "joined 1970-01-01T00:00:01Z, never reported",
            ),
            (revoked, "revoked", "since 1970-01-01T00:01:00Z"),
            (lost, "lost", "since 1970-01-01T00:01:15Z"),
            (returned, "lost", "HEARD OF AGAIN at 1970-01-01T00:01:20Z"),
            (quarantined, "quarantined", "since some time"),
        ];
        for (known, name, when) in cases {
            let condition = condition(&known);
            assert_eq!((condition.name(), condition.when().as_str()), (name, when));
        }
    }
}
