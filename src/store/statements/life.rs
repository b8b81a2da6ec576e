//! Importing, discarding and restoring statements, and failing those that cannot be read.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::money::Micros;
use domain::statement::format::Format;
use domain::statement::life::{Act, State, Step};
use domain::statement::matching::Period;
use domain::statement::period::Days;
use domain::time::TimestampMs;

use super::receive::{FORGET_CHUNKS, hash_of};
use super::{StatementRow, Supersedes, counting, date_of, held, payments, subject};
use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};
use crate::{Error, Result, Store, read};

/// Consecutive temporary errors of a statement's steps before it fails.
pub const MAX_TRIES: i64 = 8;
/// Limit of a saved reason, in bytes.
const MAX_REASON_LEN: usize = 2_000;
/// Rows of each table that are deleted in one transaction.
const CLEARED_AT_ONCE: i64 = 5_000;

/// A person's decision to import a statement.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// The source's format in the current settings.
    pub format: Format,
    /// First and last business date, if the person states them.
    pub period: Option<(String, String)>,
    /// Which statements it supersedes.
    pub supersedes: Supersedes,
    /// The person or token.
    pub actor: Actor,
    /// The time of the decision.
    pub now: TimestampMs,
}

/// The result of [`Store::confirm_statement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The import starts.
    Done,
    /// Its current state, given here, does not allow an import.
    NotNow(State),
    /// Its period is not certain; the question for the person.
    Asks(String),
    /// It cannot be read with this format, or cannot supersede the chosen statements; the reason.
    Unfit(String),
    /// There is no such statement.
    Missing,
}

/// The result of discarding a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// It no longer counts.
    Done,
    /// Its current state, given here, does not allow it.
    NotNow(State),
    /// This amount was paid for it; the payments must be reversed first.
    Paid(Micros),
    /// There is no such statement.
    Missing,
}

/// The result of restoring a superseded statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It counts again together with this one, which is read again.
    Beside(i64),
    /// It is not superseded; its current state.
    NotNow(State),
    /// There is no such statement.
    Missing,
}

/// Starts an import from the first piece, whatever an earlier attempt did.
static IMPORT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = $2, format = $4, format_hash = $5, days = $6, period_from = $7, period_to = $8,
                period_stated = $9, begun_at = $10, chunks_done = 0, missing_upto = NULL, failure = NULL, tries = 0
         WHERE id = $1 AND state = $3",
        &[],
    )
});

/// The row stays, so that its number is never reused; the file may be sent again.
static DISCARD: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = 'discarded', file_hash = NULL WHERE id = $1 AND state = $2",
        &[],
    )
});

static FORGET_SUPERSEDED: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM statement_supersedes WHERE statement_id = $1 OR superseded_id = $1", &[])
});

static FORGET_ACCEPTED: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM statement_accepted WHERE statement_id = $1", &[]));

static FAIL: LazyStatement = LazyLock::new(|| {
    Statement::new("UPDATE statements SET state = 'failed', failure = $2 WHERE id = $1 AND state = $3", &[])
});

static TRY: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET tries = tries + 1 WHERE id = $1 AND state IN ('importing', 'matching')
         RETURNING tries",
        &[],
    )
});

/// The results of an import, table by table, $2 rows each.
static CLEAR: LazyLock<[Statement; 5]> = LazyLock::new(|| {
    let of = |table: &str, column: &str| {
        let text = format!(
            "DELETE FROM {table} WHERE statement_id = $1 AND {column} IN
                 (SELECT {column} FROM {table} WHERE statement_id = $1 ORDER BY {column} LIMIT $2)"
        );
        Statement::new(&text, &[])
    };
    [
        of("statement_lines", "line"),
        of("statement_faults", "line"),
        of("statement_controls", "name"),
        of("statement_sums", "reward_id"),
        of("statement_missing", "reward_id"),
    ]
});

/// Deletes some results of a statement's import; `false` if nothing is left.
pub(super) async fn clear_some(tx: &mut Tx, id: i64) -> Result<bool> {
    let mut cleared = 0;
    for statement in CLEAR.iter() {
        cleared += with_statement!(tx, statement, |sql, connection| sqlx::query(sql)
            .bind(id)
            .bind(CLEARED_AT_ONCE)
            .execute(connection)
            .await?
            .rows_affected());
    }
    Ok(cleared > 0)
}

/// Discards a statement. Its lines are deleted later in steps; nothing reads lines of a discarded statement.
pub(super) async fn discard(tx: &mut Tx, row: &StatementRow, actor: &Actor, now: TimestampMs) -> Result<()> {
    let gone = with_statement!(tx, DISCARD, |sql, connection| sqlx::query(sql)
        .bind(row.id)
        .bind(&row.state)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", gone, 1)?;
    counting::leave(tx, row, actor, now).await?;
    for statement in [&FORGET_CHUNKS, &FORGET_SUPERSEDED, &FORGET_ACCEPTED] {
        with_statement!(tx, statement, |sql, connection| {
            sqlx::query(sql).bind(row.id).execute(connection).await?;
        });
    }
    let detail = format!("{} of {}, {}", row.file_name, row.source, row.stands()?.name());
    audit::note(tx, &Line::new(actor, Action::StatementDiscarded, subject(row.id), detail), now);
    Ok(())
}

async fn fail(tx: &mut Tx, row: &StatementRow, reason: &str, now: TimestampMs) -> Result<bool> {
    if !row.stands()?.is_worked_on() {
        return Ok(false);
    }
    let reason: String = reason.chars().filter(|letter| *letter != '\0').take(MAX_REASON_LEN / 4).collect();
    let failed = with_statement!(tx, FAIL, |sql, connection| sqlx::query(sql)
        .bind(row.id)
        .bind(&reason)
        .bind(&row.state)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", failed, 1)?;
    let worker = Actor::from(WORKER);
    counting::leave(tx, row, &worker, now).await?;
    audit::note(tx, &Line::new(&worker, Action::StatementFailed, subject(row.id), reason), now);
    Ok(true)
}

/// The actor when a statement fails.
const WORKER: &str = "worker";

impl Store {
    /// Starts the import of a waiting or failed statement.
    pub async fn confirm_statement(&self, id: i64, confirm: Confirm) -> Result<Confirmed> {
        let Some(row) = self.statement(id).await? else { return Ok(Confirmed::Missing) };
        let state = row.stands()?;
        if !Act::Import.is_allowed(state) {
            return Ok(Confirmed::NotNow(state));
        }
        let days = match self.statement_days(&row, &confirm.format).await? {
            Ok(days) => days,
            Err(why) => return Ok(Confirmed::Unfit(why)),
        };
        self.write(move |tx| Box::pin(async move { confirmed(tx, id, confirm, days).await })).await
    }

    /// The number of lines by day, read with `format`; or why the file cannot be read with it.
    pub async fn statement_days(
        &self,
        row: &StatementRow,
        format: &Format,
    ) -> Result<std::result::Result<Days, String>> {
        let kept: Option<Days> = row.days.as_deref().and_then(|days| serde_json::from_str(days).ok());
        if let Some(days) = kept.filter(|_| row.format().is_ok_and(|read| read == *format)) {
            return Ok(Ok(days));
        }
        let (mut days, mut reader) = (Days::default(), None);
        for seq in 0..row.chunks {
            let Some(piece) = self.statement_piece(row.id, seq).await? else { break };
            let reader = match &mut reader {
                Some(reader) => reader,
                none => match format.reader_of(&piece.content) {
                    Ok(found) => none.insert(found),
                    Err(why) => return Ok(Err(why.to_string())),
                },
            };
            format.read(reader, &piece).lines.iter().for_each(|line| days.add(line));
        }
        Ok(Ok(days))
    }

    /// Discards a statement that was not imported, failed, or was imported by mistake. Statements that it superseded count
    /// again.
    pub async fn discard_statement(&self, id: i64, actor: Actor, now: TimestampMs) -> Result<Discarded> {
        self.write(move |tx| {
            Box::pin(async move {
                let Some(row) = held(tx, id).await? else { return Ok(Discarded::Missing) };
                let state = row.stands()?;
                if matches!(state, State::Receiving | State::Discarded) {
                    return Ok(Discarded::Missing);
                }
                if !Act::Discard.is_allowed(state) {
                    return Ok(Discarded::NotNow(state));
                }
                let paid = payments::paid_for(tx, id).await?;
                if paid.0 != 0 {
                    return Ok(Discarded::Paid(paid));
                }
                discard(tx, &row, &actor, now).await?;
                Ok(Discarded::Done)
            })
        })
        .await
    }

    /// Lets a superseded statement count again together with the one that superseded it, which is read again so that
    /// shared bookings count once. (To let only the old one count, discard the newer one.)
    pub async fn restore_statement(&self, id: i64, actor: Actor, now: TimestampMs) -> Result<Restored> {
        self.write(move |tx| {
            Box::pin(async move {
                let Some(row) = held(tx, id).await?.filter(|row| row.state != "discarded") else {
                    return Ok(Restored::Missing);
                };
                let state = row.stands()?;
                if !Act::Restore.is_allowed(state) {
                    return Ok(Restored::NotNow(state));
                }
                let Some(newer) = counting::count_both(tx, &row).await? else {
                    return Ok(Restored::NotNow(state));
                };
                let detail = format!("beside statement {newer}");
                audit::note(tx, &Line::new(&actor, Action::StatementRestored, subject(id), detail), now);
                Ok(Restored::Beside(newer))
            })
        })
        .await
    }

    /// Marks a statement as failed with its reason; statements that it superseded count again. `false` if it is not being
    /// imported.
    pub async fn fail_statement(&self, id: i64, reason: String, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                match held(tx, id).await? {
                    Some(row) => fail(tx, &row, &reason, now).await,
                    None => Ok(false),
                }
            })
        })
        .await
    }

    /// Counts a temporary error of a statement's step; at [`MAX_TRIES`] the statement fails. `true` if it did.
    pub async fn note_statement_try(&self, id: i64, reason: String, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let tries: Option<i64> = with_statement!(tx, TRY, |sql, connection| sqlx::query_scalar(sql)
                    .bind(id)
                    .fetch_optional(connection)
                    .await?);
                if tries.is_none_or(|tries| tries < MAX_TRIES) {
                    return Ok(false);
                }
                let reason = format!("given up after {MAX_TRIES} tries: {reason}");
                match held(tx, id).await? {
                    Some(row) => fail(tx, &row, &reason, now).await,
                    None => Ok(false),
                }
            })
        })
        .await
    }

    /// Deletes some lines of a discarded statement; `false` if nothing is left to delete.
    pub async fn clear_discarded_statements(&self) -> Result<bool> {
        let ids: Vec<(i64,)> = read!(self, pool => sqlx::query_as(
            "SELECT id FROM statements
             WHERE state = 'discarded'
               AND (EXISTS (SELECT 1 FROM statement_lines AS kept WHERE kept.statement_id = statements.id)
                 OR EXISTS (SELECT 1 FROM statement_faults AS kept WHERE kept.statement_id = statements.id)
                 OR EXISTS (SELECT 1 FROM statement_missing AS kept WHERE kept.statement_id = statements.id))
             ORDER BY id LIMIT 1"
        ).fetch_all(pool).await)?;
        let Some(&(id,)) = ids.first() else { return Ok(false) };
        self.write(move |tx| Box::pin(async move { clear_some(tx, id).await })).await
    }
}

async fn confirmed(tx: &mut Tx, id: i64, confirm: Confirm, days: Days) -> Result<Confirmed> {
    let Some(row) = held(tx, id).await? else { return Ok(Confirmed::Missing) };
    let state = row.stands()?;
    let step = match state {
        State::Received => Step::Import,
        State::Failed => Step::Retry,
        other => return Ok(Confirmed::NotNow(other)),
    };
    let proposal = days.proposal(date_of(TimestampMs(row.received_at)));
    let stated = confirm.period.map(|(from, to)| Period { from, to });
    let stated = stated.or_else(|| row.period().filter(|_| row.period_stated == 1));
    let is_stated = i64::from(stated.is_some());
    let period = match (stated, proposal.question()) {
        (Some(stated), _) => Some(stated),
        (None, Some(question)) => return Ok(Confirmed::Asks(question)),
        (None, None) => proposal.period,
    };
    if let Err(fault) = counting::choose(tx, &row, &confirm.supersedes).await? {
        return Ok(Confirmed::Unfit(fault));
    }
    if row.format()? != confirm.format {
        // Differences accepted under the old format may mean something else now.
        with_statement!(tx, FORGET_ACCEPTED, |sql, connection| {
            sqlx::query(sql).bind(id).execute(connection).await?;
        });
    }
    let text = |error: serde_json::Error| {
        Error::Unfit(format!("cannot write the statement's format or days as JSON: {error}"))
    };
    let format = serde_json::to_string(&confirm.format).map_err(text)?;
    let days = serde_json::to_string(&days).map_err(text)?;
    let (from, to) = period.map(|period| (period.from, period.to)).unzip();
    let detail = match (&from, &to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        _ => String::new(),
    };
    let done = with_statement!(tx, IMPORT, |sql, connection| sqlx::query(sql)
        .bind(id)
        .bind(step.to().name())
        .bind(step.from().name())
        .bind(&format)
        .bind(hash_of(&format))
        .bind(days)
        .bind(from)
        .bind(to)
        .bind(is_stated)
        .bind(confirm.now.0)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", done, 1)?;
    audit::note(tx, &Line::new(&confirm.actor, Action::StatementImported, subject(id), detail), confirm.now);
    Ok(Confirmed::Done)
}
