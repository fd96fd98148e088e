//! What is charged: the month so far, and invoices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::{Code, ContractId, JobId, ServerId},
    money::{Currency, HourlyRate, Money, MoneyError},
    month::Month,
    price::{Price, Tax, TaxName, TaxRate},
    time::Timestamp,
    vm::Hostname,
    zone::Zone,
};

/// The use of one server in a month, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageLine {
    /// The server.
    pub server: ServerId,
    /// What it is charged under.
    pub contract: ContractId,
    /// Its name when it was ordered. Absent for what was ordered before contracts kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Hostname>,
    /// The plan, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Code>,
    /// The data centre, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Code>,
    /// The first instant of use in the month.
    pub from: Timestamp,
    /// The instant behind the last use in the month.
    pub until: Timestamp,
    /// Whether it was charged for beyond that, or is still.
    pub is_open: bool,
    /// How long it was there to be used, seconds.
    pub used_s: u64,
    /// Of that, how long it could not be used by its host's fault, seconds. That is not charged.
    pub credited_s: u64,
    /// What is charged for, seconds. A server is charged for an hour at the least, in the month of its first use: then more
    /// than was used, and less in the next month if its first hour goes on into that.
    pub charged_s: u64,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
    /// Whether the month's price limits what it costs.
    pub is_capped: bool,
    /// What it costs, before tax.
    pub net: Money,
    /// What it is for, of what is charged once: then nothing of it was counted in time, and `from` and `until` are when it
    /// was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<OnceCharge>,
}

/// Something that is charged once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OnceCharge {
    /// The technical-support job that it is for.
    pub job: JobId,
    /// What was done.
    pub services: Vec<String>,
}

/// The tax of one rate on a sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaxTotal {
    /// The rate in millionths: 100000 are 10 %.
    pub rate: TaxRate,
    /// What the tax is called.
    pub name: TaxName,
    /// The sum that it is on.
    pub net: Money,
    /// The tax, rounded once.
    pub tax: Money,
}

/// A sum with its taxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// The sum of all lines.
    pub net: Money,
    /// The taxes on it, one for each rate; none when the installation does not tell of any.
    pub taxes: Vec<TaxTotal>,
    /// What is to be paid.
    pub total: Money,
}

impl Totals {
    /// The sum of these amounts before tax, and the tax on it if there is one: taken of the sum, and rounded once
    /// (domain-model C2.3).
    ///
    /// # Errors
    /// When they are not all of this currency, or do not fit.
    pub fn of(
        currency: Currency,
        nets: impl IntoIterator<Item = Money>,
        tax: Option<&Tax>,
    ) -> Result<Self, MoneyError> {
        let nothing = Money {
            amount: 0,
            currency,
        };
        let net = nets.into_iter().try_fold(nothing, Money::checked_add)?;
        let Some(tax) = tax else {
            return Ok(Self {
                net,
                taxes: Vec::new(),
                total: net,
            });
        };
        let price = Price::of(net, tax.rate)?;
        Ok(Self {
            net,
            taxes: vec![TaxTotal {
                rate: tax.rate,
                name: tax.name.clone(),
                net,
                tax: price.tax,
            }],
            total: price.gross,
        })
    }
}

/// What this month costs so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MonthSoFar {
    /// The month, in the installation's time zone.
    pub month: Month,
    /// That time zone.
    pub time_zone: Zone,
    /// When the month begins.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// Up to when use is counted here.
    pub as_of: Timestamp,
    /// Each server that is or was charged for in this month, newest first.
    pub lines: Vec<UsageLine>,
    /// What that costs so far.
    pub so_far: Totals,
    /// What the whole month will cost if what is charged for now goes on to its end, and nothing else begins.
    pub forecast: Totals,
}

/// From which amount on the owner of an account is told what the month costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpendingAlert {
    /// With tax; absent when he is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Money>,
    /// The last month in which he was told: once in each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_in: Option<Month>,
}

/// Says from which amount on one is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendingAlertRequest {
    /// With tax, above zero; absent when one is not to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Money>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Shown;

    const WON: Currency = Currency::Krw;

    fn won(amount: i64) -> Money {
        Money {
            amount,
            currency: WON,
        }
    }

    fn tenth() -> Tax {
        Tax {
            rate: TaxRate::try_from(100_000).expect("a rate"),
            name: TaxName {
                en: "VAT".to_owned(),
                ko: "부가세".to_owned(),
                zh_hant: "營業稅".to_owned(),
            },
            shown: Shown::BeforeTax,
        }
    }

    /// Three lines of 5 won: 0.5 won of tax each would be three, of the sum they are two.
    #[test]
    fn tax_is_rounded_once_on_the_sum() {
        let totals = Totals::of(WON, [won(5); 3], Some(&tenth())).expect("it fits");
        assert_eq!((totals.net, totals.total), (won(15), won(17)));
        assert_eq!(totals.taxes[0].tax, won(2));
        assert_eq!(totals.taxes[0].net, won(15));
    }

    #[test]
    fn nothing_is_nothing_and_no_tax_is_none() {
        let none = Totals::of(WON, [], Some(&tenth())).expect("it fits");
        assert_eq!((none.net, none.total), (won(0), won(0)));
        let untaxed = Totals::of(WON, [won(7)], None).expect("it fits");
        assert_eq!((untaxed.taxes.len(), untaxed.total), (0, won(7)));
    }

    #[test]
    fn another_currency_is_refused() {
        let euro = Money {
            amount: 1,
            currency: Currency::Eur,
        };
        let mixed = Totals::of(WON, [won(1), euro], None);
        assert_eq!(mixed, Err(MoneyError::MixedCurrencies(WON, Currency::Eur)));
    }
}
