//! How amounts and instants read in a language. Exact: nothing is rounded for show.

use std::time::Duration;

use innkeeper_wire::{
    api::Locale,
    money::{HourlyRate, Money},
    price::TaxRate,
    time::Timestamp,
    zone::Zone,
};

use crate::{language, words};

/// How far clocks may differ.
const AHEAD: Duration = Duration::from_secs(60);

/// An instant, as people read it and as machines do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Such as `3 minutes ago`.
    pub relative: String,
    /// To the minute, with its zone.
    pub exact: String,
    /// RFC 3339, for `datetime` attributes.
    pub machine: String,
    /// What stands in place of `relative` while it is as good as now.
    pub recent: String,
}

impl Moment {
    /// The same at any time that it is looked at: a page's script says how long ago it is.
    #[must_use]
    pub fn still(self) -> Self {
        Self {
            relative: self.exact.clone(),
            ..self
        }
    }
}

/// An amount of money.
#[must_use]
pub fn money(locale: Locale, money: Money) -> String {
    let sign = if money.amount < 0 { "-" } else { "" };
    let said = language::say_amount(locale, words::money(money.currency), &money.digits());
    format!("{sign}{said}")
}

/// A price an hour, with as many decimals as it has.
#[must_use]
pub fn rate(locale: Locale, rate: HourlyRate) -> String {
    language::say_amount(locale, words::money(rate.currency), &rate.digits())
}

/// A rate of tax in percent, with as many decimals as it has.
#[must_use]
pub fn percent(rate: TaxRate) -> String {
    rate.to_string()
}

/// A time as it is counted, in hours, minutes and seconds: `743:59:07`.
#[must_use]
pub fn counted(seconds: u64) -> String {
    let (hours, rest) = (seconds / 3_600, seconds % 3_600);
    format!("{hours}:{:02}:{:02}", rest / 60, rest % 60)
}

/// An instant seen from `now`.
#[must_use]
pub fn moment(locale: Locale, at: Timestamp, now: Timestamp, zone: &Zone) -> Moment {
    let exact = zone.minute(locale, at).to_string();
    let is_to_come = at.since(now) > AHEAD;
    Moment {
        relative: if is_to_come {
            exact.clone()
        } else {
            relative(locale, at, now)
        },
        exact,
        machine: at.to_string(),
        recent: language::say(locale, "time-now"),
    }
}

/// How long ago. Instants just ahead read as now: clocks differ a little.
/// In steps as large as those of the script that keeps it going, so that a page loaded anew never goes back in time.
fn relative(locale: Locale, at: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    match seconds {
        0..=9 => language::say(locale, "time-now"),
        10..=59 => language::say_count(locale, "time-seconds", seconds / 10 * 10),
        60..=3_599 => language::say_count(locale, "time-minutes", seconds / 60),
        3_600..=86_399 => language::say_count(locale, "time-hours", seconds / 3_600),
        _ => language::say_count(locale, "time-days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::money::Currency;

    use super::*;

    #[test]
    fn money_reads_as_at_home() {
        let check = |locale, amount, currency, expected: &str| {
            assert_eq!(money(locale, Money { amount, currency }), expected);
        };
        check(Locale::En, 12_000, Currency::Krw, "₩12,000");
        check(Locale::Ko, 12_000, Currency::Krw, "12,000원");
        check(Locale::ZhHant, 1_234_567, Currency::Krw, "₩1,234,567");
        check(Locale::En, 0, Currency::Krw, "₩0");
        check(Locale::En, 999, Currency::Krw, "₩999");
        check(Locale::En, 5, Currency::Usd, "$0.05");
        check(Locale::Ko, 123_450, Currency::Usd, "US$1,234.50");
        check(Locale::En, -150, Currency::Eur, "-€1.50");
        check(Locale::Ko, -1_500, Currency::Krw, "-1,500원");
        check(Locale::ZhHant, 150_000, Currency::Twd, "NT$1,500");
        check(Locale::ZhHant, 150_050, Currency::Twd, "NT$1,500.50");
        check(
            Locale::En,
            i64::MIN,
            Currency::Krw,
            "-₩9,223,372,036,854,775,808",
        );
    }

    #[test]
    fn rates_are_exact() {
        let check = |micro_minor_per_hour, currency, expected: &str| {
            let price = HourlyRate {
                micro_minor_per_hour,
                currency,
            };
            assert_eq!(rate(Locale::En, price), expected);
        };
        check(18_000_000, Currency::Krw, "₩18");
        check(17_500_000, Currency::Krw, "₩17.5");
        check(1, Currency::Krw, "₩0.000001");
        check(1_200_000, Currency::Usd, "$0.012");
        check(100_000_000, Currency::Usd, "$1.00");
        check(u64::MAX, Currency::Krw, "₩18,446,744,073,709.551615");
    }

    #[test]
    fn counted_time_is_exact() {
        for (seconds, expected) in [(0, "0:00:00"), (59, "0:00:59"), (2_678_347, "743:59:07")] {
            assert_eq!(counted(seconds), expected);
        }
    }

    #[test]
    fn rates_of_tax_are_exact() {
        for (millionths, expected) in [
            (100_000, "10%"),
            (50_000, "5%"),
            (88_750, "8.875%"),
            (1, "0.0001%"),
            (0, "0%"),
        ] {
            let rate = TaxRate::try_from(millionths).expect("a rate");
            assert_eq!(percent(rate), expected);
        }
    }

    #[test]
    fn times_are_near_and_exact() {
        let at: Timestamp = "2026-11-21T01:30:00Z".parse().expect("a time");
        let seoul = "Asia/Seoul".parse().expect("bundled");
        let check = |locale, seconds: u64, near: &str, exact: &str| {
            let now = at.after(std::time::Duration::from_secs(seconds));
            let seen = moment(locale, at, now, &seoul);
            assert_eq!((seen.relative.as_str(), seen.exact.as_str()), (near, exact));
            assert_eq!(seen.machine, "2026-11-21T01:30:00.000Z");
        };
        check(Locale::En, 3, "just now", "21 Nov 2026, 10:30 KST");
        check(Locale::En, 59, "50 seconds ago", "21 Nov 2026, 10:30 KST");
        check(Locale::En, 60, "1 minute ago", "21 Nov 2026, 10:30 KST");
        check(Locale::Ko, 7_300, "2시간 전", "2026년 11월 21일 10:30 KST");
        check(
            Locale::ZhHant,
            200_000,
            "2 天前",
            "2026年11月21日 10:30 KST",
        );
        // Clocks differ a little; what is to come is told by its time.
        for (ahead_s, read) in [(60, "just now"), (61, "21 Nov 2026, 10:30 KST")] {
            let now = Timestamp::from_millis(at.as_millis() - ahead_s * 1_000);
            assert_eq!(moment(Locale::En, at, now, &seoul).relative, read);
        }
    }
}
