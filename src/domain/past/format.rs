//! Which of the known forms a file has.

use super::table::Columns;
use super::{BadLine, MAX_LINE_LEN, PastCall, combined, object, urls};

pub use super::table::cells;

/// The form of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// An access log of nginx or Apache, common or combined.
    AccessLog,
    /// A JSON object in a line.
    Json,
    /// CSV with a header.
    Csv(Columns),
    /// A URL in a line.
    Urls,
}

impl Format {
    /// For people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AccessLog => "access log",
            Self::Json => "JSON lines",
            Self::Csv(_) => "CSV",
            Self::Urls => "URLs",
        }
    }

    /// The form of a file that begins with `line`; `None` if it is none of them.
    fn of(line: &str) -> Option<Self> {
        if object::fits(line) {
            return Some(Self::Json);
        }
        if combined::fits(line) {
            return Some(Self::AccessLog);
        }
        if let Some(columns) = Columns::of(line) {
            return Some(Self::Csv(columns));
        }
        urls::read(line).is_ok().then_some(Self::Urls)
    }
}

/// Reads the lines of one file. Its form is that of the first line that has one.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    format: Option<Format>,
}

impl Reader {
    /// The form of the file; `None` until a line told it.
    pub fn format(&self) -> Option<&Format> {
        self.format.as_ref()
    }

    /// Reads a line without its line break; `Ok(None)`: it is empty, or the header.
    pub fn read(&mut self, line: &[u8]) -> Result<Option<PastCall>, BadLine> {
        if line.len() > MAX_LINE_LEN {
            return Err(BadLine::Long);
        }
        // The byte order mark that spreadsheets put in front.
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if self.format.is_none() {
            self.format = Some(Format::of(text).ok_or(BadLine::Format)?);
            if matches!(self.format, Some(Format::Csv(_))) {
                return Ok(None);
            }
        }
        match &self.format {
            Some(Format::AccessLog) => combined::read(text).map(Some),
            Some(Format::Json) => object::read(text).map(Some),
            Some(Format::Csv(columns)) => columns.read(text).map(Some),
            Some(Format::Urls) => urls::read(text).map(Some),
            None => Err(BadLine::Format),
        }
    }
}
