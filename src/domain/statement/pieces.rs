//! A file in pieces: cut between lines while it comes in, and read one by one.

use csv::{ReaderBuilder, StringRecord};

use super::StatementLine;
use super::controls::Control;
use super::format::{Format, LineReader};

/// About how long a piece is, in bytes: some hundred lines, which are read and matched in one transaction.
const PIECE_LEN: usize = 64 * 1_024;
/// How long one line may be, in bytes.
const MAX_LINE_LEN: usize = 1 << 20;
/// How many lines one file may have.
pub const MAX_LINES: i64 = 1_000_000;
/// What some programs write in front of UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Some whole lines of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The number of its first line in the file, from 1.
    pub first_line: i64,
    /// The lines as they stand there.
    pub content: String,
}

/// Cuts a file into pieces without ever holding more than one.
#[derive(Debug)]
pub struct Cutter {
    held: Vec<u8>,
    /// How much of it was looked at, whether that ends within quotes, and the end of the last whole line in it.
    seen: usize,
    quoted: bool,
    end: usize,
    lines: i64,
    first_line: i64,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { held: Vec::new(), seen: 0, quoted: false, end: 0, lines: 0, first_line: 1 }
    }
}

impl Cutter {
    /// Takes the next bytes of the file; answers with a piece as soon as there is one.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Piece>, String> {
        self.held.extend_from_slice(bytes);
        for (place, byte) in self.held.iter().enumerate().skip(self.seen) {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' => {
                    self.lines += 1;
                    if !self.quoted {
                        self.end = place + 1;
                    }
                }
                _ => {}
            }
        }
        self.seen = self.held.len();
        if self.held.len() - self.end > MAX_LINE_LEN {
            return Err(format!(
                "a line from line {} on is longer than {MAX_LINE_LEN} bytes: is a quotation mark missing?",
                self.first_line
            ));
        }
        if self.lines > MAX_LINES {
            return Err(format!("it has more than {MAX_LINES} lines: import it in parts"));
        }
        if self.end < PIECE_LEN { Ok(None) } else { self.cut(self.end).map(Some) }
    }

    /// The rest.
    pub fn finish(mut self) -> Result<Option<Piece>, String> {
        let len = self.held.len();
        if len == 0 { Ok(None) } else { self.cut(len).map(Some) }
    }

    fn cut(&mut self, end: usize) -> Result<Piece, String> {
        let rest = self.held.split_off(end);
        let bytes = std::mem::replace(&mut self.held, rest);
        let content = String::from_utf8(bytes)
            .map_err(|_| format!("the lines from line {} on are not UTF-8", self.first_line))?;
        let newlines = content.matches('\n').count();
        let piece = Piece {
            first_line: self.first_line,
            content: content.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(content),
        };
        self.first_line += i64::try_from(newlines).unwrap_or(i64::MAX);
        self.seen = self.held.len();
        self.end = 0;
        Ok(piece)
    }
}

/// What the lines of a piece say, and which of them cannot be read: number and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceLines {
    /// The lines.
    pub lines: Vec<StatementLine>,
    /// The faults.
    pub faults: Vec<(i64, String)>,
    /// What the file says of itself: line, figure, and its value.
    pub controls: Vec<(i64, Control, i64)>,
}

impl Format {
    /// The reader for the file that begins with `first`.
    pub fn reader_of(&self, first: &str) -> Result<LineReader, String> {
        if !self.header {
            return self.reader(None);
        }
        let mut records = self.records(first);
        let mut header = StringRecord::new();
        match records.read_record(&mut header) {
            Ok(true) => self.reader(Some(&header.iter().collect::<Vec<_>>())),
            Ok(false) => Err("it is empty".into()),
            Err(error) => Err(format!("its header cannot be read: {error}")),
        }
    }

    /// Reads a piece.
    pub fn read(&self, reader: &LineReader, piece: &Piece) -> PieceLines {
        let mut found = PieceLines::default();
        for record in self.records(&piece.content).into_records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    found.faults.push((piece.first_line, error.to_string()));
                    continue;
                }
            };
            let number = piece.first_line + lines_before(&piece.content, record.position());
            let is_header = self.header && number == 1;
            if is_header || record.iter().all(|field| field.trim().is_empty()) {
                continue;
            }
            let fields = record.iter().collect::<Vec<_>>();
            match reader.control(&fields) {
                Some(Ok((control, figure))) => found.controls.push((number, control, figure)),
                Some(Err(reason)) => found.faults.push((number, reason)),
                None => match reader.line(number, &fields) {
                    Ok(line) => found.lines.push(line),
                    Err(reason) => found.faults.push((number, reason)),
                },
            }
        }
        found
    }

    fn records<'t>(&self, text: &'t str) -> csv::Reader<&'t [u8]> {
        let delimiter = u8::try_from(self.delimiter).unwrap_or(b',');
        ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes())
    }
}

/// How many lines stand before a record. Empty lines that the reader skipped stand between its position and itself.
fn lines_before(content: &str, position: Option<&csv::Position>) -> i64 {
    let Some(position) = position else { return 0 };
    let from = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = content.as_bytes().get(from..).unwrap_or_default();
    let skipped = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    i64::try_from(position.line()).unwrap_or(i64::MAX) - 1 + i64::try_from(skipped.count()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn pieces(file: &[u8], step: usize) -> Vec<Piece> {
        let mut cutter = Cutter::default();
        let mut pieces = Vec::new();
        for bytes in file.chunks(step) {
            pieces.extend(cutter.push(bytes).expect("it is cut"));
        }
        pieces.extend(cutter.finish().expect("it is cut"));
        pieces
    }

    #[test]
    fn a_file_is_cut_between_lines_however_it_comes_in() {
        let mut file = "\u{feff}tx_id,amount,user_id\n".to_owned();
        for number in 0..20_000 {
            let _ = write!(file, "T{number},1.5,\"a\nb\"\n");
        }
        for step in [1_000, 65_536, 10_000_000] {
            let pieces = pieces(file.as_bytes(), step);
            let all: String = pieces.iter().map(|piece| piece.content.as_str()).collect();
            assert_eq!(format!("\u{feff}{all}"), file);
            let format = Format::default();
            let reader = format.reader_of(&pieces[0].content).expect("a header");
            let read: Vec<_> = pieces.iter().map(|piece| format.read(&reader, piece)).collect();
            assert_eq!(read.iter().map(|piece| piece.lines.len()).sum::<usize>(), 20_000);
            assert!(read.iter().all(|piece| piece.faults.is_empty()));
            // Two lines of the file for each of its records.
            let last = read.last().and_then(|piece| piece.lines.last()).expect("a line");
            assert_eq!((last.number, last.tx_id.as_deref()), (40_000, Some("T19999")));
        }
    }

    #[test]
    fn faulty_lines_are_named_and_the_rest_goes_on() {
        let file = "tx_id,amount\nT1,1\nT2,one\n\nT3\nT4,4\n";
        let piece = Piece { first_line: 1, content: file.into() };
        let format = Format::default();
        let reader = format.reader_of(file).expect("a header");
        let read = format.read(&reader, &piece);
        assert_eq!(read.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(read.faults.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn what_is_no_text_or_never_ends_is_refused() {
        assert!(Cutter::default().push(&vec![b'"'; MAX_LINE_LEN + 1]).is_err());
        let mut cutter = Cutter::default();
        assert_eq!(cutter.push(b"T1,\xff\n"), Ok(None));
        assert!(cutter.finish().expect_err("no text").contains("UTF-8"));
    }
}
