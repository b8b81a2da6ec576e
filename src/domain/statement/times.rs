//! The time of a line.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

use crate::money::Micros;
use crate::report::day::first_instant;
use crate::time::{DAY_MS, SECOND_MS, TimestampMs};

/// Settings for numeric times, with units per second.
const NUMBERS: [(&str, i64); 3] = [("unix", 1), ("unix_ms", 1_000), ("unix_us", 1_000_000)];

/// Days of a spreadsheet's calendar that are likely to be dates: 1954 to 2119.
const EXCEL_DAYS: std::ops::Range<i64> = 20_000..80_001;

/// What to write as the setting `time`.
pub(super) const CURE: &str =
    "write rfc3339, unix, unix_ms, unix_us, excel, or a pattern such as %d.%m.%Y %H:%M";

/// True if the setting `time` can read times.
pub(super) fn is_setting(setting: &str) -> bool {
    let is_word = matches!(setting, "rfc3339" | "excel") || NUMBERS.iter().any(|(word, _)| *word == setting);
    let mut items = StrftimeItems::new(setting);
    is_word || (setting.contains('%') && !items.any(|item| item == Item::Error))
}

/// Reads a time as the setting has it; one that names no zone is of `zone`.
pub(super) fn read(text: &str, setting: &str, zone: Tz) -> Result<TimestampMs, String> {
    let is = read_as(text, setting, zone);
    // A number in another unit can be read as well, but as an implausible time.
    let meant = number(text).and_then(|number| meant(number, setting));
    let in_years = is.filter(|at| year(*at).is_some_and(|year| (0..=9_999).contains(&year)));
    match (meant, in_years) {
        (Some((what, Some(cure))), _) => {
            Err(format!("`time` is `{text}`, which is {what}, but `{setting}` is set: set time = \"{cure}\""))
        }
        (Some((what, None)), _) => {
            Err(format!("`time` is `{text}`, which is {what}, but `{setting}` is set: no setting reads it"))
        }
        (None, Some(at)) => Ok(at),
        (None, None) => Err(format!("`time` is `{text}`, which cannot be read as `{setting}`")),
    }
}

fn year(at: TimestampMs) -> Option<i32> {
    DateTime::from_timestamp_millis(at.0).map(|time| time.year())
}

fn read_as(text: &str, setting: &str, zone: Tz) -> Option<TimestampMs> {
    if let Some((_, per_second)) = NUMBERS.iter().find(|(word, _)| *word == setting) {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = whole.parse().ok().filter(|_| is_number)?;
        return number.checked_mul(SECOND_MS)?.checked_div_euclid(*per_second).map(TimestampMs);
    }
    match setting {
        "rfc3339" => {
            let time = DateTime::parse_from_rfc3339(text).ok()?;
            Some(TimestampMs(time.timestamp_millis()))
        }
        "excel" => excel(text, zone),
        pattern => by_pattern(text, pattern, zone),
    }
}

/// Days since the end of 1899, of which the fraction is the time of day, on the clocks of `zone`.
fn excel(text: &str, zone: Tz) -> Option<TimestampMs> {
    let days = Micros::parse(text).ok()?.amount.0;
    let seconds = i128::from(days) * i128::from(DAY_MS / SECOND_MS);
    let seconds = i64::try_from((seconds + 500_000).div_euclid(1_000_000)).ok()?;
    let epoch = NaiveDate::from_ymd_opt(1899, 12, 30)?.and_time(NaiveTime::MIN);
    let local = epoch.checked_add_signed(Duration::try_seconds(seconds)?)?;
    Some(first_instant(local.date(), local.time(), zone))
}

fn by_pattern(text: &str, pattern: &str, zone: Tz) -> Option<TimestampMs> {
    // A pattern with an offset names its zone itself.
    if let Ok(time) = DateTime::parse_from_str(text, pattern) {
        return Some(TimestampMs(time.timestamp_millis()));
    }
    let local = NaiveDateTime::parse_from_str(text, pattern)
        .or_else(|_| NaiveDate::parse_from_str(text, pattern).map(|date| date.and_time(NaiveTime::MIN)))
        .ok()?;
    // A time that the clocks skip is the next one there is: of a date whose midnight they skip, it is that date.
    Some(first_instant(local.date(), local.time(), zone))
}

/// The whole part of a number that is written in digits.
fn number(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!whole.is_empty() && is_number(whole) && is_number(fraction)).then(|| whole.parse().ok())?
}

/// The unit of the number if `setting` names another, and what to set.
fn meant(number: i64, setting: &str) -> Option<(&'static str, Option<&'static str>)> {
    // What is a time of 1973 to 5138 in one unit is none of that in another.
    let (what, word) = match number {
        number if EXCEL_DAYS.contains(&number) => ("a spreadsheet's day number", Some("excel")),
        100_000_000..100_000_000_000 => ("in seconds", Some("unix")),
        100_000_000_000..100_000_000_000_000 => ("in milliseconds", Some("unix_ms")),
        100_000_000_000_000..100_000_000_000_000_000 => ("in microseconds", Some("unix_us")),
        100_000_000_000_000_000.. => ("in nanoseconds", None),
        _ => return None,
    };
    // A pattern may be digits only: `20261123`.
    let is_pattern = setting.contains('%');
    (word != Some(setting) && !is_pattern).then_some((what, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, setting: &str, zone: Tz) -> String {
        read(text, setting, zone).map_or_else(|fault| fault, TimestampMs::rfc3339)
    }

    #[test]
    fn a_time_in_another_unit_is_a_fault_that_names_the_unit() {
        for (setting, text, unit) in [
            ("unix", "1795420800000", "milliseconds"),
            ("unix", "1795420800000000", "microseconds"),
            ("unix", "1795420800000000000", "nanoseconds"),
            ("unix", "46349.5", "day number"),
            ("unix", "46349", "day number"),
            ("unix_ms", "1795420800", "in seconds"),
            ("unix_ms", "1795420800000000", "microseconds"),
            ("unix_us", "1795420800000", "milliseconds"),
            ("excel", "1795420800", "in seconds"),
            ("rfc3339", "1795420800", "in seconds"),
            ("rfc3339", "46349", "day number"),
        ] {
            let fault = read(text, setting, Tz::UTC).expect_err("another unit");
            assert!(fault.contains(unit) && fault.contains(text), "{fault}");
        }
        for text in ["", "yesterday", "99999999999999999999", "1e9", "١٧٩٥٤٢٠٨٠٠"] {
            assert!(read(text, "unix", Tz::UTC).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_read_in_each_unit() {
        let is = "2026-11-23T12:00:00.000Z";
        for (setting, text) in [
            ("unix", "1795435200"),
            ("unix", "1795435200.000"),
            ("unix_ms", "1795435200000"),
            ("unix_us", "1795435200000000"),
            ("excel", "46349.5"),
            ("rfc3339", "2026-11-23T13:00:00+01:00"),
            ("%d.%m.%Y %H:%M", "23.11.2026 12:00"),
            ("%Y-%m-%d %H:%M:%S %z", "2026-11-23 07:00:00 -0500"),
        ] {
            assert_eq!(at(text, setting, Tz::UTC), is, "{setting}");
        }
        assert_eq!(at("20261123", "%Y%m%d", Tz::UTC), "2026-11-23T00:00:00.000Z");
        assert_eq!(at("46349.513888889", "excel", Tz::UTC), "2026-11-23T12:20:00.000Z");
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_of_its_day() {
        for (zone, pattern, text, day) in [
            (chrono_tz::Africa::Cairo, "%Y-%m-%d", "2026-04-24", "2026-04-24"),
            (chrono_tz::America::Asuncion, "%Y-%m-%d", "2023-10-01", "2023-10-01"),
            (chrono_tz::Asia::Beirut, "%d.%m.%Y", "29.03.2026", "2026-03-29"),
            (chrono_tz::America::Santiago, "%Y-%m-%d", "2026-09-06", "2026-09-06"),
            (chrono_tz::Europe::Berlin, "%Y-%m-%d %H:%M", "2026-03-29 02:30", "2026-03-29"),
            (chrono_tz::America::New_York, "%Y-%m-%d %H:%M", "2026-03-08 02:00", "2026-03-08"),
            (chrono_tz::Africa::Cairo, "excel", "46136", "2026-04-24"),
        ] {
            let at = read(text, pattern, zone).expect("a time");
            assert_eq!(at.business_date(zone), day, "{zone}");
        }
    }

    #[test]
    fn a_setting_that_reads_no_time_is_a_fault_of_the_settings() {
        for setting in ["rfc3339", "unix", "unix_ms", "unix_us", "excel", "%d.%m.%Y"] {
            assert!(is_setting(setting), "{setting}");
        }
        for setting in ["", "iso", "seconds", "%Q", "dd.mm.yyyy"] {
            assert!(!is_setting(setting), "{setting}");
        }
    }
}
