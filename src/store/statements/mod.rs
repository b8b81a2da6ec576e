//! The network's own statements: received piece by piece, read and matched in steps, looked at, accepted, paid.
//!
//! | module | what it does |
//! |---|---|
//! | this one | keeps files, and lists statements |
//! | [`intake`] | takes a file as it comes |
//! | `steps`, `rows` | reads and matches them step by step |
//! | `sums` | matches lines that stand for a day |
//! | `ending` | finds what no line has, which statement counts, and what closes later |
//! | [`breaks`] | what they hold, by state and line by line |
//! | [`notes`] | what is to be said of single lines: no transactions, rounded, in another encoding |
//! | [`words`] | what people say of them: read it, accept it, paid |

pub mod breaks;
mod ending;
pub mod intake;
pub mod notes;
mod rows;
mod steps;
mod sums;
pub mod words;

use std::sync::LazyLock;

use domain::statement::pieces::Piece;
use domain::time::{DAY_MS, TimestampMs};

use crate::audit::{self, Line};
use crate::statement::{LazyStatement, Statement};
use crate::unit::{guard, with_statement};
use crate::{Result, Store, read};

pub use breaks::{BreakRow, StateTotal, totals};
pub use steps::{MatchTerms, Reading, Step};
pub use words::{Accepted, Word};

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
    /// `receiving`, `received`, `discarded`, `importing`, `matching` or `matched`.
    pub state: String,
    /// 1, or more if an earlier one has days in common with it.
    pub version: i64,
    /// The statement of the same days that came after it.
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
    /// Its first and last business date; from its lines if nobody says so.
    pub period: Option<(String, String)>,
    /// Who brings it.
    pub actor: String,
    /// When.
    pub now: TimestampMs,
}

/// What is done with a file once it is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is read and matched.
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
                period_from, period_to, missing_upto, actor, received_at, begun_at
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
        "INSERT INTO statements (source, file_name, state, version, format, chunks, chunks_done,
                                 period_from, period_to, actor, received_at)
         VALUES ($1, $2, 'receiving', 1, $3, 0, 0, $4, $5, $6, $7) RETURNING id",
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
        "SELECT others.id FROM statements JOIN statements AS others ON others.source = statements.source
         WHERE statements.id = $1 AND others.file_hash = $2",
        &[],
    )
});

static RECEIVED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = $4, file_hash = $2, chunks = $3,
                begun_at = CASE WHEN $4 = 'importing' THEN received_at END
         WHERE id = $1 AND state = 'receiving' RETURNING source, file_name, actor, received_at",
        &[],
    )
});

pub(crate) static FORGET_CHUNKS: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_chunks WHERE statement_id = $1", &[]));

static FORGET: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statements WHERE id = $1 AND state = 'receiving'", &[]));

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
                let (from, to) = new.period.unzip();
                Ok(with_statement!(tx, BEGIN, |sql, connection| sqlx::query_scalar(sql)
                    .bind(new.source)
                    .bind(new.file_name)
                    .bind(new.format)
                    .bind(from)
                    .bind(to)
                    .bind(new.actor)
                    .bind(new.now.0)
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

    /// The file is complete. One that was received before is forgotten again, with a pointer to the first.
    pub async fn finish_receiving(&self, id: i64, hash: String, pieces: i64, then: Then) -> Result<Received> {
        self.write(move |tx| {
            Box::pin(async move {
                let same: Option<i64> =
                    with_statement!(tx, SAME_FILE, |sql, connection| sqlx::query_scalar(sql)
                        .bind(id)
                        .bind(&hash)
                        .fetch_optional(connection)
                        .await?);
                if let Some(same) = same {
                    for statement in [&FORGET_CHUNKS, &FORGET] {
                        with_statement!(tx, statement, |sql, connection| {
                            sqlx::query(sql).bind(id).execute(connection).await?;
                        });
                    }
                    return Ok(Received::Before(same));
                }
                let state = match then {
                    Then::Import => "importing",
                    Then::Ask => "received",
                };
                let received: Option<(String, String, String, i64)> =
                    with_statement!(tx, RECEIVED, |sql, connection| sqlx::query_as(sql)
                        .bind(id)
                        .bind(hash)
                        .bind(pieces)
                        .bind(state)
                        .fetch_optional(connection)
                        .await?);
                let Some((source, file_name, actor, at)) = received else {
                    return guard("statements", 0, 1).map(|()| Received::New);
                };
                let detail = format!("{file_name} of {source}");
                let line = Line::new(&actor, "statement_received", subject(id), detail);
                audit::note(tx, &line, TimestampMs(at)).await?;
                Ok(Received::New)
            })
        })
        .await
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
