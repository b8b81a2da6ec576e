//! The network's own statements: received piece by piece, read and matched in steps, looked at, accepted, paid.
//!
//! | module | what it does |
//! |---|---|
//! | this one | lists statements and their files |
//! | [`intake`] | takes a file as it comes |
//! | `receive` | keeps a file piece by piece until it is complete |
//! | `import`, `rows` | reads and matches them step by step |
//! | `bookings` | what is known of the bookings that lines may belong to |
//! | `daily_sums` | matches lines that stand for a day |
//! | `finish` | finds what no line has, and what closes later |
//! | `counting` | which statements count: what supersedes what, what comes back, what is read again |
//! | `states` | lists of states as SQL |
//! | [`breaks`] | what they hold, by state and line by line |
//! | [`notes`] | what is to be said of single lines: no transactions, rounded, in another encoding |
//! | [`life`] | what people say of a whole statement: import it, discard it, let it count again; and its failures |
//! | [`resolve`] | what people say of a difference: it is accepted |
//! | [`payments`] | what was paid, and taken back |

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
    /// Its row.
    pub id: i64,
    /// The source.
    pub source: String,
    /// The name of the file.
    pub file_name: String,
    /// SHA-256 of the file; `None` while it is being received.
    pub file_hash: Option<String>,
    /// As the table has it: see [`StatementRow::stands`].
    pub state: String,
    /// 1, or one more than what it supersedes.
    pub version: i64,
    /// The statement that counts instead.
    pub superseded_by: Option<i64>,
    /// How it is written, as JSON.
    pub format: String,
    /// Pieces.
    pub chunks: i64,
    /// Pieces that were read.
    pub chunks_done: i64,
    /// Its first business date.
    pub period_from: Option<String>,
    /// Its last one.
    pub period_to: Option<String>,
    /// Up to which business date it was looked for bookings that no line has.
    pub missing_upto: Option<String>,
    /// Who brought it.
    pub actor: String,
    /// When, in unix milliseconds.
    pub received_at: i64,
    /// When reading it began.
    pub begun_at: Option<i64>,
    /// 1 if a person stated the period.
    pub period_stated: i64,
    /// 1 if it is decided what it supersedes.
    pub supersedes_decided: i64,
    /// Why it cannot be read.
    pub failure: Option<String>,
    /// How many lines lie on which day, as JSON.
    pub days: Option<String>,
}

impl StatementRow {
    /// Where it stands.
    pub fn stands(&self) -> Result<State> {
        match State::parse(&self.state) {
            Some(State::Matched) if self.superseded_by.is_some() => Ok(State::Superseded),
            Some(state) => Ok(state),
            None => Err(self.corrupt("state", self.state.clone())),
        }
    }

    /// How it is written.
    pub fn format(&self) -> Result<Format> {
        serde_json::from_str(&self.format).map_err(|error| self.corrupt("format", error.to_string()))
    }

    /// Its period.
    pub fn period(&self) -> Option<Period> {
        let (from, to) = self.period_from.clone().zip(self.period_to.clone())?;
        Some(Period { from, to })
    }

    /// The period that its lines speak of, as it was read when it was received.
    pub fn proposal(&self) -> Proposal {
        let days: Option<Days> = self.days.as_deref().and_then(|days| serde_json::from_str(days).ok());
        days.unwrap_or_default().proposal(date_of(TimestampMs(self.received_at)))
    }

    fn corrupt(&self, column: &'static str, found: String) -> Error {
        Error::Corrupt { table: "statements", column, row: self.id, found }
    }
}

/// The date of an instant in UTC; proposals allow for other zones.
fn date_of(at: TimestampMs) -> NaiveDate {
    at.business_date(domain::report::day::Tz::UTC).parse().unwrap_or_default()
}

/// What a statement counts instead of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Supersedes {
    /// Those of the same source and period that have most of their transactions in common with it.
    #[default]
    Decide,
    /// Exactly these, because a person says so; none if it is empty.
    These(Vec<i64>),
}

impl Supersedes {
    /// Reads what a person writes: nothing, `none`, or numbers of statements with commas between them.
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
            |_| format!("`supersedes` is `none` or numbers of statements such as 3 or 3,4, not `{text}`");
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

/// A statement, held until the end of the transaction.
async fn held(tx: &mut Tx, id: i64) -> Result<Option<StatementRow>> {
    Ok(with_statement!(tx, import::STATEMENT, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(connection)
        .await?))
}

impl Store {
    /// A statement, unless it was discarded.
    pub async fn statement(&self, id: i64) -> Result<Option<StatementRow>> {
        Ok(
            read!(self, pool => sqlx::query_as(concat!(statement_columns!(), "WHERE id = $1 AND state <> 'discarded'"))
            .bind(id).fetch_optional(pool).await)?,
        )
    }

    /// The statements before `before_id`, newest first, at most `limit`.
    pub async fn statements(&self, before_id: i64, limit: i64) -> Result<Vec<StatementRow>> {
        Ok(read!(self, pool => sqlx::query_as(concat!(
            statement_columns!(),
            "WHERE id < $1 AND state NOT IN ('receiving', 'discarded') ORDER BY id DESC LIMIT $2"
        )).bind(before_id).bind(limit).fetch_all(pool).await)?)
    }

    /// The matched statements that have `date` in their period and are not superseded, newest first.
    pub async fn statements_of_day(&self, date: &str) -> Result<Vec<StatementRow>> {
        Ok(read!(self, pool => sqlx::query_as(concat!(
            statement_columns!(),
            "WHERE state = 'matched' AND superseded_by IS NULL AND period_from <= $1 AND period_to >= $1
             ORDER BY id DESC LIMIT 50"
        )).bind(date).fetch_all(pool).await)?)
    }

    /// Statements that were received and are not matched yet: by the API or a page, or because their import was cut
    /// short.
    pub async fn unfinished_statements(&self) -> Result<Vec<i64>> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT id FROM statements WHERE state IN ('importing', 'matching') ORDER BY id"
        ).fetch_all(pool).await)?)
    }

    /// One piece of a statement's file, as it was received; `seq` counts from 0.
    pub async fn statement_piece(&self, id: i64, seq: i64) -> Result<Option<Piece>> {
        let found: Option<(i64, String)> = read!(self, pool => sqlx::query_as(
            "SELECT first_line, content FROM statement_chunks WHERE statement_id = $1 AND seq = $2"
        ).bind(id).bind(seq).fetch_optional(pool).await)?;
        Ok(found.map(|(first_line, content)| Piece::of_stored(first_line, content)))
    }
}

/// What the audit calls a statement.
pub(crate) fn subject(id: i64) -> String {
    format!("statement {id}")
}
