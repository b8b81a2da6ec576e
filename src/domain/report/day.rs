//! A business day: when it begins, ends, is reported and is closed, also where the clocks change.

use chrono::{Days, TimeZone};
pub use chrono::{NaiveDate, NaiveTime};
pub use chrono_tz::Tz;

use crate::time::TimestampMs;

/// One hour, in milliseconds.
const HOUR_MS: i64 = 3_600_000;
/// How far after midnight the first instant of a day is searched, in quarters of an hour. Zones have skipped a whole
/// day (Samoa, 2011-12-30): such a day begins and ends where the next one begins.
const MAX_SKIPPED_QUARTERS: u32 = 27 * 4;

/// One day in the zone of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusinessDay {
    date: NaiveDate,
    zone: Tz,
}

impl BusinessDay {
    /// The day of this date.
    pub fn new(date: NaiveDate, zone: Tz) -> Self {
        Self { date, zone }
    }

    /// The day of a text such as `2026-11-23`.
    pub fn parse(date: &str, zone: Tz) -> Option<Self> {
        let parsed: NaiveDate = date.parse().ok()?;
        // One way to write it, because days are compared as texts in tables.
        (parsed.to_string() == date).then_some(Self { date: parsed, zone })
    }

    /// The day of an instant.
    pub fn of(instant: TimestampMs, zone: Tz) -> Option<Self> {
        Self::parse(&instant.business_date(zone), zone)
    }

    /// The calendar date, in the zone.
    pub fn date(self) -> NaiveDate {
        self.date
    }

    /// The zone of the settings (`timezone`).
    pub fn zone(self) -> Tz {
        self.zone
    }

    /// The first instant of it.
    pub fn starts_at(self) -> TimestampMs {
        first_instant(self.date, NaiveTime::MIN, self.zone)
    }

    /// The first instant after it.
    pub fn ends_at(self) -> TimestampMs {
        self.next().starts_at()
    }

    /// How long it is, in whole hours: 23 or 25 where the clocks change by one.
    pub fn hours(self) -> i64 {
        (self.ends_at().0 - self.starts_at().0) / HOUR_MS
    }

    /// The next calendar day, or itself at the end of the calendar.
    #[must_use]
    pub fn next(self) -> Self {
        Self { date: self.date.checked_add_days(Days::new(1)).unwrap_or(self.date), ..self }
    }

    /// The previous calendar day.
    #[must_use]
    pub fn previous(self) -> Self {
        self.minus(1)
    }

    /// `days` calendar days earlier, or itself at the start of the calendar.
    #[must_use]
    pub fn minus(self, days: u64) -> Self {
        Self { date: self.date.checked_sub_days(Days::new(days)).unwrap_or(self.date), ..self }
    }

    /// When its first report is due: at `time` of the next day, or the next existing time if the clocks skip it.
    pub fn reported_at(self, time: NaiveTime) -> TimestampMs {
        first_instant(self.next().date, time, self.zone)
    }

    /// When it is closed: `hours` after its end.
    pub fn closed_at(self, hours: u32) -> TimestampMs {
        TimestampMs(self.ends_at().0.saturating_add(i64::from(hours) * HOUR_MS))
    }
}

/// The time of a text such as `02:00`.
pub fn parse_time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}

/// Days from `earlier` to `later`; 0 if they are the same or the wrong way round.
pub fn days_between(earlier: NaiveDate, later: NaiveDate) -> i64 {
    later.signed_duration_since(earlier).num_days().max(0)
}

pub(crate) fn first_instant(date: NaiveDate, time: NaiveTime, zone: Tz) -> TimestampMs {
    let from = date.and_time(time);
    let exists = (0..=MAX_SKIPPED_QUARTERS).find_map(|quarter| {
        let local = from.checked_add_signed(chrono::Duration::minutes(i64::from(quarter) * 15))?;
        zone.from_local_datetime(&local).earliest()
    });
    TimestampMs(
        exists.map_or_else(|| from.and_utc().timestamp_millis(), |instant| instant.timestamp_millis()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, zone: Tz) -> BusinessDay {
        BusinessDay::parse(date, zone).expect("a date")
    }

    #[test]
    fn a_day_has_23_or_25_hours_where_the_clocks_change() {
        let new_york = chrono_tz::America::New_York;
        for (date, hours) in [("2026-03-07", 24), ("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-02", 24)]
        {
            assert_eq!(day(date, new_york).hours(), hours, "{date}");
        }
        assert_eq!(day("2026-03-08", chrono_tz::Asia::Kolkata).hours(), 24);
        assert_eq!(day("2026-03-08", Tz::UTC).starts_at().rfc3339(), "2026-03-08T00:00:00.000Z");
    }

    #[test]
    fn days_follow_each_other_without_a_gap_in_every_zone() {
        for zone in [chrono_tz::America::New_York, chrono_tz::Asia::Beirut, chrono_tz::Asia::Kolkata] {
            let mut today = day("2026-01-01", zone);
            for _ in 0..365 {
                assert_eq!(today.ends_at(), today.next().starts_at());
                let last = TimestampMs(today.ends_at().0 - 1);
                assert_eq!(BusinessDay::of(last, zone), Some(today));
                assert_eq!(BusinessDay::of(today.starts_at(), zone), Some(today));
                today = today.next();
            }
        }
    }

    #[test]
    fn a_day_that_a_zone_skipped_has_no_length() {
        let samoa = chrono_tz::Pacific::Apia;
        assert_eq!(day("2011-12-30", samoa).hours(), 0);
        assert_eq!(day("2011-12-29", samoa).hours(), 24);
    }

    #[test]
    fn a_report_time_that_the_clocks_skip_is_the_next_one_there_is() {
        let time = NaiveTime::from_hms_opt(2, 30, 0).expect("a time");
        let reported = day("2026-03-07", chrono_tz::America::New_York).reported_at(time);
        assert_eq!(reported.rfc3339(), "2026-03-08T07:00:00.000Z");
        assert_eq!(day("2026-03-07", Tz::UTC).closed_at(24).rfc3339(), "2026-03-09T00:00:00.000Z");
    }

    #[test]
    fn a_date_is_written_in_one_way_only() {
        for text in ["2026-3-7", "20260307", "2026-02-30", "yesterday"] {
            assert_eq!(BusinessDay::parse(text, Tz::UTC), None, "{text}");
        }
    }
}
