//! Lines with the total of a day: each is compared with the bookings of that day (in the file's time zone) that no other
//! line counts.

use std::sync::LazyLock;

use domain::report::amount::Sum;
use domain::report::day::BusinessDay;
use domain::statement::matching::by_day;
use domain::statement::{StatementLine, kind_name};

use super::StatementRow;
use super::import::{MatchTerms, UPDATE_LINES};
use super::rows::{LineUpdate, OpenRow};
use super::states::with_booking;
use crate::db::rows::given_row;
use crate::db::sql::{Column, LazyStatement, Statement};
use crate::db::tx::{Tx, guard, with_statement};
use crate::{Error, Result};

use Column::Int;

/// Lines matched in one transaction; each may cover thousands of bookings.
const STEP_SUMS: i64 = 8;

static OPEN_SUMS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT statement_id, line, tx_id, kind, user_id, offer_id, event_id, amount_micros, currency, happened_at, day,
                count
         FROM statement_lines
         WHERE statement_id = $1 AND state = 'open' AND COALESCE(tx_id, user_id) IS NULL ORDER BY line LIMIT $2",
        &[],
    )
});

/// A booking that fits two lines goes to the first. `from_date` and `to_date` are only for the index: the file's zone may
/// differ from that of business dates.
static TAKE: LazyStatement = LazyLock::new(|| {
    Statement::given::<DayRow<'_>>(
        concat!("INSERT INTO statement_sums (statement_id, reward_id, kind, line)
         SELECT given.statement_id, steps.reward_id, given.kind, MIN(given.line)
         FROM {given}
         JOIN steps ON steps.business_date BETWEEN given.from_date AND given.to_date
              AND steps.taken_at >= given.from_ms AND steps.taken_at < given.to_ms
              AND ((given.kind = 'credit' AND steps.step IN ('credit', 'hold'))
                OR (given.kind = 'reversal' AND steps.step IN ('reverse_credited', 'reverse_held', 'reverse_rejected',
                                                               'reverse_credited_part', 'reverse_held_part',
                                                               'reverse_rejected_part')))
         JOIN rewards ON rewards.id = steps.reward_id AND rewards.source = given.source
              AND (given.offer_id IS NULL OR rewards.offer_id = given.offer_id)
              AND (given.event_id IS NULL OR rewards.event_id = given.event_id)
         WHERE NOT EXISTS (
             SELECT 1 FROM statement_lines AS lines
             WHERE lines.reward_id = steps.reward_id AND lines.statement_id = given.statement_id
               AND lines.kind = given.kind
               AND lines.state IN ", with_booking!(), ")
         GROUP BY given.statement_id, steps.reward_id, given.kind
         ON CONFLICT DO NOTHING"))
});

static SUMS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT sums.line, COUNT(*), CAST(SUM(CASE WHEN sums.kind = 'reversal' AND status <> 'reversed' THEN taken_back_payout_micros
                              ELSE COALESCE(payout_micros, 0) END) AS BIGINT)
         FROM {given} JOIN statement_sums AS sums
              ON sums.statement_id = given.statement_id AND sums.line = given.line
         JOIN rewards ON rewards.id = sums.reward_id
         GROUP BY sums.line",
        &[Int("statement_id"), Int("line")],
    )
});

given_row! {
    struct DayRow<'a> {
        statement_id: i64,
        line: i64,
        kind: &'static str,
        source: &'a str,
        offer_id: Option<&'a str>,
        event_id: Option<&'a str>,
        from_date: String,
        to_date: String,
        from_ms: i64,
        to_ms: i64,
    }
}

impl<'a> DayRow<'a> {
    fn of(statement: &'a StatementRow, line: &'a StatementLine, day: BusinessDay) -> Self {
        Self {
            statement_id: statement.id,
            line: line.number,
            kind: kind_name(line.kind),
            source: &statement.source,
            offer_id: line.offer_id.as_deref(),
            event_id: line.event_id.as_deref(),
            from_date: day.previous().date().to_string(),
            to_date: day.next().date().to_string(),
            from_ms: day.starts_at().0,
            to_ms: day.ends_at().0,
        }
    }
}

/// Matches some lines with totals of days; `false` if none is left.
pub(super) async fn match_some(tx: &mut Tx, statement: &StatementRow, terms: MatchTerms) -> Result<bool> {
    let id = statement.id;
    let open: Vec<OpenRow> = with_statement!(tx, OPEN_SUMS, |sql, connection| sqlx::query_as(sql)
        .bind(id)
        .bind(STEP_SUMS)
        .fetch_all(connection)
        .await?);
    if open.is_empty() {
        return Ok(false);
    }
    let format = statement.format()?;
    let zone = format.zone.parse().map_err(|_| {
        Error::Unfit(format!("the time zone `{}` of the statement's format is unknown", format.zone))
    })?;
    let lines = open.into_iter().map(OpenRow::line).collect::<Result<Vec<_>>>()?;
    let days: Vec<_> = lines
        .iter()
        .filter_map(|line| Some(DayRow::of(statement, line, BusinessDay::parse(line.day.as_deref()?, zone)?)))
        .collect();
    tx.execute(&TAKE, &days).await?;
    let booked: Vec<(i64, i64, i64)> = tx.fetch(&SUMS, &days).await?;
    let matches = lines.iter().map(|line| {
        let found = booked.iter().find(|(number, ..)| *number == line.number);
        let sum = found.map_or_else(Sum::default, |(_, count, micros)| Sum::new(*count, *micros));
        by_day(line, sum, terms.tolerance)
    });
    let rows: Vec<_> = matches.map(|found| LineUpdate::of(id, &found)).collect();
    guard("statement_lines", tx.execute(&UPDATE_LINES, &rows).await?, rows.len())?;
    Ok(true)
}
