//! The contents of a statement: totals by state, lines and missing bookings, faults, changes since the previous version.

use domain::report::amount::{Amount, Sum};
use domain::statement::LineState;
use domain::statement::controls::{Control, Read};
use domain::statement::pieces::SameReason;
use domain::statement::totals::{OfState, Totals};

use super::states::state_of_missing;
use crate::{Error, Result, Store, read};

/// All lines of one state.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StateTotal {
    /// A name of [`LineState`].
    pub state: String,
    /// Lines or missing bookings.
    pub count: i64,
    /// Those that a person has accepted.
    pub accepted: i64,
    /// Their sum in the network's total, in USD micros.
    pub theirs_micros: i64,
    /// Their sum in our total, in USD micros.
    pub ours_micros: i64,
    /// Network's sum less ours of the accepted ones, in USD micros.
    pub accepted_micros: i64,
}

/// A line, or a booking without a line.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BreakRow {
    /// `line N`, or `KIND of reward N`.
    pub subject: String,
    /// Sort key of lists; lines come before bookings.
    pub place: i64,
    /// The line's number in the file; `None` for a booking.
    pub line: Option<i64>,
    /// A name of [`LineState`].
    pub state: String,
    /// The matching rule that set the state.
    pub rule: String,
    /// `credit` or `reversal`.
    pub kind: String,
    /// `None` if the line names none.
    pub tx_id: Option<String>,
    /// `None` if the line names none.
    pub user_id: Option<String>,
    /// `None` if the line names none.
    pub offer_id: Option<String>,
    /// The line's currency; `USD` for a booking.
    pub currency: String,
    /// The line's amount, in micros of `currency`; 0 for a booking.
    pub amount_micros: i64,
    /// Time of the line or booking, unix milliseconds.
    pub happened_at: Option<i64>,
    /// Business date of the line or booking.
    pub day: Option<String>,
    /// The matched or missing reward.
    pub reward_id: Option<i64>,
    /// Its part of the network's total, in USD micros.
    pub theirs_micros: i64,
    /// Its part of our total, in USD micros.
    pub ours_micros: i64,
    /// Set if a postback that arrived after matching closed it; unix milliseconds.
    pub closed_at: Option<i64>,
    /// The other statement that counts it.
    pub counted_in: Option<i64>,
    /// The person or token that accepted it.
    pub accepted_by: Option<String>,
    /// The reason given.
    pub accepted_reason: Option<String>,
}

/// A line that differs from the previous version.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ChangeRow {
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// Identifies the line in both versions, with `kind`.
    pub tx_id: String,
    /// `credit` or `reversal`.
    pub kind: String,
    /// Previous amount, in micros; `None` for an added line.
    pub before_micros: Option<i64>,
    /// Current amount, in micros; `None` for a removed line.
    pub now_micros: Option<i64>,
}

/// Lines and missing bookings of the statement $1, under the same columns. Missing bookings from $2 on are only pending.
/// The arguments are conditions on lines and on bookings, placed where they are read, so that a page of a long list reads
/// only its own rows.
macro_rules! breaks {
    () => {
        breaks!("", "")
    };
    ($lines:expr, $missing:expr) => {
        concat!(
            "SELECT breaks.*, accepted.actor AS accepted_by, accepted.reason AS accepted_reason
         FROM (
             SELECT * FROM (
             SELECT statement_id, 'line ' || CAST(line AS TEXT) AS subject, line, state, rule, kind, tx_id, user_id, offer_id,
                    currency, amount_micros, happened_at, day, reward_id, theirs_micros, ours_micros, closed_at,
                    counted_in, line AS place
             FROM statement_lines WHERE statement_id = $1 ",
            $lines,
            ") AS lines
             UNION ALL
             SELECT * FROM (
             SELECT statement_id, missing.kind || ' of reward ' || CAST(missing.reward_id AS TEXT),
                    CAST(NULL AS BIGINT), ",
            state_of_missing!(),
            ", 'period',
                    missing.kind, rewards.tx_id, rewards.user_id, rewards.offer_id, 'USD', 0, rewards.received_at,
                    missing.booked_on, missing.reward_id, 0, missing.ours_micros, CAST(NULL AS BIGINT),
                    counted_in,
                    1000000000 + 2 * missing.reward_id + CASE missing.kind WHEN 'credit' THEN 0 ELSE 1 END
             FROM statement_missing AS missing JOIN rewards ON rewards.id = missing.reward_id
             WHERE missing.statement_id = $1 ",
            $missing,
            ") AS bookings
         ) AS breaks
         LEFT JOIN statement_accepted AS accepted
              ON accepted.statement_id = breaks.statement_id AND accepted.subject = breaks.subject "
        )
    };
}
pub(super) use breaks;

/// By state; $1 and $2 as above. Each part is summed separately, so that a long statement is not held in memory.
const TOTALS: &str = concat!(
    "
    SELECT state, CAST(SUM(lines) AS BIGINT) AS count, CAST(SUM(accepted) AS BIGINT) AS accepted,
           CAST(SUM(theirs) AS BIGINT) AS theirs_micros, CAST(SUM(ours) AS BIGINT) AS ours_micros,
           CAST(SUM(accepted_difference) AS BIGINT) AS accepted_micros
    FROM (
        SELECT state, COUNT(*) AS lines, 0 AS accepted, SUM(theirs_micros) AS theirs, SUM(ours_micros) AS ours,
               0 AS accepted_difference
        FROM statement_lines WHERE statement_id = $1 GROUP BY state
        UNION ALL
        SELECT ",
    state_of_missing!(),
    ", COUNT(*), 0, 0, SUM(ours_micros), 0
        FROM statement_missing AS missing WHERE statement_id = $1 GROUP BY 1
        UNION ALL
        SELECT lines.state, 0, COUNT(*), 0, 0, SUM(theirs_micros - ours_micros)
        FROM statement_accepted AS accepted JOIN statement_lines AS lines
             ON lines.statement_id = accepted.statement_id
            AND lines.line = accepted.line
        WHERE accepted.statement_id = $1 GROUP BY lines.state
        UNION ALL
        SELECT ",
    state_of_missing!(),
    ", 0, COUNT(*), 0, 0, SUM(-ours_micros)
        FROM statement_accepted AS accepted JOIN statement_missing AS missing
             ON missing.statement_id = accepted.statement_id AND missing.kind = accepted.kind
            AND missing.reward_id = accepted.reward_id
        WHERE accepted.statement_id = $1 GROUP BY 1
    ) AS parts
    GROUP BY state ORDER BY state"
);

/// A page of lines and bookings of one state.
const BREAKS: &str = concat!(
    breaks!(
        "AND state = $3 AND line > $4 ORDER BY line LIMIT $5",
        concat!(
            "AND ",
            state_of_missing!(),
            " = $3
         AND missing.reward_id >= ($4 - 1000000000) / 2
         AND 1000000000 + 2 * missing.reward_id + CASE missing.kind WHEN 'credit' THEN 0 ELSE 1 END > $4
         ORDER BY missing.reward_id, missing.kind LIMIT $5"
        )
    ),
    "ORDER BY place LIMIT $5"
);

/// Lines of $1 that $2 does not have or has with another amount, and lines of $2 that $1 does not have.
const CHANGES: &str = "
    SELECT change, tx_id, kind, before_micros, now_micros FROM (
        SELECT CASE WHEN old.line IS NULL THEN 'added' ELSE 'changed' END AS change, new.tx_id, new.kind,
               old.amount_micros AS before_micros, new.amount_micros AS now_micros
        FROM statement_lines AS new
        LEFT JOIN statement_lines AS old
             ON old.statement_id = $2 AND old.tx_id = new.tx_id AND old.kind = new.kind AND old.state <> 'duplicate'
        WHERE new.statement_id = $1 AND new.tx_id IS NOT NULL AND new.state <> 'duplicate'
          AND (old.line IS NULL OR old.amount_micros <> new.amount_micros OR old.currency <> new.currency)
        UNION ALL
        SELECT 'removed', old.tx_id, old.kind, old.amount_micros, NULL
        FROM statement_lines AS old
        WHERE old.statement_id = $2 AND old.tx_id IS NOT NULL AND old.state <> 'duplicate'
          AND NOT EXISTS (SELECT 1 FROM statement_lines AS new
                          WHERE new.statement_id = $1 AND new.tx_id = old.tx_id AND new.kind = old.kind)
    ) AS changes
    ORDER BY change, tx_id, kind LIMIT $3";

impl Store {
    /// The totals of a statement by state. Bookings without a line from `pending_from` on are pending.
    pub async fn statement_totals(&self, id: i64, pending_from: &str) -> Result<Vec<StateTotal>> {
        Ok(read!(self, pool => sqlx::query_as(TOTALS)
            .bind(id).bind(pending_from).fetch_all(pool).await)?)
    }

    /// Up to `limit` lines and missing bookings of one state after `after` (see [`BreakRow::place`]).
    pub async fn statement_breaks(
        &self,
        id: i64,
        pending_from: &str,
        state: LineState,
        after: i64,
        limit: i64,
    ) -> Result<Vec<BreakRow>> {
        Ok(read!(self, pool => sqlx::query_as(BREAKS)
            .bind(id).bind(pending_from).bind(state.name()).bind(after).bind(limit).fetch_all(pool).await)?)
    }

    /// Up to `limit` distinct reasons why lines cannot be read, by their first line.
    pub async fn statement_fault_reasons(&self, id: i64, limit: i64) -> Result<Vec<SameReason>> {
        let found: Vec<(i64, i64, String)> = read!(self, pool => sqlx::query_as(
            "SELECT MIN(line), COUNT(*), reason FROM statement_faults WHERE statement_id = $1
             GROUP BY reason ORDER BY 1 LIMIT $2"
        ).bind(id).bind(limit).fetch_all(pool).await)?;
        Ok(found.into_iter().map(|(line, count, reason)| SameReason { line, count, reason }).collect())
    }

    /// Up to `limit` unreadable lines after the line `after`: number and reason.
    pub async fn statement_faults(&self, id: i64, after: i64, limit: i64) -> Result<Vec<(i64, String)>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT line, reason FROM statement_faults WHERE statement_id = $1 AND line > $2 ORDER BY line LIMIT $3"
        ).bind(id).bind(after).bind(limit).fetch_all(pool).await)?)
    }

    /// The control totals stated in the file, and the totals of its lines in the file's `currency`.
    pub async fn statement_controls(&self, id: i64, currency: &str) -> Result<(Vec<(Control, i64)>, Read)> {
        let stated: Vec<(String, i64)> = read!(self, pool => sqlx::query_as(
            "SELECT name, stated FROM statement_controls WHERE statement_id = $1 ORDER BY line"
        ).bind(id).fetch_all(pool).await)?;
        let sums: (i64, i64, i64, i64) = read!(self, pool => sqlx::query_as(
            "SELECT COUNT(CASE WHEN kind = 'credit' THEN 1 END), COUNT(CASE WHEN kind = 'reversal' THEN 1 END),
                    CAST(COALESCE(SUM(CASE WHEN kind = 'credit' AND currency = $2 THEN amount_micros ELSE 0 END), 0)
                        AS BIGINT),
                    CAST(COALESCE(SUM(CASE WHEN kind = 'reversal' AND currency = $2 THEN amount_micros ELSE 0 END), 0)
                        AS BIGINT)
             FROM statement_lines WHERE statement_id = $1"
        ).bind(id).bind(currency).fetch_one(pool).await)?;
        let faulty: i64 = read!(self, pool => sqlx::query_scalar(
            "SELECT COUNT(*) FROM statement_faults WHERE statement_id = $1"
        ).bind(id).fetch_one(pool).await)?;
        let (credits, reversals, credited, reversed) = sums;
        let read =
            Read { credits: Sum::new(credits, credited), reversals: Sum::new(reversals, reversed), faulty };
        let stated = stated.into_iter().filter_map(|(name, stated)| Some((Control::parse(&name)?, stated)));
        Ok((stated.collect(), read))
    }

    /// Up to `limit` lines that were added, removed or changed since the `earlier` statement.
    pub async fn statement_changes(&self, id: i64, earlier: i64, limit: i64) -> Result<Vec<ChangeRow>> {
        Ok(read!(self, pool => sqlx::query_as(CHANGES)
            .bind(id).bind(earlier).bind(limit).fetch_all(pool).await)?)
    }

    /// The previous version: the newest statement that it superseded.
    pub async fn statement_before(&self, id: i64) -> Result<Option<i64>> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT MAX(id) FROM statements WHERE superseded_by = $1"
        ).bind(id).fetch_one(pool).await)?)
    }
}

/// The overall totals from the rows of [`Store::statement_totals`].
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
