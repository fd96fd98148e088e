//! How long the servers of an account are kept that billing has suspended (design.md section 10), and what has to be before
//! they are deleted. Pure.
//!
//! ```text
//! kept --(three days before: mail)--> told --(one day before, that mail was sent: mail)--> told again --(the day, that mail
//!   was sent)--> over: its servers are deleted
//!   any --(the suspension ends, or another one begins)--> kept anew
//! ```
//!
//! Whatever is late makes the end later: nobody has less than two days between the mails, and a day behind the last one, by when
//! the mail server took them. A mail that it never took ends nothing.

use std::time::Duration;

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_hours(24);

/// How far the keeping has got of the servers of an account that billing has suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Since when it is suspended, by the machine's clock: by that the suspension is known. What is noted of another one is
    /// void.
    pub since: Timestamp,
    /// The mail that is on its way, or was sent last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Notice>,
    /// When the mail server took that mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
}

/// A mail that the servers are going to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Three days before.
    First,
    /// One day before.
    Last,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepingStep {
    /// Its owner is told.
    Tell(Notice),
    /// Its servers are deleted.
    Delete,
}

impl Notice {
    /// How many days before.
    #[must_use]
    pub const fn days(self) -> u8 {
        match self {
            Self::First => 3,
            Self::Last => 1,
        }
    }

    const fn before(self) -> Duration {
        DAY.saturating_mul(self.days() as u32)
    }

    const fn next(self) -> KeepingStep {
        match self {
            Self::First => KeepingStep::Tell(Self::Last),
            Self::Last => KeepingStep::Delete,
        }
    }
}

impl KeepingStep {
    /// How long before the end it is due.
    const fn before(self) -> Duration {
        match self {
            Self::Tell(notice) => notice.before(),
            Self::Delete => Duration::ZERO,
        }
    }
}

impl Keeping {
    /// Of an account that is suspended since then.
    #[must_use]
    pub const fn of(since: Timestamp) -> Self {
        Self {
            since,
            told: None,
            sent_at: None,
        }
    }

    /// What is due now, if anything is: servers are kept for so long.
    #[must_use]
    pub fn next(&self, now: Timestamp, keep_for: Duration) -> Option<KeepingStep> {
        let Some(told) = self.told else {
            let step = KeepingStep::Tell(Notice::First);
            return (now >= self.day_of(step, keep_for)).then_some(step);
        };
        let (step, sent_at) = (told.next(), self.sent_at?);
        let waits = told.before().saturating_sub(step.before());
        let from = self.day_of(step, keep_for).max(sent_at.after(waits));
        (now >= from).then_some(step)
    }

    fn day_of(&self, step: KeepingStep, keep_for: Duration) -> Timestamp {
        self.since.after(keep_for.saturating_sub(step.before()))
    }

    /// From when on the servers are deleted, if a mail is sent now: not before what it says.
    #[must_use]
    pub fn ends_at(&self, notice: Notice, now: Timestamp, keep_for: Duration) -> Timestamp {
        let by_day = self.day_of(KeepingStep::Delete, keep_for);
        by_day.max(now.after(notice.before()))
    }

    /// The same once a mail is on its way.
    #[must_use]
    pub const fn telling(self, notice: Notice) -> Self {
        Self {
            told: Some(notice),
            sent_at: None,
            ..self
        }
    }

    /// The same once the mail server has taken a mail; nothing of one that it does not wait for.
    #[must_use]
    pub fn sent(self, notice: Notice, now: Timestamp) -> Option<Self> {
        let is_awaited = self.told == Some(notice) && self.sent_at.is_none();
        is_awaited.then_some(Self {
            sent_at: Some(now),
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEPT: Duration = DAY.saturating_mul(14);

    fn day(number: i64) -> Timestamp {
        Timestamp::from_millis(number * 24 * 3_600 * 1_000)
    }

    /// Every state that there is, on every day around those on which something is due: suspended on day 100.
    #[test]
    fn each_step_has_its_day_and_its_mail() {
        use KeepingStep::{Delete, Tell};
        use Notice::{First, Last};
        // What was told, when that was sent; until when nothing is due, and what is from the next day on.
        type Row = (Option<Notice>, Option<i64>, Option<(i64, KeepingStep)>);
        let rows: [Row; 11] = [
            (None, None, Some((111, Tell(First)))),
            // The mail has not left: nothing, for good.
            (Some(First), None, None),
            (Some(First), Some(111), Some((113, Tell(Last)))),
            (Some(First), Some(112), Some((114, Tell(Last)))),
            // The mail server was away for a month.
            (Some(First), Some(141), Some((143, Tell(Last)))),
            (Some(Last), None, None),
            (Some(Last), Some(113), Some((114, Delete))),
            (Some(Last), Some(114), Some((115, Delete))),
            (Some(Last), Some(150), Some((151, Delete))),
            // By a clock that was set back and right again.
            (Some(First), Some(90), Some((113, Tell(Last)))),
            (Some(Last), Some(90), Some((114, Delete))),
        ];
        for (told, sent_at, due) in rows {
            let keeping = Keeping {
                since: day(100),
                told,
                sent_at: sent_at.map(day),
            };
            for now in 80..500 {
                let expected = due.filter(|(from, _)| now >= *from).map(|(_, step)| step);
                let found = keeping.next(day(now), KEPT);
                assert_eq!(found, expected, "{told:?} sent {sent_at:?}, on {now}");
            }
        }
    }

    #[test]
    fn a_mail_says_a_day_before_which_nothing_is_deleted() {
        let keeping = Keeping::of(day(100));
        for (notice, now, says) in [
            (Notice::First, 111, 114),
            (Notice::First, 140, 143),
            (Notice::Last, 113, 114),
            (Notice::Last, 114, 115),
        ] {
            assert_eq!(keeping.ends_at(notice, day(now), KEPT), day(says));
        }
    }

    #[test]
    fn another_mail_than_the_one_on_its_way_counts_for_nothing() {
        use Notice::{First, Last};
        let kept = Keeping::of(day(100));
        let told = kept.telling(First);
        let sent = told.sent(First, day(111)).expect("it was awaited");
        for (keeping, notice) in [(kept, First), (kept, Last), (told, Last), (sent, First)] {
            assert_eq!(keeping.sent(notice, day(112)), None, "{keeping:?}");
        }
        assert_eq!(sent.telling(Last).sent_at, None);
    }

    proptest! {
        /// However seldom it is looked at, and whenever mails are sent: nothing is deleted without two mails that were sent,
        /// two days between them, and a day behind the last.
        #[test]
        fn nothing_is_deleted_before_its_owner_has_had_his_time(
            looks in proptest::collection::vec((1i64..9, any::<bool>()), 1..80),
        ) {
            let mut keeping = Keeping::of(day(100));
            let (mut now, mut sent) = (100, Vec::new());
            for (wait, mail_server_is_there) in looks {
                now += wait;
                match (keeping.told, mail_server_is_there) {
                    (Some(notice), true) if keeping.sent_at.is_none() => {
                        keeping = keeping.sent(notice, day(now)).expect("it is awaited");
                        sent.push((notice, now));
                        continue;
                    }
                    _ => {}
                }
                match keeping.next(day(now), KEPT) {
                    Some(KeepingStep::Tell(notice)) => keeping = keeping.telling(notice),
                    Some(KeepingStep::Delete) => {
                        prop_assert!(now >= 114);
                        let [(first, first_at), (last, last_at)] = sent[..] else {
                            return Err(TestCaseError::fail(format!("{sent:?}")));
                        };
                        prop_assert_eq!((first, last), (Notice::First, Notice::Last));
                        prop_assert!(last_at - first_at >= 2 && now > last_at);
                        return Ok(());
                    }
                    None => {}
                }
            }
        }
    }
}
