//! The end of matching: bookings without a line, day by day; accepted differences that a new version keeps; and lines that
//! close later, when their postback arrives.

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::statement::matching::by_id;
use domain::time::TimestampMs;

use super::import::MatchTerms;
use super::rows::{LineUpdate, OpenRow};
use super::states::with_booking;
use super::{StatementRow, bookings, counting, held};
use crate::db::sql::{Column, LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};
use crate::{Result, Store, read};

use Column::{Int, Text};

/// Lines matched again in one transaction.
const STEP_LATE: i64 = 500;

/// Another statement of the source that counts a booking; not one that this statement supersedes.
macro_rules! counted_elsewhere {
    () => {
        concat!("(SELECT MIN(others.id) FROM statements AS others
          WHERE others.id <> $1 AND others.source = $4 AND others.state = 'matched' AND others.superseded_by IS NULL
            AND NOT EXISTS (SELECT 1 FROM statement_supersedes AS said
                            WHERE said.statement_id = $1 AND said.superseded_id = others.id)
            AND (EXISTS (SELECT 1 FROM statement_lines AS theirs
                         WHERE theirs.reward_id = booked.reward_id AND theirs.statement_id = others.id
                           AND theirs.kind = booked.kind
                           AND theirs.state IN ", with_booking!(), ")
              OR EXISTS (SELECT 1 FROM statement_sums AS theirs
                         WHERE theirs.reward_id = booked.reward_id AND theirs.statement_id = others.id
                           AND theirs.kind = booked.kind)))")
    };
}

/// The next day from $1 to $2 and after $3 with any booking, so that days without bookings are skipped.
static NEXT_DAY: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT MIN(business_date) FROM steps WHERE business_date BETWEEN $1 AND $2 AND business_date > $3",
        &[],
    )
});

/// Bookings from $2 to $3 that no line of the statement has. Partial reversals of a reward are one reversal, and approving
/// it again cancels its reversal.
static INSERT_MISSING: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            "INSERT INTO statement_missing (statement_id, reward_id, kind, state, booked_on, ours_micros, counted_in)
         SELECT $1, booked.reward_id, booked.kind,
                CASE WHEN booked.kind = 'reversal' AND EXISTS (
                     SELECT 1 FROM statement_lines AS lines
                     WHERE lines.reward_id = booked.reward_id AND lines.statement_id = $1 AND lines.kind = 'credit'
                       AND lines.state IN ", with_booking!(), ")
                THEN 'status_differs' ELSE 'missing_there' END,
                booked.business_date, booked.ours_micros, ",
            counted_elsewhere!(),
            "
         FROM (
             SELECT moved.reward_id, MAX(moved.business_date) AS business_date, moved.kind,
                    CAST(SUM(moved.ours_micros) AS BIGINT) AS ours_micros, MAX(moved.again) AS again
             FROM (
                 SELECT steps.reward_id, steps.business_date,
                        CASE WHEN steps.step IN ('credit', 'hold')
                               OR (steps.step = 'reapprove' AND first.step = 'reverse_unseen')
                             THEN 'credit' ELSE 'reversal' END AS kind,
                        CASE WHEN steps.step IN ('credit', 'hold', 'reapprove') THEN 1 ELSE -1 END
                            * COALESCE(steps.part_payout_micros, payout_micros, 0) AS ours_micros,
                        CASE WHEN steps.step = 'reapprove' THEN 1 ELSE 0 END AS again
                 FROM steps JOIN rewards ON rewards.id = steps.reward_id
                 JOIN steps AS first ON first.reward_id = rewards.id AND first.seq = 1
                 WHERE steps.business_date BETWEEN $2 AND $3 AND rewards.source = $4
                   AND steps.step IN ('credit', 'hold', 'reapprove', 'reverse_credited', 'reverse_held',
                                      'reverse_rejected', 'reverse_credited_part', 'reverse_held_part',
                                      'reverse_rejected_part')
             ) AS moved
             GROUP BY moved.reward_id, moved.kind
         ) AS booked
         WHERE (booked.kind = 'credit' OR booked.again = 0 OR booked.ours_micros <> 0) AND NOT EXISTS (
             SELECT 1 FROM statement_lines AS lines
             WHERE lines.reward_id = booked.reward_id AND lines.statement_id = $1 AND lines.kind = booked.kind
               AND lines.state IN ", with_booking!(), ")
           AND NOT EXISTS (
             SELECT 1 FROM statement_sums AS sums
             WHERE sums.statement_id = $1 AND sums.reward_id = booked.reward_id AND sums.kind = booked.kind)
         ON CONFLICT (statement_id, reward_id, kind) DO UPDATE
         SET ours_micros = statement_missing.ours_micros + excluded.ours_micros"
        ),
        &[],
    )
});

static MISSING_UPTO: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements SET missing_upto = $2, tries = 0 WHERE id = $1 AND state = 'matching'",
        &[],
    )
});

static FINISH: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statements
         SET state = 'matched',
             version = 1 + COALESCE((SELECT MAX(others.version)
                                     FROM statement_supersedes JOIN statements AS others ON others.id = superseded_id
                                     WHERE statement_id = $1), 0)
         WHERE id = $1 AND state = 'matching'",
        &[],
    )
});

/// Accepted differences of a superseded statement stay accepted in the new one if they are the same. Lines with a
/// transaction are compared by it.
static KEEP_LINES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_accepted (statement_id, subject, actor, reason, accepted_at)
         SELECT new.statement_id, 'line ' || CAST(new.line AS TEXT), accepted.actor, accepted.reason,
                accepted.accepted_at
         FROM statement_supersedes AS said
         JOIN statement_accepted AS accepted ON accepted.statement_id = said.superseded_id
         JOIN statement_lines AS old ON old.statement_id = accepted.statement_id
              AND old.line = accepted.line
         JOIN statement_lines AS new ON new.tx_id = old.tx_id AND new.statement_id = said.statement_id
              AND new.kind = old.kind AND new.state = old.state AND new.theirs_micros = old.theirs_micros
              AND new.ours_micros = old.ours_micros AND new.amount_micros = old.amount_micros
              AND new.currency = old.currency
         WHERE said.statement_id = $1
         ON CONFLICT DO NOTHING",
        &[],
    )
});

/// Lines without a transaction are compared by all their values.
static KEEP_NAMELESS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_accepted (statement_id, subject, actor, reason, accepted_at)
         WITH old AS MATERIALIZED (
             SELECT lines.*, accepted.actor, accepted.reason, accepted.accepted_at
             FROM statement_supersedes AS said
             JOIN statement_accepted AS accepted ON accepted.statement_id = said.superseded_id
             JOIN statement_lines AS lines ON lines.statement_id = accepted.statement_id
                  AND lines.line = accepted.line
             WHERE said.statement_id = $1 AND lines.tx_id IS NULL
         ), new AS MATERIALIZED (
             SELECT * FROM statement_lines WHERE statement_id = $1 AND tx_id IS NULL
               AND EXISTS (SELECT 1 FROM old)
         )
         SELECT new.statement_id, 'line ' || CAST(new.line AS TEXT), old.actor, old.reason, old.accepted_at
         FROM old JOIN new ON new.theirs_micros = old.theirs_micros AND new.ours_micros = old.ours_micros
              AND new.kind = old.kind AND new.state = old.state AND new.amount_micros = old.amount_micros
              AND new.currency = old.currency AND COALESCE(new.day, '') = COALESCE(old.day, '')
              AND COALESCE(new.user_id, '') = COALESCE(old.user_id, '')
              AND COALESCE(new.offer_id, '') = COALESCE(old.offer_id, '')
              AND COALESCE(new.event_id, '') = COALESCE(old.event_id, '')
         WHERE true
         ON CONFLICT DO NOTHING",
        &[],
    )
});

/// Bookings that are missing in both statements.
static KEEP_MISSING: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO statement_accepted (statement_id, subject, actor, reason, accepted_at)
         SELECT new.statement_id, subject, accepted.actor, accepted.reason, accepted.accepted_at
         FROM statement_supersedes AS said
         JOIN statement_accepted AS accepted ON accepted.statement_id = said.superseded_id
         JOIN statement_missing AS new ON new.statement_id = said.statement_id
              AND new.kind = accepted.kind
              AND new.reward_id = accepted.reward_id
              AND new.counted_in IS NULL
         WHERE said.statement_id = $1
         ON CONFLICT DO NOTHING",
        &[],
    )
});

/// Bookings that other statements missed and a line of this one has.
static FOUND_HERE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            "UPDATE statement_missing SET counted_in = $1
         WHERE statement_id <> $1 AND counted_in IS NULL
           AND statement_id IN (SELECT id FROM statements WHERE source = $2)
           AND (EXISTS (SELECT 1 FROM statement_lines AS lines
                        WHERE lines.reward_id = statement_missing.reward_id AND lines.statement_id = $1
                          AND lines.kind = statement_missing.kind
                          AND lines.state IN ",
            with_booking!(),
            ")
             OR EXISTS (SELECT 1 FROM statement_sums AS sums
                        WHERE sums.reward_id = statement_missing.reward_id AND sums.statement_id = $1
                          AND sums.kind = statement_missing.kind))"
        ),
        &[],
    )
});

/// Lines whose credit or reversal was missing here when they were matched, and has arrived since. `+ 0` makes the planner
/// use the index by state: by number it would scan every line.
const LATE: &str = "
    SELECT lines.statement_id, lines.line, lines.tx_id, lines.kind, lines.user_id, lines.offer_id, lines.event_id,
           lines.amount_micros, lines.currency, lines.happened_at, lines.day, lines.count
    FROM statement_lines AS lines JOIN statements ON statements.id = lines.statement_id
    JOIN rewards ON rewards.source = statements.source AND rewards.event_key = lines.tx_id
    WHERE lines.statement_id = $1 AND lines.line + 0 > $2 AND statements.state = 'matched'
      AND lines.state IN ('missing_here', 'orphan_reversal', 'status_differs')
      AND ((lines.state = 'missing_here' AND lines.kind = 'credit')
        OR (lines.state <> 'missing_here' AND lines.kind = 'reversal' AND rewards.status = 'reversed'))
    ORDER BY lines.line LIMIT $3";

static CLOSE_LINES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE statement_lines
         SET state = given.state, rule = given.rule, reward_id = given.reward_id,
             theirs_micros = given.theirs_micros, ours_micros = given.ours_micros, closed_at = given.closed_at
         FROM {given}
         WHERE statement_lines.statement_id = given.statement_id AND statement_lines.line = given.line
           AND statement_lines.state IN ('missing_here', 'orphan_reversal', 'status_differs')",
        &[
            Int("statement_id"),
            Int("line"),
            Text("state"),
            Text("rule"),
            Int("reward_id"),
            Int("theirs_micros"),
            Int("ours_micros"),
            Int("closed_at"),
        ],
    )
});

/// The booking of a line that was closed is no longer missing.
static CLOSE_MISSING: LazyStatement = LazyLock::new(|| {
    Statement::new(
        concat!(
            "UPDATE statement_missing SET counted_in = given.statement_id
         FROM {given}
         WHERE statement_missing.reward_id = given.reward_id AND statement_missing.counted_in IS NULL
           AND EXISTS (SELECT 1 FROM statement_lines AS lines
                       WHERE lines.statement_id = given.statement_id AND lines.line = given.line
                         AND lines.kind = statement_missing.kind
                         AND lines.state IN ",
            with_booking!(),
            ")"
        ),
        &[Int("statement_id"), Int("line"), Int("reward_id")],
    )
});

/// Searches the next day of the period for bookings without a line; after the last day, marks the statement as matched.
pub(super) async fn next_day(tx: &mut Tx, statement: &StatementRow) -> Result<()> {
    let id = statement.id;
    let (Some(from), Some(to)) = (&statement.period_from, &statement.period_to) else {
        return finish(tx, statement).await;
    };
    let done = statement.missing_upto.as_deref().unwrap_or_default();
    let next: Option<String> = with_statement!(tx, NEXT_DAY, |sql, connection| sqlx::query_scalar(sql)
        .bind(from)
        .bind(to)
        .bind(done)
        .fetch_one(connection)
        .await?);
    let Some(next) = next else { return finish(tx, statement).await };
    with_statement!(tx, INSERT_MISSING, |sql, connection| {
        let insert = sqlx::query(sql).bind(id).bind(&next).bind(&next).bind(&statement.source);
        insert.execute(connection).await?;
    });
    let done = with_statement!(tx, MISSING_UPTO, |sql, connection| sqlx::query(sql)
        .bind(id)
        .bind(&next)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", done, 1)
}

async fn finish(tx: &mut Tx, statement: &StatementRow) -> Result<()> {
    let (id, source) = (statement.id, statement.source.as_str());
    let done = with_statement!(tx, FINISH, |sql, connection| sqlx::query(sql)
        .bind(id)
        .execute(connection)
        .await?
        .rows_affected());
    guard("statements", done, 1)?;
    for statement in [&KEEP_LINES, &KEEP_NAMELESS, &KEEP_MISSING] {
        with_statement!(tx, statement, |sql, connection| {
            sqlx::query(sql).bind(id).execute(connection).await?;
        });
    }
    // Steps have no clock; the start of the import is close enough for the audit.
    let now = TimestampMs(statement.begun_at.unwrap_or(statement.received_at));
    counting::supersede(tx, statement, now).await?;
    with_statement!(tx, FOUND_HERE, |sql, connection| {
        sqlx::query(sql).bind(id).bind(source).execute(connection).await?;
    });
    Ok(())
}

impl Store {
    /// Counting statements with lines that may still close: id and source.
    pub async fn statements_with_open_lines(&self) -> Result<Vec<(i64, String)>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source FROM statements
             WHERE state = 'matched' AND superseded_by IS NULL
               AND EXISTS (SELECT 1 FROM statement_lines AS lines WHERE lines.statement_id = statements.id
                           AND lines.state IN ('missing_here', 'orphan_reversal', 'status_differs'))
             ORDER BY id DESC"
        ).fetch_all(pool).await)?)
    }

    /// Closes lines of a matched statement whose postback has arrived since; returns their number.
    pub async fn close_late_lines(&self, id: i64, terms: MatchTerms, now: TimestampMs) -> Result<usize> {
        let (mut closed, mut after) = (0, 0);
        loop {
            let late: Vec<OpenRow> = read!(self, pool => sqlx::query_as(LATE)
                .bind(id).bind(after).bind(STEP_LATE).fetch_all(pool).await)?;
            let Some(last) = late.last() else { return Ok(closed) };
            after = last.line;
            closed +=
                self.write(move |tx| Box::pin(async move { close(tx, id, late, terms, now).await })).await?;
        }
    }
}

async fn close(
    tx: &mut Tx,
    id: i64,
    late: Vec<OpenRow>,
    terms: MatchTerms,
    now: TimestampMs,
) -> Result<usize> {
    let Some(statement) = held(tx, id).await?.filter(|row| row.state == "matched") else { return Ok(0) };
    let lines = late.into_iter().map(OpenRow::line).collect::<Result<Vec<_>>>()?;
    let ids: HashSet<&str> = lines.iter().filter_map(|line| line.tx_id.as_deref()).collect();
    let mut bookings = bookings::booked(tx, &statement, &ids).await?;
    let matches = by_id(&lines, &mut bookings, terms.tolerance);
    let rows: Vec<_> = matches
        .iter()
        .filter(|found| found.state.has_booking())
        .map(|found| LineUpdate { closed_at: Some(now.0), ..LineUpdate::of(id, found) })
        .collect();
    if rows.is_empty() {
        return Ok(0);
    }
    tx.execute(&CLOSE_LINES, &rows).await?;
    tx.execute(&CLOSE_MISSING, &rows).await?;
    Ok(rows.len())
}
