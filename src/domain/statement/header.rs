//! The header of a file: found among its first lines, wherever titles push it.

use super::Unreadable;
use super::encoding::{Encoding, text_of};
use super::format::Format;
use super::layout::{HEAD_LEN, Layout};
use super::line::{LineReader, clean};
use super::records::{Found, Shape};

/// How many records are tried as the header.
const HEAD_RECORDS: usize = 50;

impl Format {
    /// The reader for the file that begins with `first`.
    pub fn reader_of(&self, first: &[u8]) -> Result<LineReader, Unreadable> {
        let head = first.get(..HEAD_LEN).unwrap_or(first);
        let is_whole = first.len() <= HEAD_LEN;
        let (encoding, mark_len) = Encoding::of(head)?;
        let text = encoding.ascii_compatible(head.get(mark_len..).unwrap_or_default());
        let shape = Shape { delimiter: u8::try_from(self.delimiter).unwrap_or(b','), width: None };
        let layout = Layout { encoding, mark_len, header_line: 0, shape, has_hash_ids: false };
        let (records, _) = first_records(shape, &text, is_whole, HEAD_RECORDS);
        let second = |after: i64| {
            let next = records
                .iter()
                .find(|(line, fields)| *line > after && fields.iter().any(|field| !field.is_empty()));
            next.is_some_and(|(_, fields)| {
                fields.len() > 1 && fields.first().is_some_and(|field| field.starts_with('#'))
            })
        };
        if !self.header {
            return self.reader_with(None, Layout { has_hash_ids: second(0), ..layout });
        }
        let mut refused = None;
        for (line, fields) in &records {
            let header: Vec<&str> = fields.iter().map(String::as_str).collect();
            if header.iter().all(|name| name.is_empty()) {
                continue;
            }
            let shape = Shape { width: Some((header.len(), *line)), ..shape };
            let layout = Layout { header_line: *line, shape, has_hash_ids: second(*line), ..layout.clone() };
            match self.reader_with(Some(&header), layout) {
                Ok(reader) => return Ok(reader),
                // Of several lines that name no columns, the one with the most cells is the likely header.
                Err(error) => {
                    let cells = header.iter().filter(|name| !name.is_empty()).count();
                    if refused.as_ref().is_none_or(|(most, _)| cells > *most) {
                        refused = Some((cells, error));
                    }
                }
            }
        }
        Err(refused.map_or(Unreadable::Empty, |(_, error)| error))
    }
}

impl LineReader {
    /// How the file is read, in sentences: encoding, header, columns.
    pub fn description(&self) -> Vec<String> {
        let Layout { encoding, mark_len, header_line, .. } = &self.layout;
        let mark = if *mark_len > 0 { ", with a byte order mark" } else { "" };
        let mut sentences = vec![format!("The file is {}{mark}.", encoding.name())];
        if *header_line > 1 {
            sentences.push(format!("Line {header_line} is the header."));
        }
        sentences.extend(self.columns.description());
        sentences
    }
}

/// At most `most` records of a file from its beginning, each with the number of its line and its fields without blanks
/// around, and how many bytes they are.
pub(super) fn first_records(
    shape: Shape,
    text: &[u8],
    is_whole: bool,
    most: usize,
) -> (Vec<(i64, Vec<String>)>, usize) {
    let (mut records, mut from, mut line) = (Vec::new(), 0, 1);
    while records.len() < most
        && let Found::Record(record) = shape.record(text, from, line, is_whole)
    {
        let bytes = text.get(record.bytes.clone()).unwrap_or_default();
        let fields = shape.fields(bytes, line).unwrap_or_default();
        let fields = fields.iter().map(|field| clean(&text_of(field).0).to_owned()).collect();
        records.push((line, fields));
        (from, line) = (record.next, line + record.lines);
    }
    (records, from)
}
