//! Time zones, and how an instant reads in one: the same in pages and in mails.

use std::{fmt, str::FromStr};

use jiff::tz::TimeZone;

use crate::{locale::Locale, time::Timestamp};

/// A time zone by its IANA name, such as `Asia/Seoul`. In JSON: that name.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// An instant as people read it, to the minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// Day and time of day.
    pub text: String,
    /// What its zone is called then, such as `KST`.
    pub zone: String,
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone)
    }
}

impl Zone {
    /// To the minute.
    #[must_use]
    pub fn minute(&self, locale: Locale, at: Timestamp) -> Minute {
        let pattern = match locale {
            Locale::En => "%-d %b %Y, %H:%M",
            Locale::Ko => "%Y년 %-m월 %-d일 %H:%M",
            Locale::ZhHant => "%Y年%-m月%-d日 %H:%M",
        };
        Minute {
            text: self.written(pattern, at),
            zone: self.written("%Z", at),
        }
    }

    /// The time of day to the second, with its zone: for what is waited for.
    #[must_use]
    pub fn second(&self, at: Timestamp) -> String {
        self.written("%H:%M:%S %Z", at)
    }

    /// The day.
    #[must_use]
    pub fn day(&self, locale: Locale, at: Timestamp) -> String {
        let pattern = match locale {
            Locale::En => "%-d %B %Y",
            Locale::Ko => "%Y년 %-m월 %-d일",
            Locale::ZhHant => "%Y年%-m月%-d日",
        };
        self.written(pattern, at)
    }

    /// The day, as machines read it: `2026-11-21`.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> String {
        self.written("%Y-%m-%d", at)
    }

    /// The instant that is meant by day and time of day as forms send them, such as `2026-11-21T09:30`; `None` when that is no
    /// time. Of one that comes twice, when clocks are set back, the first; one that is left out is as much later.
    #[must_use]
    pub fn instant(&self, local: &str) -> Option<Timestamp> {
        let local: jiff::civil::DateTime = local.parse().ok()?;
        let instant = local.to_zoned(self.0.clone()).ok()?;
        Some(Timestamp::from_millis(instant.timestamp().as_millisecond()))
    }

    /// The names of places whose time people live by, such as `Asia/Seoul`, in their order; and UTC.
    #[must_use]
    pub fn names() -> Vec<String> {
        const AREAS: [&str; 10] = [
            "Africa/",
            "America/",
            "Antarctica/",
            "Arctic/",
            "Asia/",
            "Atlantic/",
            "Australia/",
            "Europe/",
            "Indian/",
            "Pacific/",
        ];
        let known = jiff::tz::db().available().map(|name| name.to_string());
        let is_place = |name: &String| AREAS.iter().any(|area| name.starts_with(area));
        let mut names: Vec<String> = known.filter(is_place).collect();
        names.push("UTC".to_owned());
        names.sort();
        names.dedup();
        names
    }

    /// Year and number of the month at this instant; those of the nearest instant that a calendar has.
    pub(crate) fn year_and_month(&self, at: Timestamp) -> (i16, i8) {
        let nearest = if at.as_millis() < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        let instant = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(nearest);
        let date = instant.to_zoned(self.0.clone()).date();
        (date.year(), date.month())
    }

    /// When the first day of a month begins.
    pub(crate) fn midnight(&self, year: i16, month: i8) -> Timestamp {
        let day = jiff::civil::date(year, month, 1);
        // Where midnight is left out the day begins with the first instant behind it.
        let begin = day.to_zoned(self.0.clone());
        let begin = begin.expect("the years of months are far from the ends of time");
        Timestamp::from_millis(begin.timestamp().as_millisecond())
    }

    fn written(&self, pattern: &str, at: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(at.as_millis()) {
            Ok(instant) => {
                let zoned = instant.to_zoned(self.0.clone());
                zoned.strftime(pattern).to_string()
            }
            Err(_) => at.to_string(),
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

travels_as_text!(Zone);

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone such as Asia/Seoul")]
pub struct ParseZoneError(String);

impl FromStr for Zone {
    type Err = ParseZoneError;

    fn from_str(name: &str) -> Result<Self, ParseZoneError> {
        let found = TimeZone::get(name).ok();
        let named = found.filter(|zone| zone.iana_name().is_some());
        named
            .map(Self)
            .ok_or_else(|| ParseZoneError(name.to_owned()))
    }
}

impl utoipa::PartialSchema for Zone {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A time zone by its IANA name."))
            .examples(["Asia/Seoul"])
            .into()
    }
}

impl utoipa::ToSchema for Zone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_as_at_home() {
        let at: Timestamp = "2026-11-26T23:00:00Z".parse().expect("a time");
        let check = |zone: &str, locale, minute: &str, day: &str| {
            let zone: Zone = zone.parse().expect("a zone");
            assert_eq!(zone.minute(locale, at).to_string(), minute);
            assert_eq!(zone.day(locale, at), day);
        };
        let korean = "2026년 11월 27일";
        check(
            "Asia/Seoul",
            Locale::Ko,
            &format!("{korean} 08:00 KST"),
            korean,
        );
        let chinese = "2026年11月27日";
        check(
            "Asia/Taipei",
            Locale::ZhHant,
            &format!("{chinese} 07:00 CST"),
            chinese,
        );
        check(
            "UTC",
            Locale::En,
            "26 Nov 2026, 23:00 UTC",
            "26 November 2026",
        );
        assert_eq!(Zone::default().date(at), "2026-11-26");
        assert_eq!(Zone::default().second(at), "23:00:00 UTC");
    }

    #[test]
    fn a_time_of_day_is_that_of_its_zone() {
        let seoul: Zone = "Asia/Seoul".parse().expect("a zone");
        let at = |text: &str| seoul.instant(text).map(|at| at.to_string());
        let expected = Some("2026-11-21T00:30:00.000Z".to_owned());
        assert_eq!(at("2026-11-21T09:30"), expected);
        assert_eq!(at("2026-11-21T09:30:00"), expected);
        for wrong in ["", "09:30", "2026-11-31T09:30", "tomorrow"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        let at = |text: &str| berlin.instant(text).map(|at| at.to_string());
        let (twice, never) = ("2026-10-25T02:30", "2026-03-29T02:30");
        assert_eq!(at(twice), Some("2026-10-25T00:30:00.000Z".to_owned()));
        assert_eq!(at(never), Some("2026-03-29T01:30:00.000Z".to_owned()));
    }

    #[test]
    fn every_zone_that_is_offered_is_one() {
        let names = Zone::names();
        for name in ["Asia/Seoul", "Asia/Taipei", "America/New_York", "UTC"] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        for name in names {
            let zone: Result<Zone, _> = name.parse();
            assert_eq!(zone.map(|zone| zone.to_string()), Ok(name));
        }
    }

    #[test]
    fn a_zone_travels_by_its_name() {
        let zone: Zone = "Asia/Seoul".parse().expect("a zone");
        assert_eq!(
            serde_json::to_string(&zone).expect("a name"),
            "\"Asia/Seoul\""
        );
        assert_eq!(Zone::default().to_string(), "UTC");
        assert!("Asia/Soul".parse::<Zone>().is_err());
        assert!("".parse::<Zone>().is_err());
    }
}
