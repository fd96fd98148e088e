//! Instants as UTC milliseconds. `now` is a parameter of everything that decides; it enters through
//! [`Clock`] at the edge, and [`SystemClock`] is the only reader of the wall clock in the project.

use std::{fmt, str::FromStr, time::Duration};

use nix::time::{ClockId, clock_gettime};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. In JSON: RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `span` later; the largest one there is when that overflows.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// An HTTP date (RFC 9110, 5.6.7), such as `Sat, 28 Nov 2026 12:34:56 GMT`; `None` when it is none.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }

    /// As an HTTP date, to the second.
    #[must_use]
    pub fn to_http_date(self) -> String {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        printer
            .timestamp_to_rfc9110_string(&instant)
            .unwrap_or_default()
    }

    /// Time that passed since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

travels_as_text!(Timestamp);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>()
            .map(|instant| Self(instant.as_millisecond()))
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

/// What time it is.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// How long it is since a fixed instant that nobody knows: the same one for as long as the machine is up. Nobody sets this
    /// time, and it goes on while the machine sleeps, so a wall clock that was set can be told by it.
    fn monotonic(&self) -> Duration;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that reads the wall clock"
        )]
        let now = std::time::SystemTime::now();
        let since_epoch = now
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        clock_gettime(ClockId::CLOCK_BOOTTIME)
            .expect("Linux has this clock since 2.6.39")
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_rfc_3339_with_milliseconds() {
        let instant = Timestamp::from_millis(1_790_000_000_120);
        assert_eq!(instant.to_string(), "2026-09-21T14:13:20.120Z");
        assert_eq!(
            "2026-09-21T14:13:20.12Z"
                .parse::<Timestamp>()
                .expect("valid"),
            instant
        );
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn http_dates_are_read() {
        let read = Timestamp::from_http_date("Mon, 21 Sep 2026 14:13:20 GMT");
        assert_eq!(read, Some(Timestamp::from_millis(1_790_000_000_000)));
        let written = read.map(Timestamp::to_http_date);
        assert_eq!(written.as_deref(), Some("Mon, 21 Sep 2026 14:13:20 GMT"));
        assert_eq!(Timestamp::from_http_date("today"), None);
    }

    #[test]
    fn spans_do_not_go_below_zero() {
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(3_500));
        assert_eq!(late.since(early), Duration::from_millis(2_500));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.after(Duration::from_millis(2_500)), late);
    }
}
