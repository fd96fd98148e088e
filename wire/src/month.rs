//! Calendar months, by which is billed.

use std::{fmt, str::FromStr};

use crate::{time::Timestamp, zone::Zone};

/// A calendar month, such as `2026-11`. When it begins is a matter of a time zone ([`Zone::begin_of`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    /// 1 to 12.
    month: i8,
}

/// Why a text is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a month is written as year and month, such as 2026-11")]
pub struct ParseMonthError;

impl Month {
    /// Years that an invoice can be of; those of a clock that was never set are none.
    const YEARS: std::ops::RangeInclusive<i16> = 1970..=9998;

    /// The month of this number in a year.
    #[must_use]
    pub fn new(year: i16, month: i8) -> Option<Self> {
        (Self::YEARS.contains(&year) && (1..=12).contains(&month)).then_some(Self { year, month })
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> i16 {
        self.year
    }

    /// Its number in the year, 1 to 12.
    #[must_use]
    pub const fn number(self) -> i8 {
        self.month
    }

    /// The month behind it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.month {
            12 => Self {
                year: self.year + 1,
                month: 1,
            },
            month => Self {
                month: month + 1,
                ..self
            },
        }
    }

    /// The month before it.
    #[must_use]
    pub const fn previous(self) -> Self {
        match self.month {
            1 => Self {
                year: self.year - 1,
                month: 12,
            },
            month => Self {
                month: month - 1,
                ..self
            },
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = ParseMonthError;

    fn from_str(text: &str) -> Result<Self, ParseMonthError> {
        let is_digits = |part: &str, count| {
            part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let (year, month) = text.split_once('-').ok_or(ParseMonthError)?;
        if !is_digits(year, 4) || !is_digits(month, 2) {
            return Err(ParseMonthError);
        }
        let year = year.parse().map_err(|_| ParseMonthError)?;
        let month = month.parse().map_err(|_| ParseMonthError)?;
        Self::new(year, month).ok_or(ParseMonthError)
    }
}

travels_as_text!(Month);

impl utoipa::PartialSchema for Month {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9]{4}-(0[1-9]|1[0-2])$"))
            .examples(["2026-11"])
            .into()
    }
}

impl utoipa::ToSchema for Month {}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant behind it.
    pub until: Timestamp,
}

impl Zone {
    /// The month that it is here.
    #[must_use]
    pub fn month_of(&self, at: Timestamp) -> Month {
        let (year, month) = self.year_and_month(at);
        let years = Month::YEARS;
        Month {
            year: year.clamp(*years.start(), *years.end()),
            month,
        }
    }

    /// When a month begins here: at its first midnight, or what stands for that where clocks leave it out.
    #[must_use]
    pub fn begin_of(&self, month: Month) -> Timestamp {
        self.midnight(month.year, month.month)
    }

    /// All of a month.
    #[must_use]
    pub fn span_of(&self, month: Month) -> Span {
        Span {
            from: self.begin_of(month),
            until: self.begin_of(month.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().expect("a month")
    }

    #[test]
    fn months_follow_each_other_and_read_as_written() {
        assert_eq!(month("2026-12").next(), month("2027-01"));
        assert_eq!(month("2026-01").previous(), month("2025-12"));
        assert!(month("2026-09") < month("2026-10"));
        for bad in [
            "2026-13", "2026-00", "2026-1", "26-11", "2026/11", "", "+026-11", "0001-01", "9999-01",
        ] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }

    /// F15: no instant is in no month or in two, in 400 years and in zones that change their clocks at midnight or leave
    /// whole days out.
    #[test]
    fn months_cover_time_without_gap_or_overlap() {
        for zone in [
            "Asia/Seoul",
            "Asia/Taipei",
            "UTC",
            "America/New_York",
            "America/Sao_Paulo",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Asia/Amman",
        ] {
            let zone: Zone = zone.parse().expect("a zone");
            let mut current = month("1970-02");
            for _ in 0..400 * 12 {
                let Span { from, until } = zone.span_of(current);
                let last = Timestamp::from_millis(until.as_millis() - 1);
                assert_eq!(zone.month_of(from), current, "{zone}");
                assert_eq!(zone.month_of(last), current, "{zone}");
                assert_eq!(zone.month_of(until), current.next(), "{zone}");
                let days = until.since(from).as_secs() / 3_600;
                assert!((27 * 24..=32 * 24).contains(&days), "{zone} {current}");
                current = current.next();
            }
        }
    }

    #[test]
    fn a_month_begins_at_home() {
        let seoul: Zone = "Asia/Seoul".parse().expect("a zone");
        let begin = seoul.begin_of(month("2028-03"));
        assert_eq!(begin.to_string(), "2028-02-29T15:00:00.000Z");
    }
}
