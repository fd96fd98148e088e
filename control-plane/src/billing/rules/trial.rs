//! A trial (R68, R70-R71): an account pays ahead with promotional credit alone, for so many days and for one server. Nothing
//! that its owner has paid is touched before he has said that he wants to go on and pay.
//!
//! ```text
//! granted --(50, 80, 100 % used; 7, 3, 1 days left: a mail each)--> granted
//!   |--(used up, or over: as any empty balance, the account is suspended)--> over
//!   `--(its owner agrees to pay, also when it is over)--> converted: pays ahead as others do
//! ```

use std::time::Duration;

use innkeeper_wire::{
    money::{Money, MoneyError},
    month::Span,
    price::{MINIMUM_SECONDS, Price, Tariff, Tax},
    time::Timestamp,
    zone::Zone,
};
use serde::{Deserialize, Serialize};

/// How long a trial lasts.
pub const LASTS: Duration = Duration::from_hours(24 * 30);
/// Servers that it is for.
pub const SERVERS: u32 = 1;
/// Parts of it, in percent, whose use is told.
const TOLD_PERCENT: [u8; 3] = [100, 80, 50];
/// Days before its end that are told.
const TOLD_DAYS: [u8; 3] = [1, 3, 7];

/// The trial of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// When it was granted.
    pub granted_at: Timestamp,
    /// When it is over.
    pub ends_at: Timestamp,
    /// How much it is, minor units.
    pub amount: i64,
    /// How many servers the account might have before.
    pub quota_before: u32,
    /// The largest part of whose use its owner was told, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_percent: Option<u8>,
    /// The fewest days before its end that he was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_days: Option<u8>,
    /// When he agreed to pay for what comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted_at: Option<Timestamp>,
}

/// What an owner is told of his trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// So much of it is used.
    Used {
        /// Percent.
        percent: u8,
    },
    /// So few days of it are left.
    Ends {
        /// Days.
        days: u8,
    },
}

impl Trial {
    /// Whether its owner has not agreed to pay.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.converted_at.is_none()
    }

    /// What is to be told next, and the trial behind that; of several parts or days only the last.
    #[must_use]
    pub fn next(&self, now: Timestamp, spent: i64) -> Option<(Mark, Self)> {
        if !self.is_free() || now >= self.ends_at {
            return None;
        }
        let part = i128::from(spent.max(0)) * 100 / i128::from(self.amount.max(1));
        let mut percents = TOLD_PERCENT.into_iter();
        if let Some(percent) = percents.find(|percent| part >= i128::from(*percent))
            && self.told_percent.is_none_or(|told| told < percent)
        {
            let told = Some(percent);
            return Some((
                Mark::Used { percent },
                Self {
                    told_percent: told,
                    ..*self
                },
            ));
        }
        let left = self.ends_at.since(now);
        let within = |days: &u8| left <= Duration::from_hours(24 * u64::from(*days));
        if let Some(days) = TOLD_DAYS.into_iter().find(within)
            && self.told_days.is_none_or(|told| told > days)
        {
            let told = Some(days);
            return Some((
                Mark::Ends { days },
                Self {
                    told_days: told,
                    ..*self
                },
            ));
        }
        None
    }
}

/// What a server costs from now to an end, with tax: month by month, as it would be invoiced.
///
/// # Errors
/// When it does not fit, or is in several currencies.
pub fn cost_until(
    tariff: Tariff,
    zone: &Zone,
    now: Timestamp,
    end: Timestamp,
    tax: Option<&Tax>,
) -> Result<i64, MoneyError> {
    let (mut from, mut sum, mut least) = (now, 0_i64, MINIMUM_SECONDS);
    while from < end {
        let Span { until, .. } = zone.span_of(zone.month_of(from));
        let until = until.min(end).max(from.after(Duration::from_millis(1)));
        let seconds = until.since(from).as_millis().div_ceil(1_000);
        let seconds = u64::try_from(seconds).map_err(|_| MoneyError::Overflow)?;
        let net = tariff.charge(seconds.max(least))?;
        sum = sum
            .checked_add(with_tax(net, tax)?)
            .ok_or(MoneyError::Overflow)?;
        (from, least) = (until, 0);
    }
    Ok(sum)
}

fn with_tax(net: Money, tax: Option<&Tax>) -> Result<i64, MoneyError> {
    let rate = tax.map(|tax| tax.rate);
    let gross = rate.map(|rate| Price::of(net, rate).map(|price| price.gross));
    Ok(gross.transpose()?.unwrap_or(net).amount)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::money::{Currency, HourlyRate};
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * HOUR)
    }

    fn trial() -> Trial {
        Trial {
            granted_at: at(0),
            ends_at: at(30 * 24),
            amount: 1_000,
            quota_before: 5,
            told_percent: None,
            told_days: None,
            converted_at: None,
        }
    }

    #[test]
    fn each_part_and_each_day_is_told_once_and_of_several_the_last() {
        let mut trial = trial();
        let mut told = Vec::new();
        for (hour, spent) in [
            (0, 0),
            (1, 499),
            (2, 500),
            (3, 799),
            (23 * 24, 799),
            (23 * 24 + 1, 850),
            (26 * 24, 850),
            (27 * 24, 850),
            (29 * 24, 1_000),
            (29 * 24, 1_000),
            (30 * 24 - 1, 1_000),
            (30 * 24, 1_000),
        ] {
            while let Some((mark, next)) = trial.next(at(hour), spent) {
                told.push((hour, mark));
                trial = next;
            }
        }
        let used = |percent| Mark::Used { percent };
        let ends = |days| Mark::Ends { days };
        assert_eq!(
            told,
            [
                (2, used(50)),
                (23 * 24, ends(7)),
                (23 * 24 + 1, used(80)),
                (27 * 24, ends(3)),
                (29 * 24, used(100)),
                (29 * 24, ends(1)),
            ]
        );
        // All at once: the service was away.
        let (mark, next) = super::tests::trial()
            .next(at(29 * 24), 900)
            .expect("two are told");
        assert_eq!(mark, used(80));
        let (mark, next) = next.next(at(29 * 24), 900).expect("two are told");
        assert_eq!((mark, next.next(at(29 * 24), 900)), (ends(1), None));
    }

    #[test]
    fn who_pays_or_whose_trial_is_over_is_told_nothing() {
        let converted = Trial {
            converted_at: Some(at(1)),
            ..trial()
        };
        assert_eq!(converted.next(at(2), 1_000), None);
        assert_eq!(trial().next(at(30 * 24), 1_000), None);
    }

    fn tariff(cap: i64) -> Tariff {
        let currency = Currency::Krw;
        Tariff {
            hourly: HourlyRate {
                micro_minor_per_hour: 9_000_000,
                currency,
            },
            monthly_cap: Money {
                amount: cap,
                currency,
            },
        }
    }

    #[test]
    fn what_it_costs_to_the_end_is_what_its_months_cost() {
        let zone: Zone = "UTC".parse().expect("a zone");
        // January of 1970 has 744 hours.
        for (cap, from, until, cost) in [
            (6_000, 0, 0, 0),
            (6_000, 0, 1, 9),
            (6_000, 10, 20, 90),
            (6_000, 0, 744, 6_000),
            (100_000, 0, 744, 6_696),
            (6_000, 0, 754, 6_090),
            (6_000, 740, 750, 90),
        ] {
            let tariff = tariff(cap);
            let told = cost_until(tariff, &zone, at(from), at(until), None);
            assert_eq!(told, Ok(cost), "{from} to {until}");
        }
        // An hour at the least.
        let end = Timestamp::from_millis(1);
        assert_eq!(cost_until(tariff(6_000), &zone, at(0), end, None), Ok(9));
    }

    proptest! {
        /// However it is used: each mark once, in its order, and none behind the end.
        #[test]
        fn nobody_is_told_twice(looks in proptest::collection::vec((0i64..60, 0i64..200), 1..60)) {
            let (mut trial, mut hour, mut spent) = (trial(), 0, 0);
            let (mut percents, mut days) = (Vec::new(), Vec::new());
            for (hours, amount) in looks {
                hour += hours;
                spent += amount;
                while let Some((mark, next)) = trial.next(at(hour), spent) {
                    prop_assert!(hour < 30 * 24);
                    match mark {
                        Mark::Used { percent } => percents.push(percent),
                        Mark::Ends { days: left } => days.push(left),
                    }
                    trial = next;
                }
            }
            prop_assert!(percents.is_sorted() && days.iter().rev().is_sorted());
            prop_assert!(percents.windows(2).all(|pair| pair[0] != pair[1]));
            prop_assert!(days.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
