//! How much of the installation one account may take, and how fast: servers at a time, orders an hour, and addresses
//! that nobody else can have yet because its servers used them. One record an account, written with every order and
//! with every server that goes, so that no two orders count the same room.

use std::time::Duration;

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Orders are counted over this time.
const WINDOW: Duration = Duration::from_secs(3_600);
/// The longest rest that can be configured, an hour more for clocks that are put right.
const REST_MAX: Duration = Duration::from_secs(721 * 3_600);
/// However few servers an account may have, it may order this often, and try again when something went wrong.
const TURNOVER_MIN: u32 = 10;
/// However many servers an account may have: it bounds the record as well.
const TURNOVER_MAX: u32 = 200;

/// What an account has taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaUse {
    /// Servers that are not gone.
    pub servers: u32,
    /// When it ordered within the last hour, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ordered_at: Vec<Timestamp>,
    /// Of servers that are gone and whose addresses rest, when that ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resting_until: Vec<Timestamp>,
}

/// Why an account may order nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaRefusal {
    /// It has as many servers as it may.
    Servers,
    /// It orders, or orders and deletes, faster than it may.
    TooFast {
        /// Until the next order can be taken.
        wait: Duration,
    },
}

/// How many orders an hour an account may place that may have `limit` servers, and how many servers it may have together
/// with those that are gone and whose addresses rest.
#[must_use]
pub const fn turnover(limit: u32) -> u32 {
    let twice = limit.saturating_mul(2);
    match twice {
        0..TURNOVER_MIN => TURNOVER_MIN,
        TURNOVER_MIN..=TURNOVER_MAX => twice,
        _ => TURNOVER_MAX,
    }
}

/// The one of `times`, oldest first, with whose end there are fewer than `most`.
fn over(times: &[Timestamp], most: usize) -> Option<Timestamp> {
    let over = times.len().checked_sub(most)?;
    times.get(over).copied()
}

impl QuotaUse {
    /// With one more server, ordered at `now` by an account that may have `limit`.
    ///
    /// # Errors
    /// When that is more than it may have, or too soon.
    pub fn with_order(&self, limit: u32, now: Timestamp) -> Result<Self, QuotaRefusal> {
        if self.servers >= limit {
            return Err(QuotaRefusal::Servers);
        }
        let mut next = self.at(now);
        let turnover = usize::try_from(turnover(limit)).expect("a small number");
        let servers = usize::try_from(self.servers).unwrap_or(usize::MAX);
        // Whoever was allowed more servers than he may turn over has them all the same.
        let resting_max = turnover.saturating_sub(servers).max(1);
        let rested = over(&next.resting_until, resting_max);
        let ordered = over(&next.ordered_at, turnover).map(|at| at.after(WINDOW));
        if let Some(until) = rested.max(ordered) {
            let wait = until.since(now);
            return Err(QuotaRefusal::TooFast { wait });
        }
        next.ordered_at.push(now);
        next.servers = next.servers.saturating_add(1);
        Ok(next)
    }

    /// With one server less, whose addresses rest until `rest_until` if they do.
    #[must_use]
    pub fn without_server(&self, rest_until: Option<Timestamp>, now: Timestamp) -> Self {
        let mut next = self.at(now);
        next.servers = next.servers.saturating_sub(1);
        next.resting_until.extend(rest_until);
        next.resting_until.sort_unstable();
        let kept = usize::try_from(TURNOVER_MAX).expect("a small number");
        let over = next.resting_until.len().saturating_sub(kept);
        next.resting_until.drain(..over);
        next
    }

    /// Without what is over at `now`. What lies ahead by more than it can was written before the clock was set back:
    /// when that was, nobody knows.
    fn at(&self, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.ordered_at
            .retain(|at| now.since(*at).max(at.since(now)) < WINDOW);
        next.resting_until
            .retain(|until| *until > now && until.since(now) <= REST_MAX);
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).after(Duration::from_secs(seconds))
    }

    /// Row A5 of the trial: quote, order, delete, in a loop; 118 addresses were gone in 13 seconds.
    #[test]
    fn who_orders_and_deletes_in_a_loop_takes_a_bounded_number_of_addresses() {
        let mut used = QuotaUse::default();
        let mut taken = 0;
        for second in 0..118 {
            let now = at(second);
            match used.with_order(20, now) {
                Ok(next) => {
                    taken += 1;
                    used = next.without_server(Some(now.after(DAY)), now);
                }
                Err(QuotaRefusal::TooFast { wait }) => assert!(wait > Duration::from_secs(3_000)),
                Err(QuotaRefusal::Servers) => panic!("it has none"),
            }
        }
        assert_eq!(taken, 40);
        // Without a rest an hour's orders count alone.
        let an_hour_later = at(3_600 + 118);
        let wait = DAY.saturating_sub(Duration::from_secs(3_600 + 118));
        let refused = used.with_order(20, an_hour_later);
        assert_eq!(refused, Err(QuotaRefusal::TooFast { wait }));
        assert!(used.with_order(20, at(0).after(DAY)).is_ok());
    }

    fn used(servers: u32, ordered_at: Vec<Timestamp>, resting_until: Vec<Timestamp>) -> QuotaUse {
        QuotaUse {
            servers,
            ordered_at,
            resting_until,
        }
    }

    #[test]
    fn what_an_account_may_take() {
        let now = at(1_000_000);
        let before = |ages: &[u64]| ages.iter().map(|age| at(1_000_000 - age)).collect();
        let ahead = |spans: &[u64]| spans.iter().map(|span| at(1_000_000 + span)).collect();
        let full: Vec<u64> = (0..10).rev().map(|n| n * 60).collect();
        let rested: Vec<u64> = (0..12).collect();
        let resting: Vec<u64> = (1..=12).collect();
        let eased = [3_600, 480, 420, 360, 300, 240, 180, 120, 60, 0];
        let too_fast = |seconds| {
            let wait = Duration::from_secs(seconds);
            Err(QuotaRefusal::TooFast { wait })
        };
        let full_now = Err(QuotaRefusal::Servers);
        let cases: [(&str, u32, QuotaUse, Result<(), QuotaRefusal>); 8] = [
            ("nothing yet", 1, QuotaUse::default(), Ok(())),
            (
                "as many as it may have",
                3,
                used(3, vec![], vec![]),
                full_now,
            ),
            (
                "ten orders in nine minutes",
                2,
                used(0, before(&full), vec![]),
                too_fast(3_600 - 540),
            ),
            (
                "the first is an hour ago",
                2,
                used(0, before(&eased), vec![]),
                Ok(()),
            ),
            (
                "before the clock was set back",
                2,
                used(0, ahead(&[86_400; 10]), vec![]),
                Ok(()),
            ),
            (
                "servers and resting ones",
                10,
                used(8, vec![], ahead(&resting)),
                too_fast(1),
            ),
            (
                "one of them has rested",
                10,
                used(8, vec![], ahead(&rested)),
                Ok(()),
            ),
            (
                "more servers than the turnover",
                1_000,
                used(900, vec![], vec![]),
                Ok(()),
            ),
        ];
        for (what, limit, used, expected) in cases {
            let outcome = used.with_order(limit, now).map(drop);
            assert_eq!(outcome, expected, "{what}");
        }
    }

    #[test]
    fn the_longer_wait_counts_and_no_rest_ends_too_late() {
        let now = at(1_000_000);
        let ordered = vec![at(1_000_000 - 60); 20];
        let both = used(8, ordered, vec![at(1_000_001); 12]);
        let wait = Duration::from_secs(3_540);
        assert_eq!(
            both.with_order(10, now),
            Err(QuotaRefusal::TooFast { wait })
        );
        // Written before the clock was set back.
        let ahead = used(8, vec![], vec![now.after(DAY * 40); 12]);
        assert!(ahead.with_order(10, now).is_ok());
    }

    proptest! {
        /// Whatever is ordered and deleted when: servers add up, the limits hold, the record stays small, and who waits
        /// as long as he is told gets his order.
        #[test]
        fn limits_hold_and_nobody_waits_for_ever(
            limit in 1u32..300,
            deeds in vec((0u64..400, any::<bool>(), any::<bool>()), 1..600),
        ) {
            let (mut used, mut live, mut now) = (QuotaUse::default(), 0, 0);
            for (pause, orders, rests) in deeds {
                now += pause;
                if orders {
                    match used.with_order(limit, at(now)) {
                        Ok(next) => {
                            used = next;
                            live += 1;
                        }
                        Err(QuotaRefusal::Servers) => prop_assert_eq!(live, limit),
                        Err(QuotaRefusal::TooFast { wait }) => {
                            prop_assert!(wait > Duration::ZERO && wait <= DAY);
                            prop_assert!(used.with_order(limit, at(now).after(wait)).is_ok());
                        }
                    }
                } else if live > 0 {
                    let until = rests.then(|| at(now).after(DAY));
                    used = used.without_server(until, at(now));
                    live -= 1;
                }
                prop_assert_eq!(used.servers, live);
                prop_assert!(live <= limit);
                let turnover = usize::try_from(turnover(limit)).expect("small");
                prop_assert!(used.ordered_at.len() <= turnover);
                let bytes = serde_json::to_vec(&used).expect("plain").len();
                prop_assert!(bytes < 16 * 1_024, "{bytes}");
            }
        }
    }
}
