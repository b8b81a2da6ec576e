//! What people say of a whole statement, and what becomes of one that cannot be read.

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

/// How often in a row a statement is tried whose steps fail for a reason that may pass.
pub const MAX_TRIES: i64 = 8;
/// The longest reason that is kept, in bytes.
const MAX_REASON_LEN: usize = 2_000;
/// Rows of each table that are deleted in one transaction.
const CLEARED_AT_ONCE: i64 = 5_000;

/// A person's word that a statement is imported.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// How it is read: the settings of today.
    pub format: Format,
    /// Its first and last business date, if the person states them.
    pub period: Option<(String, String)>,
    /// What it counts instead of.
    pub supersedes: Supersedes,
    /// Who says so.
    pub actor: Actor,
    /// When.
    pub now: TimestampMs,
}

/// What became of that word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It is read now.
    Done,
    /// It does not wait for anybody: where it stands.
    NotNow(State),
    /// Its period is not certain: what the person is asked.
    Asks(String),
    /// It cannot be read so, or cannot supersede that: why.
    Unfit(String),
    /// There is no such statement.
    Missing,
}

/// What became of taking a statement back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// Nothing of it counts any more.
    Done,
    /// It cannot be discarded as it stands.
    NotNow(State),
    /// So much was paid for it: that is taken back first.
    Paid(Micros),
    /// There is no such statement.
    Missing,
}

/// What became of letting a superseded statement count again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It counts, beside this one, which is read again.
    Beside(i64),
    /// It is not superseded: where it stands.
    NotNow(State),
    /// There is no such statement.
    Missing,
}

/// What is done to a statement that failed before: it begins from its first piece.
static IMPORT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET state = $2, format = $4, format_hash = $5, days = $6, period_from = $7, period_to = $8,
                period_stated = $9, begun_at = $10, chunks_done = 0, missing_upto = NULL, failure = NULL, tries = 0
         WHERE id = $1 AND state = $3",
        &[],
    )
});

/// Its row stays, so that its number is never given again; the file may come again.
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

/// What a statement has read and found, table by table, $2 rows of each.
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

/// Deletes some of what a statement has read and found; false if there is nothing left.
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

/// Takes a statement back. Its lines are cleared by and by: nothing looks at lines of one that is discarded.
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

/// Who fails a statement.
const WORKER: &str = "worker";

impl Store {
    /// Lets a statement be read as `confirm` says: one that waits, or one that failed, from its beginning.
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

    /// How many lines of a statement lie on which day, read as `format` has it; or why it cannot be read so.
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

    /// Takes a statement back: a file that was not read, cannot be read, or was imported by mistake. What it superseded
    /// counts again.
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

    /// Lets a superseded statement count again, beside the one that superseded it, which is read again so that what both
    /// have counts once. (Discarding the newer one brings the old one back alone.)
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

    /// A statement cannot be read: it ends so, with its reason, and whatever it superseded counts. False if no worker
    /// has it any more.
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

    /// A step of a statement failed for a reason that may pass: it is tried again, but not for ever. True if it is given
    /// up.
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

    /// Clears some lines of statements that were discarded; false if there is nothing left to clear.
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
    if let Err(fault) = counting::say(tx, &row, &confirm.supersedes).await? {
        return Ok(Confirmed::Unfit(fault));
    }
    if row.format()? != confirm.format {
        // What was accepted of it as it was read before may say something else now.
        with_statement!(tx, FORGET_ACCEPTED, |sql, connection| {
            sqlx::query(sql).bind(id).execute(connection).await?;
        });
    }
    let text = |error: serde_json::Error| Error::Unfit(format!("a statement cannot be kept: {error}"));
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
