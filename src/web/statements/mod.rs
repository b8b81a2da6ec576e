//! Statements, for pages and the API: upload as a stream, import, payments, files.
//!
//! | module | what it does |
//! |---|---|
//! | this one | upload as a stream of bytes, import, discard, payments |
//! | [`lists`] | lists as CSV and text, line by line; the file itself |
//! | `workbook` | a workbook with a sheet for each state |

pub mod lists;
pub(crate) mod workbook;

use std::collections::BTreeMap;

use bytes::Buf;
use domain::actor::Actor;
use domain::money::{Micros, Positive};
use domain::report::day::BusinessDay;
use domain::statement::Unreadable;
use domain::statement::controls::{self, Gap};
use domain::statement::format::Format;
use domain::statement::life::State;
use domain::statement::period::fault_of;
use domain::statement::pieces::{Piece, PieceLines};
use domain::statement::totals::Totals;
use domain::time::TimestampMs;
use futures_util::{Stream, StreamExt as _};
use store::Store;
use store::statements::intake::{Intake, Refused};
use store::statements::notes::{NoteKind, Notes};
use store::statements::{
    Confirm, Confirmed, Discarded, NewStatement, Paid, Reading, Received, Restored, StatementRow, Supersedes,
    TakenBack, Then,
};

use crate::body::is_too_slow;

/// Formats and matching rules by source.
pub type Readings = BTreeMap<String, Reading>;

/// The largest file, in bytes: a million lines of five hundred.
const MAX_FILE_LEN: u64 = 512 * 1024 * 1024;

/// The longest note or reason of finance, in bytes.
pub(crate) const MAX_WORDS_LEN: usize = 4_096;

/// Most lines without a transaction that are shown, and most remarks on lines.
const NOTES: i64 = 50;

/// Paths of uploads; their bodies have a longer time limit.
pub(crate) const UPLOAD_PATHS: [&str; 2] = ["/api/v1/statements", "/reports/statements"];

/// An upload before its file is read.
pub(crate) struct Upload<'a> {
    pub(crate) source: &'a str,
    pub(crate) file_name: &'a str,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    /// The statements that it replaces: see [`Supersedes::parse`].
    pub(crate) supersedes: Option<&'a str>,
    pub(crate) actor: &'a Actor,
    pub(crate) now: TimestampMs,
}

/// An upload was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("{0}")]
    Invalid(String),
    #[error("`source`: `{0}` is not in the settings")]
    UnknownSource(String),
    #[error("{0}")]
    Supersedes(String),
    #[error("the file took too long to arrive")]
    TooSlow,
    #[error("the file is larger than {} MiB: send it in parts", MAX_FILE_LEN / 1024 / 1024)]
    TooLarge,
    #[error("this file was received before, as statement {0}, which {1}")]
    Before(i64, &'static str),
    #[error("the upload was interrupted: {0}")]
    Broken(String),
    #[error(transparent)]
    Store(store::Error),
}

impl From<Refused> for NotTaken {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::File(why) => Self::Invalid(why.to_string()),
            Refused::Supersedes(why) => Self::Supersedes(why),
            Refused::Store(error) => Self::Store(error),
        }
    }
}

/// Stores a file as it arrives; returns the id of its statement.
pub(crate) async fn take<B: Buf, E: std::error::Error + 'static>(
    store: &Store,
    readings: &Readings,
    upload: Upload<'_>,
    bytes: impl Stream<Item = Result<B, E>>,
    then: Then,
) -> Result<i64, NotTaken> {
    let Some(reading) = readings.get(upload.source) else {
        return Err(NotTaken::UnknownSource(upload.source.to_owned()));
    };
    let period = period(upload.from, upload.to, reading).map_err(NotTaken::Invalid)?;
    let supersedes = Supersedes::parse(upload.supersedes.unwrap_or_default()).map_err(NotTaken::Invalid)?;
    let format = serde_json::to_string(&reading.format)
        .map_err(|error| NotTaken::Invalid(format!("the settings of the source cannot be kept: {error}")))?;
    let new = NewStatement {
        source: upload.source.to_owned(),
        file_name: short_name(upload.file_name),
        format,
        period,
        actor: upload.actor.clone(),
        now: upload.now,
    };
    let mut intake = Intake::begin(store, new, reading.format.clone()).await?.superseding(supersedes);
    let mut len = 0_u64;
    let mut bytes = std::pin::pin!(bytes);
    while let Some(chunk) = bytes.next().await {
        let mut chunk = chunk.map_err(|error| {
            if is_too_slow(&error) { NotTaken::TooSlow } else { NotTaken::Broken(error.to_string()) }
        })?;
        let chunk = chunk.copy_to_bytes(chunk.remaining());
        len += chunk.len() as u64;
        if len > MAX_FILE_LEN {
            return Err(NotTaken::TooLarge);
        }
        intake.push(&chunk).await?;
    }
    match intake.finish(then).await? {
        (id, Received::New) => Ok(id),
        (_, Received::Before(first)) => {
            let row = store.statement(first).await.map_err(NotTaken::Store)?;
            let state = row.and_then(|row| row.stands().ok()).unwrap_or(State::Received);
            Err(NotTaken::Before(first, stands(state)))
        }
    }
}

/// The state of a statement and what to do, as the end of a sentence.
pub fn stands(state: State) -> &'static str {
    match state {
        State::Receiving => "is being received",
        State::Received => "waits to be imported: import or discard it",
        State::Importing | State::Matching => "is being read",
        State::Matched => "is matched: discard it to import the file again",
        State::Superseded => "is superseded: restore it, or discard the newer one",
        State::Failed => "failed: import it again, or discard it",
        State::Discarded => "is discarded: send the file again",
    }
}

/// The period that a person stated; `None` without one. An error says what is invalid.
pub fn period(
    from: Option<&str>,
    to: Option<&str>,
    reading: &Reading,
) -> Result<Option<(String, String)>, String> {
    let date = |name: &str, text: &str| {
        let day = BusinessDay::parse(text, reading.terms.timezone);
        day.map(BusinessDay::date)
            .ok_or_else(|| format!("`{name}`: `{text}` is not a valid date such as 2026-11-23"))
    };
    match (from, to) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) => {
            let (from, to) = (date("from", from)?, date("to", to)?);
            match fault_of(from, to) {
                Some(fault) => Err(fault),
                None => Ok(Some((from.to_string(), to.to_string()))),
            }
        }
        _ => Err("give both `from` and `to`, or neither".into()),
    }
}

/// `Ok` if the import began; otherwise why not, and what to do.
pub fn confirmed(id: i64, done: Confirmed) -> Result<(), String> {
    match done {
        Confirmed::Done => Ok(()),
        Confirmed::NotNow(state) => Err(format!("statement {id} {}", stands(state))),
        Confirmed::Asks(question) => Err(question),
        Confirmed::Unfit(why) => Err(why),
        Confirmed::Missing => Err(format!("there is no statement {id}")),
    }
}

/// `Ok` if it was discarded; otherwise why not, and what to do.
pub fn discarded(id: i64, done: &Discarded) -> Result<(), String> {
    match done {
        Discarded::Done => Ok(()),
        Discarded::NotNow(state) => Err(format!("statement {id} {}", stands(*state))),
        Discarded::Paid(paid) => {
            Err(format!("{paid} USD is booked as paid for statement {id}: reverse these payments first"))
        }
        Discarded::Missing => Err(format!("there is no statement {id}")),
    }
}

/// `Ok` if it is counted again; otherwise why not, and what to do.
pub fn restored(id: i64, done: &Restored) -> Result<(), String> {
    match done {
        Restored::Beside(_) => Ok(()),
        Restored::NotNow(state) => Err(format!("statement {id} is not superseded: it {}", stands(*state))),
        Restored::Missing => Err(format!("there is no statement {id}")),
    }
}

/// `Ok` if the payment is booked, now or before with the same key; otherwise why not, and what to do.
pub fn paid(id: i64, done: &Paid, amount: Positive) -> Result<(), String> {
    let amount = Micros(amount.micros());
    match done {
        Paid::Booked | Paid::Before => Ok(()),
        Paid::OtherAmount(booked) => Err(format!(
            "this key belongs to a payment of {booked} USD, not of {amount} USD: use another key"
        )),
        Paid::TakenBack => {
            Err("this payment was booked and reversed: to book it again, use another key".into())
        }
        Paid::Asks(open) if open.0 > 0 => Err(format!(
            "{amount} USD is more than the {open} USD open on statement {id}: confirm to book it"
        )),
        Paid::Asks(open) => {
            Err(format!("nothing is open on statement {id} ({open} USD): confirm to book {amount} USD"))
        }
        Paid::NotNow(state) => Err(format!("nothing can be paid for statement {id}: it {}", stands(*state))),
        Paid::Missing => Err(format!("there is no statement {id}")),
    }
}

/// `Ok` if the payment was reversed; otherwise why not, and what to do.
pub fn taken_back(id: i64, payment: i64, done: TakenBack) -> Result<(), String> {
    match done {
        TakenBack::Done => Ok(()),
        TakenBack::Before => Err(format!("payment {payment} is already reversed")),
        TakenBack::Missing => Err(format!("statement {id} has no payment {payment} that can be reversed")),
    }
}

/// An order to import a statement with the current settings.
pub(crate) struct Import<'a> {
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    pub(crate) supersedes: Option<&'a str>,
    pub(crate) actor: &'a Actor,
    pub(crate) now: TimestampMs,
}

/// A statement was not imported.
pub(crate) enum NotImported {
    /// A value of the order is invalid.
    Invalid(String),
    /// The state of the statement does not allow it.
    Conflict(String),
}

/// Imports a received or failed statement with the current settings.
pub(crate) async fn import(
    store: &Store,
    readings: &Readings,
    row: &StatementRow,
    import: Import<'_>,
) -> store::Result<Result<(), NotImported>> {
    let Some(reading) = readings.get(&row.source) else {
        let why = format!("`{}` is not in the settings: add it first", row.source);
        return Ok(Err(NotImported::Conflict(why)));
    };
    let period = period(import.from, import.to, reading);
    let supersedes = Supersedes::parse(import.supersedes.unwrap_or_default());
    let (period, supersedes) = match (period, supersedes) {
        (Ok(period), Ok(supersedes)) => (period, supersedes),
        (Err(why), _) | (_, Err(why)) => return Ok(Err(NotImported::Invalid(why))),
    };
    let confirm = Confirm {
        format: reading.format.clone(),
        period,
        supersedes,
        actor: import.actor.clone(),
        now: import.now,
    };
    let done = store.confirm_statement(row.id, confirm).await?;
    Ok(confirmed(row.id, done).map_err(NotImported::Conflict))
}

/// The display name of the file: without folders and at most 120 characters.
fn short_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(120).collect();
    if name.is_empty() { "statement.csv".to_owned() } else { name }
}

/// A statement with its totals.
pub(crate) struct StatementSummary {
    pub(crate) row: StatementRow,
    pub(crate) totals: Totals,
    /// Control totals that its lines do not add up to.
    pub(crate) gaps: Vec<Gap>,
    /// Number of invalid lines.
    pub(crate) faulty: i64,
    /// Lines that were read.
    pub(crate) lines: i64,
    /// Lines that are no transactions.
    pub(crate) asides: Notes,
    /// Lines read with changes, and the number of all of them.
    pub(crate) marks: Notes,
    /// Paid so far, in micros of USD.
    pub(crate) paid_micros: i64,
    /// From which business date on a booking without a line is only pending.
    pub(crate) pending_from: String,
}

/// The beginning of a statement's file.
pub(crate) struct First {
    /// Its first lines.
    pub(crate) read: PieceLines,
    /// How it is read: encoding and columns, as sentences.
    pub(crate) reading: Vec<String>,
}

/// Reads the first lines of a statement's file with `format`, or says why that fails.
pub(crate) async fn first_lines(
    store: &Store,
    id: i64,
    format: &Format,
) -> store::Result<Result<First, Unreadable>> {
    let empty = || Piece { first_line: 1, content: Vec::new() };
    let piece = store.statement_piece(id, 0).await?.unwrap_or_else(empty);
    Ok(format
        .reader_of(&piece.content)
        .map(|reader| First { read: format.read(&reader, &piece), reading: reader.description() }))
}

/// From which business date on a booking of `source` without a line is only pending. Of a source that left the settings
/// nothing is pending any more.
pub(crate) fn pending_from(readings: &Readings, source: &str, now: TimestampMs) -> String {
    let reading = readings.get(source);
    reading.map_or_else(|| "9999-12-31".to_owned(), |reading| reading.terms.pending_from(now))
}

/// A statement with its totals; `None` if there is none with this id.
pub(crate) async fn known(
    store: &Store,
    readings: &Readings,
    id: i64,
    now: TimestampMs,
) -> store::Result<Option<StatementSummary>> {
    let store = store.at_one_moment().await?;
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
    Ok(Some(StatementSummary {
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
