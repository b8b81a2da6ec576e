//! Instants in unix milliseconds, and the business day they belong to.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A second, in the unit of [`TimestampMs`].
pub const SECOND_MS: i64 = 1_000;
/// A day, in the unit of [`TimestampMs`].
pub const DAY_MS: i64 = 86_400 * SECOND_MS;

/// Unix milliseconds in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    /// RFC 3339 in UTC, with milliseconds, e.g. `2026-11-23T09:30:00.000Z`; an instant outside the calendar is
    /// shown as its number.
    pub fn rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .map_or_else(|| self.0.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    /// Reads RFC 3339, or a plain date as the start of that day in `zone`.
    pub fn parse(text: &str, zone: Tz) -> Option<Self> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(time.timestamp_millis()));
        }
        let date: NaiveDate = text.parse().ok()?;
        // The first instant of the day that exists there: a zone may skip midnight when its clocks change.
        (0..=3).find_map(|hour| {
            let local = date.and_hms_opt(hour, 0, 0)?;
            zone.from_local_datetime(&local).earliest().map(|time| Self(time.timestamp_millis()))
        })
    }

    /// Reads the date of an HTTP header, such as `Tue, 24 Nov 2026 08:00:00 GMT`.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| Self(date.timestamp_millis()))
    }

    /// The business day of this instant in `zone`, as `YYYY-MM-DD`.
    pub fn business_date(self, zone: Tz) -> String {
        let time = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default();
        time.with_timezone(&zone).date_naive().to_string()
    }
}

/// The source of time. The executable creates it and passes it to the edges; nothing else reads the time.
#[derive(Clone)]
pub struct Clock(std::sync::Arc<dyn Fn() -> TimestampMs + Send + Sync>);

impl Clock {
    /// A clock that returns `now()`.
    pub fn new(now: impl Fn() -> TimestampMs + Send + Sync + 'static) -> Self {
        Self(std::sync::Arc::new(now))
    }

    /// The present time.
    pub fn now(&self) -> TimestampMs {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Clock(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> TimestampMs {
        TimestampMs::parse(text, Tz::UTC).expect("a valid instant")
    }

    #[test]
    fn the_business_day_follows_the_zone_through_the_change_of_clocks() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(at("2026-10-24T21:59:59Z").business_date(berlin), "2026-10-24");
        assert_eq!(at("2026-10-24T22:00:00Z").business_date(berlin), "2026-10-25");
        // The clocks went back that night: the day has 25 hours.
        assert_eq!(at("2026-10-25T22:59:59Z").business_date(berlin), "2026-10-25");
        assert_eq!(at("2026-10-25T23:00:00Z").business_date(berlin), "2026-10-26");
    }

    #[test]
    fn a_plain_date_starts_at_its_first_instant_in_the_zone() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(TimestampMs::parse("2026-07-01", berlin), Some(at("2026-06-30T22:00:00Z")));
        // Beirut skips midnight on this day.
        let beirut = chrono_tz::Asia::Beirut;
        assert_eq!(TimestampMs::parse("2026-03-29", beirut), Some(at("2026-03-28T22:00:00Z")));
        assert_eq!(TimestampMs::parse("yesterday", berlin), None);
    }

    #[test]
    fn instants_are_written_as_rfc_3339() {
        assert_eq!(TimestampMs(0).rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(at("2026-11-23T09:30:00.5+01:00").rfc3339(), "2026-11-23T08:30:00.500Z");
    }
}
