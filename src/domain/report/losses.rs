//! Loss windows: times in which no process could acknowledge.
//!
//! A network repeats what was not acknowledged for a while (its *retry horizon*). What it sent in a longer window may
//! be lost unless the network is asked to resend it.

use serde::{Deserialize, Serialize};

use super::day::BusinessDay;
use crate::time::TimestampMs;

/// Interval of a process's heartbeats, in milliseconds.
pub const BEAT_MS: i64 = 30_000;
/// Silence up to this is not a window: a heartbeat may be late.
const SILENCE_MS: i64 = 2 * BEAT_MS + BEAT_MS / 2;

/// A time in which one process could acknowledge postbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Availability {
    /// When the process started.
    pub began_at: TimestampMs,
    /// Its last heartbeat.
    pub seen_at: TimestampMs,
}

/// A time in which no process could acknowledge postbacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossWindow {
    /// RFC 3339; the part inside the report's day.
    pub from: String,
    /// RFC 3339.
    pub to: String,
    /// How long the whole window was, also outside the day, in seconds.
    pub seconds: i64,
    /// True if it was longer than the network's retry horizon: postbacks may be lost.
    pub beyond_retries: bool,
}

/// The windows of `day` as seen at `now`. Before the first process was ever seen there are none.
pub(super) fn windows(
    availability: &[Availability],
    now: TimestampMs,
    day: BusinessDay,
    horizon_ms: i64,
) -> Vec<LossWindow> {
    let mut times: Vec<_> = availability.iter().map(|time| (time.began_at.0, time.seen_at.0)).collect();
    times.sort_unstable();
    let mut windows = Vec::new();
    let Some((_, mut up_to)) = times.first().copied() else { return windows };
    // A silence that still lasts ends now for this report.
    for (began_at, seen_at) in times.into_iter().chain([(now.0, now.0)]) {
        if began_at - up_to > SILENCE_MS {
            windows.extend(window(up_to, began_at, day, horizon_ms));
        }
        up_to = up_to.max(seen_at);
    }
    windows
}

fn window(from: i64, to: i64, day: BusinessDay, horizon_ms: i64) -> Option<LossWindow> {
    let inside = (from.max(day.starts_at().0), to.min(day.ends_at().0));
    (inside.0 < inside.1).then(|| LossWindow {
        from: TimestampMs(inside.0).rfc3339(),
        to: TimestampMs(inside.1).rfc3339(),
        seconds: (to - from) / 1_000,
        beyond_retries: to - from > horizon_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(availability: &[(i64, i64)]) -> Vec<(String, i64, bool)> {
        let day = BusinessDay::parse("1970-01-01", chrono_tz::UTC).expect("a date");
        let availability: Vec<_> = availability
            .iter()
            .map(|(from, to)| Availability { began_at: TimestampMs(*from), seen_at: TimestampMs(*to) })
            .collect();
        let now = availability.last().map_or(TimestampMs(0), |last| last.seen_at);
        let windows = windows(&availability, now, day, 3_600_000);
        windows.into_iter().map(|window| (window.from, window.seconds, window.beyond_retries)).collect()
    }

    #[test]
    fn a_window_is_where_no_process_could_acknowledge() {
        assert_eq!(found(&[(0, 1_000_000), (900_000, 3_000_000)]), []);
        let gap = ("1970-01-01T00:16:40.000Z".to_owned(), 1_000, false);
        assert_eq!(found(&[(0, 1_000_000), (2_000_000, 3_000_000)]), [gap]);
        let long = ("1970-01-01T00:00:01.000Z".to_owned(), 3_601, true);
        assert_eq!(found(&[(0, 1_000), (3_602_000, 4_000_000)]), [long]);
        assert_eq!(found(&[]), []);
    }

    #[test]
    fn a_window_across_midnight_keeps_its_whole_length() {
        let across = ("1970-01-01T23:58:20.000Z".to_owned(), 200, false);
        assert_eq!(found(&[(0, 86_300_000), (86_500_000, 90_000_000)]), [across]);
        assert_eq!(found(&[(0, 86_500_000), (90_000_000, 99_000_000)]), []);
    }
}
