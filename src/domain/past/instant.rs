//! Times as logs write them.

use chrono::DateTime;

use crate::time::{SECOND_MS, TimestampMs};

/// 2001-09-09 in milliseconds: a number from here on is in milliseconds, a smaller one in seconds.
const LEAST_MS: i64 = 1_000_000_000_000;

/// Reads RFC 3339, `10/Oct/2026:13:55:36 +0200`, or unix time in seconds (also with a fraction) or milliseconds.
pub(super) fn read(text: &str) -> Option<TimestampMs> {
    let text = text.trim();
    if let Some(number) = unix(text) {
        return Some(number);
    }
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%d/%b/%Y:%H:%M:%S %z"))
        .ok()
        .map(|time| TimestampMs(time.timestamp_millis()))
        .filter(|time| is_possible(*time))
}

fn unix(text: &str) -> Option<TimestampMs> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok().filter(|whole| *whole >= 0)?;
    if whole >= LEAST_MS {
        return Some(TimestampMs(whole)).filter(|time| is_possible(*time));
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(TimestampMs(whole * SECOND_MS + millis)).filter(|time| is_possible(*time))
}

/// Within the years 1970 to 9999: everything that shows a time can show it.
fn is_possible(time: TimestampMs) -> bool {
    const END_MS: i64 = 253_402_300_800_000;
    (0..END_MS).contains(&time.0)
}
