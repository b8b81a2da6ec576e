//! The network's own statements: received piece by piece, read and matched in steps, looked at, accepted, paid.
//!
//! | module | what it does |
//! |---|---|
//! | this one | keeps files, and lists statements |
//! | [`intake`] | takes a file as it comes |
//! | `import`, `rows` | reads and matches them step by step |
//! | `daily_sums` | matches lines that stand for a day |
//! | `finish` | finds what no line has, and what closes later |
//! | `counting` | which statements count: what supersedes what, what comes back, what is read again |
//! | [`breaks`] | what they hold, by state and line by line |
//! | [`notes`] | what is to be said of single lines: no transactions, rounded, in another encoding |
//! | [`life`] | what people say of a whole statement: import it, discard it, let it count again; and its failures |
//! | [`resolve`] | what people say of a difference: it is accepted |
//! | [`payments`] | what was paid, and taken back |

pub mod breaks;
mod counting;
mod daily_sums;
mod finish;
mod import;
pub mod intake;
pub mod life;
pub mod notes;
pub mod payments;
pub mod resolve;
mod rows;

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::report::day::NaiveDate;
use domain::statement::format::Format;
use domain::statement::life::State;
use domain::statement::matching::Period;
use domain::statement::period::{Days, Proposal};
use domain::statement::pieces::Piece;
use domain::text::hex;
use domain::time::{DAY_MS, TimestampMs};
use sha2::{Digest as _, Sha256};

use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};
use crate::{Error, Result, Store, read};

pub use breaks::{BreakRow, StateTotal, totals};
pub use import::{MatchTerms, Reading, Step};
pub use life::{Confirm, Confirmed, Discarded, Restored};
pub use payments::{Paid, Payment, PaymentRow, TakenBack};
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

/// What is compared of two formats of one file.
fn hash_of(format: &str) -> String {
    hex(&Sha256::digest(format.as_bytes()))
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

/// A statement that is about to be received.
#[derive(Clone, Debug)]
pub struct NewStatement {
    /// The source.
    pub source: String,
    /// The name of the file.
    pub file_name: String,
    /// How it is written, as JSON.
    pub format: String,
    /// Its first and last business date, if a person states them.
    pub period: Option<(String, String)>,
    /// Who brings it.
    pub actor: Actor,
    /// When.
    pub now: TimestampMs,
}

/// What is done with a file once it is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is read and matched, if its period is certain; else it waits, too.
    Import,
    /// It waits until a person has seen the preview.
    Ask,
}

/// What became of a file that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is new.
    New,
    /// The same file was received before, as this statement.
    Before(i64),
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

/// What is left of uploads that were cut short: of the same file, or of any that is a day old.
static FORGET_DRAFTS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM statement_chunks WHERE statement_id IN
             (SELECT id FROM statements
              WHERE state = 'receiving' AND ((source = $1 AND file_name = $2) OR received_at < $3))",
        &[],
    )
});

static FORGET_DRAFT_ROWS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM statements
         WHERE state = 'receiving' AND ((source = $1 AND file_name = $2) OR received_at < $3)",
        &[],
    )
});

static BEGIN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statements (source, file_name, state, version, format, format_hash, chunks, chunks_done,
                                 period_from, period_to, period_stated, actor, received_at)
         VALUES ($1, $2, 'receiving', 1, $3, $8, 0, 0, $4, $5, $9, $6, $7)
         RETURNING id",
        &[],
    )
});

static ADD_CHUNK: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_chunks (statement_id, seq, first_line, content)
         SELECT id, $2, $3, $4 FROM statements WHERE id = $1 AND state = 'receiving'",
        &[],
    )
});

static SAME_FILE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            statement_columns!(),
            "WHERE file_hash = $2 AND source = (SELECT source FROM statements WHERE id = $1) ORDER BY id DESC"
        ),
        &[],
    )
});

static RECEIVED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = $4, file_hash = $2, chunks = $3, period_from = $5, period_to = $6, days = $7,
                begun_at = CASE WHEN $4 = 'importing' THEN received_at END
         WHERE id = $1 AND state = 'receiving'",
        &[],
    )
});

pub(crate) static FORGET_CHUNKS: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_chunks WHERE statement_id = $1", &[]));

static FORGET: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statements WHERE id = $1 AND state = 'receiving'", &[]));

/// A file that has arrived.
#[derive(Debug)]
pub(crate) struct Complete {
    /// SHA-256 of it.
    pub(crate) hash: String,
    /// How many pieces it has.
    pub(crate) pieces: i64,
    /// On which days its lines lie.
    pub(crate) days: Days,
    pub(crate) then: Then,
    pub(crate) supersedes: Supersedes,
    /// Who brings it.
    pub(crate) actor: Actor,
}

/// A statement, held until the end of the transaction.
async fn held(tx: &mut Tx, id: i64) -> Result<Option<StatementRow>> {
    Ok(with_statement!(tx, import::STATEMENT, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(connection)
        .await?))
}

async fn finish_receiving(
    tx: &mut Tx,
    id: i64,
    complete: Complete,
) -> Result<std::result::Result<Received, String>> {
    let Some(row) = held(tx, id).await?.filter(|row| row.state == "receiving") else {
        return guard("statements", 0, 1).map(|()| Ok(Received::New));
    };
    let same: Vec<StatementRow> = with_statement!(tx, SAME_FILE, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(&complete.hash)
        .fetch_all(connection)
        .await?);
    let mut supersedes = complete.supersedes;
    for before in same {
        match before.stands()? {
            // It could not be read; now it is sent again.
            State::Failed => {
                life::discard(tx, &before, &complete.actor, TimestampMs(row.received_at)).await?;
            }
            // Read with other settings, it is a new version of itself.
            State::Matched if before.format()? != row.format()? => {
                if supersedes == Supersedes::Decide {
                    supersedes = Supersedes::These(vec![before.id]);
                }
            }
            State::Superseded if before.format()? != row.format()? => {}
            _ => {
                for statement in [&FORGET_CHUNKS, &FORGET] {
                    with_statement!(tx, statement, |sql, connection| {
                        sqlx::query(sql).bind(id).execute(connection).await?;
                    });
                }
                return Ok(Ok(Received::Before(before.id)));
            }
        }
    }
    if let Err(fault) = counting::say(tx, &row, &supersedes).await? {
        return Ok(Err(fault));
    }
    let proposal = complete.days.proposal(date_of(TimestampMs(row.received_at)));
    let is_certain = row.period_stated == 1 || proposal.is_certain();
    let state = if complete.then == Then::Import && is_certain { State::Importing } else { State::Received };
    let period = row.period().or(proposal.period.filter(|_| state == State::Importing));
    let (from, to) = period.map(|period| (period.from, period.to)).unzip();
    let days =
        serde_json::to_string(&complete.days).map_err(|error| row.corrupt("days", error.to_string()))?;
    let received = with_statement!(tx, RECEIVED, |sql, connection| sqlx::query(sql)
        .bind(id)
        .bind(&complete.hash)
        .bind(complete.pieces)
        .bind(state.name())
        .bind(from)
        .bind(to)
        .bind(days)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", received, 1)?;
    let detail = format!("{} of {}", row.file_name, row.source);
    let line = Line::new(&complete.actor, Action::StatementReceived, subject(id), detail);
    audit::note(tx, &line, TimestampMs(row.received_at));
    Ok(Ok(Received::New))
}

impl Store {
    /// Begins to receive a file. What is left of an attempt that was killed is forgotten.
    pub async fn begin_statement(&self, new: NewStatement) -> Result<i64> {
        self.write(move |tx| {
            Box::pin(async move {
                for statement in [&FORGET_DRAFTS, &FORGET_DRAFT_ROWS] {
                    with_statement!(tx, statement, |sql, connection| {
                        sqlx::query(sql)
                            .bind(&new.source)
                            .bind(&new.file_name)
                            .bind(new.now.0 - DAY_MS)
                            .execute(connection)
                            .await?;
                    });
                }
                let is_stated = i64::from(new.period.is_some());
                let (from, to) = new.period.unzip();
                let format_hash = hash_of(&new.format);
                Ok(with_statement!(tx, BEGIN, |sql, connection| sqlx::query_scalar(sql)
                    .bind(new.source)
                    .bind(new.file_name)
                    .bind(new.format)
                    .bind(from)
                    .bind(to)
                    .bind(new.actor.name())
                    .bind(new.now.0)
                    .bind(format_hash)
                    .bind(is_stated)
                    .fetch_one(connection)
                    .await?))
            })
        })
        .await
    }

    /// Keeps a piece of a file that is being received; `seq` counts from 0. Contended, if somebody began to send the
    /// same file anew.
    pub async fn add_statement_piece(&self, id: i64, seq: i64, piece: Piece) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                let added = with_statement!(tx, ADD_CHUNK, |sql, connection| sqlx::query(sql)
                    .bind(id)
                    .bind(seq)
                    .bind(piece.first_line)
                    .bind(piece.stored().into_owned())
                    .execute(connection)
                    .await?
                    .rows_affected());
                guard("statements", added, 1)
            })
        })
        .await
    }

    /// The file is complete. One that is here already, read with the same settings, is forgotten again, with a pointer
    /// to the first; an error in words if it cannot supersede what a person says.
    pub(crate) async fn finish_receiving(
        &self,
        id: i64,
        complete: Complete,
    ) -> Result<std::result::Result<Received, String>> {
        self.write(move |tx| Box::pin(async move { finish_receiving(tx, id, complete).await })).await
    }

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
