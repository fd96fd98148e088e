//! Accounts that pay ahead (design.md section 10, *available balance*). What is available is what was paid ahead, less what
//! was used and is not invoiced yet, less what is held for servers that are being made; all of it with tax.
//!
//! ```text
//! covered --(less is left than 72 h cost: mail)--> low --(as much as 96 h cost)--> covered
//!  covered, low --(nothing is left: the account is suspended)--> empty --(a payment leaves something: resumed)--> covered
//! ```
//!
//! What is used between the moment in which nothing is left and the tick that finds it is a loss of the hoster's.

use std::{collections::BTreeMap, time::Duration};

use innkeeper_wire::{
    id::ContractId,
    money::{Currency, Money, MoneyError},
    month::Span,
    price::{Price, Tariff, Tax},
    time::Timestamp,
    zone::Zone,
};
use serde::{Deserialize, Serialize};

use super::trial::Trial;

/// What is held of an order, and what an order must leave for what there is already: the price of so long.
pub const HELD: Duration = Duration::from_hours(24);
/// When less is left than so long costs, the owner is told.
pub const LOW: Duration = Duration::from_hours(72);
/// When so much is left as so long costs, he would be told again.
pub const COVERED: Duration = Duration::from_hours(96);
/// Most holds of one account at a time, so that its record stays small.
pub const HOLDS_MAX: usize = 200;
/// What lasts longer is not told until when.
const LASTS_MAX: Duration = Duration::from_hours(24 * 366 * 5);

/// What is known of an account that pays ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepaid {
    /// What is held for servers that are being made, by what they are charged under; at most [`HOLDS_MAX`].
    pub holds: BTreeMap<ContractId, Hold>,
    /// How far its balance is down.
    pub stage: Stage,
    /// Its trial, if it began with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

/// What is held for an order until its server is there and charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Minor units, above zero or nothing.
    pub amount: i64,
    /// Since when.
    pub since: Timestamp,
}

/// How far a balance is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stage {
    /// It lasts.
    Covered,
    /// Its owner was told that it soon does no more.
    Low,
    /// The account was suspended for it.
    Empty {
        /// Since when, by the machine's clock: by that the suspension is known.
        since: Timestamp,
    },
}

/// What is to be done about a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its owner is told that it does not last for three days.
    Warn,
    /// It lasts again.
    Rearm,
    /// The account is suspended.
    Suspend,
}

/// What an account has, and what it needs; minor units with tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    /// What pays what comes.
    pub balance: i64,
    /// What was used and is not invoiced yet.
    pub used: i64,
    /// What is held.
    pub held: i64,
    /// What a day costs as it is now, whatever of the month's price is used up.
    pub burn: i64,
    /// What [`LOW`] from now on costs: nothing of what has cost its month's price, until the next month begins.
    pub soon: i64,
    /// What [`COVERED`] from now on costs, likewise.
    pub later: i64,
}

impl Prepaid {
    /// Of an account that begins to pay ahead.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            holds: BTreeMap::new(),
            stage: Stage::Covered,
            trial: None,
        }
    }

    /// Its trial, of an owner who has not agreed to pay: nothing that he has paid is touched.
    #[must_use]
    pub fn free_trial(&self) -> Option<&Trial> {
        self.trial.as_ref().filter(|trial| trial.is_free())
    }

    /// What is held of all orders.
    #[must_use]
    pub fn held(&self) -> i64 {
        let amounts = self.holds.values().map(|hold| hold.amount);
        amounts.fold(0, i64::saturating_add)
    }
}

impl Default for Prepaid {
    fn default() -> Self {
        Self::new()
    }
}

impl Purse {
    /// What can be ordered with; below zero when more was used than paid.
    #[must_use]
    pub const fn available(&self) -> i64 {
        self.left().saturating_sub(self.held)
    }

    /// What is left of what was paid; below zero when more was used.
    #[must_use]
    pub const fn left(&self) -> i64 {
        self.balance.saturating_sub(self.used)
    }

    /// How much is missing for an order that holds so much: what there is must cover a day of all that is charged already,
    /// and of what is ordered. Nothing when it does.
    #[must_use]
    pub fn missing_for(&self, held: i64) -> i64 {
        let needed = self.burn.saturating_add(held);
        needed.saturating_sub(self.available()).max(0)
    }

    /// What was used beyond what was paid.
    #[must_use]
    pub fn overshoot(&self) -> i64 {
        self.left().saturating_neg().max(0)
    }

    /// What is to be done, if anything is. One that was suspended and resumed by staff while nothing is left is suspended
    /// again as soon as something is charged.
    #[must_use]
    pub fn step(&self, stage: Stage) -> Option<Step> {
        let available = self.available();
        if self.burn > 0 && self.left() <= 0 {
            return Some(Step::Suspend);
        }
        match stage {
            Stage::Covered if self.burn > 0 && available < self.soon => Some(Step::Warn),
            Stage::Low if available >= self.later => Some(Step::Rearm),
            Stage::Covered | Stage::Low | Stage::Empty { .. } => None,
        }
    }
}

/// Until when so much lasts, to the second; nothing when that is years away. `cost` says what a calendar month costs from its
/// beginning to an instant.
///
/// # Errors
/// Those of `cost`.
pub fn lasts_until<E>(
    zone: &Zone,
    now: Timestamp,
    available: i64,
    cost: impl Fn(Span) -> Result<i64, E>,
) -> Result<Option<Timestamp>, E> {
    if available <= 0 {
        return Ok(Some(now));
    }
    let (mut month, mut from, mut left) = (zone.month_of(now), now, available);
    while from < now.after(LASTS_MAX) {
        let whole = zone.span_of(month);
        let until = |until| {
            cost(Span {
                from: whole.from,
                until,
            })
        };
        let used_up_at = left.saturating_add(if from > whole.from { until(from)? } else { 0 });
        let month_costs = until(whole.until)?;
        if month_costs >= used_up_at {
            let (mut lasts, mut does_not) = (from, whole.until);
            while does_not.since(lasts) > Duration::from_secs(1) {
                let middle = lasts.after(does_not.since(lasts) / 2);
                if until(middle)? >= used_up_at {
                    does_not = middle;
                } else {
                    lasts = middle;
                }
            }
            return Ok(Some(does_not));
        }
        left = used_up_at - month_costs;
        (month, from) = (month.next(), whole.until);
    }
    Ok(None)
}

/// What a day of these costs together, with tax.
///
/// # Errors
/// When it does not fit, or is in several currencies.
pub fn day_of(
    currency: Currency,
    tariffs: impl IntoIterator<Item = Tariff>,
    tax: Option<&Tax>,
) -> Result<i64, MoneyError> {
    let nothing = Money {
        amount: 0,
        currency,
    };
    let net = tariffs.into_iter().try_fold(nothing, |sum, tariff| {
        sum.checked_add(tariff.charge(HELD.as_secs())?)
    })?;
    match tax {
        None => Ok(net.amount),
        Some(tax) => Ok(Price::of(net, tax.rate)?.gross.amount),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        money::HourlyRate,
        price::{Shown, TaxName, TaxRate},
    };
    use proptest::prelude::*;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1);
    const EMPTY: Stage = Stage::Empty { since: AT };

    fn purse(balance: i64, used: i64, held: i64, burn: i64) -> Purse {
        let days = |days: i64| burn.saturating_mul(days);
        Purse {
            balance,
            used,
            held,
            burn,
            soon: days(3),
            later: days(4),
        }
    }

    #[test]
    fn what_is_missing_for_an_order_is_a_day_of_all_less_what_there_is() {
        for (purse, held, missing) in [
            (purse(0, 0, 0, 0), 0, 0),
            (purse(0, 0, 0, 0), 1, 1),
            (purse(10, 0, 0, 0), 10, 0),
            (purse(10, 0, 0, 0), 11, 1),
            (purse(10, 1, 0, 0), 10, 1),
            (purse(10, 0, 1, 0), 10, 1),
            (purse(20, 0, 0, 10), 10, 0),
            (purse(19, 0, 0, 10), 10, 1),
            // Below a day of burn nothing can be ordered, even for nothing.
            (purse(9, 0, 0, 10), 0, 1),
            (purse(0, 5, 0, 10), 10, 25),
            (
                purse(i64::MIN, i64::MAX, i64::MAX, i64::MAX),
                i64::MAX,
                i64::MAX,
            ),
        ] {
            assert_eq!(purse.missing_for(held), missing, "{purse:?} for {held}");
        }
    }

    #[test]
    fn each_step_has_its_balance_and_its_stage() {
        use Stage::{Covered, Low};
        use Step::{Rearm, Suspend, Warn};
        // A day costs ten.
        for (available, covered, low, empty) in [
            (-1, Some(Suspend), Some(Suspend), Some(Suspend)),
            (0, Some(Suspend), Some(Suspend), Some(Suspend)),
            (1, Some(Warn), None, None),
            (29, Some(Warn), None, None),
            (30, None, None, None),
            (39, None, None, None),
            (40, None, Some(Rearm), None),
            (1_000, None, Some(Rearm), None),
        ] {
            let purse = purse(available, 0, 0, 10);
            let steps = [Covered, Low, EMPTY].map(|stage| purse.step(stage));
            assert_eq!(steps, [covered, low, empty], "{available}");
        }
        // What is held for an order suspends nobody.
        assert_eq!(purse(10, 0, 10, 10).step(Low), None);
        assert_eq!(purse(10, 10, 0, 10).step(Low), Some(Suspend));
        // Nothing is charged: nobody is suspended or told, whatever the balance is.
        for available in [-5, 0, 5] {
            let purse = purse(available, 0, 0, 0);
            let steps = [Covered, EMPTY].map(|stage| purse.step(stage));
            assert_eq!(steps, [None, None], "{available}");
        }
        assert_eq!(purse(0, 0, 0, 0).step(Low), Some(Rearm));
        assert_eq!(purse(-1, 0, 0, 0).step(Low), None);
    }

    /// Near the end of a month all has cost the month's price: what comes costs nothing until the next one begins.
    #[test]
    fn what_has_cost_its_months_price_needs_nothing_to_the_months_end() {
        use Stage::{Covered, Low};
        use Step::{Rearm, Suspend, Warn};
        for (available, soon, later, covered, low) in [
            (1, 0, 0, None, Some(Rearm)),
            (1, 0, 5, None, None),
            (4, 5, 15, Some(Warn), None),
            (5, 5, 15, None, None),
            (15, 5, 15, None, Some(Rearm)),
            // Nothing is left for what the next month costs.
            (0, 0, 0, Some(Suspend), Some(Suspend)),
        ] {
            let purse = Purse {
                soon,
                later,
                ..purse(available, 0, 0, 10)
            };
            let steps = [Covered, Low].map(|stage| purse.step(stage));
            assert_eq!(steps, [covered, low], "{purse:?}");
        }
    }

    /// A won an hour in Seoul, in November of 720 hours at most 500 won: from the 21st, 20:00, on nothing.
    #[test]
    fn it_lasts_until_it_is_used_up_month_by_month() {
        let zone: Zone = "Asia/Seoul".parse().expect("a zone");
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let cost = |cap: i64| {
            move |span: Span| {
                let hours = span.until.since(span.from).as_secs() / 3_600;
                Ok::<_, MoneyError>(i64::try_from(hours).expect("a few").min(cap))
            }
        };
        for (now, available, cap, lasts) in [
            (
                "2026-11-10T00:00:00Z",
                12,
                500,
                Some("2026-11-10T12:00:00Z"),
            ),
            ("2026-11-10T00:00:00Z", 0, 500, Some("2026-11-10T00:00:00Z")),
            (
                "2026-11-10T00:00:00Z",
                -5,
                500,
                Some("2026-11-10T00:00:00Z"),
            ),
            // It has cost 497 by then, and three more are left of the month's price.
            ("2026-11-21T08:00:00Z", 3, 500, Some("2026-11-21T11:00:00Z")),
            // The fourth is used up in December, which begins at 15:00 UTC.
            ("2026-11-21T08:00:00Z", 4, 500, Some("2026-11-30T16:00:00Z")),
            ("2026-11-25T00:00:00Z", 1, 500, Some("2026-11-30T16:00:00Z")),
            // All of December, and an hour of January.
            (
                "2026-11-25T00:00:00Z",
                501,
                500,
                Some("2026-12-31T16:00:00Z"),
            ),
            ("2026-11-25T00:00:00Z", i64::MAX, 500, None),
            ("2026-11-25T00:00:00Z", 1, 0, None),
        ] {
            let found = lasts_until(&zone, at(now), available, cost(cap));
            let found = found.expect("it fits");
            // To the second.
            let expected = lasts.map(at);
            let is_near = match (found, expected) {
                (Some(found), Some(expected)) => {
                    found >= expected && found.since(expected) <= Duration::from_secs(1)
                }
                (found, expected) => found == expected,
            };
            assert!(is_near, "{now} {available} {cap}: {found:?}");
        }
    }

    /// What a minute costs, rounded up.
    fn minute_of(purse: Purse) -> i64 {
        (purse.burn + 1_439) / 1_440
    }

    fn tariff(micro: u64, cap: i64) -> Tariff {
        let currency = Currency::Krw;
        Tariff {
            hourly: HourlyRate {
                micro_minor_per_hour: micro,
                currency,
            },
            monthly_cap: Money {
                amount: cap,
                currency,
            },
        }
    }

    #[test]
    fn a_day_is_with_tax_and_at_most_the_months_price() {
        let tax = Tax {
            rate: TaxRate::try_from(100_000).expect("a rate"),
            name: TaxName {
                en: String::new(),
                ko: String::new(),
                zh_hant: String::new(),
            },
            shown: Shown::BeforeTax,
        };
        let day = |tariffs: &[Tariff], tax| day_of(Currency::Krw, tariffs.iter().copied(), tax);
        let nine = tariff(9_000_000, 6_000);
        assert_eq!(day(&[nine], None), Ok(216));
        assert_eq!(day(&[nine], Some(&tax)), Ok(238));
        assert_eq!(day(&[nine, nine], Some(&tax)), Ok(475));
        assert_eq!(day(&[tariff(9_000_000, 100)], None), Ok(100));
        assert_eq!(day(&[], Some(&tax)), Ok(0));
    }

    proptest! {
        /// However much there is, whatever is ordered with it, and however it is used: no order is taken that is not
        /// covered for a day, and a balance is used up by a tick's worth at the most before that is found.
        #[test]
        fn no_order_leads_below_zero_before_a_tick_finds_it(
            balance in 0i64..10_000,
            prices in proptest::collection::vec(1i64..2_000, 1..20),
        ) {
            let mut now = purse(balance, 0, 0, 0);
            for price in prices {
                if now.missing_for(price) == 0 {
                    now.held += price;
                }
                prop_assert!(now.available() >= 0);
            }
            // All are made.
            now = purse(now.balance, now.used, 0, now.held);
            let mut stage = Stage::Covered;
            for _ in 0..20_000 {
                match now.step(stage) {
                    Some(Step::Suspend) => break,
                    Some(Step::Warn) => stage = Stage::Low,
                    Some(Step::Rearm) => prop_assert!(false, "it only goes down"),
                    None => {}
                }
                now.used += minute_of(now);
            }
            prop_assert!(now.burn == 0 || now.step(stage) == Some(Step::Suspend));
            prop_assert!(now.overshoot() <= minute_of(now));
            // Who could order had a day at least, and was told.
            prop_assert!(now.burn == 0 || balance >= now.burn && stage == Stage::Low);
        }
    }
}
