//! The lines to judge by: how they are divided, which of them is the header, and which are transactions.

use std::collections::BTreeMap;

use super::column::{is_amount, is_figure};
use super::{Doubt, SAMPLE_LEN, SAMPLE_LINES, quoted};
use crate::statement::Unreadable;
use crate::statement::aside::is_total;
use crate::statement::columns::nearness;
use crate::statement::encoding::{Encoding, SNIFF_LEN};
use crate::statement::format::FIELDS;
use crate::statement::header::first_records;
use crate::statement::records::Shape;

/// What divides fields, the most usual first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How many records may come before the header.
const HEAD_RECORDS: usize = 50;
/// A header is the first record that fills at least this share of the columns, in percent.
const FILLED_PERCENT: usize = 60;

type Records = Vec<(i64, Vec<String>)>;

/// The first lines of a file, divided.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) delimiter: char,
    /// Others that divide it as evenly.
    rivals: Vec<char>,
    /// The line of the header.
    pub(super) header: Option<i64>,
    /// True if the header is not told from a transaction by what it holds.
    is_header_doubtful: bool,
    /// What the header calls each column; empty without one.
    pub(super) names: Vec<String>,
    pub(super) width: usize,
    /// Line number and cells of each line that is as wide as most, and neither a title nor a total.
    pub(super) rows: Records,
    /// All cells of lines that are none of those.
    pub(super) remarks: Vec<String>,
    /// How many records were read.
    pub(super) records: usize,
    /// How many bytes of the file they are.
    pub(super) len: usize,
}

/// The records as one delimiter divides them.
struct Division {
    delimiter: u8,
    records: Records,
    /// Bytes of the text that they are.
    len: usize,
    /// How many fields most records have, and how many records have as many.
    width: usize,
    count: usize,
}

impl Sample {
    pub(super) fn of(bytes: &[u8], is_whole: bool) -> Result<Self, Unreadable> {
        let is_whole = is_whole && bytes.len() <= SAMPLE_LEN;
        let bytes = bytes.get(..SAMPLE_LEN).unwrap_or(bytes);
        let (encoding, mark_len) = Encoding::of(bytes.get(..SNIFF_LEN).unwrap_or(bytes))?;
        let text = bytes.get(mark_len..).unwrap_or_default();
        let text = text.get(..encoding.whole(text)).unwrap_or_default();
        let text = encoding.ascii_compatible(text);
        let (division, rivals) = divided(&text, is_whole).ok_or(if is_whole {
            Unreadable::Empty
        } else {
            Unreadable::LongLine(1)
        })?;
        let len = mark_len + encoding.len_of(text.get(..division.len).unwrap_or_default());
        Ok(Self::divided_by(division, &rivals, len))
    }

    fn divided_by(division: Division, rivals: &[u8], len: usize) -> Self {
        let Division { delimiter, records, width, .. } = division;
        let count = records.len();
        let (header, is_header_doubtful) = header(&records, width);
        let names = header.and_then(|line| records.iter().find(|(number, _)| *number == line));
        let names = names.map(|(_, names)| names.clone()).unwrap_or_default();
        let (mut rows, mut remarks) = (Vec::new(), Vec::new());
        for (line, cells) in records {
            let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
            if filled == 0 || header == Some(line) {
                continue;
            }
            let is_row = header.is_none_or(|header| line > header)
                && cells.len() == width
                && (filled > 1 || width == 1)
                && !cells.iter().any(|cell| is_total(cell))
                && cells != names;
            if is_row {
                rows.push((line, cells));
            } else {
                remarks.extend(cells);
            }
        }
        let rivals = rivals.iter().map(|byte| char::from(*byte)).collect();
        let delimiter = char::from(delimiter);
        Self {
            delimiter,
            rivals,
            header,
            is_header_doubtful,
            names,
            width,
            rows,
            remarks,
            records: count,
            len,
        }
    }

    /// What of delimiter and header is not certain.
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if !self.rivals.is_empty() {
            let all: Vec<_> =
                [self.delimiter].iter().chain(&self.rivals).map(|other| quoted(&other.to_string())).collect();
            doubts.push(Doubt {
                key: "delimiter".into(),
                what: format!("{} divide the lines equally well.", all.join(" and ")),
                alternatives: all,
                is_required: true,
            });
        }
        if self.is_header_doubtful {
            doubts.push(Doubt {
                key: "header".into(),
                what: "The first lines could be a header or transactions: no figure tells them apart.".into(),
                alternatives: vec!["true".into(), "false".into()],
                is_required: true,
            });
        }
        doubts
    }
}

/// The delimiter that divides most records alike, and those that do it as well. `None` for a text without a record.
fn divided(text: &[u8], is_whole: bool) -> Option<(Division, Vec<u8>)> {
    let mut divisions: Vec<_> =
        DELIMITERS.into_iter().filter_map(|delimiter| division(text, delimiter, is_whole)).collect();
    // What stands only between digits is the sign for decimals, unless nothing else divides the lines.
    let others = |comma: &Division| {
        divisions.iter().any(|other| other.delimiter != comma.delimiter && other.width > 1)
    };
    let is_sign =
        |division: &Division| division.delimiter == b',' && is_between_digits(text) && others(division);
    if let Some(place) = divisions.iter().position(is_sign) {
        divisions.remove(place);
    }
    let wide = divisions.iter().filter(|division| division.width > 1);
    let stated = stated_delimiter(text);
    let best = wide.max_by_key(|division| {
        // Of equals the one that is named first.
        let rank = DELIMITERS.iter().position(|known| *known == division.delimiter);
        (Some(division.delimiter) == stated, division.count, division.width, std::cmp::Reverse(rank))
    });
    let best = best.or(divisions.first())?.delimiter;
    let place = divisions.iter().position(|division| division.delimiter == best)?;
    let best = divisions.remove(place);
    let is_rival = |other: &Division| {
        stated.is_none() && best.width > 1 && other.width > 1 && other.count >= best.count && {
            let rows = best.records.iter().filter(|(_, cells)| cells.len() == best.width);
            let mut cells = rows.flat_map(|(_, cells)| cells);
            cells.any(|cell| {
                cell.as_bytes().contains(&other.delimiter) && !(other.delimiter == b',' && is_amount(cell))
            })
        }
    };
    let rivals = divisions.iter().filter(|other| is_rival(other)).map(|other| other.delimiter).collect();
    Some((best, rivals))
}

fn division(text: &[u8], delimiter: u8, is_whole: bool) -> Option<Division> {
    let (records, len) = first_records(Shape { delimiter, width: None }, text, is_whole, SAMPLE_LINES);
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    for (_, cells) in records.iter().filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty())) {
        *widths.entry(cells.len()).or_default() += 1;
    }
    let (width, count) = widths.into_iter().max_by_key(|(width, count)| (*count, *width))?;
    Some(Division { delimiter, records, len, width, count })
}

/// The delimiter in a first line `sep=;`, as spreadsheets write it.
fn stated_delimiter(text: &[u8]) -> Option<u8> {
    let rest = text.get(..4).filter(|begin| begin.eq_ignore_ascii_case(b"sep=")).and(text.get(4..))?;
    rest.first().copied().filter(|byte| DELIMITERS.contains(byte))
}

/// True if every comma of the text stands between two digits.
fn is_between_digits(text: &[u8]) -> bool {
    let digit =
        |place: Option<usize>| place.and_then(|place| text.get(place)).is_some_and(u8::is_ascii_digit);
    let mut commas = text.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(place, _)| place);
    commas.all(|place| digit(place.checked_sub(1)) && digit(Some(place + 1)))
}

/// The line of the header, if there is one, and whether that is doubtful. It is the last line of names only before the
/// first transaction; titles stand above it.
fn header(records: &[(i64, Vec<String>)], width: usize) -> (Option<i64>, bool) {
    let filled = |cells: &[String]| cells.iter().filter(|cell| !cell.is_empty()).count();
    let fills = |cells: &[String]| cells.len() >= width && filled(cells) * 100 >= width * FILLED_PERCENT;
    let is_known = |cells: &[String]| {
        cells
            .iter()
            .any(|name| FIELDS.iter().any(|field| nearness(field, field, name).is_some_and(|rank| rank < 3)))
    };
    let mut names: Option<(i64, bool)> = None;
    for (line, cells) in records.iter().take(HEAD_RECORDS).filter(|(_, cells)| fills(cells)) {
        if cells.iter().any(|cell| is_figure(cell)) {
            return (names.map(|(line, _)| line), false);
        }
        let is_known = is_known(cells);
        if is_known || names.is_none_or(|(_, was_known)| !was_known) {
            names = Some((*line, is_known));
        }
    }
    // No line has a figure.
    match names {
        Some((line, true)) => (Some(line), false),
        _ => (None, names.is_some()),
    }
}
