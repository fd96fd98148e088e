//! Which of what needs a person is told to the staff by mail. Each thing has a record once it was told, so that a restart
//! does not tell it again; what ended and begins anew is told anew.
//!
//! ```text
//! (not known) --(it is there: told)--> told --(it is away)--> away
//! away --(it is there again within 10 minutes)--> told, and nobody hears of it
//! away --(it is there again later, and an hour after it was told: told)--> told
//! away --(10 minutes later, and an hour after it was told)--> (not known)
//! ```
//!
//! The ten minutes are there since some of what is known is forgotten at a restart, and found out again some minutes later.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use innkeeper_wire::{
    operator::attention::{Matter, MatterKind, Urgency},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What is away for less than this has not ended.
const ENDED_AFTER: Duration = Duration::from_mins(10);
/// One thing is told at most once in this time.
const TOLD_AGAIN: Duration = Duration::from_hours(1);

/// What tells one thing from another: what it is, and what it is about.
pub type AlertKey = (String, String);

/// That the staff were told of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// When.
    pub told_at: Timestamp,
    /// Since when it is away; none while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_since: Option<Timestamp>,
}

/// What is to be told, and what is to be kept of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is told now.
    pub told: Vec<Matter>,
    /// The records that change, those of what is told first; none for one that goes.
    pub changes: Vec<(AlertKey, Option<Alert>)>,
}

/// Whether the staff are told by mail.
const fn is_told(kind: MatterKind) -> bool {
    matches!(kind.urgency(), Urgency::Now)
        || matches!(kind, MatterKind::AccountWaits | MatterKind::FactorWaits)
}

/// Under which name it is kept.
fn key(matter: &Matter) -> AlertKey {
    let subject = matter.subject.as_deref().unwrap_or("-");
    (matter.kind.as_str().to_owned(), subject.to_owned())
}

/// Decides by what needs a person now, and what the staff were told of.
#[must_use]
pub fn decide(matters: &[Matter], known: &BTreeMap<AlertKey, Alert>, now: Timestamp) -> Decision {
    let (mut decision, mut later) = (Decision::default(), Vec::new());
    let mut there = BTreeSet::new();
    for matter in matters.iter().filter(|matter| is_told(matter.kind)) {
        let key = key(matter);
        // A host may have several faults: its list says which.
        if !there.insert(key.clone()) {
            continue;
        }
        let told = Alert {
            told_at: now,
            away_since: None,
        };
        match known.get(&key) {
            None => {}
            Some(alert) => match alert.away_since {
                None => continue,
                Some(since) if now.since(since) < ENDED_AFTER => {
                    let again = Alert {
                        away_since: None,
                        ..alert.clone()
                    };
                    later.push((key, Some(again)));
                    continue;
                }
                Some(_) if now.since(alert.told_at) < TOLD_AGAIN => continue,
                Some(_) => {}
            },
        }
        decision.told.push(matter.clone());
        decision.changes.push((key, Some(told)));
    }
    for (key, alert) in known.iter().filter(|(key, _)| !there.contains(*key)) {
        let is_over =
            |since| now.since(since) >= ENDED_AFTER && now.since(alert.told_at) >= TOLD_AGAIN;
        match alert.away_since {
            None => {
                let away = Alert {
                    away_since: Some(now),
                    ..alert.clone()
                };
                later.push((key.clone(), Some(away)));
            }
            Some(since) if is_over(since) => later.push((key.clone(), None)),
            Some(_) => {}
        }
    }
    decision.changes.extend(later);
    decision
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    fn matter(kind: MatterKind, subject: Option<&str>) -> Matter {
        Matter {
            kind,
            urgency: kind.urgency(),
            since: None,
            subject: subject.map(str::to_owned),
            detail: Some("more of it".to_owned()),
            advice: String::new(),
        }
    }

    /// Keeps what a decision says.
    fn turn(
        known: &mut BTreeMap<AlertKey, Alert>,
        matters: &[Matter],
        now: Timestamp,
    ) -> Vec<Matter> {
        let decision = decide(matters, known, now);
        for (key, alert) in decision.changes {
            match alert {
                Some(alert) => known.insert(key, alert),
                None => known.remove(&key),
            };
        }
        decision.told
    }

    #[test]
    fn what_is_urgent_is_told_and_what_waits_for_a_decision() {
        for kind in MatterKind::ALL {
            let told = turn(&mut BTreeMap::new(), &[matter(*kind, Some("h1"))], at(0));
            let waits = [MatterKind::AccountWaits, MatterKind::FactorWaits];
            let expected = kind.urgency() == Urgency::Now || waits.contains(kind);
            assert_eq!(!told.is_empty(), expected, "{kind:?}");
        }
    }

    #[test]
    fn each_thing_is_told_once_while_it_lasts() {
        let (silent, of_all) = (
            matter(MatterKind::HostSilent, Some("h1")),
            matter(MatterKind::StoreBehind, None),
        );
        let fault = matter(MatterKind::HostFault, Some("h1"));
        let mut known = BTreeMap::new();
        let matters = [silent.clone(), of_all, fault.clone(), fault.clone()];
        assert_eq!(turn(&mut known, &matters, at(0)), matters[..3]);
        assert_eq!(turn(&mut known, &matters, at(1)), []);
        assert_eq!(turn(&mut known, &matters, at(100_000)), []);
        let other = matter(MatterKind::HostSilent, Some("h2"));
        let matters = [silent, other.clone(), fault];
        assert_eq!(turn(&mut known, &matters, at(100_001)), [other]);
    }

    /// When it was told and since when it is away, in minutes; whether it is there; whether it is told, and what is kept.
    #[test]
    fn each_state_of_a_thing_that_is_there_or_not() {
        type Kept = Option<(i64, Option<i64>)>;
        let rows: [(Kept, bool, bool, Kept); 13] = [
            (None, false, false, None),
            (None, true, true, Some((1_000, None))),
            (Some((1, None)), true, false, Some((1, None))),
            (Some((999, None)), true, false, Some((999, None))),
            (Some((1, None)), false, false, Some((1, Some(1_000)))),
            // Away for less than ten minutes.
            (Some((1, Some(991))), true, false, Some((1, None))),
            (Some((1, Some(991))), false, false, Some((1, Some(991)))),
            // For ten, and told an hour ago.
            (Some((940, Some(990))), true, true, Some((1_000, None))),
            (Some((940, Some(990))), false, false, None),
            // Told less than an hour ago.
            (Some((941, Some(990))), true, false, Some((941, Some(990)))),
            (Some((941, Some(990))), false, false, Some((941, Some(990)))),
            (Some((941, Some(999))), true, false, Some((941, None))),
            (Some((941, Some(999))), false, false, Some((941, Some(999)))),
        ];
        let silent = matter(MatterKind::HostSilent, Some("h1"));
        for (before, is_there, is_told, after) in rows {
            let alert = |(told, away): (i64, Option<i64>)| Alert {
                told_at: at(told),
                away_since: away.map(at),
            };
            let mut known = BTreeMap::new();
            known.extend(before.map(|kept| (key(&silent), alert(kept))));
            let matters = is_there.then(|| silent.clone());
            let told = turn(&mut known, matters.as_slice(), at(1_000));
            assert_eq!(!told.is_empty(), is_told, "{before:?} {is_there}");
            let kept = known.remove(&key(&silent));
            assert_eq!(kept, after.map(alert), "{before:?} {is_there}");
        }
    }

    #[test]
    fn one_that_comes_and_goes_is_told_once_an_hour_at_most() {
        let silent = [matter(MatterKind::HostSilent, Some("h1"))];
        for (there, away) in [(1, 1), (1, 9), (5, 11), (30, 40)] {
            let (mut known, mut told, mut minute) = (BTreeMap::new(), Vec::new(), 0);
            while minute < 1_000 {
                let is_there = minute % (there + away) < there;
                let matters = if is_there { &silent[..] } else { &[] };
                if !turn(&mut known, matters, at(minute)).is_empty() {
                    told.push(minute);
                }
                minute += 1;
            }
            assert!(
                told.windows(2).all(|pair| pair[1] - pair[0] >= 60),
                "{told:?}"
            );
            assert_eq!(told.len() > 1, away >= 10, "{there} {away}: {told:?}");
        }
    }
}
