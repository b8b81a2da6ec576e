//! Reading and matching a statement, step by step: each step is one transaction with a fixed number of statements, and
//! says in the same transaction that it is done. Whoever is killed goes on with the step that was not.

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::network::Kind;
use domain::report::amount::Amount;
use domain::statement::format::Format;
use domain::statement::matching::{Booking, Known, Match, Tolerance, by_facts, by_id};
use domain::statement::pieces::Piece;
use domain::statement::{LineState, StatementLine, kind_name, parse_kind};
use domain::time::TimestampMs;
use serde::Serialize;

use crate::statement::{Column, LazyStatement, Statement};
use crate::statements::StatementRow;
use crate::unit::{Tx, guard, with_statement};
use crate::{Error, Result, Store};

use Column::{Int, Text};

/// Lines that are matched by facts in one transaction.
const STEP_LINES: i64 = 1_000;

/// What holds for matching.
#[derive(Clone, Copy, Debug)]
pub struct MatchTerms {
    /// By how much an amount may differ.
    pub tolerance: Tolerance,
    /// How far the times of a line and a booking may be apart, in milliseconds.
    pub window_ms: i64,
}

/// How far a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to do.
    More,
    /// It is read and matched.
    Done,
}

static STATEMENT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, source, file_name, file_hash, state, version, format, chunks, chunks_done, period_from,
                period_to, actor, received_at
         FROM statements WHERE id = $1 {for_update}",
        &[],
    )
});

static CHUNK: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT first_line, content FROM statement_chunks WHERE statement_id = $1 AND seq = $2",
        &[],
    )
});

/// The first rule: by transaction id, which is the event key.
static BY_TX: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT rewards.id, rewards.tx_id, rewards.user_id, rewards.offer_id, rewards.event_id,
                COALESCE(payout_micros, 0) AS payout_micros, received_at, status,
                CAST(CASE WHEN steps.step IN ('credit', 'hold') THEN 1 ELSE 0 END AS BIGINT) AS approved
         FROM {given} JOIN rewards ON rewards.event_key = given.event_key AND rewards.source = given.source
         JOIN steps ON steps.reward_id = rewards.id AND steps.seq = 1",
        &[Text("event_key"), Text("source")],
    )
});

/// The second: of the same user and offer.
static BY_USER: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT rewards.id, rewards.tx_id, rewards.user_id, rewards.offer_id, rewards.event_id,
                COALESCE(payout_micros, 0) AS payout_micros, received_at, status,
                CAST(CASE WHEN steps.step IN ('credit', 'hold') THEN 1 ELSE 0 END AS BIGINT) AS approved
         FROM {given} JOIN rewards ON rewards.user_id = given.user_id AND rewards.source = given.source
              AND rewards.offer_id = given.offer_id
         JOIN steps ON steps.reward_id = rewards.id AND steps.seq = 1
         ORDER BY rewards.id",
        &[Text("user_id"), Text("source"), Text("offer_id")],
    )
});

static SEEN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT DISTINCT lines.tx_id, lines.kind
         FROM {given} JOIN statement_lines AS lines
              ON lines.statement_id = given.statement_id AND lines.tx_id = given.tx_id",
        &[Int("statement_id"), Text("tx_id")],
    )
});

static TAKEN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT DISTINCT lines.reward_id, lines.kind
         FROM {given} JOIN statement_lines AS lines
              ON lines.reward_id = given.reward_id AND lines.statement_id = given.statement_id
         WHERE lines.state IN ('matched', 'matched_in_tolerance', 'amount_differs', 'currency_differs')",
        &[Int("statement_id"), Int("reward_id")],
    )
});

static INSERT_LINES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_lines (statement_id, line, tx_id, kind, user_id, offer_id, event_id, amount_micros,
                                      currency, happened_at, day, state, rule, reward_id, theirs_micros, ours_micros)
         SELECT statement_id, line, tx_id, kind, user_id, offer_id, event_id, amount_micros,
                currency, happened_at, day, state, rule, reward_id, theirs_micros, ours_micros FROM {given}",
        &[
            Int("statement_id"),
            Int("line"),
            Text("tx_id"),
            Text("kind"),
            Text("user_id"),
            Text("offer_id"),
            Text("event_id"),
            Int("amount_micros"),
            Text("currency"),
            Int("happened_at"),
            Text("day"),
            Text("state"),
            Text("rule"),
            Int("reward_id"),
            Int("theirs_micros"),
            Int("ours_micros"),
        ],
    )
});

static INSERT_FAULTS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_faults (statement_id, line, reason)
         SELECT statement_id, line, reason FROM {given} WHERE true ON CONFLICT DO NOTHING",
        &[Int("statement_id"), Int("line"), Text("reason")],
    )
});

static CHUNK_DONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET chunks_done = chunks_done + 1,
                state = CASE WHEN chunks_done + 1 = chunks THEN 'matching' ELSE state END
         WHERE id = $1 AND chunks_done = $2 AND state = 'importing'",
        &[],
    )
});

static OPEN_LINES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT line, tx_id, kind, user_id, offer_id, event_id, amount_micros, currency, happened_at
         FROM statement_lines WHERE statement_id = $1 AND state = 'open' ORDER BY line LIMIT $2",
        &[],
    )
});

static UPDATE_LINES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statement_lines
         SET state = given.state, rule = given.rule, reward_id = given.reward_id,
             theirs_micros = given.theirs_micros, ours_micros = given.ours_micros
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
        ],
    )
});

static PERIOD: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT MIN(day), MAX(day) FROM statement_lines WHERE statement_id = $1", &[])
});

/// What was booked in the period, and what no line of the statement has.
static INSERT_MISSING: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_missing (statement_id, reward_id, kind, state, booked_on, ours_micros)
         SELECT $1, booked.reward_id, booked.kind,
                CASE WHEN booked.kind = 'reversal' AND EXISTS (
                     SELECT 1 FROM statement_lines AS lines
                     WHERE lines.reward_id = booked.reward_id AND lines.statement_id = $1 AND lines.kind = 'credit'
                       AND lines.state IN ('matched', 'matched_in_tolerance', 'amount_differs', 'currency_differs'))
                THEN 'status_differs' ELSE 'missing_there' END,
                booked.business_date, booked.ours_micros
         FROM (
             SELECT steps.reward_id, steps.business_date,
                    CASE WHEN step IN ('credit', 'hold') THEN 'credit' ELSE 'reversal' END AS kind,
                    CASE WHEN step IN ('credit', 'hold') THEN COALESCE(payout_micros, 0)
                         ELSE -COALESCE(payout_micros, 0) END AS ours_micros
             FROM steps JOIN rewards ON rewards.id = steps.reward_id
             WHERE steps.business_date BETWEEN $2 AND $3 AND rewards.source = $4
               AND step IN ('credit', 'hold', 'reverse_credited', 'reverse_held', 'reverse_rejected')
         ) AS booked
         WHERE NOT EXISTS (
             SELECT 1 FROM statement_lines AS lines
             WHERE lines.reward_id = booked.reward_id AND lines.statement_id = $1 AND lines.kind = booked.kind
               AND lines.state IN ('matched', 'matched_in_tolerance', 'amount_differs', 'currency_differs'))
         ON CONFLICT DO NOTHING",
        &[],
    )
});

static FINISH: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements
         SET state = 'matched', period_from = $2, period_to = $3,
             version = (SELECT COUNT(*) + 1 FROM statements AS others
                        WHERE others.source = statements.source AND others.id < statements.id
                          AND others.state = 'matched' AND others.period_from <= $3 AND others.period_to >= $2)
         WHERE id = $1 AND state = 'matching'",
        &[],
    )
});

impl Store {
    /// Reads and matches the next part of a statement.
    pub async fn statement_step(&self, id: i64, terms: MatchTerms) -> Result<Step> {
        self.write(move |tx| Box::pin(async move { step(tx, id, terms).await })).await
    }
}

async fn step(tx: &mut Tx, id: i64, terms: MatchTerms) -> Result<Step> {
    let statement: Option<StatementRow> =
        with_statement!(tx, STATEMENT, |sql, connection| sqlx::query_as(sql)
            .bind(id)
            .fetch_optional(connection)
            .await?);
    let Some(statement) = statement else { return Ok(Step::Done) };
    match statement.state.as_str() {
        "importing" => import(tx, &statement, terms).await.map(|()| Step::More),
        "matching" => by_facts_or_finish(tx, &statement, terms).await.map(|()| Step::More),
        _ => Ok(Step::Done),
    }
}

async fn chunk(tx: &mut Tx, id: i64, seq: i64) -> Result<Piece> {
    let found: Option<(i64, String)> = with_statement!(tx, CHUNK, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(seq)
        .fetch_optional(connection)
        .await?);
    let (first_line, content) =
        found.ok_or_else(|| Error::Aborted(format!("piece {seq} of statement {id} is gone")))?;
    Ok(Piece { first_line, content })
}

async fn import(tx: &mut Tx, statement: &StatementRow, terms: MatchTerms) -> Result<()> {
    let id = statement.id;
    let format: Format = serde_json::from_str(&statement.format).map_err(|error| Error::Corrupt {
        table: "statements",
        column: "format",
        row: id,
        found: error.to_string(),
    })?;
    let first = chunk(tx, id, 0).await?;
    let reader = format.reader_of(&first.content).map_err(Error::Unfit)?;
    let piece = if statement.chunks_done == 0 { first } else { chunk(tx, id, statement.chunks_done).await? };
    let read = format.read(&reader, &piece);
    let ids: HashSet<&str> = read.lines.iter().filter_map(|line| line.tx_id.as_deref()).collect();
    let mut known = Known::default();
    if !ids.is_empty() {
        let source = statement.source.as_str();
        let keys: Vec<_> = ids.iter().map(|event_key| KeyRow { event_key, source }).collect();
        let bookings: Vec<BookingRow> = tx.fetch(&BY_TX, &keys).await?;
        known.by_tx = bookings.into_iter().map(|row| (row.tx_id.clone(), row.into())).collect();
        let seen: Vec<_> = ids.iter().map(|tx_id| SeenRow { statement_id: id, tx_id }).collect();
        for (tx_id, kind) in tx.fetch::<(String, String)>(&SEEN, &seen).await? {
            known.seen.insert((tx_id, kind_of(&kind, id)?));
        }
        let rewards: Vec<i64> = known.by_tx.values().map(|booking| booking.reward_id).collect();
        known.taken = taken(tx, id, &rewards).await?;
    }
    let matches = by_id(&read.lines, &mut known, terms.tolerance);
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
    let done = with_statement!(tx, CHUNK_DONE, |sql, connection| sqlx::query(sql)
        .bind(id)
        .bind(statement.chunks_done)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", done, 1)
}

async fn taken(tx: &mut Tx, id: i64, rewards: &[i64]) -> Result<HashSet<(i64, Kind)>> {
    if rewards.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<_> =
        rewards.iter().map(|reward_id| TakenRow { statement_id: id, reward_id: *reward_id }).collect();
    let found: Vec<(i64, String)> = tx.fetch(&TAKEN, &rows).await?;
    found.into_iter().map(|(reward, kind)| Ok((reward, kind_of(&kind, id)?))).collect()
}

async fn by_facts_or_finish(tx: &mut Tx, statement: &StatementRow, terms: MatchTerms) -> Result<()> {
    let id = statement.id;
    let open: Vec<OpenRow> = with_statement!(tx, OPEN_LINES, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(STEP_LINES)
        .fetch_all(connection)
        .await?);
    if open.is_empty() {
        return finish(tx, statement).await;
    }
    let lines = open.into_iter().map(|row| row.line(id)).collect::<Result<Vec<_>>>()?;
    let pairs: HashSet<(&str, &str)> =
        lines.iter().filter_map(|line| Some((line.user_id.as_deref()?, line.offer_id.as_deref()?))).collect();
    let mut known = Known::default();
    if !pairs.is_empty() {
        let source = statement.source.as_str();
        let keys: Vec<_> =
            pairs.iter().map(|&(user_id, offer_id)| UserRow { user_id, source, offer_id }).collect();
        let bookings: Vec<BookingRow> = tx.fetch(&BY_USER, &keys).await?;
        let rewards: Vec<i64> = bookings.iter().map(|row| row.id).collect();
        known.taken = taken(tx, id, &rewards).await?;
        for row in bookings {
            known.by_user.entry(row.user_id.clone()).or_default().push(row.into());
        }
    }
    let matches = by_facts(&lines, &mut known, terms.tolerance, terms.window_ms);
    let rows: Vec<_> = matches.iter().map(|found| LineUpdate::of(id, found)).collect();
    guard("statement_lines", tx.execute(&UPDATE_LINES, &rows).await?, rows.len())
}

async fn finish(tx: &mut Tx, statement: &StatementRow) -> Result<()> {
    let id = statement.id;
    let (from, to): (Option<String>, Option<String>) =
        with_statement!(tx, PERIOD, |sql, connection| sqlx::query_as(sql)
            .bind(id)
            .fetch_one(connection)
            .await?);
    let from = statement.period_from.clone().or(from);
    let to = statement.period_to.clone().or(to);
    if let (Some(from), Some(to)) = (&from, &to) {
        with_statement!(tx, INSERT_MISSING, |sql, connection| {
            sqlx::query(sql).bind(id).bind(from).bind(to).bind(&statement.source).execute(connection).await?;
        });
    }
    let done = with_statement!(tx, FINISH, |sql, connection| sqlx::query(sql)
        .bind(id)
        .bind(from)
        .bind(to)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", done, 1)
}

fn kind_of(name: &str, row: i64) -> Result<Kind> {
    parse_kind(name).ok_or_else(|| Error::Corrupt {
        table: "statement_lines",
        column: "kind",
        row,
        found: name.to_owned(),
    })
}

#[derive(Serialize)]
struct KeyRow<'a> {
    event_key: &'a str,
    source: &'a str,
}

#[derive(Serialize)]
struct UserRow<'a> {
    user_id: &'a str,
    source: &'a str,
    offer_id: &'a str,
}

#[derive(Serialize)]
struct SeenRow<'a> {
    statement_id: i64,
    tx_id: &'a str,
}

#[derive(Serialize)]
struct TakenRow {
    statement_id: i64,
    reward_id: i64,
}

#[derive(Serialize)]
struct FaultInsert<'a> {
    statement_id: i64,
    line: i64,
    reason: &'a str,
}

#[derive(sqlx::FromRow)]
struct BookingRow {
    id: i64,
    tx_id: String,
    user_id: String,
    offer_id: Option<String>,
    event_id: Option<String>,
    payout_micros: i64,
    received_at: i64,
    status: String,
    approved: i64,
}

impl From<BookingRow> for Booking {
    fn from(row: BookingRow) -> Self {
        Self {
            reward_id: row.id,
            tx_id: row.tx_id,
            user_id: row.user_id,
            offer_id: row.offer_id,
            event_id: row.event_id,
            payout: Amount(row.payout_micros),
            received_at: row.received_at,
            approved: row.approved != 0,
            reversed: row.status == "reversed",
        }
    }
}

#[derive(sqlx::FromRow)]
struct OpenRow {
    line: i64,
    tx_id: Option<String>,
    kind: String,
    user_id: Option<String>,
    offer_id: Option<String>,
    event_id: Option<String>,
    amount_micros: i64,
    currency: String,
    happened_at: Option<i64>,
}

impl OpenRow {
    fn line(self, statement_id: i64) -> Result<StatementLine> {
        Ok(StatementLine {
            number: self.line,
            tx_id: self.tx_id,
            kind: kind_of(&self.kind, statement_id)?,
            user_id: self.user_id,
            offer_id: self.offer_id,
            event_id: self.event_id,
            amount: Amount(self.amount_micros),
            currency: self.currency,
            at: self.happened_at.map(TimestampMs),
            day: None,
        })
    }
}

#[derive(Serialize)]
struct LineInsert<'a> {
    statement_id: i64,
    line: i64,
    tx_id: Option<&'a str>,
    kind: &'static str,
    user_id: Option<&'a str>,
    offer_id: Option<&'a str>,
    event_id: Option<&'a str>,
    amount_micros: i64,
    currency: &'a str,
    happened_at: Option<i64>,
    day: Option<&'a str>,
    state: &'static str,
    rule: &'static str,
    reward_id: Option<i64>,
    theirs_micros: i64,
    ours_micros: i64,
}

impl<'a> LineInsert<'a> {
    fn of(statement_id: i64, line: &'a StatementLine, found: &Match) -> Self {
        Self {
            statement_id,
            line: line.number,
            tx_id: line.tx_id.as_deref(),
            kind: kind_name(line.kind),
            user_id: line.user_id.as_deref(),
            offer_id: line.offer_id.as_deref(),
            event_id: line.event_id.as_deref(),
            amount_micros: line.amount.0,
            currency: &line.currency,
            happened_at: line.at.map(|at| at.0),
            day: line.day.as_deref(),
            state: found.state.name(),
            rule: found.rule,
            reward_id: found.reward_id,
            theirs_micros: found.theirs.0,
            ours_micros: found.ours.0,
        }
    }
}

#[derive(Serialize)]
struct LineUpdate {
    statement_id: i64,
    line: i64,
    state: &'static str,
    rule: &'static str,
    reward_id: Option<i64>,
    theirs_micros: i64,
    ours_micros: i64,
}

impl LineUpdate {
    fn of(statement_id: i64, found: &Match) -> Self {
        debug_assert!(found.state != LineState::Open, "every line ends in a state");
        Self {
            statement_id,
            line: found.number,
            state: found.state.name(),
            rule: found.rule,
            reward_id: found.reward_id,
            theirs_micros: found.theirs.0,
            ours_micros: found.ours.0,
        }
    }
}
