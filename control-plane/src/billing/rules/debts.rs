//! What becomes of an invoice that is not paid. One step at a time, each once, and each so long after the one before it
//! that whoever pays at a reminder has had the time to.
//!
//! ```text
//! issued --(its day has passed)--> overdue (mail) --(notice_after)--> notified (mail) --(suspend_after, mail was sent)--> suspended
//!    any --(nothing is open any more)--> gone; the suspension is lifted when nothing is overdue any more
//! ```
//!
//! Nobody is suspended but for an invoice that was issued, is overdue, and was given notice of by a mail that was sent.

use std::time::Duration;

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How far an invoice has got of which something is open. Its record goes when nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// Until when it is to be paid.
    pub due_at: Timestamp,
    /// The last step.
    pub step: DebtStep,
    /// When that was taken.
    pub at: Timestamp,
    /// When the mail server took the notice of suspension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
}

/// What is done about an invoice that is not paid, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DebtStep {
    /// Nothing but that it was issued.
    Issued,
    /// Its owner is reminded.
    Overdue,
    /// He is told when his account will be suspended.
    Notified,
    /// It is suspended.
    Suspended,
}

/// After how long each step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebtTerms {
    /// Notice of the suspension is given so long after the day until which was to be paid.
    pub notice_after: Duration,
    /// The account is suspended so long after that day; never, when nothing is said.
    pub suspend_after: Option<Duration>,
}

impl Debt {
    /// Of an invoice that was issued just now.
    #[must_use]
    pub const fn issued(due_at: Timestamp, at: Timestamp) -> Self {
        Self {
            due_at,
            step: DebtStep::Issued,
            at,
            notified_at: None,
        }
    }

    /// Whether its day has passed.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        now > self.due_at
    }

    /// The step that is to be taken now, if one is.
    #[must_use]
    pub fn next(&self, now: Timestamp, terms: DebtTerms) -> Option<DebtStep> {
        let step = match self.step {
            DebtStep::Issued if self.is_overdue(now) => DebtStep::Overdue,
            DebtStep::Overdue => DebtStep::Notified,
            DebtStep::Notified => DebtStep::Suspended,
            DebtStep::Issued | DebtStep::Suspended => return None,
        };
        let is_due = match step {
            DebtStep::Notified => terms.suspend_after.is_some() && now >= self.notice_from(terms),
            DebtStep::Suspended => self.suspended_from(terms).is_some_and(|from| now >= from),
            DebtStep::Issued | DebtStep::Overdue => true,
        };
        is_due.then_some(step)
    }

    /// From when on notice is given: also when the reminder was late.
    fn notice_from(&self, terms: DebtTerms) -> Timestamp {
        let by_day = self.due_at.after(terms.notice_after);
        by_day.max(self.at.after(terms.notice_after))
    }

    /// From when on the account is suspended: nobody has less time than the terms give, however late the notice was.
    /// Never before it was sent.
    #[must_use]
    pub fn suspended_from(&self, terms: DebtTerms) -> Option<Timestamp> {
        let suspend_after = terms.suspend_after?;
        let between = suspend_after.saturating_sub(terms.notice_after);
        let by_day = self.due_at.after(suspend_after);
        Some(by_day.max(self.notified_at?.after(between)))
    }

    /// The same behind a step.
    #[must_use]
    pub const fn with(self, step: DebtStep, at: Timestamp) -> Self {
        Self { step, at, ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TERMS: DebtTerms = DebtTerms {
        notice_after: Duration::from_hours(7 * 24),
        suspend_after: Some(Duration::from_hours(14 * 24)),
    };

    fn day(number: i64) -> Timestamp {
        Timestamp::from_millis(number * 24 * 3_600 * 1_000)
    }

    fn debt(step: DebtStep, at: i64, notified_at: Option<i64>) -> Debt {
        Debt {
            due_at: day(10),
            step,
            at: day(at),
            notified_at: notified_at.map(day),
        }
    }

    #[test]
    fn each_step_waits_for_its_day_and_for_the_one_before() {
        use DebtStep::{Issued, Notified, Overdue, Suspended};
        for (debt, now, expected) in [
            (debt(Issued, 0, None), 10, None),
            (debt(Issued, 0, None), 11, Some(Overdue)),
            (debt(Overdue, 11, None), 17, None),
            (debt(Overdue, 11, None), 18, Some(Notified)),
            // The service was off for a month: seven days after the reminder all the same.
            (debt(Overdue, 40, None), 46, None),
            (debt(Overdue, 40, None), 47, Some(Notified)),
            // The mail never left.
            (debt(Notified, 17, None), 400, None),
            (debt(Notified, 17, Some(17)), 23, None),
            (debt(Notified, 17, Some(17)), 24, Some(Suspended)),
            (debt(Notified, 17, Some(30)), 36, None),
            (debt(Notified, 17, Some(30)), 37, Some(Suspended)),
            (debt(Suspended, 24, Some(17)), 400, None),
        ] {
            assert_eq!(debt.next(day(now), TERMS), expected, "{debt:?} at {now}");
        }
    }

    #[test]
    fn who_is_never_suspended_gets_no_notice_of_it() {
        let never = DebtTerms {
            suspend_after: None,
            ..TERMS
        };
        let reminded = debt(DebtStep::Overdue, 11, None);
        assert_eq!(reminded.next(day(400), never), None);
        let notified = debt(DebtStep::Notified, 17, Some(17));
        assert_eq!(notified.next(day(400), never), None);
    }

    proptest! {
        /// However seldom it is looked at, and whenever the notice is sent: every step is taken once and in its order, and
        /// between the notice and the suspension there is the time that the terms give.
        #[test]
        fn nobody_is_suspended_without_having_had_his_time(
            looks in proptest::collection::vec(1i64..40, 1..40),
            sent_after in 0i64..60,
        ) {
            let mut debt = Debt::issued(day(10), day(0));
            let (mut now, mut steps) = (0, Vec::new());
            for wait in looks {
                now += wait;
                if debt.step == DebtStep::Notified && debt.notified_at.is_none() && now >= sent_after {
                    debt.notified_at = Some(day(now));
                    continue;
                }
                if let Some(step) = debt.next(day(now), TERMS) {
                    steps.push((step, now));
                    debt = debt.with(step, day(now));
                }
            }
            let order: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
            let all = [DebtStep::Overdue, DebtStep::Notified, DebtStep::Suspended];
            prop_assert_eq!(&order[..], &all[..order.len()]);
            if let Some((_, suspended)) = steps.get(2) {
                let notified = debt.notified_at.expect("it was sent");
                prop_assert!(day(*suspended) >= notified.after(Duration::from_hours(7 * 24)));
                prop_assert!(*suspended >= 24);
            }
        }
    }
}
