//! Statements for pages and the API alike: taken in as they come, and given out as files.
//!
//! | module | what it does |
//! |---|---|
//! | this one | takes a file in, in a stream of bytes |
//! | [`lists`] | lists as CSV and text, line by line; the file itself |
//! | `workbook` | a workbook with a sheet for each state |

pub mod lists;
pub(crate) mod workbook;

use std::collections::BTreeMap;

use bytes::Buf;
use domain::money::{Micros, Positive};
use domain::report::day::BusinessDay;
use domain::statement::Unreadable;
use domain::statement::controls::{self, Gap};
use domain::statement::format::Format;
use domain::statement::pieces::{Piece, PieceLines};
use domain::statement::totals::Totals;
use domain::time::TimestampMs;
use futures_util::{Stream, StreamExt as _};
use store::Store;
use store::statements::intake::{Intake, Refused};
use store::statements::notes::{NoteKind, Notes};
use store::statements::{NewStatement, Reading, Received, StatementRow, Then};

/// How statements of each source are read and matched.
pub type Readings = BTreeMap<String, Reading>;

/// The largest file, in bytes: a million lines of five hundred.
const MAX_FILE_LEN: u64 = 512 * 1024 * 1024;

/// The longest note or reason of finance, in bytes.
pub(crate) const MAX_WORDS_LEN: usize = 4_096;

/// How many lines that are no transactions are shown, and how many remarks on lines.
const NOTES: i64 = 50;

/// Where files are sent to; their bodies have more time than those of other requests.
pub(crate) const UPLOAD_PATHS: [&str; 2] = ["/api/v1/statements", "/reports/statements"];

/// A file that somebody sends, before its bytes.
pub(crate) struct Upload<'a> {
    pub(crate) source: &'a str,
    pub(crate) file_name: &'a str,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    pub(crate) actor: &'a str,
    pub(crate) now: TimestampMs,
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("{0}")]
    Invalid(String),
    #[error("the file is larger than {} MiB: send it in parts", MAX_FILE_LEN / 1024 / 1024)]
    TooLarge,
    #[error("this file was received before, as statement {0}")]
    Before(i64),
    #[error("the file did not arrive whole: {0}")]
    Broken(String),
    #[error(transparent)]
    Store(store::Error),
}

impl From<Refused> for NotTaken {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::File(why) => Self::Invalid(why.to_string()),
            Refused::Store(error) => Self::Store(error),
        }
    }
}

/// Takes a file in as it comes; answers with its statement.
pub(crate) async fn take<B: Buf, E: std::fmt::Display>(
    store: &Store,
    readings: &Readings,
    upload: Upload<'_>,
    bytes: impl Stream<Item = Result<B, E>>,
    then: Then,
) -> Result<i64, NotTaken> {
    let Some(reading) = readings.get(upload.source) else {
        return Err(NotTaken::Invalid(format!("`source`: `{}` is not in the settings", upload.source)));
    };
    let period = period(&upload, reading)?;
    let format = serde_json::to_string(&reading.format)
        .map_err(|error| NotTaken::Invalid(format!("the settings of the source cannot be kept: {error}")))?;
    let new = NewStatement {
        source: upload.source.to_owned(),
        file_name: short_name(upload.file_name),
        format,
        period,
        actor: upload.actor.to_owned(),
        now: upload.now,
    };
    let mut intake = Intake::begin(store, new, reading.format.clone()).await?;
    let mut len = 0_u64;
    let mut bytes = std::pin::pin!(bytes);
    while let Some(chunk) = bytes.next().await {
        let mut chunk = chunk.map_err(|error| NotTaken::Broken(error.to_string()))?;
        let chunk = chunk.copy_to_bytes(chunk.remaining());
        len += chunk.len() as u64;
        if len > MAX_FILE_LEN {
            return Err(NotTaken::TooLarge);
        }
        intake.push(&chunk).await?;
    }
    match intake.finish(then).await? {
        (id, Received::New) => Ok(id),
        (_, Received::Before(first)) => Err(NotTaken::Before(first)),
    }
}

fn period(upload: &Upload<'_>, reading: &Reading) -> Result<Option<(String, String)>, NotTaken> {
    let date = |name: &str, text: &str| {
        let day = BusinessDay::parse(text, reading.terms.timezone);
        day.map(|day| day.date().to_string())
            .ok_or_else(|| NotTaken::Invalid(format!("`{name}`: `{text}` is no date such as 2026-11-23")))
    };
    match (upload.from, upload.to) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) => {
            let (from, to) = (date("from", from)?, date("to", to)?);
            if from > to {
                return Err(NotTaken::Invalid("`from` lies after `to`".into()));
            }
            Ok(Some((from, to)))
        }
        _ => Err(NotTaken::Invalid("`from` and `to` stand together or not at all".into())),
    }
}

/// What people know the file by: its name without folders, and not longer than a line.
fn short_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(120).collect();
    if name.is_empty() { "statement.csv".to_owned() } else { name }
}

/// A statement with what it comes to.
pub(crate) struct Known {
    pub(crate) row: StatementRow,
    pub(crate) totals: Totals,
    /// What the file says of itself and its lines do not come to.
    pub(crate) gaps: Vec<Gap>,
    /// Lines that could not be read.
    pub(crate) faulty: i64,
    /// Lines that were read.
    pub(crate) lines: i64,
    /// Lines that are no transactions.
    pub(crate) asides: Notes,
    /// What is to be known of lines that were read.
    pub(crate) marks: Notes,
    /// What was paid for it, in micros of USD.
    pub(crate) paid_micros: i64,
    /// From which business date on a booking without a line is only pending.
    pub(crate) pending_from: String,
}

/// The beginning of a statement's file.
pub(crate) struct First {
    /// What its lines say.
    pub(crate) read: PieceLines,
    /// How it is read, in sentences.
    pub(crate) told: Vec<String>,
}

/// What the beginning of a statement's file says, read as `format` has it; or why it cannot be read so.
pub(crate) async fn first_lines(
    store: &Store,
    id: i64,
    format: &Format,
) -> store::Result<Result<First, Unreadable>> {
    let empty = || Piece { first_line: 1, content: Vec::new() };
    let piece = store.statement_piece(id, 0).await?.unwrap_or_else(empty);
    Ok(format
        .reader_of(&piece.content)
        .map(|reader| First { read: format.read(&reader, &piece), told: reader.told() }))
}

/// From which business date on a booking of `source` without a line is only pending. Of a source that left the settings
/// nothing is pending any more.
pub(crate) fn pending_from(readings: &Readings, source: &str, now: TimestampMs) -> String {
    let reading = readings.get(source);
    reading.map_or_else(|| "9999-12-31".to_owned(), |reading| reading.terms.pending_from(now))
}

/// Everything that is known of a statement as a whole.
pub(crate) async fn known(
    store: &Store,
    readings: &Readings,
    id: i64,
    now: TimestampMs,
) -> store::Result<Option<Known>> {
    let Some(row) = store.statement(id).await? else { return Ok(None) };
    let pending_from = pending_from(readings, &row.source, now);
    let currency = readings.get(&row.source).map_or("USD", |reading| reading.format.currency.as_str());
    let (totals, (stated, read), paid, asides, marks) = tokio::try_join!(
        store.statement_totals(id, &pending_from),
        store.statement_controls(id, currency),
        store.statement_paid(id),
        store.statement_notes(id, NoteKind::Aside, NOTES),
        store.statement_notes(id, NoteKind::Mark, NOTES),
    )?;
    Ok(Some(Known {
        totals: store::statements::totals(totals)?,
        gaps: controls::gaps(&stated, read),
        faulty: read.faulty,
        lines: read.credits.count + read.reversals.count,
        asides,
        marks,
        paid_micros: paid.0,
        pending_from,
        row,
    }))
}

/// An amount that can have been paid.
pub(crate) fn paid_amount(text: &str) -> Option<Positive> {
    Micros::parse(text).ok().filter(|parsed| !parsed.rounded).and_then(|parsed| Positive::new(parsed.amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name_and_not_by_somebodys_folders() {
        for (name, known) in [
            ("C:\\Users\\fay\\nov.csv", "nov.csv"),
            ("/home/fay/nov.csv", "nov.csv"),
            (" ", "statement.csv"),
            ("a\r\nb.csv", "ab.csv"),
        ] {
            assert_eq!(short_name(name), known);
        }
    }
}
