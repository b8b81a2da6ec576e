//! What a report is made from: a fixed number of set-based statements on one snapshot.
//!
//! The way in is the index of steps by business date; transfers follow by their reward, so that the ledger needs no
//! index by date. Nothing here writes, and a snapshot disturbs neither recording nor settling.

use domain::batch::REVERSED_BEFORE;
use domain::report::amount::{Amount, Sum};
use domain::report::cohort::HORIZON_DAYS;
use domain::report::day::BusinessDay;
use domain::report::facts::{
    AccountFact, ClosingFact, DebtRoll, DispositionFact, Fact, HoldFact, Inputs, Line, Previous, SettledFact,
    Top,
};
use domain::report::losses::Availability;
use domain::report::{CaseFigures, NEGATIVE_ENTRIES, Negative, ProofFigures, Report, TOP_DAYS, TOP_ENTRIES};
use domain::review::reversal::Situation;
use domain::reward::Step;
use domain::time::TimestampMs;

use crate::db::deadline::LONG;
use crate::ledger::prove;
use crate::postbacks::refused::UNKNOWN_SOURCE;
use crate::{Error, Result, Store, read_snapshot};

/// How far the clocks of processes that record may be apart, in milliseconds. Ids are in the order of recording, so
/// the postbacks of a day are found between two of them, with this much on either side.
const SKEW_MS: i64 = 600_000;

/// A sum of micros that stays at the end of the range instead of leaving it: the upper and the lower 32 bits are summed
/// up by themselves. A report with such a sum does not tie out, and says so.
macro_rules! sum {
    ($of:literal) => {
        concat!(
            "CAST(CASE WHEN CAST(COALESCE(SUM(",
            $of,
            " >> 32), 0) AS BIGINT) + (CAST(COALESCE(SUM(",
            $of,
            " & 4294967295), 0) AS BIGINT) >> 32) > 2147483647 THEN 9223372036854775807
              WHEN CAST(COALESCE(SUM(",
            $of,
            " >> 32), 0) AS BIGINT) + (CAST(COALESCE(SUM(",
            $of,
            " & 4294967295), 0) AS BIGINT) >> 32) < -2147483647 THEN -9223372036854775807
              ELSE (CAST(COALESCE(SUM(",
            $of,
            " >> 32), 0) AS BIGINT) + (CAST(COALESCE(SUM(",
            $of,
            " & 4294967295), 0) AS BIGINT) >> 32)) * 4294967296
                 + (CAST(COALESCE(SUM(",
            $of,
            " & 4294967295), 0) AS BIGINT) & 4294967295) END AS BIGINT)"
        )
    };
}

/// What makes a line out of steps and their rewards.
macro_rules! line_columns {
    () => {
        concat!(
            "SELECT rewards.source, rewards.currency, rewards.business_date, steps.business_date, steps.step, COUNT(*), ",
            sum!("COALESCE(steps.part_reward_micros, reward_micros)"),
            ", ",
            sum!("COALESCE(steps.part_payout_micros, payout_micros)"),
            " "
        )
    };
}

/// $1 to $2: business dates.
const LINES: &str = concat!(
    line_columns!(),
    "FROM steps JOIN rewards ON rewards.id = steps.reward_id
     WHERE steps.business_date BETWEEN $1 AND $2
     GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
);

/// $1: the last transfer that the closed report before knew; $2: the day.
const LATE: &str = concat!(
    line_columns!(),
    "FROM (SELECT DISTINCT reward_id, step_seq FROM transfers
           WHERE id > $1 AND business_date < $2 AND reward_id IS NOT NULL) AS late
     JOIN steps ON steps.reward_id = late.reward_id AND steps.seq = late.step_seq
     JOIN rewards ON rewards.id = steps.reward_id
     GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
);

/// What moved each account on the day and after it, and what follows: accounts, users together; what users owe, by
/// currency; the users who owe most. $1: the day; $2: the last transfer that the report before knew; $3: how many.
///
/// One statement for the three, because summing up the transfers is what takes the time.
const BALANCES: &str = concat!(
    "
    WITH booked AS (
        SELECT debit_id, credit_id, amount_micros AS today, 0 AS later
        FROM steps JOIN transfers ON transfers.reward_id = steps.reward_id AND transfers.step_seq = steps.seq
        WHERE steps.business_date = $1
        UNION ALL
        SELECT debit_id, credit_id, amount_micros, 0 FROM transfers
        WHERE reward_id IS NULL AND business_date = $1
        UNION ALL
        SELECT debit_id, credit_id, amount_micros, 0 FROM transfers WHERE id > $2 AND business_date < $1
        UNION ALL
        SELECT debit_id, credit_id, 0, amount_micros
        FROM steps JOIN transfers ON transfers.reward_id = steps.reward_id AND transfers.step_seq = steps.seq
        WHERE steps.business_date > $1
        UNION ALL
        SELECT debit_id, credit_id, 0, amount_micros FROM transfers
        WHERE reward_id IS NULL AND business_date > $1
    ), sums AS (
        SELECT account_id, ",
    sum!("today"),
    " AS today, ",
    sum!("later"),
    " AS later
        FROM (SELECT credit_id AS account_id, today, later FROM booked
              UNION ALL
              SELECT debit_id, -today, -later FROM booked) AS legs
        GROUP BY account_id
    ), balances AS MATERIALIZED (
        SELECT name, currency,
               CASE carries WHEN 0 THEN balance_micros
                            WHEN 1 THEN 4611686018427387904 + balance_micros
                            WHEN -1 THEN -4611686018427387904 + balance_micros
                            ELSE CASE WHEN carries > 0 THEN 9223372036854775807 ELSE -9223372036854775807 END
               END AS kept, COALESCE(today, 0) AS today, COALESCE(later, 0) AS later
        FROM accounts LEFT JOIN sums ON sums.account_id = accounts.id
    ), users AS (
        SELECT name, currency, kept - later AS behind,
               CASE WHEN kept - later - today < 0 THEN today + later - kept ELSE 0 END AS before_day,
               CASE WHEN kept - later < 0 THEN later - kept ELSE 0 END AS after_day
        FROM balances WHERE SUBSTR(name, 1, 5) = 'user:'
    ), lowest AS (
        SELECT name, currency, behind FROM users WHERE after_day > 0 ORDER BY behind, name, currency LIMIT $3
    )
    SELECT 'account', CASE WHEN SUBSTR(name, 1, 5) = 'user:' THEN 'users' ELSE name END, currency,
           ",
    sum!("kept"),
    ", ",
    sum!("today"),
    ", ",
    sum!("later"),
    ",
           CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT)
    FROM balances GROUP BY 2, 3
    UNION ALL
    SELECT 'debt', '', currency, COUNT(CASE WHEN before_day > 0 THEN 1 END), CAST(SUM(before_day) AS BIGINT),
           CAST(SUM(CASE WHEN after_day > before_day THEN after_day - before_day ELSE 0 END) AS BIGINT),
           CAST(SUM(CASE WHEN before_day > after_day THEN before_day - after_day ELSE 0 END) AS BIGINT),
           COUNT(CASE WHEN after_day > 0 THEN 1 END), CAST(SUM(after_day) AS BIGINT)
    FROM users WHERE before_day > 0 OR after_day > 0 GROUP BY currency
    UNION ALL
    SELECT 'negative', name, currency, CAST(behind AS BIGINT), 0, 0, 0, 0, 0 FROM lowest
    ORDER BY 1, 4, 2, 3"
);

const SETTLED: &str = "
    SELECT debits.name, credits.name, CAST(SUM(amount_micros) AS BIGINT)
    FROM (SELECT debit_id, credit_id, amount_micros FROM transfers WHERE reward_id IS NULL AND business_date = $1
          UNION ALL
          SELECT debit_id, credit_id, amount_micros FROM transfers
          WHERE reward_id IS NULL AND business_date < $1 AND id > $2) AS settled
    JOIN accounts AS debits ON debits.id = debit_id
    JOIN accounts AS credits ON credits.id = credit_id
    GROUP BY 1, 2 ORDER BY 1, 2";

/// What is held now or moved since; then whether its last step up to the day left it on hold. Of a hold a part may have
/// been taken back up to the day.
const HOLDS: &str = "
    SELECT source, currency, since, COUNT(*), CAST(COALESCE(SUM(reward), 0) AS BIGINT),
           CAST(COALESCE(SUM(payout), 0) AS BIGINT)
    FROM (
        SELECT rewards.source, rewards.currency, begun.business_date AS since,
               reward_micros - COALESCE((SELECT SUM(part.part_reward_micros) FROM steps AS part
                                         WHERE part.reward_id = rewards.id AND part.seq BETWEEN begun.seq AND last.seq
                                           AND part.step IN ('reverse_held_part', 'reverse_credited_part')), 0) AS reward,
               payout_micros - COALESCE((SELECT SUM(part.part_payout_micros) FROM steps AS part
                                         WHERE part.reward_id = rewards.id AND part.seq BETWEEN begun.seq AND last.seq
                                           AND part.step IN ('reverse_held_part', 'reverse_credited_part')), 0) AS payout
        FROM (SELECT id FROM rewards WHERE status = 'held'
              UNION
              SELECT reward_id FROM steps WHERE business_date > $1) AS maybe
        JOIN rewards ON rewards.id = maybe.id
        JOIN steps AS begun ON begun.reward_id = rewards.id
             AND begun.seq = (SELECT MAX(seq) FROM steps WHERE reward_id = rewards.id AND business_date <= $1
                                                           AND step IN ('hold', 'reapprove'))
        JOIN steps AS last ON last.reward_id = rewards.id
             AND last.step IN ('hold', 'reapprove', 'reverse_held_part', 'undo_release', 'undo_reject')
             AND last.seq = (SELECT MAX(seq) FROM steps WHERE reward_id = rewards.id AND business_date <= $1)
    ) AS held
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";

/// Reversals that a person had to look at before the end of the day ($2), and that had not ended before its beginning
/// ($1): how many became one's business on the day, how many ended on it, and what was open at its end.
const CASES: &str = "
    SELECT source, situation, COUNT(CASE WHEN due_at >= $1 THEN 1 END),
           COUNT(CASE WHEN ended_at < $2 THEN 1 END), COUNT(CASE WHEN ended_at IS NULL OR ended_at >= $2 THEN 1 END),
           CAST(COALESCE(SUM(CASE WHEN ended_at IS NULL OR ended_at >= $2 THEN stake_payout_micros END), 0) AS BIGINT)
    FROM (
        SELECT source, situation, due_at, ended_at, stake_payout_micros FROM reversal_cases
        WHERE ending IS NULL AND due_at < $2
        UNION ALL
        SELECT source, situation, due_at, ended_at, stake_payout_micros FROM reversal_cases
        WHERE ending IS NOT NULL AND ended_at >= $1 AND due_at < $2 AND due_at <= ended_at
    ) AS known
    GROUP BY 1, 2 ORDER BY 1, 2";

/// Reversals booked from $1 to $2 by one column of their rewards, at most $3.
macro_rules! top {
    ($column:literal) => {
        concat!(
            "SELECT rewards.source, COALESCE(",
            $column,
            ", ''), COUNT(CASE WHEN steps.step NOT LIKE '%_part' THEN 1 END),
                    CAST(COALESCE(SUM(COALESCE(steps.part_payout_micros, payout_micros)), 0) AS BIGINT)
             FROM steps JOIN rewards ON rewards.id = steps.reward_id
             WHERE steps.business_date BETWEEN $1 AND $2
               AND steps.step IN ('reverse_credited', 'reverse_held', 'reverse_rejected', 'reverse_credited_part',
                                  'reverse_held_part', 'reverse_rejected_part')
             GROUP BY 1, 2 ORDER BY 4 DESC, 3 DESC, 1, 2 LIMIT $3"
        )
    };
}

const TOPS: [(&str, &str); 3] =
    [("offer", top!("offer_id")), ("country", top!("country_code")), ("sub1", top!("sub1"))];

/// $1 to $2: ids between which the day's postbacks lie; $3 to before $4: the day; $5: why a credit credits nothing.
///
/// A call that was refused on one day and replayed on another counts on the day on which it was taken: the report of the
/// day before may be closed, and says that it was refused.
const FATES: &str = "
    SELECT postbacks.source,
           CASE WHEN outcome = 'set_aside' THEN 'quarantined'
                WHEN outcome <> 'processed' THEN outcome
                WHEN steps.step IS NOT NULL THEN steps.step
                WHEN reason = $5 THEN 'reversed_before'
                WHEN reason IS NOT NULL THEN 'conflict'
                ELSE 'unexplained' END,
           COUNT(*)
    FROM postbacks
    LEFT JOIN steps ON steps.reward_id = postbacks.reward_id AND steps.postback_id = postbacks.id
    WHERE postbacks.id BETWEEN $1 AND $2
      AND COALESCE(recorded_at, received_at) >= $3 AND COALESCE(recorded_at, received_at) < $4
    GROUP BY 1, 2 ORDER BY 1, 2";

const REFUSED: &str = "
    SELECT CASE WHEN SUBSTR(reason, 1, LENGTH($3)) = $3 OR source = '' THEN 'unknown' ELSE source END, 'refused', COUNT(*)
    FROM refused WHERE received_at >= $1 AND received_at < $2
    GROUP BY 1 ORDER BY 1";

const POLICIES: &str = "
    SELECT DISTINCT policy FROM steps JOIN verdicts ON verdicts.reward_id = steps.reward_id
    WHERE steps.business_date = $1 AND steps.step IN ('credit', 'hold') ORDER BY policy";

/// Those that overlap $1 to $2, and the neighbours on either side.
const LISTENING: &str = "
    SELECT began_at, seen_at FROM listening WHERE seen_at >= $1 AND began_at <= $2
    UNION
    SELECT began_at, seen_at FROM
        (SELECT began_at, seen_at FROM listening WHERE seen_at < $1 ORDER BY seen_at DESC LIMIT 1) AS before_it
    UNION
    SELECT began_at, seen_at FROM
        (SELECT began_at, seen_at FROM listening WHERE began_at > $2 ORDER BY began_at LIMIT 1) AS behind_it
    ORDER BY 1, 2";

/// $1: the day; $2: its first instant. Last: whether a day before it has to be closed first, because something was
/// received, booked or reported by then.
const BOUNDS: &str = "
    SELECT CAST(COALESCE((SELECT MAX(id) FROM transfers), 0) AS BIGINT),
           CAST(COALESCE((SELECT MAX(id) FROM postbacks), 0) AS BIGINT),
           CAST(CASE WHEN EXISTS (SELECT 1 FROM steps WHERE business_date < $1)
                       OR EXISTS (SELECT 1 FROM reports WHERE business_date < $1)
                       OR (SELECT received_at FROM postbacks ORDER BY id LIMIT 1) < $2
                     THEN 1 ELSE 0 END AS BIGINT)";

const PREVIOUS: &str =
    "SELECT content, content_hash, transfers_upto FROM reports WHERE business_date = $1 AND state = 'final'";

const POSTBACK_FROM: &str =
    "SELECT id, COALESCE(recorded_at, received_at) FROM postbacks WHERE id >= $1 ORDER BY id LIMIT 1";

/// The rows of all statements, as they come.
struct Rows {
    bounds: (i64, i64, i64),
    previous: Option<(String, String, i64)>,
    lines: Vec<LineRow>,
    late: Vec<LineRow>,
    balances: Vec<BalanceRow>,
    settled: Vec<(String, String, i64)>,
    holds: Vec<(String, String, String, i64, i64, i64)>,
    top: Vec<(&'static str, TopRow)>,
    fates: Vec<(String, String, i64)>,
    policies: Vec<(String,)>,
    listening: Vec<(i64, i64)>,
    cases: Vec<(String, String, i64, i64, i64, i64)>,
    proof: domain::proof::Proof,
}

/// Of what kind it is (`account`, `debt` or `negative`), whose, in which currency, and the figures of its kind.
type BalanceRow = (String, String, String, i64, i64, i64, i64, i64, i64);
type TopRow = (String, String, i64, i64);
type LineRow = (String, String, String, String, String, i64, i64, i64);

/// The first id whose postback was recorded at or after `$at`; ids are in that order but for the skew.
macro_rules! first_recorded {
    ($snapshot:ident, $at:expr, $upto:expr) => {{
        let (mut low, mut high) = (0_i64, $upto + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let found: Option<(i64, i64)> =
                sqlx::query_as(POSTBACK_FROM).bind(middle).fetch_optional(&mut *$snapshot).await?;
            match found {
                Some((id, recorded_at)) if recorded_at < $at => low = id + 1,
                _ => high = middle,
            }
        }
        low
    }};
}

macro_rules! load {
    ($snapshot:ident, $day:expr, $rewards:expr) => {{
        let day: BusinessDay = $day;
        let today = day.date().to_string();
        let bounds: (i64, i64, i64) =
            sqlx::query_as(BOUNDS).bind(&today).bind(day.starts_at().0).fetch_one(&mut *$snapshot).await?;
        let previous: Option<(String, String, i64)> = sqlx::query_as(PREVIOUS)
            .bind(day.previous().date().to_string())
            .fetch_optional(&mut *$snapshot)
            .await?;
        // Without a closed report before, nothing is late.
        let known = previous.as_ref().map_or(i64::MAX, |(_, _, upto)| *upto);
        let from = day.minus(u64::from(HORIZON_DAYS)).date().to_string();
        let lines = sqlx::query_as(LINES).bind(from).bind(&today).fetch_all(&mut *$snapshot).await?;
        let late = sqlx::query_as(LATE).bind(known).bind(&today).fetch_all(&mut *$snapshot).await?;
        let balances = sqlx::query_as(BALANCES)
            .bind(&today)
            .bind(known)
            .bind(NEGATIVE_ENTRIES)
            .fetch_all(&mut *$snapshot)
            .await?;
        let settled = sqlx::query_as(SETTLED).bind(&today).bind(known).fetch_all(&mut *$snapshot).await?;
        let holds = sqlx::query_as(HOLDS).bind(&today).fetch_all(&mut *$snapshot).await?;
        let top_from = day.minus(TOP_DAYS.unsigned_abs() - 1).date().to_string();
        let mut top = Vec::new();
        for (of, sql) in TOPS {
            let rows: Vec<TopRow> = sqlx::query_as(sql)
                .bind(&top_from)
                .bind(&today)
                .bind(TOP_ENTRIES)
                .fetch_all(&mut *$snapshot)
                .await?;
            top.extend(rows.into_iter().map(|row| (of, row)));
        }
        let (starts_at, ends_at) = (day.starts_at().0, day.ends_at().0);
        let first = first_recorded!($snapshot, starts_at - SKEW_MS, bounds.1);
        let last = first_recorded!($snapshot, ends_at + SKEW_MS, bounds.1);
        let mut fates: Vec<(String, String, i64)> = sqlx::query_as(FATES)
            .bind(first)
            .bind(last)
            .bind(starts_at)
            .bind(ends_at)
            .bind(REVERSED_BEFORE)
            .fetch_all(&mut *$snapshot)
            .await?;
        let refused: Vec<(String, String, i64)> = sqlx::query_as(REFUSED)
            .bind(starts_at)
            .bind(ends_at)
            .bind(UNKNOWN_SOURCE)
            .fetch_all(&mut *$snapshot)
            .await?;
        fates.extend(refused);
        let policies = sqlx::query_as(POLICIES).bind(&today).fetch_all(&mut *$snapshot).await?;
        let listening =
            sqlx::query_as(LISTENING).bind(starts_at).bind(ends_at).fetch_all(&mut *$snapshot).await?;
        let cases = sqlx::query_as(CASES).bind(starts_at).bind(ends_at).fetch_all(&mut *$snapshot).await?;
        let proof = prove!($snapshot, $rewards);
        Ok(Rows {
            bounds,
            previous,
            lines,
            late,
            balances,
            settled,
            holds,
            top,
            fates,
            policies,
            listening,
            cases,
            proof,
        })
    }};
}

/// What holds for every report.
#[derive(Clone, Copy, Debug)]
pub struct ReportTerms {
    /// When it is made.
    pub now: TimestampMs,
    /// From when on its day is closed.
    pub closed_at: TimestampMs,
    /// How long networks repeat what was not acknowledged, in milliseconds.
    pub retry_horizon_ms: i64,
}

impl Store {
    /// Everything that the report of `day` is made from, as it stands in one snapshot.
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

fn facts(rows: Rows, day: BusinessDay, terms: ReportTerms) -> Result<Fact> {
    let previous_report: Option<Report> = match &rows.previous {
        Some((content, ..)) => Some(super::read_back(content, day.previous())?),
        None => None,
    };
    let previous = rows.previous.map(|(_, hash, transfers_upto)| Previous {
        date: day.previous().date().to_string(),
        hash,
        transfers_upto,
    });
    let of_kind = |kind: &'static str| rows.balances.iter().filter(move |row| row.0 == kind);
    let mut debts: Vec<DebtRoll> = of_kind("debt").map(debt).collect();
    debts.sort_unstable_by(|one, other| one.currency.cmp(&other.currency));
    Ok(Fact {
        day,
        now: terms.now,
        closed_at: terms.closed_at,
        retry_horizon_ms: terms.retry_horizon_ms,
        inputs: Inputs {
            transfers_upto: rows.bounds.0,
            postbacks_upto: rows.bounds.1,
            policies: rows.policies.into_iter().map(|(policy,)| policy).collect(),
            previous,
        },
        has_earlier: rows.bounds.2 != 0,
        lines: rows.lines.into_iter().map(line).collect::<Result<_>>()?,
        late: rows.late.into_iter().map(line).collect::<Result<_>>()?,
        accounts: of_kind("account").map(account).collect(),
        settled: rows
            .settled
            .into_iter()
            .map(|(debit, credit, amount)| SettledFact { debit, credit, amount: Amount(amount) })
            .collect(),
        previous_closing: previous_report.map(|report| {
            let closing = |roll: domain::report::rolls::AccountRoll| ClosingFact {
                account: roll.account,
                currency: roll.currency,
                closing: roll.closing,
            };
            report.accounts.into_iter().map(closing).collect()
        }),
        holds: rows.holds.into_iter().map(hold).collect::<Result<_>>()?,
        debts,
        negative: of_kind("negative").map(negative).collect(),
        top: rows
            .top
            .into_iter()
            .map(|(of, (source, key, count, micros))| Top {
                of: of.to_owned(),
                source,
                key,
                reversed: Sum::new(count, micros),
            })
            .collect(),
        postbacks: rows
            .fates
            .into_iter()
            .map(|(source, disposition, count)| DispositionFact { source, disposition, count })
            .collect(),
        cases: rows.cases.into_iter().map(case).collect::<Result<_>>()?,
        availability: rows
            .listening
            .into_iter()
            .map(|(began_at, seen_at)| Availability {
                began_at: TimestampMs(began_at),
                seen_at: TimestampMs(seen_at),
            })
            .collect(),
        proof: ProofFigures {
            proven: rows.proof.is_proven(),
            accounts: rows.proof.accounts,
            rewards: rows.proof.rewards,
            differing_accounts: count(rows.proof.differing_accounts.len()),
            differing_rewards: count(rows.proof.differing_rewards.len()),
        },
    })
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn corrupt(table: &'static str, column: &'static str, found: &str) -> Error {
    // Of an aggregate no single row can be named.
    Error::Corrupt { table, column, row: 0, found: found.to_owned() }
}

fn line(row: LineRow) -> Result<Line> {
    let (source, currency, converted, booked, step, number, reward, payout) = row;
    let step = Step::parse(&step).ok_or_else(|| corrupt("steps", "step", &step))?;
    // A reversal that came first moves nothing: what its reward was worth is only known once the credit follows, and
    // must not change the report of the day before.
    let (reward, payout) = if step == Step::ReverseUnseen { (0, 0) } else { (reward, payout) };
    Ok(Line {
        source,
        currency,
        converted: converted.parse().map_err(|_| corrupt("rewards", "business_date", &converted))?,
        booked: booked.parse().map_err(|_| corrupt("steps", "business_date", &booked))?,
        step,
        reward: Sum::new(number, reward),
        payout: Amount(payout),
    })
}

fn hold(row: (String, String, String, i64, i64, i64)) -> Result<HoldFact> {
    let (source, currency, since, number, reward, payout) = row;
    Ok(HoldFact {
        source,
        currency,
        since: since.parse().map_err(|_| corrupt("steps", "business_date", &since))?,
        reward: Sum::new(number, reward),
        payout: Amount(payout),
    })
}

fn case(row: (String, String, i64, i64, i64, i64)) -> Result<CaseFigures> {
    let (source, situation, raised, ended, open, stake) = row;
    let situation =
        Situation::parse(&situation).ok_or_else(|| corrupt("reversal_cases", "situation", &situation))?;
    Ok(CaseFigures { source, situation, raised, ended, open: Sum::new(open, stake) })
}

fn account((_, account, currency, kept, moved, after, ..): &BalanceRow) -> AccountFact {
    AccountFact {
        account: account.clone(),
        currency: currency.clone(),
        kept: Amount(*kept),
        moved: Amount(*moved),
        after: Amount(*after),
    }
}

fn debt((_, _, currency, owed, opening, arisen, recovered, owe, closing): &BalanceRow) -> DebtRoll {
    DebtRoll {
        currency: currency.clone(),
        opening: Sum::new(*owed, *opening),
        arisen: Amount(*arisen),
        recovered: Amount(*recovered),
        closing: Sum::new(*owe, *closing),
    }
}

fn negative((_, account, currency, balance, ..): &BalanceRow) -> Negative {
    Negative { account: account.clone(), currency: currency.clone(), balance: Amount(*balance) }
}
