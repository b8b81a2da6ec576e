//! The networks' statements: received in pieces, imported and matched in steps, reviewed, accepted, paid.
//!
//! | module | contents |
//! |---|---|
//! | here | statements and their files |
//! | [`intake`] | receives a file while it arrives |
//! | `receive` | saves the pieces of a file until it is complete |
//! | `import`, `rows` | reads and matches the lines in steps |
//! | `booked` | which ids of a file are booked |
//! | `bookings` | loads the bookings that lines may match |
//! | `daily_sums` | matches lines with the total of a day |
//! | `finish` | finds bookings without a line, and closes lines whose postback arrives later |
//! | `counting` | which statements count: superseding, restoring, reading again |
//! | `states` | lists of line states as SQL |
//! | [`breaks`] | totals by state, lines, faults, changes since the previous version |
//! | [`notes`] | notes on single lines: not a transaction, rounded, in another encoding |
//! | [`life`] | importing, discarding and restoring a statement; its failures |
//! | [`resolve`] | accepting differences |
//! | [`payments`] | payments, and reversing them |

mod booked;
mod bookings;
pub mod breaks;
mod counting;
mod daily_sums;
mod finish;
mod import;
pub mod intake;
pub mod life;
pub mod notes;
pub mod payments;
mod receive;
pub mod resolve;
mod rows;
mod states;

use domain::report::day::NaiveDate;
use domain::statement::format::Format;
use domain::statement::life::State;
use domain::statement::matching::Period;
use domain::statement::period::{Days, Proposal};
use domain::statement::pieces::Piece;
use domain::time::TimestampMs;

use crate::db::tx::{Tx, with_statement};
use crate::{Error, Result, Store, read};

pub use breaks::{BreakRow, StateTotal, totals};
pub use import::{MatchTerms, Reading, Step};
pub use life::{Confirm, Confirmed, Discarded, Restored};
pub use payments::{Paid, Payment, PaymentRow, TakenBack};
pub use receive::{NewStatement, Received, Then};
pub use resolve::{Accepted, Resolution};

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StatementRow {
    /// Its number, as shown to people.
    pub id: i64,
    /// As in the settings.
    pub source: String,
    /// As sent by the person or the API client.
    pub file_name: String,
    /// SHA-256 of the file; `None` while it is being received.
    pub file_hash: Option<String>,
    /// As saved; a superseded one is `matched`, see [`StatementRow::stands`].
    pub state: String,
    /// 1, or one more than the highest version it supersedes.
    pub version: i64,
    /// The statement that counts instead of it.
    pub superseded_by: Option<i64>,
    /// JSON of [`Format`].
    pub format: String,
    /// Number of pieces of the file.
    pub chunks: i64,
    /// Number of pieces read so far.
    pub chunks_done: i64,
    /// First business date of the period.
    pub period_from: Option<String>,
    /// Last business date of the period.
    pub period_to: Option<String>,
    /// The last business date searched for bookings without a line.
    pub missing_upto: Option<String>,
    /// The person or token that sent it.
    pub actor: String,
    /// Unix milliseconds.
    pub received_at: i64,
    /// Start of the import, unix milliseconds.
    pub begun_at: Option<i64>,
    /// 1 if a person stated the period, otherwise 0.
    pub period_stated: i64,
    /// 1 once it is decided which statements it supersedes, otherwise 0.
    pub supersedes_decided: i64,
    /// Why it failed; `None` unless it did.
    pub failure: Option<String>,
    /// JSON of [`Days`]: number of lines by day.
    pub days: Option<String>,
}

impl StatementRow {
    /// Its state, with [`State::Superseded`] told apart from [`State::Matched`].
    pub fn stands(&self) -> Result<State> {
        match State::parse(&self.state) {
            Some(State::Matched) if self.superseded_by.is_some() => Ok(State::Superseded),
            Some(state) => Ok(state),
            None => Err(self.corrupt("state", self.state.clone())),
        }
    }

    /// Fails if the saved JSON is invalid.
    pub fn format(&self) -> Result<Format> {
        serde_json::from_str(&self.format).map_err(|error| self.corrupt("format", error.to_string()))
    }

    /// `None` until the period is certain.
    pub fn period(&self) -> Option<Period> {
        let (from, to) = self.period_from.clone().zip(self.period_to.clone())?;
        Some(Period { from, to })
    }

    /// The period derived from the dates of its lines.
    pub fn proposal(&self) -> Proposal {
        let days: Option<Days> = self.days.as_deref().and_then(|days| serde_json::from_str(days).ok());
        days.unwrap_or_default().proposal(date_of(TimestampMs(self.received_at)))
    }

    fn corrupt(&self, column: &'static str, found: String) -> Error {
        Error::Corrupt { table: "statements", column, row: self.id, found }
    }
}

/// The UTC date of `at`; proposals allow for other zones.
fn date_of(at: TimestampMs) -> NaiveDate {
    at.business_date(domain::report::day::Tz::UTC).parse().unwrap_or_default()
}

/// Which statements a new one supersedes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Supersedes {
    /// Automatic: those of the same source and period that share most of their transactions with it.
    #[default]
    Decide,
    /// Exactly these, as a person chose; may be empty.
    These(Vec<i64>),
}

impl Supersedes {
    /// Parses a person's input: empty, `none`, or statement numbers separated by commas.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Decide);
        }
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::These(Vec::new()));
        }
        let ids: std::result::Result<Vec<i64>, _> = text.split(',').map(|id| id.trim().parse()).collect();
        let fault =
            |_| format!("`supersedes` must be `none` or statement numbers such as 3 or 3,4, not `{text}`");
        ids.map(Self::These).map_err(fault)
    }
}

/// The columns of [`StatementRow`].
macro_rules! statement_columns {
    () => {
        "SELECT id, source, file_name, file_hash, state, version, superseded_by, format, chunks, chunks_done,
                period_from, period_to, missing_upto, actor, received_at, begun_at, period_stated,
                supersedes_decided, failure, days
         FROM statements "
    };
}
pub(crate) use statement_columns;

/// Loads a statement, locked until the end of the transaction.
async fn held(tx: &mut Tx, id: i64) -> Result<Option<StatementRow>> {
    Ok(with_statement!(tx, import::STATEMENT, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(connection)
        .await?))
}

impl Store {
    /// The statement `id`, unless it was discarded.
    pub async fn statement(&self, id: i64) -> Result<Option<StatementRow>> {
        Ok(
            read!(self, pool => sqlx::query_as(concat!(statement_columns!(), "WHERE id = $1 AND state <> 'discarded'"))
            .bind(id).fetch_optional(pool).await)?,
        )
    }

    /// Up to `limit` statements before `before_id`, newest first.
    pub async fn statements(&self, before_id: i64, limit: i64) -> Result<Vec<StatementRow>> {
        Ok(read!(self, pool => sqlx::query_as(concat!(
            statement_columns!(),
            "WHERE id < $1 AND state NOT IN ('receiving', 'discarded') ORDER BY id DESC LIMIT $2"
        )).bind(before_id).bind(limit).fetch_all(pool).await)?)
    }

    /// The newest statement of each source, in the order of sources.
    pub async fn newest_statements(&self) -> Result<Vec<StatementRow>> {
        Ok(read!(self, pool => sqlx::query_as(concat!(
            statement_columns!(),
            "WHERE id IN (SELECT MAX(id) FROM statements WHERE state NOT IN ('receiving', 'discarded') GROUP BY source)
             ORDER BY source"
        )).fetch_all(pool).await)?)
    }

    /// Matched statements that are not superseded and whose period contains `date`, newest first; at most 50.
    pub async fn statements_of_day(&self, date: &str) -> Result<Vec<StatementRow>> {
        Ok(read!(self, pool => sqlx::query_as(concat!(
            statement_columns!(),
            "WHERE state = 'matched' AND superseded_by IS NULL AND period_from <= $1 AND period_to >= $1
             ORDER BY id DESC LIMIT 50"
        )).bind(date).fetch_all(pool).await)?)
    }

    /// Ids of statements whose import has started and not ended.
    pub async fn unfinished_statements(&self) -> Result<Vec<i64>> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT id FROM statements WHERE state IN ('importing', 'matching') ORDER BY id"
        ).fetch_all(pool).await)?)
    }

    /// One piece of a statement's file as received; `seq` starts at 0.
    pub async fn statement_piece(&self, id: i64, seq: i64) -> Result<Option<Piece>> {
        let found: Option<(i64, String)> = read!(self, pool => sqlx::query_as(
            "SELECT first_line, content FROM statement_chunks WHERE statement_id = $1 AND seq = $2"
        ).bind(id).bind(seq).fetch_optional(pool).await)?;
        Ok(found.map(|(first_line, content)| Piece::of_stored(first_line, content)))
    }
}

/// The subject of audit lines about a statement.
pub(crate) fn subject(id: i64) -> String {
    format!("statement {id}")
}
