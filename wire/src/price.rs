//! What a server costs: the one place where a time becomes money, for catalogue, quote, calculator, month and invoice.
//!
//! A charge is rounded to whole minor units once, and so is the tax on it (domain-model C2.2, C2.3). An invoice sums
//! charges first and takes the tax of the sum (`billing::Totals::of`), by the same two functions: [`Tariff::charge`] and
//! [`Price::of`].

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    locale::Locale,
    money::{HourlyRate, Money, MoneyError},
};

/// What is charged for a server at the least, however short its life.
pub const MINIMUM_SECONDS: u64 = 3_600;
/// A rate of tax is so many of this many parts.
const WHOLE: u32 = 1_000_000;

/// What a plan's use costs, before tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tariff {
    /// Price an hour.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs.
    pub monthly_cap: Money,
}

/// A rate of tax, exactly: millionths of the price before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schema(value_type = u32, minimum = 0, maximum = 1_000_000)]
pub struct TaxRate(u32);

/// A rate of tax above the price itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate of tax is at most 1000000 millionths")]
pub struct RateTooHigh;

impl TryFrom<u32> for TaxRate {
    type Error = RateTooHigh;

    fn try_from(millionths: u32) -> Result<Self, RateTooHigh> {
        if millionths > WHOLE {
            return Err(RateTooHigh);
        }
        Ok(Self(millionths))
    }
}

/// In percent, with as many decimals as it has: `8.875%`.
impl fmt::Display for TaxRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:04}", self.0 % 10_000);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{point}{fraction}%", self.0 / 10_000)
    }
}

impl From<TaxRate> for u32 {
    fn from(rate: TaxRate) -> Self {
        rate.0
    }
}

/// The tax on everything that an installation sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tax {
    /// Its rate in millionths: 100000 are 10 %.
    pub rate: TaxRate,
    /// What it is called.
    pub name: TaxName,
    /// Which price comes first where one is shown.
    pub shown: Shown,
}

/// What a tax is called in each language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaxName {
    /// In English.
    pub en: String,
    /// In Korean.
    pub ko: String,
    /// In Traditional Chinese.
    #[serde(rename = "zh-Hant")]
    pub zh_hant: String,
}

impl TaxName {
    /// Its name in this language.
    #[must_use]
    pub fn in_language(&self, locale: Locale) -> &str {
        match locale {
            Locale::En => &self.en,
            Locale::Ko => &self.ko,
            Locale::ZhHant => &self.zh_hant,
        }
    }
}

/// Which price comes first where one is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// The one with the tax in it.
    WithTax,
    /// The one before tax; that tax comes on top is said beside it.
    BeforeTax,
}

/// An amount, the tax on it, and both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// Before tax.
    pub net: Money,
    /// The tax on that, rounded once.
    pub tax: Money,
    /// What is to be paid.
    pub gross: Money,
}

/// As [`Price`], for an hour, to a millionth of a minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HourlyPrice {
    /// Before tax.
    pub net: HourlyRate,
    /// The tax on that.
    pub tax: HourlyRate,
    /// Both.
    pub gross: HourlyRate,
}

/// All that is told of what a plan costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Prices {
    /// An hour.
    pub hour: HourlyPrice,
    /// Most that a calendar month costs.
    pub month: Price,
    /// What a server costs at the least, however short its life.
    pub minimum: Price,
    /// The tax in these amounts. Absent when the installation does not tell of any: then all are before tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Tax>,
}

impl Tariff {
    /// What a server costs for so long within one calendar month, before tax; rounded once, never above the month's
    /// price.
    pub fn charge(self, seconds: u64) -> Result<Money, MoneyError> {
        let by_time = self.hourly.for_seconds(seconds)?;
        if by_time.currency != self.monthly_cap.currency {
            let (one, other) = (by_time.currency, self.monthly_cap.currency);
            return Err(MoneyError::MixedCurrencies(one, other));
        }
        Ok(Money {
            amount: by_time.amount.min(self.monthly_cap.amount),
            ..by_time
        })
    }
}

impl Price {
    /// An amount with this tax on it, if there is one.
    pub fn with(net: Money, tax: Option<&Tax>) -> Result<Self, MoneyError> {
        Self::of(net, rate_of(tax))
    }

    /// An amount with the tax on it.
    pub fn of(net: Money, rate: TaxRate) -> Result<Self, MoneyError> {
        let tax = Money {
            amount: share(net.amount, rate)?,
            ..net
        };
        let gross = net.checked_add(tax)?;
        Ok(Self { net, tax, gross })
    }
}

impl HourlyPrice {
    fn of(net: HourlyRate, rate: TaxRate) -> Result<Self, MoneyError> {
        let micro = i64::try_from(net.micro_minor_per_hour).map_err(|_| MoneyError::Overflow)?;
        let tax = u64::try_from(share(micro, rate)?).map_err(|_| MoneyError::Overflow)?;
        let of = |micro_minor_per_hour| HourlyRate {
            micro_minor_per_hour,
            currency: net.currency,
        };
        let gross = net.micro_minor_per_hour.checked_add(tax);
        Ok(Self {
            net,
            tax: of(tax),
            gross: of(gross.ok_or(MoneyError::Overflow)?),
        })
    }
}

/// What a server of this tariff costs when it lives for so long, all of it within one calendar month.
pub fn price(tariff: Tariff, seconds: u64, rate: TaxRate) -> Result<Price, MoneyError> {
    let net = tariff.charge(seconds.max(MINIMUM_SECONDS))?;
    Price::of(net, rate)
}

/// What so many servers of this tariff cost before tax when each lives for so many hours of one calendar month. Each is
/// charged, and rounded, by itself, as it has a line of its own on the invoice.
pub fn estimate(tariff: Tariff, hours: u32, quantity: u32) -> Result<Money, MoneyError> {
    let seconds = u64::from(hours) * 3_600;
    let each = tariff.charge(seconds.max(MINIMUM_SECONDS))?;
    let amount = each.amount.checked_mul(i64::from(quantity));
    Ok(Money {
        amount: amount.ok_or(MoneyError::Overflow)?,
        ..each
    })
}

/// The rate of a tax; that of none is nothing.
fn rate_of(tax: Option<&Tax>) -> TaxRate {
    tax.map_or(TaxRate(0), |tax| tax.rate)
}

/// Everything that is told of a plan's price.
pub fn prices(tariff: Tariff, tax: Option<&Tax>) -> Result<Prices, MoneyError> {
    let rate = rate_of(tax);
    Ok(Prices {
        hour: HourlyPrice::of(tariff.hourly, rate)?,
        month: Price::of(tariff.monthly_cap, rate)?,
        minimum: price(tariff, 0, rate)?,
        tax: tax.cloned(),
    })
}

/// The share of an amount, half away from zero, on the absolute value.
fn share(amount: i64, rate: TaxRate) -> Result<i64, MoneyError> {
    let parts = i128::from(amount.unsigned_abs()) * i128::from(rate.0);
    let rounded = (parts + i128::from(WHOLE / 2)) / i128::from(WHOLE);
    i64::try_from(rounded * i128::from(amount.signum())).map_err(|_| MoneyError::Overflow)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::Currency;

    fn tariff(micro_minor_per_hour: u64, cap: i64) -> Tariff {
        let currency = Currency::Krw;
        Tariff {
            hourly: HourlyRate {
                micro_minor_per_hour,
                currency,
            },
            monthly_cap: Money {
                amount: cap,
                currency,
            },
        }
    }

    fn rate(millionths: u32) -> TaxRate {
        TaxRate::try_from(millionths).expect("a rate")
    }

    fn amounts(price: Price) -> (i64, i64, i64) {
        (price.net.amount, price.tax.amount, price.gross.amount)
    }

    const TEN_PERCENT: u32 = 100_000;

    #[test]
    fn an_hour_is_the_least_and_the_months_price_the_most() {
        let s1 = tariff(9_000_000, 6_000);
        let cost = |seconds| amounts(price(s1, seconds, rate(TEN_PERCENT)).expect("fits"));
        assert_eq!(cost(0), (9, 1, 10), "0.9 won of tax are 1");
        assert_eq!(cost(3_600), (9, 1, 10));
        assert_eq!(cost(36_000), (90, 9, 99));
        assert_eq!(cost(31 * 86_400), (6_000, 600, 6_600));
        assert_eq!(cost(u64::from(u32::MAX)), (6_000, 600, 6_600));
        assert_eq!(
            s1.charge(1_800).expect("fits").amount,
            5,
            "the least is a matter of a server's whole life, not of each part of it"
        );
    }

    /// Half a won an hour: three servers are three lines of one won, not one of one and a half.
    #[test]
    fn servers_are_estimated_one_by_one() {
        let half = tariff(500_000, 300);
        let cost = |hours, quantity| estimate(half, hours, quantity).expect("fits").amount;
        assert_eq!((cost(1, 1), cost(1, 3), cost(3, 3)), (1, 3, 6));
        assert_eq!((cost(0, 1), cost(744, 2)), (1, 600));
        assert_eq!(
            estimate(tariff(u64::MAX, i64::MAX), 744, u32::MAX),
            Err(MoneyError::Overflow)
        );
    }

    #[test]
    fn what_is_told_of_a_plan() {
        let tax = Tax {
            rate: rate(50_000),
            name: TaxName {
                en: "business tax".to_owned(),
                ko: "영업세".to_owned(),
                zh_hant: "營業稅".to_owned(),
            },
            shown: Shown::WithTax,
        };
        let told = prices(tariff(9_000_000, 6_000), Some(&tax)).expect("fits");
        assert_eq!(told.hour.gross.micro_minor_per_hour, 9_450_000);
        assert_eq!(told.hour.tax.micro_minor_per_hour, 450_000);
        assert_eq!(amounts(told.month), (6_000, 300, 6_300));
        assert_eq!(amounts(told.minimum), (9, 0, 9), "0.45 won of tax are 0");
        assert_eq!(tax.name.in_language(Locale::ZhHant), "營業稅");
        let untold = prices(tariff(9_000_000, 6_000), None).expect("fits");
        assert_eq!((untold.hour.gross, untold.tax), (untold.hour.net, None));
        assert_eq!(untold.month.gross, untold.month.net);
    }

    #[test]
    fn a_credit_has_the_tax_of_its_charge() {
        for amount in [1, 4, 5, 14, 15, 25, 1_005] {
            let of = |amount| {
                let net = Money {
                    amount,
                    currency: Currency::Krw,
                };
                amounts(Price::of(net, rate(TEN_PERCENT)).expect("fits"))
            };
            let (net, tax, gross) = of(amount);
            assert_eq!(of(-amount), (-net, -tax, -gross));
        }
    }

    #[test]
    fn what_does_not_fit_or_mix_is_an_error() {
        assert_eq!(
            price(tariff(u64::MAX, 1), u64::MAX, rate(0)),
            Err(MoneyError::Overflow)
        );
        let mut mixed = tariff(1, 1);
        mixed.monthly_cap.currency = Currency::Eur;
        let error = MoneyError::MixedCurrencies(Currency::Krw, Currency::Eur);
        assert_eq!(price(mixed, 1, rate(0)), Err(error));
        let most = Money {
            amount: i64::MAX,
            currency: Currency::Krw,
        };
        assert_eq!(Price::of(most, rate(1)), Err(MoneyError::Overflow));
        assert_eq!(TaxRate::try_from(1_000_001), Err(RateTooHigh));
        assert!(serde_json::from_str::<TaxRate>("1000001").is_err());
    }

    proptest! {
        #[test]
        fn a_price_adds_up_and_its_tax_is_rounded_once(
            micro in 0u64..10_000_000_000,
            cap in 0i64..10_000_000,
            seconds in 0u64..40_000_000,
            millionths in 0u32..=1_000_000,
        ) {
            let cost = price(tariff(micro, cap), seconds, rate(millionths)).expect("fits");
            prop_assert_eq!(cost.net.checked_add(cost.tax), Ok(cost.gross));
            let exact = i128::from(cost.net.amount) * i128::from(millionths);
            let off = i128::from(cost.tax.amount) * 1_000_000 - exact;
            prop_assert!(off.abs() * 2 <= 1_000_000, "{}", off);
            prop_assert!(cost.net.amount <= cap);
        }

        #[test]
        fn longer_is_never_cheaper_and_nothing_is_below_the_minimum(
            micro in 0u64..10_000_000_000,
            cap in 0i64..10_000_000,
            one in 0u64..4_000_000,
            other in 0u64..4_000_000,
            millionths in 0u32..=1_000_000,
        ) {
            let tariff = tariff(micro, cap);
            let cost = |seconds| price(tariff, seconds, rate(millionths)).expect("fits").gross.amount;
            let (short, long) = (one.min(other), one.max(other));
            prop_assert!(cost(short) <= cost(long));
            prop_assert!(cost(0) <= cost(short));
            prop_assert_eq!(cost(0), cost(MINIMUM_SECONDS));
            prop_assert_eq!(cost(0), prices(tariff, None).map(|told| {
                Price::of(told.minimum.net, rate(millionths)).expect("fits").gross.amount
            }).expect("fits"));
        }

        #[test]
        fn parts_of_a_month_are_off_by_less_than_a_unit_each(
            micro in 0u64..10_000_000_000,
            parts in proptest::collection::vec(0u64..400_000, 1..6),
        ) {
            let tariff = tariff(micro, i64::MAX);
            let whole = tariff.charge(parts.iter().sum()).expect("fits").amount;
            let sum: i64 = parts.iter().map(|part| tariff.charge(*part).expect("fits").amount).sum();
            let most = i64::try_from(parts.len()).expect("few");
            prop_assert!((whole - sum).abs() <= most, "{} and {}", whole, sum);
        }
    }
}
