//! Reads and matches a statement in steps. Each step is one transaction with a fixed number of SQL statements, which also
//! saves its progress: after a crash the import continues with the first step that was not saved.

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::report::day::{BusinessDay, Tz};
use domain::statement::format::Format;
use domain::statement::life::State;
use domain::statement::matching::{Tolerance, by_facts, by_id};
use domain::statement::pieces::Piece;
use domain::time::TimestampMs;

use super::rows::{ControlInsert, FaultInsert, LineInsert, LineUpdate, OpenRow};
use super::{StatementRow, bookings, counting, daily_sums, finish, held, life, notes, statement_columns};
use crate::db::sql::{Column, LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};
use crate::{Error, Result, Store};

use Column::{Int, Text};

/// Lines without a transaction id that are matched in one database transaction.
const STEP_LINES: i64 = 1_000;

/// Settings of matching.
#[derive(Clone, Copy, Debug)]
pub struct MatchTerms {
    /// The accepted difference of amounts.
    pub tolerance: Tolerance,
    /// The accepted difference between the times of a line and a booking, in milliseconds.
    pub window_ms: i64,
    /// For this many days a booking without a line is pending, because the network may still report it.
    pub cut_off_days: u64,
    /// The zone of business dates.
    pub timezone: Tz,
}

impl MatchTerms {
    /// The first business date whose bookings are still pending at `now`.
    pub fn pending_from(&self, now: TimestampMs) -> String {
        let today = BusinessDay::of(now, self.timezone);
        today.map_or_else(String::new, |today| today.minus(self.cut_off_days).date().to_string())
    }
}

/// How the statements of a source are read and matched.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The file format.
    pub format: Format,
    /// When a line matches a booking.
    pub terms: MatchTerms,
}

/// The progress of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to do.
    More,
    /// This earlier statement of the source must be matched first, because what it counts does not count again.
    After(i64),
    /// Read and matched, or no longer being imported.
    Done,
}

/// A statement, locked until the end of the transaction.
pub(super) static STATEMENT: LazyStatement =
    LazyLock::new(|| Statement::new(concat!(statement_columns!(), "WHERE id = $1 {for_update}"), &[]));

static CHUNK: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT first_line, content FROM statement_chunks WHERE statement_id = $1 AND seq = $2",
        &[],
    )
});

/// The first earlier statement of the source that is still being imported.
static EARLIER: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT MIN(id) FROM statements WHERE source = $2 AND id < $1 AND state IN ('importing', 'matching')",
        &[],
    )
});

static INSERT_LINES: LazyStatement = LazyLock::new(|| {
    Statement::given::<LineInsert<'_>>(
        "INSERT INTO statement_lines ({columns})
         SELECT {columns} FROM {given}",
    )
});

/// The first control total of each name counts.
static INSERT_CONTROLS: LazyStatement = LazyLock::new(|| {
    Statement::given::<ControlInsert>(
        "INSERT INTO statement_controls ({columns})
         SELECT {columns} FROM {given} WHERE true ON CONFLICT DO NOTHING",
    )
});

static INSERT_FAULTS: LazyStatement = LazyLock::new(|| {
    Statement::given::<FaultInsert<'_>>(
        "INSERT INTO statement_faults ({columns})
         SELECT {columns} FROM {given} WHERE true ON CONFLICT DO NOTHING",
    )
});

static CHUNK_DONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET chunks_done = chunks_done + 1, tries = 0,
                state = CASE WHEN chunks_done + 1 = chunks THEN 'matching' ELSE state END
         WHERE id = $1 AND chunks_done = $2 AND state = 'importing'",
        &[],
    )
});

static OPEN_LINES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT statement_id, line, tx_id, kind, user_id, offer_id, event_id, amount_micros, currency, happened_at, day,
                count
         FROM statement_lines
         WHERE statement_id = $1 AND state = 'open' AND COALESCE(tx_id, user_id) IS NOT NULL
         ORDER BY line LIMIT $2",
        &[],
    )
});

pub(super) static UPDATE_LINES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statement_lines
         SET state = given.state, rule = given.rule, reward_id = given.reward_id,
             theirs_micros = given.theirs_micros, ours_micros = given.ours_micros, counted_in = given.counted_in
         FROM {given}
         WHERE statement_lines.statement_id = given.statement_id AND statement_lines.line = given.line
           AND statement_lines.state = 'open'",
        &[
            Int("statement_id"),
            Int("line"),
            Text("state"),
            Text("rule"),
            Int("reward_id"),
            Int("theirs_micros"),
            Int("ours_micros"),
            Int("counted_in"),
        ],
    )
});

impl Store {
    /// Runs the next step of a statement's import.
    pub async fn statement_step(&self, id: i64, terms: MatchTerms) -> Result<Step> {
        self.write(move |tx| Box::pin(async move { step(tx, id, terms).await })).await
    }
}

async fn step(tx: &mut Tx, id: i64, terms: MatchTerms) -> Result<Step> {
    let Some(statement) = held(tx, id).await? else { return Ok(Step::Done) };
    let state = statement.stands()?;
    if !state.is_worked_on() {
        return Ok(Step::Done);
    }
    let earlier: Option<i64> = with_statement!(tx, EARLIER, |sql, connection| sqlx::query_scalar(sql)
        .bind(id)
        .bind(&statement.source)
        .fetch_one(connection)
        .await?);
    if let Some(earlier) = earlier {
        return Ok(Step::After(earlier));
    }
    match state {
        State::Importing => import(tx, &statement, terms).await.map(|()| Step::More),
        _ => match_on(tx, &statement, terms).await.map(|()| Step::More),
    }
}

pub(super) async fn chunk(tx: &mut Tx, id: i64, seq: i64) -> Result<Piece> {
    let found: Option<(i64, String)> = with_statement!(tx, CHUNK, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(seq)
        .fetch_optional(connection)
        .await?);
    let (first_line, content) = found.ok_or_else(|| {
        Error::Unfit(format!("piece {seq} of the file of statement {id} is missing; send the file again"))
    })?;
    Ok(Piece::of_stored(first_line, content))
}

async fn import(tx: &mut Tx, statement: &StatementRow, terms: MatchTerms) -> Result<()> {
    let id = statement.id;
    if statement.chunks_done == 0 {
        // Delete what an earlier attempt or reading left.
        if life::clear_some(tx, id).await? {
            return Ok(());
        }
        if statement.supersedes_decided == 0 {
            counting::decide(tx, statement).await?;
        }
    }
    let format = statement.format()?;
    let first = chunk(tx, id, 0).await?;
    let reader = format.reader_of(&first.content).map_err(|why| Error::Unreadable { statement: id, why })?;
    let piece = if statement.chunks_done == 0 { first } else { chunk(tx, id, statement.chunks_done).await? };
    let read = format.read(&reader, &piece);
    let ids: HashSet<&str> = read.lines.iter().filter_map(|line| line.tx_id.as_deref()).collect();
    let mut bookings = bookings::of_transactions(tx, statement, &ids).await?;
    let matches = by_id(&read.lines, &mut bookings, terms.tolerance);
    let rows: Vec<_> =
        read.lines.iter().zip(&matches).map(|(line, found)| LineInsert::of(id, line, found)).collect();
    if !rows.is_empty() {
        tx.execute(&INSERT_LINES, &rows).await?;
    }
    let faults: Vec<_> = read
        .faults
        .iter()
        .map(|(line, reason)| FaultInsert { statement_id: id, line: *line, reason })
        .collect();
    if !faults.is_empty() {
        tx.execute(&INSERT_FAULTS, &faults).await?;
    }
    notes::keep(tx, id, statement.chunks_done == 0, &read).await?;
    let controls: Vec<_> = read
        .controls
        .iter()
        .map(|&(line, control, stated)| ControlInsert {
            statement_id: id,
            name: control.name(),
            line,
            stated,
        })
        .collect();
    if !controls.is_empty() {
        tx.execute(&INSERT_CONTROLS, &controls).await?;
    }
    let done = with_statement!(tx, CHUNK_DONE, |sql, connection| sqlx::query(sql)
        .bind(id)
        .bind(statement.chunks_done)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", done, 1)
}

/// The steps after all pieces are read: lines without a transaction id, totals of days, bookings without a line.
async fn match_on(tx: &mut Tx, statement: &StatementRow, terms: MatchTerms) -> Result<()> {
    let id = statement.id;
    let open: Vec<OpenRow> = with_statement!(tx, OPEN_LINES, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(STEP_LINES)
        .fetch_all(connection)
        .await?);
    if !open.is_empty() {
        return match_by_facts(tx, statement, open, terms).await;
    }
    if daily_sums::match_some(tx, statement, terms).await? {
        return Ok(());
    }
    finish::next_day(tx, statement).await
}

async fn match_by_facts(
    tx: &mut Tx,
    statement: &StatementRow,
    open: Vec<OpenRow>,
    terms: MatchTerms,
) -> Result<()> {
    let id = statement.id;
    let lines = open.into_iter().map(OpenRow::line).collect::<Result<Vec<_>>>()?;
    let pairs: HashSet<(&str, &str)> =
        lines.iter().filter_map(|line| Some((line.user_id.as_deref()?, line.offer_id.as_deref()?))).collect();
    let mut bookings = bookings::of_users(tx, statement, &pairs).await?;
    let matches = by_facts(&lines, &mut bookings, terms.tolerance, terms.window_ms);
    let rows: Vec<_> = matches.iter().map(|found| LineUpdate::of(id, found)).collect();
    guard("statement_lines", tx.execute(&UPDATE_LINES, &rows).await?, rows.len())
}
