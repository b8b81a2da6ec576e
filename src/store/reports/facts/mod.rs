//! The facts of a report, loaded with a fixed number of set-based statements on one snapshot.
//!
//! Nothing here writes, and a snapshot does not block recording or processing.

mod rows;
mod sql;

use domain::batch::REVERSED_BEFORE;
use domain::proof::Proof;
use domain::report::cohort::HORIZON_DAYS;
use domain::report::day::BusinessDay;
use domain::report::facts::{ClosingFact, Fact, Inputs};
use domain::report::rolls::AccountRoll;
use domain::report::{NEGATIVE_ENTRIES, ProofFigures, Report, TOP_DAYS, TOP_ENTRIES};
use domain::time::TimestampMs;

use self::rows::{
    AvailabilityRow, BalanceRow, Balances, Bounds, CaseRow, DispositionRow, HoldRow, LineRow, PaymentRow,
    PreviousRow, RecordedRow, TopRow,
};
use crate::db::deadline::LONG;
use crate::ledger::prove;
use crate::postbacks::refused::UNKNOWN_SOURCE;
use crate::{Result, Store, read_snapshot};

/// Allowed difference between the clocks of recording processes, in milliseconds. Ids follow the order of recording, so
/// the postbacks of a day lie between two ids, with this margin on both sides.
const SKEW_MS: i64 = 600_000;

/// Settings and times of a report.
#[derive(Clone, Copy, Debug)]
pub struct ReportTerms {
    /// The time of the report.
    pub now: TimestampMs,
    /// When its day is closed; later reports of the day are final.
    pub closed_at: TimestampMs,
    /// How long networks repeat a postback that was not acknowledged, in milliseconds.
    pub retry_horizon_ms: i64,
}

/// The rows of all statements.
struct Rows {
    bounds: Bounds,
    previous: Option<PreviousRow>,
    lines: Vec<LineRow>,
    late: Vec<LineRow>,
    balances: Vec<BalanceRow>,
    payments: Vec<PaymentRow>,
    holds: Vec<HoldRow>,
    /// Each with the name of its list.
    top: Vec<(&'static str, TopRow)>,
    dispositions: Vec<DispositionRow>,
    policies: Vec<String>,
    availability: Vec<AvailabilityRow>,
    cases: Vec<CaseRow>,
    proof: Proof,
}

impl Store {
    /// The facts for the report of `day`, from one snapshot.
    pub async fn report_facts(&self, day: BusinessDay, terms: ReportTerms) -> Result<Fact> {
        let (store, rewards) = (self.clone(), self.differing_rewards());
        let rows: Rows = crate::db::tx::own_task(async move {
            let rows = async { read_snapshot!(store, snapshot => load!(snapshot, day, rewards)) };
            store.within(LONG, rows).await
        })
        .await?;
        facts(rows, day, terms)
    }
}

/// All rows of one statement. This and the following are macros because the connections of the two databases have
/// different types.
macro_rules! all {
    ($snapshot:ident, $sql:expr, $($parameter:expr),+) => {
        sqlx::query_as($sql)$(.bind($parameter))+.fetch_all(&mut *$snapshot).await?
    };
}
use all;

macro_rules! load {
    ($snapshot:ident, $day:expr, $rewards:expr) => {{
        let day: BusinessDay = $day;
        let today = day.date().to_string();
        let (starts_at, ends_at) = (day.starts_at().0, day.ends_at().0);
        let cohorts_from = day.minus(u64::from(HORIZON_DAYS)).date().to_string();
        let top_from = day.minus(TOP_DAYS.unsigned_abs() - 1).date().to_string();

        let bounds: Bounds =
            sqlx::query_as(sql::BOUNDS).bind(&today).bind(starts_at).fetch_one(&mut *$snapshot).await?;
        let previous: Option<PreviousRow> = sqlx::query_as(sql::PREVIOUS)
            .bind(day.previous().date().to_string())
            .fetch_optional(&mut *$snapshot)
            .await?;
        // Without a previous closed report nothing is late.
        let known_upto = previous.as_ref().map_or(i64::MAX, |report| report.transfers_upto);
        let first = first_recorded!($snapshot, starts_at - SKEW_MS, bounds.postbacks_upto);
        let last = first_recorded!($snapshot, ends_at + SKEW_MS, bounds.postbacks_upto);

        let mut top: Vec<(&'static str, TopRow)> = Vec::new();
        for (of, sql) in sql::TOPS {
            let rows: Vec<TopRow> = all!($snapshot, sql, &top_from, &today, TOP_ENTRIES);
            top.extend(rows.into_iter().map(|row| (of, row)));
        }
        let mut dispositions: Vec<DispositionRow> =
            all!($snapshot, sql::DISPOSITIONS, first, last, starts_at, ends_at, REVERSED_BEFORE);
        let refused: Vec<DispositionRow> = all!($snapshot, sql::REFUSED, starts_at, ends_at, UNKNOWN_SOURCE);
        dispositions.extend(refused);

        Ok(Rows {
            lines: all!($snapshot, sql::LINES, &cohorts_from, &today),
            late: all!($snapshot, sql::LATE, known_upto, &today),
            balances: all!($snapshot, sql::BALANCES, &today, known_upto, NEGATIVE_ENTRIES),
            payments: all!($snapshot, sql::PAYMENTS, &today, known_upto),
            holds: all!($snapshot, sql::HOLDS, &today),
            policies: sqlx::query_scalar(sql::POLICIES).bind(&today).fetch_all(&mut *$snapshot).await?,
            availability: all!($snapshot, sql::AVAILABILITY, starts_at, ends_at),
            cases: all!($snapshot, sql::CASES, starts_at, ends_at),
            proof: prove!($snapshot, $rewards),
            top,
            dispositions,
            bounds,
            previous,
        })
    }};
}
use load;

/// The first id recorded at or after `$at`, by binary search; ids follow that order except for the skew.
macro_rules! first_recorded {
    ($snapshot:ident, $at:expr, $upto:expr) => {{
        let (mut low, mut high) = (0_i64, $upto + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let found: Option<RecordedRow> =
                sqlx::query_as(sql::POSTBACK_FROM).bind(middle).fetch_optional(&mut *$snapshot).await?;
            match found {
                Some(postback) if postback.recorded_at < $at => low = postback.id + 1,
                _ => high = middle,
            }
        }
        low
    }};
}
use first_recorded;

fn facts(rows: Rows, day: BusinessDay, terms: ReportTerms) -> Result<Fact> {
    let previous_closing = match &rows.previous {
        Some(previous) => Some(closings(super::read_back(&previous.content, day.previous())?)),
        None => None,
    };
    let balances = Balances::of(rows.balances)?;
    Ok(Fact {
        day,
        now: terms.now,
        closed_at: terms.closed_at,
        retry_horizon_ms: terms.retry_horizon_ms,
        inputs: Inputs {
            transfers_upto: rows.bounds.transfers_upto,
            postbacks_upto: rows.bounds.postbacks_upto,
            policies: rows.policies,
            previous: rows.previous.map(|previous| previous.fact(day.previous().date().to_string())),
        },
        has_earlier: rows.bounds.has_earlier != 0,
        lines: rows.lines.into_iter().map(LineRow::fact).collect::<Result<_>>()?,
        late: rows.late.into_iter().map(LineRow::fact).collect::<Result<_>>()?,
        accounts: balances.accounts,
        settled: rows.payments.into_iter().map(PaymentRow::fact).collect(),
        previous_closing,
        holds: rows.holds.into_iter().map(HoldRow::fact).collect::<Result<_>>()?,
        debts: balances.debts,
        negative: balances.negative,
        top: rows.top.into_iter().map(|(of, row)| row.fact(of)).collect(),
        postbacks: rows.dispositions.into_iter().map(DispositionRow::fact).collect(),
        cases: rows.cases.into_iter().map(CaseRow::fact).collect::<Result<_>>()?,
        availability: rows.availability.into_iter().map(AvailabilityRow::fact).collect(),
        proof: ProofFigures {
            proven: rows.proof.is_proven(),
            accounts: rows.proof.accounts,
            rewards: rows.proof.rewards,
            differing_accounts: count(rows.proof.differing_accounts.len()),
            differing_rewards: count(rows.proof.differing_rewards.len()),
        },
    })
}

/// The closing balances of a closed report.
fn closings(report: Report) -> Vec<ClosingFact> {
    let closing = |roll: AccountRoll| ClosingFact {
        account: roll.account,
        currency: roll.currency,
        closing: roll.closing,
    };
    report.accounts.into_iter().map(closing).collect()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
