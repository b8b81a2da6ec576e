//! How much a source sends: today against the same weekdays before, and whether it fell silent.

pub mod silence;

use crate::report::day::BusinessDay;
use crate::time::TimestampMs;

/// An hour, in the unit of [`TimestampMs`].
pub const HOUR_MS: i64 = 3_600_000;
/// Weeks before today whose same weekday is compared with it.
pub const COMPARED_WEEKS: u64 = 4;
/// Days that [`Rate::of`] looks back, and one more for zones and clock changes.
pub const COMPARED_DAYS: i64 = 29;

/// An hour in which a source sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Its start, a whole hour of UTC.
    pub began_at: TimestampMs,
    /// Received postbacks, repeats included.
    pub postbacks: i64,
    /// Those of them that are quarantined.
    pub quarantined: i64,
    /// Receipt of the first of them.
    pub first_at: TimestampMs,
    /// Receipt of the last of them.
    pub last_at: TimestampMs,
}

/// The postbacks of a business day until now, and what is usual until this time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Postbacks of today.
    pub today: i64,
    /// Average of the same weekday in the weeks before, until the same time. Of the hour that runs now, the same share is
    /// counted. `None` if nothing is known of any of them.
    pub usual: Option<i64>,
    /// How many weeks that average is of, at most [`COMPARED_WEEKS`]: the source may be younger.
    pub weeks: i64,
}

impl Rate {
    /// The rate of `today` at `now`, from the source's `hours`, oldest first. A week counts if the source had sent
    /// something before its day ended: a day without postbacks is then a day with 0.
    pub fn of(hours: &[Hour], today: &BusinessDay, now: TimestampMs) -> Self {
        let so_far = now.0 - today.starts_at().0;
        let first = hours.first().map(|hour| hour.began_at);
        let known: Vec<i64> = (1..=COMPARED_WEEKS)
            .filter_map(|week| {
                let day = today.minus(7 * week);
                let until = TimestampMs(day.starts_at().0 + so_far);
                first.filter(|first| *first < until)?;
                Some(until_then(hours, day.starts_at(), until))
            })
            .collect();
        let weeks = i64::try_from(known.len()).unwrap_or(0);
        Self {
            today: sum(hours, today.starts_at(), |hour| hour.postbacks),
            usual: known.iter().sum::<i64>().checked_div(weeks),
            weeks,
        }
    }
}

/// The sum of `of` over the hours from the one of `from` on.
pub fn sum(hours: &[Hour], from: TimestampMs, of: impl Fn(&Hour) -> i64) -> i64 {
    hours.iter().filter(|hour| hour.began_at.0 + HOUR_MS > from.0).map(of).sum()
}

/// Postbacks from `from` until `until`; of the hour that contains `until`, the share that has passed.
fn until_then(hours: &[Hour], from: TimestampMs, until: TimestampMs) -> i64 {
    let within = hours.iter().filter(|hour| hour.began_at.0 + HOUR_MS > from.0 && hour.began_at.0 < until.0);
    within.map(|hour| hour.postbacks * (until.0 - hour.began_at.0).min(HOUR_MS) / HOUR_MS).sum()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::time::DAY_MS;

    const NOON: TimestampMs = TimestampMs(1_795_435_200_000); // Monday 2026-11-23, 12:00 UTC

    fn hour(at: i64, postbacks: i64) -> Hour {
        let began_at = TimestampMs(at.div_euclid(HOUR_MS) * HOUR_MS);
        Hour { began_at, postbacks, quarantined: 0, first_at: TimestampMs(at), last_at: TimestampMs(at) }
    }

    fn rate(hours: &[Hour], now: TimestampMs) -> Rate {
        Rate::of(hours, &BusinessDay::of(now, Tz::UTC).expect("a day"), now)
    }

    #[test]
    fn today_is_compared_with_the_same_weekdays_until_the_same_time() {
        let week = 7 * DAY_MS;
        let hours = [
            hour(NOON.0 - 2 * week - HOUR_MS, 40),
            // Before noon half of this hour is over; after it, the rest of that day does not count.
            hour(NOON.0 - week, 20),
            hour(NOON.0 - week + 5 * HOUR_MS, 900),
            // Another weekday.
            hour(NOON.0 - DAY_MS, 7_000),
            hour(NOON.0 - HOUR_MS, 33),
            hour(NOON.0, 2),
        ];
        let half_past = TimestampMs(NOON.0 + HOUR_MS / 2);
        assert_eq!(rate(&hours, half_past), Rate { today: 35, usual: Some(25), weeks: 2 });
    }

    #[test]
    fn a_weekday_without_postbacks_counts_as_zero_once_the_source_has_begun() {
        let hours = [hour(NOON.0 - 22 * DAY_MS, 12), hour(NOON.0 - 7 * DAY_MS - HOUR_MS, 30)];
        assert_eq!(rate(&hours, NOON), Rate { today: 0, usual: Some(10), weeks: 3 });
    }

    #[test]
    fn a_new_source_has_nothing_usual() {
        assert_eq!(rate(&[hour(NOON.0, 5)], NOON), Rate { today: 5, usual: None, weeks: 0 });
        assert_eq!(rate(&[], NOON), Rate::default());
    }
}
