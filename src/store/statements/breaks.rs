//! What a statement holds: by state, line by line, and beside the version before it.

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
    /// When it was closed by what came after the statement had been matched.
    pub closed_at: Option<i64>,
    /// The other statement that counts it.
    pub counted_in: Option<i64>,
    /// Who accepted it.
    pub accepted_by: Option<String>,
    /// Why.
    pub accepted_reason: Option<String>,
}

/// A line that differs from the version before.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ChangeRow {
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// The transaction.
    pub tx_id: String,
    /// `credit` or `reversal`.
    pub kind: String,
    /// The amount before, in micros; `None` for an added line.
    pub before_micros: Option<i64>,
    /// The amount now; `None` for a removed one.
    pub now_micros: Option<i64>,
}

/// Lines and missing bookings of a statement ($1) under the same columns. What was booked on or after $2 is only
/// pending. What is given besides narrows lines and bookings down where they are read, so that a page of a long list
/// reads no more than itself.
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

/// By state; $1 and $2 as above. Every part is summed up by itself, so that nothing of a long statement is held in memory.
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

/// A page of them, of one state.
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

/// Lines of $1 whose twin in $2 is missing or has another amount, and lines of $2 that are gone.
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
    /// What a statement holds, by state. What was booked on or after `pending_from` and has no line is pending.
    pub async fn statement_totals(&self, id: i64, pending_from: &str) -> Result<Vec<StateTotal>> {
        Ok(read!(self, pool => sqlx::query_as(TOTALS)
            .bind(id).bind(pending_from).fetch_all(pool).await)?)
    }

    /// Lines and missing bookings of one state behind `after` (see [`BreakRow::place`]), at most `limit`.
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

    /// What is wrong with lines that cannot be read: the first `limit` reasons, each once.
    pub async fn statement_fault_reasons(&self, id: i64, limit: i64) -> Result<Vec<SameReason>> {
        let found: Vec<(i64, i64, String)> = read!(self, pool => sqlx::query_as(
            "SELECT MIN(line), COUNT(*), reason FROM statement_faults WHERE statement_id = $1
             GROUP BY reason ORDER BY 1 LIMIT $2"
        ).bind(id).bind(limit).fetch_all(pool).await)?;
        Ok(found.into_iter().map(|(line, count, reason)| SameReason { line, count, reason }).collect())
    }

    /// The lines that could not be read, behind `after`, at most `limit`: number and reason.
    pub async fn statement_faults(&self, id: i64, after: i64, limit: i64) -> Result<Vec<(i64, String)>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT line, reason FROM statement_faults WHERE statement_id = $1 AND line > $2 ORDER BY line LIMIT $3"
        ).bind(id).bind(after).bind(limit).fetch_all(pool).await)?)
    }

    /// What the file of a statement says of itself, and what its lines in the file's own `currency` come to.
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

    /// What is new in a statement, gone, or has another amount, beside an `earlier` one; at most `limit` lines.
    pub async fn statement_changes(&self, id: i64, earlier: i64, limit: i64) -> Result<Vec<ChangeRow>> {
        Ok(read!(self, pool => sqlx::query_as(CHANGES)
            .bind(id).bind(earlier).bind(limit).fetch_all(pool).await)?)
    }

    /// The version before a statement: the newest one that it superseded.
    pub async fn statement_before(&self, id: i64) -> Result<Option<i64>> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT MAX(id) FROM statements WHERE superseded_by = $1"
        ).bind(id).fetch_one(pool).await)?)
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
