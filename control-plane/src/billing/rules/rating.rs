//! Rating: what a contract's use costs in a span of time, for the month so far, the forecast and the invoice.
//!
//! Time is metered to the millisecond and charged to the second (domain-model C2.2). What is charged up to an instant is a
//! function of the use up to then alone ([`charged_seconds`]), and what a span costs is the difference of its two ends:
//! so the spans of a server's life add up to its life, however they are cut.

use innkeeper_wire::{
    money::{Money, MoneyError},
    month::Span,
    price::{MINIMUM_SECONDS, Tariff},
    time::Timestamp,
};

use super::UsageInterval;

/// The use of a contract in a span, and what it costs before tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rated {
    /// The first instant of use in the span.
    pub from: Timestamp,
    /// The instant behind the last use in the span.
    pub until: Timestamp,
    /// How long it could be used, seconds.
    pub used_s: u64,
    /// For how long of that it could not be used by its host's fault, seconds: not charged.
    pub credited_s: u64,
    /// What is charged for, seconds: the difference of both, or what the minimum adds or has anticipated.
    pub charged_s: u64,
    /// The price before tax.
    pub net: Money,
    /// Whether the month's price limits it.
    pub is_capped: bool,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    /// In intervals.
    used: u64,
    /// Of that in outages.
    credited: u64,
}

/// What the intervals of one contract cost in a span of at most a calendar month; nothing when it was not used in it and
/// nothing is to be charged.
///
/// # Errors
/// When the price does not fit, or the tariff is in two currencies.
pub fn rate(
    tariff: Tariff,
    intervals: &[UsageInterval],
    span: Span,
) -> Result<Option<Rated>, MoneyError> {
    let before = used_until(intervals, span.from);
    let behind = used_until(intervals, span.until);
    let touched = intervals.iter().filter_map(|usage| within(usage, span));
    let Some((from, until)) = touched.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    else {
        return Ok(None);
    };
    let charged_s = charged_seconds(behind).saturating_sub(charged_seconds(before));
    let net = tariff.charge(charged_s)?;
    Ok(Some(Rated {
        from,
        until,
        used_s: seconds(behind.used) - seconds(before.used),
        credited_s: seconds(behind.credited) - seconds(before.credited),
        charged_s,
        net,
        is_capped: net.amount < tariff.hourly.for_seconds(charged_s)?.amount,
    }))
}

/// The part of an interval that lies in a span.
fn within(usage: &UsageInterval, span: Span) -> Option<(Timestamp, Timestamp)> {
    let from = usage.from.max(span.from);
    let until = usage.until.unwrap_or(span.until).min(span.until);
    (from < until).then_some((from, until))
}

/// All use up to an instant.
fn used_until(intervals: &[UsageInterval], end: Timestamp) -> Use {
    let mut sum = Use::default();
    for usage in intervals {
        let until = usage.until.unwrap_or(end).min(end);
        sum.used += between(usage.from, until);
        for outage in &usage.outages {
            let outage_until = outage.until.unwrap_or(until).min(until);
            sum.credited += between(outage.from.max(usage.from), outage_until);
        }
    }
    sum
}

fn between(from: Timestamp, until: Timestamp) -> u64 {
    u64::try_from(until.as_millis().saturating_sub(from.as_millis())).unwrap_or(0)
}

const fn seconds(millis: u64) -> u64 {
    millis / 1_000
}

/// The seconds that are charged for all use up to an instant: nothing for what could never be used, else an hour at the
/// least, which falls into the month of the first use; what follows within that hour is paid already.
fn charged_seconds(used: Use) -> u64 {
    match seconds(used.used.saturating_sub(used.credited)) {
        0 if used.used == used.credited => 0,
        usable => usable.max(MINIMUM_SECONDS),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        api::OutageCause,
        billing::Totals,
        id::{ContractId, UsageId, uuid_v7},
        money::{Currency, HourlyRate},
        month::Month,
        price::{Shown, Tax, TaxName, TaxRate, estimate, price},
        zone::Zone,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::billing::rules::Outage;

    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn span(from: i64, until: i64) -> Span {
        Span {
            from: at(from),
            until: at(until),
        }
    }

    fn usage(from: i64, until: Option<i64>, outages: &[(i64, Option<i64>)]) -> UsageInterval {
        let uuid = uuid_v7(at(0), [1; 10]);
        let outage = |(from, until): &(i64, Option<i64>)| Outage {
            from: at(*from),
            until: until.map(at),
            cause: OutageCause::Uplink,
        };
        UsageInterval {
            id: UsageId::from_uuid(uuid),
            contract: ContractId::from_uuid(uuid),
            from: at(from),
            until: until.map(at),
            outages: outages.iter().map(outage).collect(),
        }
    }

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

    /// Used, credited and charged seconds, and the price, of a won a second below a million.
    #[track_caller]
    fn check(intervals: &[UsageInterval], span: Span, expected: Option<(u64, u64, u64, i64)>) {
        let rated = rate(tariff(3_600_000_000, 1_000_000), intervals, span).expect("it fits");
        let found = rated.map(|rated| {
            (
                rated.used_s,
                rated.credited_s,
                rated.charged_s,
                rated.net.amount,
            )
        });
        assert_eq!(found, expected, "{rated:?}");
    }

    #[test]
    fn what_is_used_is_charged_by_the_second() {
        let whole = span(0, 100 * HOUR);
        check(&[], whole, None);
        let closed = usage(10, Some(10 + 2 * HOUR + 1), &[]);
        check(
            std::slice::from_ref(&closed),
            whole,
            Some((7_201, 0, 7_201, 7_201)),
        );
        // One that goes on counts to the end of the span.
        check(
            &[usage(10, None, &[])],
            whole,
            Some((359_990, 0, 359_990, 359_990)),
        );
        // One that lies before or behind, or is empty, is no use.
        check(std::slice::from_ref(&closed), span(9_000, 10_000), None);
        check(&[closed], span(0, 10), None);
        check(&[usage(10, Some(10), &[])], whole, None);
        // The account was suspended in between.
        let two = [
            usage(0, Some(HOUR), &[]),
            usage(5 * HOUR, Some(6 * HOUR), &[]),
        ];
        check(&two, whole, Some((7_200, 0, 7_200, 7_200)));
        check(&two, span(2 * HOUR, 4 * HOUR), None);
    }

    #[test]
    fn the_months_price_is_the_most() {
        let month = span(0, 744 * HOUR);
        let rated = rate(tariff(9_000_000, 6_000), &[usage(0, None, &[])], month);
        let rated = rated.expect("it fits").expect("it was used");
        assert_eq!((rated.net.amount, rated.is_capped), (6_000, true));
        let short = rate(
            tariff(9_000_000, 6_000),
            &[usage(0, Some(HOUR), &[])],
            month,
        );
        let short = short.expect("it fits").expect("it was used");
        assert_eq!((short.net.amount, short.is_capped), (9, false));
    }

    #[test]
    fn an_hour_is_the_least_of_a_life_and_is_paid_once() {
        let (first, second) = (span(0, 10 * HOUR), span(10 * HOUR, 20 * HOUR));
        // Half an hour within one month.
        check(
            &[usage(0, Some(1_800), &[])],
            first,
            Some((1_800, 0, 3_600, 3_600)),
        );
        // Ten minutes before the end of the month: the hour falls into it, and the next month charges the rest.
        let over = [usage(10 * HOUR - 600, Some(12 * HOUR), &[])];
        check(&over, first, Some((600, 0, 3_600, 3_600)));
        check(&over, second, Some((7_200, 0, 4_200, 4_200)));
        // Its second part within the hour is paid already, and a line says so.
        let short = [usage(10 * HOUR - 600, Some(10 * HOUR + 600), &[])];
        check(&short, first, Some((600, 0, 3_600, 3_600)));
        check(&short, second, Some((600, 0, 0, 0)));
    }

    #[test]
    fn what_the_host_owes_is_not_charged() {
        let whole = span(0, 100 * HOUR);
        let part = usage(0, Some(10 * HOUR), &[(HOUR, Some(3 * HOUR))]);
        check(
            std::slice::from_ref(&part),
            whole,
            Some((36_000, 7_200, 28_800, 28_800)),
        );
        // An outage that goes on over the end of the month.
        check(
            std::slice::from_ref(&part),
            span(0, 2 * HOUR),
            Some((7_200, 3_600, 3_600, 3_600)),
        );
        check(
            &[part],
            span(2 * HOUR, 4 * HOUR),
            Some((7_200, 3_600, 3_600, 3_600)),
        );
        // It could never be used: there is no minimum for that.
        check(
            &[usage(0, Some(HOUR), &[(0, Some(HOUR))])],
            whole,
            Some((3_600, 3_600, 0, 0)),
        );
        check(
            &[usage(0, None, &[(0, None)])],
            whole,
            Some((360_000, 360_000, 0, 0)),
        );
    }

    #[test]
    fn months_of_daylight_saving_are_as_long_as_they_are() {
        let zone: Zone = "America/New_York".parse().expect("a zone");
        for (month, hours) in [("2027-03", 743), ("2027-11", 721), ("2028-02", 29 * 24)] {
            let month: Month = month.parse().expect("a month");
            let span = zone.span_of(month);
            let always = usage(0, None, &[]);
            let rated = rate(tariff(1_000_000, 1_000_000), &[always], span);
            let rated = rated.expect("it fits").expect("it was used");
            assert_eq!(rated.charged_s, hours * 3_600, "{month}");
        }
    }

    proptest! {
        /// C5.7: what the calculator says of so many servers for so many hours is what the invoice of a month says in which
        /// each of them was used for so long, whenever in the month that was; with the tax.
        #[test]
        fn calculator_and_invoice_say_the_same(
            micro in 0u64..10_000_000_000,
            cap in 0i64..10_000_000,
            millionths in 0u32..=1_000_000,
            choices in proptest::collection::vec((1u32..=744, 1u32..5, 0i64..2_600_000), 1..5),
        ) {
            let zone: Zone = "Asia/Seoul".parse().expect("a zone");
            let month = zone.span_of("2027-01".parse::<Month>().expect("a month"));
            let tariff = tariff(micro, cap);
            let tax = Tax {
                rate: TaxRate::try_from(millionths).expect("a rate"),
                name: TaxName { en: String::new(), ko: String::new(), zh_hant: String::new() },
                shown: Shown::BeforeTax,
            };
            let (mut told, mut lines) = (Vec::new(), Vec::new());
            for (hours, quantity, begun) in choices {
                told.push(estimate(tariff, hours, quantity).expect("fits"));
                let length = i64::from(hours) * HOUR * 1_000;
                let latest = month.until.as_millis() - length;
                let mut used = usage(0, None, &[]);
                used.from = Timestamp::from_millis((month.from.as_millis() + begun * 1_000).min(latest));
                used.until = Some(Timestamp::from_millis(used.from.as_millis() + length));
                let rated = rate(tariff, &[used], month).expect("fits").expect("used");
                lines.extend((0..quantity).map(|_| rated.net));
            }
            let estimated = Totals::of(Currency::Krw, told, Some(&tax));
            prop_assert_eq!(estimated, Totals::of(Currency::Krw, lines, Some(&tax)));
        }

        /// The same of a quote's price.
        #[test]
        fn quote_and_invoice_say_the_same(
            micro in 0u64..10_000_000_000,
            cap in 0i64..10_000_000,
            begun in 0i64..1_000_000,
            seconds in 1i64..2_600_000,
        ) {
            let tariff = tariff(micro, cap);
            let used = usage(begun, Some(begun + seconds), &[]);
            let rated = rate(tariff, &[used], span(0, 10_000_000)).expect("fits").expect("used");
            let no_tax = TaxRate::try_from(0).expect("a rate");
            let quoted = price(tariff, u64::try_from(seconds).expect("positive"), no_tax).expect("fits");
            prop_assert_eq!(rated.net, quoted.net);
        }

        /// C5.4: however time is cut into periods, each second of use is charged once.
        #[test]
        fn periods_add_up_to_the_life(
            pieces in proptest::collection::vec((0i64..5_000_000, 0i64..5_000_000), 1..5),
            cuts in proptest::collection::vec(1i64..40_000_000, 1..6),
        ) {
            let mut clock = 0;
            let mut intervals = Vec::new();
            for (pause, length) in pieces {
                // To the millisecond, so that no cut falls onto a whole second of use.
                let from = Timestamp::from_millis(clock + pause);
                clock += pause + length;
                let mut used = usage(0, None, &[]);
                used.from = from;
                used.until = Some(Timestamp::from_millis(clock));
                intervals.push(used);
            }
            let mut ends: Vec<_> = cuts.into_iter().chain([0, 50_000_000]).collect();
            ends.sort_unstable();
            let tariff = tariff(1_000_000, i64::MAX);
            let of = |from, until| {
                let span = Span { from: Timestamp::from_millis(from), until: Timestamp::from_millis(until) };
                let rated = rate(tariff, &intervals, span).expect("fits");
                rated.map_or(0, |rated| rated.charged_s)
            };
            let parts: u64 = ends.windows(2).map(|pair| of(pair[0], pair[1])).sum();
            prop_assert_eq!(parts, of(0, 50_000_000));
        }
    }
}
