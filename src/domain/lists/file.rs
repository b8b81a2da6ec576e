//! The entries of a CSV file, or every fault with its line.

use super::entry::{Draft, Known, NewEntry};
use crate::time::TimestampMs;

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 16 * 1_024 * 1_024;
/// The most entries of one file: they are written in one transaction.
pub const MAX_FILE_ENTRIES: usize = 20_000;
/// Faults that are shown; a file in a wrong form has one in every line.
const MAX_FAULTS: usize = 20;
/// The columns, in any order; the first four are required.
pub const COLUMNS: [&str; 7] = ["kind", "value", "effect", "reason", "source", "app", "expires"];
const REQUIRED: usize = 4;

/// Reads a file with a heading. All or nothing: with a fault in any line nothing is taken.
pub fn read(bytes: &[u8], known: &Known, now: TimestampMs) -> Result<Vec<NewEntry>, Vec<String>> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(vec![format!("the file has {} bytes; at most {MAX_FILE_BYTES} are read", bytes.len())]);
    }
    // Spreadsheets write a mark in front of the heading.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(bytes);
    let heading = reader.headers().map_err(|error| vec![format!("line 1: {error}")])?.clone();
    let places = places(&heading).map_err(|why| vec![format!("line 1: {why}")])?;
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    let mut lines = std::collections::HashMap::new();
    for record in reader.records() {
        let fault = match record {
            Err(error) => Some(error.to_string()),
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                match entry(&record, &heading, &places, known, now) {
                    Ok(entry) => {
                        let first = lines.insert(entry.key.clone(), line);
                        let twice = first
                            .map(|first| format!("line {line}: {} is already in line {first}", entry.key));
                        if twice.is_none() {
                            entries.push(entry);
                        }
                        twice
                    }
                    Err(why) => Some(format!("line {line}: {why}")),
                }
            }
        };
        faults.extend(fault);
        if entries.len() > MAX_FILE_ENTRIES {
            faults.push(format!("the file has more than {MAX_FILE_ENTRIES} entries; split it"));
        }
        if faults.len() >= MAX_FAULTS || entries.len() > MAX_FILE_ENTRIES {
            break;
        }
    }
    if entries.is_empty() && faults.is_empty() {
        faults.push("the file has no entries".to_owned());
    }
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

/// The place of each of [`COLUMNS`].
fn places(heading: &csv::StringRecord) -> Result<[Option<usize>; COLUMNS.len()], String> {
    let mut places = [None; COLUMNS.len()];
    for (place, name) in heading.iter().enumerate() {
        let known = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(name));
        let Some(column) = known else {
            return Err(format!("{name:?} is not a column; known: {}", COLUMNS.join(", ")));
        };
        if places[column].replace(place).is_some() {
            return Err(format!("the column `{name}` stands there twice"));
        }
    }
    match (0..REQUIRED).find(|column| places[*column].is_none()) {
        Some(column) => Err(format!(
            "the column `{}` is missing; a heading names the columns: {}",
            COLUMNS[column],
            COLUMNS.join(",")
        )),
        None => Ok(places),
    }
}

fn entry(
    record: &csv::StringRecord,
    heading: &csv::StringRecord,
    places: &[Option<usize>; COLUMNS.len()],
    known: &Known,
    now: TimestampMs,
) -> Result<NewEntry, String> {
    if record.len() != heading.len() {
        return Err(format!("{} fields, and the heading has {}", record.len(), heading.len()));
    }
    let [kind, value, effect, reason, source, app, expires] =
        places.map(|place| place.and_then(|place| record.get(place)).unwrap_or_default());
    let draft = Draft { kind, value, effect, reason, source, app, expires };
    NewEntry::read(&draft, known, now).map_err(|bad| bad.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMs = TimestampMs(1_795_435_200_000);

    fn read_text(text: &str) -> Result<Vec<NewEntry>, Vec<String>> {
        let known = Known { sources: vec!["targo".into()], ..Known::default() };
        read(text.as_bytes(), &known, NOW)
    }

    #[test]
    fn columns_may_stand_in_any_order_and_be_left_out() {
        let entries = read_text(
            "\u{feff}Effect,kind,value,reason,expires\r\nblock,address,203.0.113.9/24,\"one, two\",30d\r\nwatch,user,u-1,b,\r\n",
        )
        .expect("it is read");
        let shown: Vec<_> = entries.iter().map(|entry| format!("{} {}", entry.key, entry.reason)).collect();
        assert_eq!(shown, ["address 203.0.113.0/24 one, two", "user u-1 b"]);
        assert!(entries[0].expires_at.is_some() && entries[1].expires_at.is_none());
    }

    #[test]
    fn every_faulty_line_is_named_and_nothing_is_taken() {
        let faults = read_text(
            "kind,value,effect,reason,source\nuser,u-1,block,a,\nuser,u-2,ban,a,\noffer,7,block,a,\n\
             user,u-1,watch,a,\nuser,u-3\n",
        )
        .expect_err("it is faulty");
        let starts = [
            "line 3: `effect`",
            "line 4: `source`",
            "line 5: user u-1 is already in line 2",
            "line 6: 2 fields",
        ];
        assert_eq!(faults.len(), starts.len(), "{faults:?}");
        for (fault, start) in faults.iter().zip(starts) {
            assert!(fault.starts_with(start), "{fault}");
        }
    }

    #[test]
    fn a_heading_that_cannot_be_used_says_what_is_needed() {
        for (text, fault) in [
            ("", "the column `kind` is missing"),
            ("user,u-1,block,a\n", "\"user\" is not a column; known: kind"),
            ("kind,kind\n", "twice"),
            ("kind,value,effect,reason\n", "the file has no entries"),
        ] {
            let faults = read_text(text).expect_err("it is faulty");
            assert!(faults[0].contains(fault), "{faults:?}");
        }
    }

    #[test]
    fn a_file_that_is_all_wrong_shows_its_first_faults() {
        let text = format!("kind,value,effect,reason\n{}", "x,y,z,\n".repeat(1_000));
        assert_eq!(read_text(&text).expect_err("it is faulty").len(), MAX_FAULTS);
    }
}
