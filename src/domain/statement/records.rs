//! Where a record ends: any kind of line end, and quotation marks, correctly placed or not.
//!
//! A field may hold line ends if its quotation marks say so. A mark that is never closed would swallow all that follows,
//! so it is believed only within bounds and only if what it spans looks like one record; else the line is faulty by
//! itself, and reading goes on with the next.

use std::ops::Range;

/// How many lines one record may have, and how many bytes it may have if it has more than one.
const MAX_RECORD_LINES: usize = 100;
const MAX_RECORD_LEN: usize = 64 * 1_024;

/// Delimiter and width of the records of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The byte between two fields.
    pub(super) delimiter: u8,
    /// How many fields a record has, and up to which line of the file that does not hold yet.
    pub(super) width: Option<(usize, i64)>,
}

/// One record of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its bytes without the line end.
    pub(super) bytes: Range<usize>,
    /// How many lines it has.
    pub(super) lines: i64,
    /// False if a quotation mark in it is never closed.
    pub(super) is_closed: bool,
    /// Where the next one begins.
    pub(super) next: usize,
}

/// The result of looking for a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A complete record.
    Record(Record),
    /// More bytes of the file are needed.
    NeedsMore,
    /// The end of the file.
    End,
}

/// The meaning of a quotation mark that is neither at the end of its field nor doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stray {
    /// It is part of the text: `"55" TV"`.
    Text,
    /// The quoted part ends with it: `"55" TV`.
    End,
}

/// The end of a line that begins at `from`: where its text ends, and where the next one begins. `None` if it has no end
/// yet.
fn line_end(text: &[u8], from: usize, is_whole: bool) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let Some(len) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
        return is_whole.then_some((text.len(), text.len()));
    };
    let end = from + len;
    match (text.get(end), text.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => Some((end, end + 2)),
        // A line feed may follow.
        (Some(b'\r'), None) if !is_whole => None,
        _ => Some((end, end + 1)),
    }
}

impl Shape {
    /// The record that begins at `from` in line `line` of the file. `is_whole`: nothing follows the text.
    pub(super) fn record(self, text: &[u8], from: usize, line: i64, is_whole: bool) -> Found {
        if from >= text.len() {
            return if is_whole { Found::End } else { Found::NeedsMore };
        }
        let Some((end, next)) = line_end(text, from, is_whole) else { return Found::NeedsMore };
        let one = |is_closed| Found::Record(Record { bytes: from..end, lines: 1, is_closed, next });
        let opening = text.get(from..end).unwrap_or_default();
        if !opening.contains(&b'"') || self.fields_of_line(opening, line).is_some() {
            return one(true);
        }
        self.over_lines(text, from, line, is_whole).unwrap_or_else(|| one(false))
    }

    /// The record from `from` on if it has more than one line; `None` if its quotation mark is never closed.
    fn over_lines(self, text: &[u8], from: usize, line: i64, is_whole: bool) -> Option<Found> {
        let (opening_end, mut next) = line_end(text, from, is_whole)?;
        let width = self.width_at(line);
        let opening_is_full = self.is_full(text.get(from..opening_end)?, width);
        for lines in 2..=MAX_RECORD_LINES {
            if next >= text.len() && is_whole {
                return None;
            }
            let Some((end, after)) = line_end(text, next, is_whole) else {
                let is_too_long = text.len() - from > MAX_RECORD_LEN;
                return (!is_too_long).then_some(Found::NeedsMore);
            };
            if end - from > MAX_RECORD_LEN {
                return None;
            }
            let record = text.get(from..end)?;
            let closing_is_full = self.is_full(text.get(next..end)?, width);
            match split(record, self.delimiter, None) {
                Split::Stray => return None,
                Split::Open if closing_is_full => return None,
                Split::Open => next = after,
                Split::Fields(fields) => {
                    let fits = width.is_none_or(|width| fields.len() <= width);
                    let is_believed = fits && !(opening_is_full && closing_is_full);
                    let lines = i64::try_from(lines).unwrap_or(i64::MAX);
                    let record = Record { bytes: from..end, lines, is_closed: true, next: after };
                    return is_believed.then_some(Found::Record(record));
                }
            }
        }
        None
    }

    fn width_at(self, line: i64) -> Option<usize> {
        self.width.filter(|(_, from)| line > *from).map(|(width, _)| width)
    }

    /// True if the line alone, marks aside, has as many fields as a record.
    fn is_full(self, line: &[u8], width: Option<usize>) -> bool {
        let fields = line.split(|byte| *byte == self.delimiter).count();
        width.is_some_and(|width| width > 1 && fields >= width)
    }

    /// The fields of a record that begins in line `line`; `None` if a mark in it is never closed.
    pub(super) fn fields(self, record: &[u8], line: i64) -> Option<Vec<Vec<u8>>> {
        self.fields_of_line(record, line).or_else(|| match split(record, self.delimiter, None) {
            Split::Fields(fields) => Some(fields),
            _ => None,
        })
    }

    /// With misplaced marks, the reading counts that gives the record its width.
    fn fields_of_line(self, line_text: &[u8], line: i64) -> Option<Vec<Vec<u8>>> {
        if let Split::Fields(fields) = split(line_text, self.delimiter, None) {
            return Some(fields);
        }
        let readings = [Stray::Text, Stray::End].map(|stray| split(line_text, self.delimiter, Some(stray)));
        let mut read = readings.into_iter().filter_map(|split| match split {
            Split::Fields(fields) => Some(fields),
            _ => None,
        });
        match self.width_at(line) {
            Some(width) => read.find(|fields| fields.len() == width),
            None => read.next(),
        }
    }
}

/// The result of splitting a record into fields.
#[derive(Debug, PartialEq, Eq)]
enum Split {
    Fields(Vec<Vec<u8>>),
    /// It ends within quotation marks.
    Open,
    /// A quotation mark is misplaced.
    Stray,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Plain,
    Quoted,
    /// After a mark within a quoted field, and this many blanks.
    Mark(usize),
}

/// The fields of `record`. Blanks around quotation marks are none of the text. Without a word on `stray` marks, there
/// may be none.
fn split(record: &[u8], delimiter: u8, stray: Option<Stray>) -> Split {
    let is_blank = |byte: u8| byte != delimiter && matches!(byte, b' ' | b'\t');
    let (mut fields, mut field, mut at) = (Vec::new(), Vec::new(), At::Start);
    for &byte in record {
        at = match at {
            At::Start if byte == b'"' => {
                field.clear();
                At::Quoted
            }
            At::Start | At::Plain if byte == delimiter => {
                fields.push(std::mem::take(&mut field));
                At::Start
            }
            At::Start if is_blank(byte) => {
                field.push(byte);
                At::Start
            }
            At::Start | At::Plain => {
                field.push(byte);
                At::Plain
            }
            At::Quoted if byte == b'"' => At::Mark(0),
            At::Quoted => {
                field.push(byte);
                At::Quoted
            }
            At::Mark(0) if byte == b'"' => {
                field.push(byte);
                At::Quoted
            }
            At::Mark(_) if byte == delimiter => {
                fields.push(std::mem::take(&mut field));
                At::Start
            }
            At::Mark(blanks) if is_blank(byte) => At::Mark(blanks + 1),
            At::Mark(blanks) => {
                let Some(stray) = stray else { return Split::Stray };
                if stray == Stray::Text {
                    field.push(b'"');
                }
                field.extend(std::iter::repeat_n(b' ', blanks));
                match (stray, byte) {
                    // It may be the one that closes the field.
                    (Stray::Text, b'"') => At::Mark(0),
                    (Stray::Text, _) => {
                        field.push(byte);
                        At::Quoted
                    }
                    (Stray::End, _) => {
                        field.push(byte);
                        At::Plain
                    }
                }
            }
        };
    }
    if at == At::Quoted {
        return Split::Open;
    }
    fields.push(field);
    Split::Fields(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { delimiter: b',', width: Some((4, 0)) };

    /// Every record as its first line, its text, and whether it is closed.
    fn records(text: &str) -> Vec<(i64, String, bool)> {
        let (mut from, mut line, mut found) = (0, 1, Vec::new());
        while let Found::Record(record) = SHAPE.record(text.as_bytes(), from, line, true) {
            found.push((line, text[record.bytes.clone()].to_owned(), record.is_closed));
            (from, line) = (record.next, line + record.lines);
        }
        found
    }

    fn lines(text: &str) -> Vec<(i64, String)> {
        records(text).into_iter().map(|(line, text, _)| (line, text)).collect()
    }

    fn fields(record: &str) -> Option<Vec<String>> {
        let fields = SHAPE.fields(record.as_bytes(), 1)?;
        Some(fields.into_iter().map(|field| String::from_utf8_lossy(&field).into_owned()).collect())
    }

    #[test]
    fn every_kind_of_line_end_ends_a_line_and_counts_once() {
        let is = [(1, "a".to_owned()), (2, "b".to_owned()), (3, "c".to_owned())];
        for text in ["a\nb\nc", "a\r\nb\r\nc\r\n", "a\rb\rc\r", "a\rb\nc\r\n", "a\r\nb\rc\n"] {
            assert_eq!(lines(text), is, "{text:?}");
        }
        assert_eq!(lines("a\n\r\nb"), [(1, "a".into()), (2, String::new()), (3, "b".into())]);
    }

    #[test]
    fn a_line_feed_behind_a_carriage_return_may_come_later() {
        let found = SHAPE.record(b"a\r", 0, 1, false);
        assert_eq!(found, Found::NeedsMore);
        assert!(matches!(SHAPE.record(b"a\rb", 0, 1, false), Found::Record(Record { next: 2, .. })));
        assert!(matches!(SHAPE.record(b"a\r\nb", 0, 1, false), Found::Record(Record { next: 3, .. })));
    }

    #[test]
    fn quoted_fields_may_hold_delimiters_marks_and_line_ends() {
        assert_eq!(fields("a,\"b,c\",\"d\"\"e\", \"f\" ").expect("fields"), ["a", "b,c", "d\"e", "f"]);
        let text = "a,\"b\r\nc\nd\",e,f\ng,h,i,j";
        assert_eq!(lines(text), [(1, "a,\"b\r\nc\nd\",e,f".into()), (4, "g,h,i,j".into())]);
        let last = "a,b,c,\"d\ne\nf\"\ng,h,i,j";
        assert_eq!(lines(last), [(1, "a,b,c,\"d\ne\nf\"".into()), (4, "g,h,i,j".into())]);
    }

    #[test]
    fn inches_are_read_with_and_without_quotation_marks() {
        for (record, tv) in [
            ("T1,55\" TV,1,2", "55\" TV"),
            ("T1,\"55\" TV\",1,2", "55\" TV"),
            ("T1,\"55\"\" TV\",1,2", "55\" TV"),
            ("T1,\"55\"\"\",1,2", "55\""),
            ("T1,TV 55\",1,2", "TV 55\""),
            ("T1,TV \"55\" wide,1,2", "TV \"55\" wide"),
        ] {
            assert_eq!(
                fields(record).map(|fields| (fields.len(), fields[1].clone())),
                Some((4, tv.to_owned())),
                "{record}"
            );
        }
        // The mark of the inch and the one that closes the field, which is one doubled mark.
        assert_eq!(fields("T1,\"TV 55\"\",1,2"), None);
    }

    #[test]
    fn a_mark_that_is_never_closed_costs_its_own_line_only() {
        let faulty = |text: &str| -> Vec<(i64, bool)> {
            records(text).into_iter().map(|(line, _, closed)| (line, closed)).collect()
        };
        for text in [
            // Never closed; closed by the mark of another field; by another one that was never closed.
            "T1,\"a,1,2\nT2,b,1,2\nT3,c,1,2",
            "T1,\"a,1,2\nT2,\"b\",1,2\nT3,c,1,2",
            "T1,\"a\nT2,b,1,2\nT3,\"c\",1,2",
            "T1,b,1,\"a\nT2,b,1,2\nT3,c\",1,2",
            "T1,\"a,1,2\nT2,b\",1,2\nT3,c,1,2",
        ] {
            assert_eq!(faulty(text), [(1, false), (2, true), (3, true)], "{text}");
        }
        let long: String = "\"".to_owned() + &"x\n".repeat(MAX_RECORD_LINES) + "\"\n";
        assert_eq!(faulty(&long).iter().filter(|(_, closed)| !closed).count(), 2);
        let wide = format!("\"{}\n{}\"\n", "x".repeat(MAX_RECORD_LEN), "y");
        assert_eq!(faulty(&wide), [(1, false), (2, true)]);
    }
}
