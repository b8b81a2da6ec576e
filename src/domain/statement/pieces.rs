//! A file in pieces: cut between records while it comes in, and read one by one.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::controls::Control;
use super::encoding::{Encoding, text_of};
use super::format::Format;
use super::layout::{HEAD_LEN, Layout};
use super::line::{Fault, LineReader, Row, amounts_key, clean};
use super::number::AmountForm;
use super::records::{Found, Record, Shape};
use super::{StatementLine, Unreadable};

/// About how long a piece is, in bytes: some hundred lines, which are read and matched in one transaction.
const PIECE_LEN: usize = 64 * 1_024;
/// How long one line may be, in bytes.
pub(super) const MAX_LINE_LEN: usize = 1 << 20;
/// How many lines one file may have.
pub const MAX_LINES: i64 = 1_000_000;
/// The fault of a line with a zero byte, which Postgres cannot store.
const ZERO: &str = "it contains a zero byte, so it is not text";
/// Prefix of a piece that a database cannot store as text and that is stored in base64.
const AS_BASE64: &str = "\u{1}base64:";

/// Some whole records of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The number of its first line in the file, from 1.
    pub first_line: i64,
    /// Its bytes, unchanged.
    pub content: Vec<u8>,
}

impl Piece {
    /// As a text that every database can keep: UTF-8 without zeros as it is, anything else in base64.
    pub fn stored(&self) -> Cow<'_, str> {
        let text = std::str::from_utf8(&self.content).ok();
        match text.filter(|text| !text.contains('\0') && !text.starts_with('\u{1}')) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(format!("{AS_BASE64}{}", STANDARD.encode(&self.content))),
        }
    }

    /// What [`Self::stored`] made a text of.
    pub fn of_stored(first_line: i64, stored: String) -> Self {
        let bytes = stored.strip_prefix(AS_BASE64).and_then(|text| STANDARD.decode(text).ok());
        Self { first_line, content: bytes.unwrap_or_else(|| stored.into_bytes()) }
    }
}

/// Cuts a file into pieces without ever holding much more than one.
#[derive(Debug)]
pub struct Cutter {
    format: Format,
    reader: Option<LineReader>,
    /// What came and was not cut yet, and how much of it was turned into `text`.
    held: Vec<u8>,
    decoded: usize,
    /// The same as text, if it is UTF-16.
    text: Vec<u8>,
    /// Where in the text the next record begins, and in which line.
    scanned: usize,
    line: i64,
    first_line: i64,
}

impl Cutter {
    /// For a file in this format.
    pub fn new(format: Format) -> Self {
        let (held, text) = (Vec::new(), Vec::new());
        Self { format, reader: None, held, decoded: 0, text, scanned: 0, line: 1, first_line: 1 }
    }

    /// Takes the next bytes of the file; answers with the pieces that are complete. An error if the file cannot be read
    /// at all.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Piece>, Unreadable> {
        self.held.extend_from_slice(bytes);
        if self.reader.is_none() && self.held.len() <= HEAD_LEN {
            return Ok(Vec::new());
        }
        self.scan(false)
    }

    /// The last pieces, once the file is complete.
    pub fn finish(mut self) -> Result<Vec<Piece>, Unreadable> {
        if self.held.is_empty() && self.first_line == 1 {
            return Err(Unreadable::Empty);
        }
        let mut pieces = self.scan(true)?;
        if !self.held.is_empty() {
            pieces.push(Piece { first_line: self.first_line, content: std::mem::take(&mut self.held) });
        }
        Ok(pieces)
    }

    fn scan(&mut self, is_whole: bool) -> Result<Vec<Piece>, Unreadable> {
        let layout = match &self.reader {
            Some(reader) => reader.layout.clone(),
            None => self.reader.insert(self.format.reader_of(&self.held)?).layout.clone(),
        };
        let Layout { encoding, shape, .. } = layout;
        let is_utf8 = encoding == Encoding::Utf8;
        if !is_utf8 {
            let from = self.decoded.max(self.mark(&layout));
            let fresh = self.held.get(from..).unwrap_or_default();
            let fresh = fresh.get(..encoding.whole(fresh)).unwrap_or_default();
            self.decoded = from + fresh.len();
            self.text.extend_from_slice(&encoding.ascii_compatible(fresh));
        }
        let mut pieces = Vec::new();
        loop {
            let mark = self.mark(&layout);
            let text = if is_utf8 { self.held.get(mark..).unwrap_or_default() } else { self.text.as_slice() };
            let waiting = text.len() - self.scanned;
            match shape.record(text, self.scanned, self.line, is_whole) {
                Found::Record(record) if record.bytes.len() <= MAX_LINE_LEN => {
                    self.scanned = record.next;
                    self.line += record.lines;
                }
                Found::NeedsMore if waiting <= MAX_LINE_LEN => break,
                Found::End => break,
                _ => return Err(Unreadable::LongLine(self.line)),
            }
            if self.line > MAX_LINES + 1 {
                return Err(Unreadable::TooManyLines);
            }
            if self.scanned >= PIECE_LEN {
                let text = text.get(..self.scanned).unwrap_or_default();
                let len = mark + encoding.len_of(text);
                pieces.push(self.cut(len));
            }
        }
        Ok(pieces)
    }

    /// Length of the byte order mark in front of the held bytes.
    fn mark(&self, layout: &Layout) -> usize {
        if self.first_line == 1 { layout.mark_len } else { 0 }
    }

    fn cut(&mut self, len: usize) -> Piece {
        let rest = self.held.split_off(len.min(self.held.len()));
        let content = std::mem::replace(&mut self.held, rest);
        self.text.drain(..self.scanned.min(self.text.len()));
        self.decoded = self.decoded.saturating_sub(len);
        self.scanned = 0;
        let first_line = std::mem::replace(&mut self.first_line, self.line);
        Piece { first_line, content }
    }
}

/// The lines of a piece: those that were read, and those that were not, with reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceLines {
    /// The lines that were read.
    pub lines: Vec<StatementLine>,
    /// Number and reason of each line that cannot be read.
    pub faults: Vec<(i64, String)>,
    /// Control figures of the file: line, figure, and value.
    pub controls: Vec<(i64, Control, i64)>,
    /// Number and reason of each line that is not a transaction.
    pub asides: Vec<(i64, String)>,
    /// Number and remark of lines that were read with a caveat.
    pub marks: Vec<(i64, String)>,
    /// Settings that would make more lines readable.
    pub proposals: Vec<String>,
}

/// Lines with the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameReason {
    /// Number of the first of them.
    pub line: i64,
    /// Number of lines.
    pub count: i64,
    /// The reason they share.
    pub reason: String,
}

impl SameReason {
    /// Lines of one reason together, in the order of the first of each.
    pub fn of(lines: &[(i64, String)]) -> Vec<Self> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut found: Vec<Self> = Vec::new();
        for (line, reason) in lines {
            let place = *places.entry(reason).or_insert(found.len());
            match found.get_mut(place) {
                Some(same) => same.count += 1,
                None => found.push(Self { line: *line, count: 1, reason: reason.clone() }),
            }
        }
        found
    }

    /// Their numbers for people: `7`, or `7 and 19 more`.
    pub fn lines(&self) -> String {
        if self.count == 1 {
            self.line.to_string()
        } else {
            format!("{} and {} more", self.line, self.count - 1)
        }
    }
}

impl Format {
    /// Reads the lines of a piece.
    pub fn read(&self, reader: &LineReader, piece: &Piece) -> PieceLines {
        let Layout { encoding, mark_len, header_line, shape, .. } = &reader.layout;
        let mark = if piece.first_line == 1 { *mark_len } else { 0 };
        let text = encoding.ascii_compatible(piece.content.get(mark..).unwrap_or_default());
        let mut found = PieceLines::default();
        let (mut forms, mut from, mut number) = (BTreeSet::new(), 0, piece.first_line);
        while let Found::Record(record) = shape.record(&text, from, number, true) {
            let bytes = text.get(record.bytes.clone()).unwrap_or_default();
            if number < *header_line {
                found.add_title(reader, *shape, number, bytes);
            } else if number > *header_line {
                found.add(reader, *shape, number, bytes, &record, &mut forms);
            }
            (from, number) = (record.next, number + record.lines);
        }
        if !forms.is_empty() {
            found.proposals.push(amounts_key(&self.key, &forms));
        }
        found
    }
}

impl PieceLines {
    /// A line before the header: only control figures count.
    fn add_title(&mut self, reader: &LineReader, shape: Shape, number: i64, bytes: &[u8]) {
        if bytes.contains(&0) {
            self.faults.push((number, ZERO.into()));
            return;
        }
        let fields = shape.fields(bytes, number).unwrap_or_default();
        let decoded: Vec<_> = fields.iter().map(|field| text_of(field).0).collect();
        let fields: Vec<&str> = decoded.iter().map(|text| clean(text)).collect();
        match reader.control(&fields) {
            Some(Ok((control, figure))) => self.controls.push((number, control, figure)),
            Some(Err(reason)) => self.faults.push((number, reason)),
            None if clean(&text_of(bytes).0).is_empty() => {}
            None => self.asides.push((number, "it is before the header".into())),
        }
    }

    fn add(
        &mut self,
        reader: &LineReader,
        shape: Shape,
        number: i64,
        bytes: &[u8],
        record: &Record,
        forms: &mut BTreeSet<AmountForm>,
    ) {
        if bytes.contains(&0) {
            self.faults.push((number, ZERO.into()));
            return;
        }
        let fields = if record.is_closed { shape.fields(bytes, number) } else { None };
        let Some(fields) = fields else {
            self.faults.push((number, "a quotation mark is never closed, or is inside the text".into()));
            return;
        };
        let decoded: Vec<_> = fields.iter().map(|field| text_of(field)).collect();
        let fields: Vec<&str> = decoded.iter().map(|(text, _)| text.as_ref()).collect();
        match reader.row(number, &fields) {
            Ok(Row::Line(line, marks)) => {
                if decoded.iter().any(|(_, is_foreign)| *is_foreign) {
                    self.marks.push((number, "it is not UTF-8 and was read as Windows-1252".into()));
                }
                self.marks.extend(marks.into_iter().map(|mark| (number, mark.to_owned())));
                self.lines.push(*line);
            }
            Ok(Row::Control(control, figure)) => self.controls.push((number, control, figure)),
            Ok(Row::Aside(reason)) => self.asides.push((number, reason.to_owned())),
            Ok(Row::Blank) => {}
            Err(Fault { reason, forms: needed }) => {
                forms.extend(needed);
                self.faults.push((number, reason));
            }
        }
    }
}
