//! The reconciliation of one business day: facts in; figures, cohorts, forecast, roll-forwards and tie-out out.
//!
//! Everything is counted by the day on which it was **booked**; the day of the conversion is shown in the cohorts and
//! in the lines of earlier days. Amounts are micros and counts are whole numbers; the same facts give the same
//! report, byte for byte.
//!
//! | module | what it answers |
//! |---|---|
//! | [`day`] | when a business day begins, ends, is reported and is closed |
//! | [`facts`] | the counts that the store loads |
//! | [`figures`] | approved, reversed, credited, held, released, rejected: per source and in total |
//! | [`cohort`] | which share of a day's conversions was reversed by which age |
//! | [`forecast`] | expected reversals, and how much of them users can already spend |
//! | [`rolls`] | opening + movements = closing, for every account |
//! | [`chain`] | whether closed days follow each other without a gap |
//! | [`losses`] | when no postback could be acknowledged |
//! | [`sheets`] | the report as tables, for files |
//! | [`letter`] | the report in short, for mails and the command line |

pub mod amount;
pub mod chain;
pub mod cohort;
pub mod day;
pub mod facts;
pub mod figures;
pub mod forecast;
pub mod letter;
pub mod losses;
pub mod rolls;
pub mod sheets;
#[cfg(test)]
mod tests;
mod tie_out;

use serde::{Deserialize, Serialize};

use amount::{Amount, Sum};
use cohort::CohortTable;
use facts::{DebtRoll, Fact, Inputs, Top};
use figures::{PriorLine, SourceFigures, TotalFigures};
use forecast::Forecast;
use losses::LossWindow;
use rolls::{AccountRoll, Receivable, UserRoll};

use crate::review::reversal::Situation;
use crate::reward::Step;

/// Whether a report may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It may still change until the cut-off.
    Preliminary,
    /// It never changes again.
    Final,
}

impl State {
    /// The name in tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preliminary => "preliminary",
            Self::Final => "final",
        }
    }
}

/// The reconciliation of one business day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The business day, `YYYY-MM-DD`.
    pub date: String,
    /// The zone of the business day.
    pub zone: String,
    /// Its first instant, RFC 3339.
    pub starts_at: String,
    /// The first instant after it, RFC 3339.
    pub ends_at: String,
    /// How long it was, in hours: 23 or 25 where the clocks changed.
    pub hours: i64,
    /// Whether it may still change.
    pub state: State,
    /// True if `faults` is empty.
    pub ties_out: bool,
    /// What does not add up, one sentence each.
    pub faults: Vec<String>,
    /// The data and policies that it rests on.
    pub inputs: Inputs,
    /// Figures of each source and currency.
    pub sources: Vec<SourceFigures>,
    /// Totals over all sources.
    pub totals: TotalFigures,
    /// What was booked today about conversions of earlier days.
    pub prior_periods: Vec<PriorLine>,
    /// What was booked into a day after that day was closed; counted today.
    pub late: Vec<PriorLine>,
    /// Reversals by cohort of the conversion's own day, for each source.
    pub cohorts: Vec<CohortTable>,
    /// Reversals still to come, for each source.
    pub forecasts: Vec<Forecast>,
    /// What each network owes, in USD.
    pub receivables: Vec<Receivable>,
    /// What users hold, by currency.
    pub users: Vec<UserRoll>,
    /// What users owe, by currency.
    pub debts: Vec<DebtRoll>,
    /// Every account; users together, by currency.
    pub accounts: Vec<AccountRoll>,
    /// What is on hold, by age.
    pub holds: Vec<HoldAge>,
    /// The largest negative balances, at most [`NEGATIVE_ENTRIES`].
    pub negative: Vec<Negative>,
    /// Offers, countries and sub ids by what was taken back in [`TOP_DAYS`] days.
    pub top: Vec<Top>,
    /// How the postbacks received on the day were processed.
    pub postbacks: Vec<PostbackFigures>,
    /// Reversal cases, by source and situation.
    #[serde(default)]
    pub cases: Vec<CaseFigures>,
    /// Times in which no postback could be acknowledged.
    pub losses: Vec<LossWindow>,
    /// Result of the ledger proof.
    pub proof: ProofFigures,
}

/// How many days the top lists cover, including the day of the report.
pub const TOP_DAYS: i64 = 30;
/// How many entries a top list has at most.
pub const TOP_ENTRIES: i64 = 10;
/// How many negative balances are listed.
pub const NEGATIVE_ENTRIES: i64 = 100;

/// Rewards on hold in one age bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldAge {
    /// Name in the settings.
    pub source: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// `0-1`, `2-7`, `8-30`, `31-60` or `61+`: business days since it was held.
    pub days: String,
    /// Number of rewards and their total, in the users' currency.
    pub reward: Sum,
    /// What the network pays for them, in USD.
    pub payout: Amount,
}

/// A user with a negative balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negative {
    /// `user:APP/ID`.
    pub account: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// Always below zero.
    pub balance: Amount,
}

/// Reversal cases of one situation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFigures {
    /// Name in the settings.
    pub source: String,
    /// Why they need a person.
    pub situation: Situation,
    /// Cases opened on the day.
    pub raised: i64,
    /// Cases closed on the day, by a person or by a later postback.
    pub ended: i64,
    /// Cases open at the end of the day, and their payouts in USD.
    pub open: Sum,
}

/// How the postbacks of a source were processed; `acknowledged` is the sum of all others but `refused`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostbackFigures {
    /// Name in the settings.
    pub source: String,
    /// Recorded, and answered with 200.
    pub acknowledged: i64,
    /// Caused a credit.
    pub credits: i64,
    /// Caused a hold.
    pub holds: i64,
    /// Caused a reversal, in full or in part.
    pub reversals: i64,
    /// Reversals that came before their credit.
    pub reversals_first: i64,
    /// Credits whose reversal had come first: nothing is credited.
    pub reversed_before: i64,
    /// Credits of what was taken back before: held again.
    #[serde(default)]
    pub reapprovals: i64,
    /// Repeats of a known postback.
    pub repeats: i64,
    /// Contradicted a known postback.
    pub conflicts: i64,
    /// Could not be mapped; kept for a person.
    pub quarantined: i64,
    /// Recorded without effect, such as events without money. Absent in reports of earlier versions.
    #[serde(default)]
    pub information: i64,
    /// Tests, which no other figure counts. Absent in reports of earlier versions.
    #[serde(default)]
    pub tests: i64,
    /// Not processed yet.
    pub waiting: i64,
    /// Acknowledged without a known result; must be 0.
    pub unexplained: i64,
    /// Not acknowledged: the signature was missing or wrong.
    pub refused: i64,
}

impl PostbackFigures {
    fn accounted(&self) -> i64 {
        self.credits
            + self.holds
            + self.reversals
            + self.reversals_first
            + self.reversed_before
            + self.reapprovals
            + self.repeats
            + self.conflicts
            + self.quarantined
            + self.information
    }
}

/// Result of the ledger proof, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofFigures {
    /// True if no account and no reward differs.
    pub proven: bool,
    /// Number of accounts recomputed.
    pub accounts: i64,
    /// Number of rewards compared with their transfers.
    pub rewards: i64,
    /// Accounts whose stored balance is not the sum of their transfers.
    pub differing_accounts: i64,
    /// Rewards whose transfers contradict their status; counted up to a hundred.
    pub differing_rewards: i64,
}

impl Report {
    /// The report that follows from `facts`.
    pub fn of(facts: &Fact) -> Self {
        let date = facts.day.date();
        let sources = figures::by_source(facts);
        let totals = figures::totals(&sources);
        let accounts = rolls::accounts(facts);
        let postbacks = postbacks(facts);
        let mut report = Self {
            date: date.to_string(),
            zone: facts.day.zone().name().to_owned(),
            starts_at: facts.day.starts_at().rfc3339(),
            ends_at: facts.day.ends_at().rfc3339(),
            hours: facts.day.hours(),
            state: facts.state(),
            ties_out: false,
            faults: Vec::new(),
            inputs: facts.inputs.clone(),
            totals,
            prior_periods: figures::prior_periods(facts),
            late: figures::late(facts),
            cohorts: cohort::tables(&facts.lines, date),
            forecasts: forecast::forecasts(&facts.lines, date),
            receivables: rolls::receivables(&sources, &accounts, facts),
            users: rolls::users(&sources, &accounts),
            debts: facts.debts.clone(),
            accounts,
            holds: hold_ages(facts),
            negative: facts.negative.clone(),
            top: facts.top.clone(),
            postbacks,
            cases: facts.cases.clone(),
            losses: losses::windows(&facts.availability, facts.now, facts.day, facts.retry_horizon_ms),
            proof: facts.proof,
            sources,
        };
        report.faults = tie_out::faults(&report, facts);
        report.ties_out = report.faults.is_empty();
        report
    }
}

/// The buckets of ages in business days: the first of each, and its name.
const HOLD_AGES: [(i64, &str); 5] = [(0, "0-1"), (2, "2-7"), (8, "8-30"), (31, "31-60"), (61, "61+")];

fn hold_ages(facts: &Fact) -> Vec<HoldAge> {
    let mut ages: std::collections::BTreeMap<(&str, &str, usize), (Sum, Amount)> =
        std::collections::BTreeMap::new();
    for hold in &facts.holds {
        let age = day::days_between(hold.since, facts.day.date());
        let bucket = HOLD_AGES.iter().rposition(|(first, _)| age >= *first).unwrap_or(0);
        let entry = ages.entry((&hold.source, &hold.currency, bucket)).or_default();
        entry.0 += hold.reward;
        entry.1 += hold.payout;
    }
    let age =
        |((source, currency, bucket), (reward, payout)): ((&str, &str, usize), (Sum, Amount))| HoldAge {
            source: source.to_owned(),
            currency: currency.to_owned(),
            days: HOLD_AGES.get(bucket).map_or("", |(_, name)| name).to_owned(),
            reward,
            payout,
        };
    ages.into_iter().map(age).collect()
}

fn postbacks(facts: &Fact) -> Vec<PostbackFigures> {
    let mut by_source = std::collections::BTreeMap::<&str, PostbackFigures>::new();
    for line in &facts.postbacks {
        let figures = by_source.entry(&line.source).or_default();
        if !["refused", "test"].contains(&line.disposition.as_str()) {
            figures.acknowledged += line.count;
        }
        *(match line.disposition.as_str() {
            "refused" => &mut figures.refused,
            "credit" => &mut figures.credits,
            "hold" => &mut figures.holds,
            "reverse_unseen" => &mut figures.reversals_first,
            "reapprove" => &mut figures.reapprovals,
            step if Step::parse(step).is_some_and(Step::takes_back) => &mut figures.reversals,
            "reversed_before" => &mut figures.reversed_before,
            "repeat" => &mut figures.repeats,
            "conflict" => &mut figures.conflicts,
            "quarantined" => &mut figures.quarantined,
            "information" => &mut figures.information,
            "test" => &mut figures.tests,
            "received" => &mut figures.waiting,
            _ => &mut figures.unexplained,
        }) += line.count;
    }
    by_source
        .into_iter()
        .map(|(source, figures)| PostbackFigures { source: source.to_owned(), ..figures })
        .collect()
}
