//! Business hours (R98, R99): when jobs are received and worked on, and how long they have taken in that time.

use std::{collections::BTreeSet, time::Duration};

use innkeeper_wire::{time::Timestamp, zone::Zone};
use jiff::civil::{Date, Weekday};

/// Saturday and Sunday.
pub const WEEKEND: [Weekday; 2] = [Weekday::Saturday, Weekday::Sunday];
/// Days that are looked at for the next business day: nobody has holidays for longer.
const DAYS_MAX: usize = 400;

/// When there is business.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Of the hoster's engineers.
    pub zone: Zone,
    /// The hour at which it begins, 0 to 23.
    pub opens: u8,
    /// The hour at which it ends, above that, at most 24.
    pub closes: u8,
    /// Days of the week without any.
    pub closed: Vec<Weekday>,
    /// Days without any beside those.
    pub holidays: BTreeSet<Date>,
}

impl Calendar {
    /// Whether there is business at an instant.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.hours_of(self.day(at))
            .is_some_and(|(opens, closes)| opens <= at && at < closes)
    }

    /// When business begins next; the instant itself within business hours.
    #[must_use]
    pub fn opens_next(&self, at: Timestamp) -> Timestamp {
        self.after(at, Duration::ZERO)
    }

    /// How much business time lies between two instants.
    #[must_use]
    pub fn between(&self, from: Timestamp, until: Timestamp) -> Duration {
        let last = self.day(until);
        let days = self.days(from).take_while(|day| *day <= last);
        let hours = days.filter_map(|day| self.hours_of(day));
        hours
            .map(|(opens, closes)| closes.min(until).since(opens.max(from)))
            .sum()
    }

    /// The instant at which so much business time has passed. What is left at the end of a day is the next one's morning.
    #[must_use]
    pub fn after(&self, from: Timestamp, span: Duration) -> Timestamp {
        let mut left = span;
        for (opens, closes) in self.days(from).filter_map(|day| self.hours_of(day)) {
            let begin = opens.max(from);
            let here = closes.since(begin);
            if here > left {
                return begin.after(left);
            }
            left -= here;
        }
        from.after(span)
    }

    /// The business time of so many business days.
    #[must_use]
    pub fn days_of(&self, days: u32) -> Duration {
        Duration::from_hours(u64::from(self.closes - self.opens)) * days
    }

    fn day(&self, at: Timestamp) -> Date {
        self.zone.date(at).parse().unwrap_or(Date::ZERO)
    }

    fn days(&self, from: Timestamp) -> impl Iterator<Item = Date> {
        let next = |day: &Date| day.tomorrow().ok();
        std::iter::successors(Some(self.day(from)), next).take(DAYS_MAX)
    }

    /// When business begins and ends on a day; nothing on one without any.
    fn hours_of(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        if self.closed.contains(&day.weekday()) || self.holidays.contains(&day) {
            return None;
        }
        let opens = self.zone.instant(&format!("{day}T{:02}:00", self.opens))?;
        let closes = match self.closes {
            24 => self
                .zone
                .instant(&format!("{}T00:00", day.tomorrow().ok()?))?,
            closes => self.zone.instant(&format!("{day}T{closes:02}:00"))?,
        };
        Some((opens, closes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calendar(zone: &str) -> Calendar {
        Calendar {
            zone: zone.parse().expect("a zone"),
            opens: 9,
            closes: 18,
            closed: WEEKEND.to_vec(),
            // A Friday.
            holidays: BTreeSet::from(["2026-12-25".parse().expect("a day")]),
        }
    }

    fn at(text: &str) -> Timestamp {
        let zone: Zone = "Asia/Seoul".parse().expect("a zone");
        zone.instant(text).expect("an instant")
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn there_is_business_on_weekdays_from_nine_to_six() {
        let seoul = calendar("Asia/Seoul");
        for (text, open, next) in [
            ("2026-11-30T09:00", true, "2026-11-30T09:00"),
            ("2026-11-30T17:59", true, "2026-11-30T17:59"),
            ("2026-11-30T18:00", false, "2026-12-01T09:00"),
            ("2026-11-30T08:59", false, "2026-11-30T09:00"),
            // A Saturday, and the eve of a holiday on a Friday.
            ("2026-11-28T12:00", false, "2026-11-30T09:00"),
            ("2026-12-24T18:00", false, "2026-12-28T09:00"),
        ] {
            assert_eq!(seoul.is_open(at(text)), open, "{text}");
            assert_eq!(seoul.opens_next(at(text)), at(next), "{text}");
        }
    }

    #[test]
    fn two_business_days_are_eighteen_hours_of_business() {
        let seoul = calendar("Asia/Seoul");
        let span = seoul.days_of(2);
        assert_eq!(span, 18 * HOUR);
        for (from, until) in [
            ("2026-11-30T10:00", "2026-12-02T10:00"),
            ("2026-11-30T19:00", "2026-12-03T09:00"),
            // A Thursday: Friday is a holiday, and a weekend follows.
            ("2026-12-24T12:00", "2026-12-29T12:00"),
        ] {
            assert_eq!(seoul.after(at(from), span), at(until), "{from}");
        }
    }

    #[test]
    fn a_day_may_end_at_midnight() {
        let late = Calendar {
            closes: 24,
            ..calendar("Asia/Seoul")
        };
        assert!(late.is_open(at("2026-11-30T23:59")));
        assert!(!late.is_open(at("2026-12-01T00:00")));
    }

    proptest! {
        /// In zones with summer time too: what passes until an instant is what lies before it.
        #[test]
        fn what_is_between_is_what_has_passed(
            start in 0_i64..3 * 365 * 24 * 3_600,
            minutes in 0_u64..60 * 100,
            zone in prop::sample::select(vec!["Asia/Seoul", "Europe/Berlin", "America/New_York"]),
        ) {
            let calendar = calendar(zone);
            let from = Timestamp::from_millis((1_700_000_000 + start) * 1_000);
            let span = Duration::from_secs(60 * minutes);
            let until = calendar.after(from, span);
            prop_assert!(until >= from);
            prop_assert!(calendar.is_open(until));
            prop_assert_eq!(calendar.between(from, until), span);
        }
    }
}
