//! The format of times, and their zone if the file names it.

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

use super::column::Column;
use super::fields::Fields;
use super::sample::Sample;
use super::{Guess, examples, quoted};
use crate::statement::times;
use crate::time::TimestampMs;

/// A year outside of these is read with the wrong format.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2099;
/// How many cells of a hundred a format may fail to read.
const MAX_FAILED_PERCENT: usize = 5;
/// Formats that read a plain number, which may be an id or an amount.
pub(super) const OF_NUMBERS: [&str; 7] =
    ["unix", "unix_ms", "unix_us", "excel", "%Y%m%d", "%Y%m%d%H%M%S", "%Y%m%d%H%M"];
const WITH_OFFSET: [&str; 4] =
    ["%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z", "%d/%b/%Y:%H:%M:%S %z"];
const DATES: [&str; 16] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
];
/// What follows a date.
const CLOCKS: [&str; 16] = [
    "",
    " %H:%M:%S",
    "T%H:%M:%S",
    " %H:%M",
    "T%H:%M",
    " %H:%M:%S%.f",
    "T%H:%M:%S%.f",
    " %I:%M:%S %p",
    " %I:%M %p",
    ", %H:%M:%S",
    ", %H:%M",
    ", %I:%M:%S %p",
    ", %I:%M %p",
    " %H:%M:%S UTC",
    " %H:%M UTC",
    " %H:%M:%S GMT",
];

/// The formats that read what a column holds.
pub(super) fn formats_of(cells: &[&str]) -> Vec<String> {
    let has_digit = |cell: &&str| cell.bytes().any(|byte| byte.is_ascii_digit());
    if !cells.iter().any(has_digit) {
        return Vec::new();
    }
    let patterns = DATES.iter().flat_map(|date| CLOCKS.iter().map(move |clock| format!("{date}{clock}")));
    let plain = OF_NUMBERS.into_iter().chain(["rfc3339"]).chain(WITH_OFFSET).map(str::to_owned);
    let read: Vec<_> =
        plain.chain(patterns).filter_map(|format| Some((failed(&format, cells)?, format))).collect();
    let fewest = read.iter().map(|(failed, _)| *failed).min();
    read.into_iter().filter(|(failed, _)| Some(*failed) == fewest).map(|(_, format)| format).collect()
}

/// How many cells a format fails to read; `None` if they are too many.
fn failed(format: &str, cells: &[&str]) -> Option<usize> {
    // Most formats read no cell at all, which three cells show.
    let some = [cells.first(), cells.get(cells.len() / 2), cells.last()];
    if !some.into_iter().flatten().any(|cell| at(cell, format).is_some()) {
        return None;
    }
    let most = cells.len() * MAX_FAILED_PERCENT / 100;
    let mut failed = 0;
    for cell in cells {
        failed += usize::from(at(cell, format).is_none());
        if failed > most {
            return None;
        }
    }
    Some(failed)
}

fn at(cell: &str, format: &str) -> Option<TimestampMs> {
    let at = times::read(cell, format, Tz::UTC).ok()?;
    let year = DateTime::from_timestamp_millis(at.0)?.year();
    YEARS.contains(&year).then_some(at)
}

/// Settles format and zone.
pub(super) fn settle(guess: &mut Guess, columns: &[Column<'_>], fields: &Fields, sample: &Sample) {
    let places = fields.places("time");
    let [place] = places.as_slice() else {
        if !places.is_empty() {
            let of = places
                .iter()
                .filter_map(|place| columns.get(*place))
                .filter_map(|column| column.times.first());
            let mut alternatives: Vec<_> = of.map(|format| quoted(format)).collect();
            alternatives.dedup();
            guess.doubt("time", "The column of the time is not known.".into(), alternatives, true);
        }
        return;
    };
    let Some(column) = columns.get(*place) else { return };
    // Formats that read the same times are one.
    let mut different: Vec<(Vec<Option<TimestampMs>>, String)> = Vec::new();
    for format in &column.times {
        let times: Vec<_> = column.cells.iter().map(|cell| at(cell, format)).collect();
        if !different.iter().any(|(others, _)| *others == times) {
            different.push((times, format.clone()));
        }
    }
    match different.as_slice() {
        [(_, format)] => guess.format.time.clone_from(format),
        [] => {}
        [(_, first), ..] => {
            let all = different.iter().map(|(_, format)| quoted(format)).collect::<Vec<_>>();
            let what =
                format!("Times such as {} can be read as {}.", examples(&column.cells), all.join(" or "));
            guess.format.time.clone_from(first);
            guess.doubt("time", what, all, true);
        }
    }
    zone(guess, column, sample);
}

fn zone(guess: &mut Guess, column: &Column<'_>, sample: &Sample) {
    let format = guess.format.time.clone();
    if let Some((zone, text)) = named(&[column.name]).or_else(|| named(&column.cells)) {
        guess.notes.push(format!("The zone of the times is {zone}: `{}` says so.", super::shown(&text)));
        guess.format.zone = zone;
        return;
    }
    let remarks: Vec<&str> = sample.remarks.iter().map(String::as_str).collect();
    if let Some((zone, text)) = named(&remarks) {
        guess.notes.push(format!(
            "The zone of the times is {zone}: the file has the line `{}`.",
            super::shown(&text)
        ));
        guess.format.zone = zone;
        return;
    }
    let has_offset = format == "rfc3339" || format.contains("%z");
    let is_utc = |cell: &str| {
        cell.ends_with(['Z', 'z']) || ["+00:00", "+0000", "-00:00"].iter().any(|end| cell.ends_with(end))
    };
    if has_offset && column.holds(is_utc) {
        guess.notes.push("The zone of the times is UTC, as their offset says.".into());
    } else if has_offset || format.starts_with("unix") {
        let what = "The times are exact, but nothing says in which zone the network counts days.";
        guess.doubt("zone", what.into(), vec![quoted("UTC")], false);
    } else {
        let what = "The times name no zone: ask the network for it. Until it is set, they are read as UTC.";
        guess.doubt("zone", what.into(), vec![quoted("UTC")], false);
    }
}

/// The first zone that one of the texts names, and that text.
fn named(texts: &[&str]) -> Option<(String, String)> {
    texts.iter().find_map(|text| {
        let words = text.split(|letter: char| !(letter.is_alphanumeric() || "/_+-".contains(letter)));
        let zone = words.filter_map(|word| match word {
            "UTC" | "GMT" => Some("UTC".to_owned()),
            word if word.contains('/') => word.parse::<Tz>().ok().map(|zone| zone.name().to_owned()),
            _ => None,
        });
        zone.map(|zone| (zone, (*text).to_owned())).next()
    })
}
