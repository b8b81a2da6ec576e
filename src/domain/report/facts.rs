//! The counts that a report is computed from, loaded by the store.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::amount::{Amount, Sum};
use super::day::BusinessDay;
use super::losses::Availability;
use super::{CaseFigures, Negative, ProofFigures, State};
use crate::reward::Step;
use crate::time::TimestampMs;

/// Everything that a report is computed from, read from one database snapshot.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The business day of the report.
    pub day: BusinessDay,
    /// When the snapshot was taken.
    pub now: TimestampMs,
    /// The cut-off: from here on the report can be final.
    pub closed_at: TimestampMs,
    /// How long the network repeats a postback that was not acknowledged, in milliseconds.
    pub retry_horizon_ms: i64,
    /// The data and policies that the report rests on.
    pub inputs: Inputs,
    /// True if anything was received, booked or reported before the day, so that the day before has to be closed first.
    pub has_earlier: bool,
    /// Steps booked on the day and in the days of the cohorts before it.
    pub lines: Vec<Line>,
    /// Steps booked into earlier days after those were closed.
    pub late: Vec<Line>,
    /// Stored balances and their movements; all users are one account.
    pub accounts: Vec<AccountFact>,
    /// Payments of networks booked on the day.
    pub settled: Vec<SettledFact>,
    /// The closing balances of the day before, if it is closed.
    pub previous_closing: Option<Vec<ClosingFact>>,
    /// What was on hold at the end of the day.
    pub holds: Vec<HoldFact>,
    /// Users' negative balances, by currency.
    pub debts: Vec<DebtRoll>,
    /// The largest negative balances at the end of the day.
    pub negative: Vec<Negative>,
    /// The largest reversals by offer, country and `sub1`.
    pub top: Vec<Top>,
    /// How the postbacks received on the day were processed.
    pub postbacks: Vec<DispositionFact>,
    /// Reversals that wait for a person, or were decided on the day.
    pub cases: Vec<CaseFigures>,
    /// When a process could acknowledge postbacks.
    pub availability: Vec<Availability>,
    /// Result of the ledger proof on the same snapshot.
    pub proof: ProofFigures,
}

impl Fact {
    /// Final once the cut-off is over, every postback of the day is processed, and every earlier day is closed.
    pub fn state(&self) -> State {
        let waiting = self.postbacks.iter().any(|line| line.disposition == "received" && line.count > 0);
        let in_order = self.inputs.previous.is_some() || !self.has_earlier;
        if self.now >= self.closed_at && !waiting && in_order { State::Final } else { State::Preliminary }
    }
}

/// The data and policies that a report rests on; stored with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The last transfer included.
    pub transfers_upto: i64,
    /// The last postback included.
    pub postbacks_upto: i64,
    /// The policy versions that judged on the day.
    pub policies: Vec<String>,
    /// The closed report of the day before, which it continues.
    pub previous: Option<Previous>,
}

/// The closed report that another continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its business day, `YYYY-MM-DD`.
    pub date: String,
    /// SHA-256 of its content.
    pub hash: String,
    /// The last transfer it included.
    pub transfers_upto: i64,
}

/// Steps of one kind, of one conversion day, booked on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Name in the settings.
    pub source: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// The day of the conversion.
    pub converted: NaiveDate,
    /// The day on which the steps were booked.
    pub booked: NaiveDate,
    /// Which change of status.
    pub step: Step,
    /// Number of rewards and their total, in the users' currency.
    pub reward: Sum,
    /// Their payouts, in USD.
    pub payout: Amount,
}

/// An account, or all users together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFact {
    /// `users`, or the account's name.
    pub account: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// The balance stored now.
    pub kept: Amount,
    /// What moved it on the day, late entries included.
    pub moved: Amount,
    /// What moved it after the day.
    pub after: Amount,
}

/// A payment of a network, or its reversal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledFact {
    /// The account that was debited, e.g. `paid:targo-main`.
    pub debit: String,
    /// The account that was credited.
    pub credit: String,
    /// How much, in USD.
    pub amount: Amount,
}

/// How an account closed the day before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingFact {
    /// `users`, or the account's name.
    pub account: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// Its balance at the end of that day.
    pub closing: Amount,
}

/// Rewards on hold since one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldFact {
    /// Name in the settings.
    pub source: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// The day on which it was held.
    pub since: NaiveDate,
    /// Number of rewards and their total, in the users' currency.
    pub reward: Sum,
    /// Their payouts, in USD.
    pub payout: Amount,
}

/// What users owe: the negative balances of one currency, without offsetting them against others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebtRoll {
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// Who owed at the beginning of the day, and how much together (above zero).
    pub opening: Sum,
    /// What was added by users who owe more than before.
    pub arisen: Amount,
    /// What users who owe less have earned back.
    pub recovered: Amount,
    /// Who owes at the end of it.
    pub closing: Sum,
}

/// One entry of a top list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// `offer`, `country` or `sub1`.
    pub of: String,
    /// Name in the settings.
    pub source: String,
    /// The offer's id, the country, the value; empty if the network named none.
    pub key: String,
    /// Reversals, and their payouts in USD.
    pub reversed: Sum,
}

/// How many postbacks of a source were processed in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispositionFact {
    /// Name in the settings.
    pub source: String,
    /// The step they caused, or `repeat`, `quarantined`, `information`, `conflict`, `reversed_before`, `received`, `refused`.
    pub disposition: String,
    /// Number of postbacks.
    pub count: i64,
}
