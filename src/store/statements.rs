//! The network's own statements: received piece by piece, read and matched in steps, looked at, accepted, paid.

use std::sync::LazyLock;

use domain::ledger::{PayoutAccount, Transfer};
use domain::money::{Micros, Positive};
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::pieces::Piece;
use domain::statement::totals::{OfState, Totals};
use domain::time::TimestampMs;

use crate::save::book;
use crate::statement::{LazyStatement, Statement};
pub use crate::statement_steps::{MatchTerms, Step};
use crate::unit::with_statement;
use crate::{Error, Result, Store, read};

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
    /// `receiving`, `importing`, `matching` or `matched`.
    pub state: String,
    /// 1, or more if an earlier one has days in common with it.
    pub version: i64,
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
    /// Who brought it.
    pub actor: String,
    /// When, in unix milliseconds.
    pub received_at: i64,
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

/// What became of a file that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is new.
    New,
    /// The same file was received before, as this statement.
    Before(i64),
}

/// All lines of one state.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StateTotal {
    /// The state.
    pub state: String,
    /// How many.
    pub count: i64,
    /// How many of them a person has accepted.
    pub accepted: i64,
    /// What they count in the network's total, in micros of USD.
    pub theirs_micros: i64,
    /// What they count in ours.
    pub ours_micros: i64,
    /// Theirs less ours, of those that were accepted.
    pub accepted_micros: i64,
}

/// One line, or one booking that no line speaks of.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BreakRow {
    /// `line N`, or `KIND of reward N`.
    pub subject: String,
    /// Lists are in its order.
    pub place: i64,
    /// The line's number; `None` for a booking.
    pub line: Option<i64>,
    /// The state.
    pub state: String,
    /// The rule that decided.
    pub rule: String,
    /// `credit` or `reversal`.
    pub kind: String,
    /// The transaction.
    pub tx_id: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// The offer.
    pub offer_id: Option<String>,
    /// The line's currency.
    pub currency: String,
    /// The line's amount in micros of that.
    pub amount_micros: i64,
    /// The line's time, in unix milliseconds.
    pub happened_at: Option<i64>,
    /// The business date.
    pub day: Option<String>,
    /// The reward it belongs to.
    pub reward_id: Option<i64>,
    /// What it counts in the network's total, in micros of USD.
    pub theirs_micros: i64,
    /// What it counts in ours.
    pub ours_micros: i64,
    /// Who accepted it.
    pub accepted_by: Option<String>,
    /// Why.
    pub accepted_reason: Option<String>,
}

/// What became of a person's acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is accepted.
    Done,
    /// It had been accepted.
    Before,
    /// There is no such difference.
    Missing,
}

/// A person's word on a statement.
#[derive(Clone, Debug)]
pub struct Word {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub now: TimestampMs,
}

static FORGET_DRAFTS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM statement_chunks WHERE statement_id IN
             (SELECT id FROM statements WHERE state = 'receiving' AND source = $1 AND file_name = $2)",
        &[],
    )
});

static FORGET_DRAFT_ROWS: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM statements WHERE state = 'receiving' AND source = $1 AND file_name = $2", &[])
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
        "INSERT INTO statement_chunks (statement_id, seq, first_line, content) VALUES ($1, $2, $3, $4)",
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
        "UPDATE statements SET state = 'importing', file_hash = $2, chunks = $3
         WHERE id = $1 AND state = 'receiving'",
        &[],
    )
});

static FORGET_CHUNKS: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_chunks WHERE statement_id = $1", &[]));

static FORGET: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statements WHERE id = $1 AND state = 'receiving'", &[]));

static ACCEPT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_accepted (statement_id, subject, actor, reason, accepted_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        &[],
    )
});

static PAY: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_payments (statement_id, amount_micros, actor, note, paid_at)
         VALUES ($1, $2, $3, $4, $5)",
        &[],
    )
});

static SOURCE: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT source FROM statements WHERE id = $1", &[]));

/// Lines and missing bookings of a statement under the same columns.
macro_rules! breaks {
    () => {
        "SELECT breaks.*, accepted.actor AS accepted_by, accepted.reason AS accepted_reason
         FROM (
             SELECT statement_id, 'line ' || CAST(line AS TEXT) AS subject, line, state, rule, kind, tx_id, user_id, offer_id,
                    currency, amount_micros, happened_at, day, reward_id, theirs_micros, ours_micros,
                    line AS place
             FROM statement_lines WHERE statement_id = $1
             UNION ALL
             SELECT statement_id, missing.kind || ' of reward ' || CAST(missing.reward_id AS TEXT), NULL, missing.state, 'period',
                    missing.kind, rewards.tx_id, rewards.user_id, rewards.offer_id, 'USD', 0, rewards.received_at,
                    missing.booked_on, missing.reward_id, 0, missing.ours_micros, 1000000000 + missing.reward_id
             FROM statement_missing AS missing JOIN rewards ON rewards.id = missing.reward_id
             WHERE missing.statement_id = $1
         ) AS breaks
         LEFT JOIN statement_accepted AS accepted
              ON accepted.statement_id = breaks.statement_id AND accepted.subject = breaks.subject "
    };
}

const TOTALS: &str = concat!(
    "SELECT state, COUNT(*) AS count, COUNT(accepted_by) AS accepted,
            CAST(SUM(theirs_micros) AS BIGINT) AS theirs_micros, CAST(SUM(ours_micros) AS BIGINT) AS ours_micros,
            CAST(SUM(CASE WHEN accepted_by IS NULL THEN 0 ELSE theirs_micros - ours_micros END) AS BIGINT)
                AS accepted_micros
     FROM (",
    breaks!(),
    ") AS all_of_it GROUP BY state ORDER BY state"
);

const BREAKS: &str = concat!(breaks!(), "WHERE state = $2 AND place > $3 ORDER BY place, kind LIMIT $4");

const ONE_BREAK: &str = concat!(breaks!(), "WHERE breaks.subject = $2");

impl Store {
    /// Begins to receive a file. What is left of an attempt that was killed is forgotten.
    pub async fn begin_statement(&self, new: NewStatement) -> Result<i64> {
        self.write(move |tx| {
            Box::pin(async move {
                for statement in [&FORGET_DRAFTS, &FORGET_DRAFT_ROWS] {
                    with_statement!(tx, statement, |sql, connection| {
                        sqlx::query(sql).bind(&new.source).bind(&new.file_name).execute(connection).await?;
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

    /// Keeps a piece of a file that is being received; `seq` counts from 0.
    pub async fn add_statement_piece(&self, id: i64, seq: i64, piece: Piece) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, ADD_CHUNK, |sql, connection| {
                    sqlx::query(sql)
                        .bind(id)
                        .bind(seq)
                        .bind(piece.first_line)
                        .bind(piece.content)
                        .execute(connection)
                        .await?;
                });
                Ok(())
            })
        })
        .await
    }

    /// The file is complete. One that was received before is forgotten again, with a pointer to the first.
    pub async fn finish_receiving(&self, id: i64, hash: String, pieces: i64) -> Result<Received> {
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
                with_statement!(tx, RECEIVED, |sql, connection| {
                    sqlx::query(sql).bind(id).bind(hash).bind(pieces).execute(connection).await?;
                });
                Ok(Received::New)
            })
        })
        .await
    }

    /// A statement.
    pub async fn statement(&self, id: i64) -> Result<Option<StatementRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source, file_name, file_hash, state, version, format, chunks, chunks_done,
                    period_from, period_to, actor, received_at
             FROM statements WHERE id = $1"
        ).bind(id).fetch_optional(pool).await)?)
    }

    /// The statements before `before_id`, newest first, at most `limit`.
    pub async fn statements(&self, before_id: i64, limit: i64) -> Result<Vec<StatementRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source, file_name, file_hash, state, version, format, chunks, chunks_done,
                    period_from, period_to, actor, received_at
             FROM statements WHERE id < $1 AND state <> 'receiving' ORDER BY id DESC LIMIT $2"
        ).bind(before_id).bind(limit).fetch_all(pool).await)?)
    }

    /// Statements that were received and are not matched yet: their import was cut short.
    pub async fn unfinished_statements(&self) -> Result<Vec<i64>> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT id FROM statements WHERE state IN ('importing', 'matching') ORDER BY id"
        ).fetch_all(pool).await)?)
    }

    /// What a statement holds, by state.
    pub async fn statement_totals(&self, id: i64) -> Result<Vec<StateTotal>> {
        Ok(read!(self, pool => sqlx::query_as(TOTALS).bind(id).fetch_all(pool).await)?)
    }

    /// Lines and missing bookings of one state behind `after` (see [`BreakRow::place`]), at most `limit`.
    pub async fn statement_breaks(
        &self,
        id: i64,
        state: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<BreakRow>> {
        Ok(read!(self, pool => sqlx::query_as(BREAKS)
            .bind(id).bind(state).bind(after).bind(limit).fetch_all(pool).await)?)
    }

    /// The lines that could not be read, behind `after`, at most `limit`: number and reason.
    pub async fn statement_faults(&self, id: i64, after: i64, limit: i64) -> Result<Vec<(i64, String)>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT line, reason FROM statement_faults WHERE statement_id = $1 AND line > $2 ORDER BY line LIMIT $3"
        ).bind(id).bind(after).bind(limit).fetch_all(pool).await)?)
    }

    /// Accepts one difference, with a reason.
    pub async fn accept_difference(&self, id: i64, subject: String, word: Word) -> Result<Accepted> {
        let found: Option<BreakRow> = read!(self, pool => sqlx::query_as(ONE_BREAK)
            .bind(id).bind(&subject).fetch_optional(pool).await)?;
        let is_open =
            |found: &BreakRow| LineState::parse(&found.state).is_some_and(|state| !state.is_settled());
        if !found.as_ref().is_some_and(is_open) {
            return Ok(Accepted::Missing);
        }
        self.write(move |tx| {
            Box::pin(async move {
                let accepted = with_statement!(tx, ACCEPT, |sql, connection| sqlx::query(sql)
                    .bind(id)
                    .bind(subject)
                    .bind(word.actor)
                    .bind(word.reason)
                    .bind(word.now.0)
                    .execute(connection)
                    .await?
                    .rows_affected());
                Ok(if accepted == 1 { Accepted::Done } else { Accepted::Before })
            })
        })
        .await
    }

    /// Books what the network paid for a statement: `paid → network`. False if there is no such statement.
    pub async fn pay_statement(
        &self,
        id: i64,
        amount: Positive,
        word: Word,
        business_date: String,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let source: Option<String> =
                    with_statement!(tx, SOURCE, |sql, connection| sqlx::query_scalar(sql)
                        .bind(id)
                        .fetch_optional(connection)
                        .await?);
                let Some(source) = source else { return Ok(false) };
                with_statement!(tx, PAY, |sql, connection| {
                    sqlx::query(sql)
                        .bind(id)
                        .bind(amount.micros())
                        .bind(word.actor)
                        .bind(word.reason)
                        .bind(word.now.0)
                        .execute(connection)
                        .await?;
                });
                let transfer = Transfer::Payout {
                    debit: PayoutAccount::Paid(source.clone()),
                    credit: PayoutAccount::Network(source),
                    amount,
                };
                book(tx, &[(None, transfer.posting())], &business_date, word.now).await?;
                Ok(true)
            })
        })
        .await
    }

    /// What was paid for a statement so far.
    pub async fn statement_paid(&self, id: i64) -> Result<Micros> {
        let paid: i64 = read!(self, pool => sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(amount_micros), 0) AS BIGINT) FROM statement_payments WHERE statement_id = $1"
        ).bind(id).fetch_one(pool).await)?;
        Ok(Micros(paid))
    }
}

/// The totals of what [`Store::statement_totals`] answers.
pub fn totals(rows: Vec<StateTotal>) -> Result<Totals> {
    let of_state = |row: StateTotal| {
        let state = LineState::parse(&row.state).ok_or_else(|| Error::Corrupt {
            table: "statement_lines",
            column: "state",
            row: 0,
            found: row.state.clone(),
        })?;
        Ok(OfState {
            state,
            count: row.count,
            accepted_count: row.accepted,
            theirs: Amount(row.theirs_micros),
            ours: Amount(row.ours_micros),
            accepted: Amount(row.accepted_micros),
        })
    };
    Ok(Totals::of(rows.into_iter().map(of_state).collect::<Result<_>>()?))
}
