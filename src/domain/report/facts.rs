//! What the store counted for a report.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::amount::{Amount, Sum};
use super::day::BusinessDay;
use super::losses::Availability;
use super::{CaseFigures, Negative, ProofFigures, State};
use crate::reward::Step;
use crate::time::TimestampMs;

/// Everything that a report is made from, read from one snapshot of the database.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The day.
    pub day: BusinessDay,
    /// When this is.
    pub now: TimestampMs,
    /// From when on the day is closed.
    pub closed_at: TimestampMs,
    /// How long the network repeats a postback that was not acknowledged, in milliseconds.
    pub retry_horizon_ms: i64,
    /// What the report names as its base.
    pub inputs: Inputs,
    /// True if something was received, booked or reported before the day, so that a day before it has to be closed
    /// first.
    pub has_earlier: bool,
    /// Steps booked on the day and in the days of the cohorts before it.
    pub lines: Vec<Line>,
    /// Steps booked into earlier days after those were closed.
    pub late: Vec<Line>,
    /// Kept balances and what moved them, users together.
    pub accounts: Vec<AccountFact>,
    /// What was settled on the day: transfers of no reward.
    pub settled: Vec<SettledFact>,
    /// The closing balances of the day before, if it is closed.
    pub previous_closing: Option<Vec<ClosingFact>>,
    /// What was on hold at the end of the day.
    pub holds: Vec<HoldFact>,
    /// What users owed.
    pub debts: Vec<DebtRoll>,
    /// The largest negative balances at the end of the day.
    pub negative: Vec<Negative>,
    /// By what was taken back.
    pub top: Vec<Top>,
    /// What became of the day's postbacks.
    pub postbacks: Vec<DispositionFact>,
    /// Reversals that wait for a person, or were decided on the day.
    pub cases: Vec<CaseFigures>,
    /// When a process was able to acknowledge.
    pub availability: Vec<Availability>,
    /// The ledger proof.
    pub proof: ProofFigures,
}

impl Fact {
    /// Final once the cut-off is over, every postback of the day was looked at, and every day before is closed.
    pub fn state(&self) -> State {
        let waiting = self.postbacks.iter().any(|line| line.disposition == "received" && line.count > 0);
        let in_order = self.inputs.previous.is_some() || !self.has_earlier;
        if self.now >= self.closed_at && !waiting && in_order { State::Final } else { State::Preliminary }
    }
}

/// What a report rests on; kept with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The last transfer that it knows.
    pub transfers_upto: i64,
    /// The last postback that it knows.
    pub postbacks_upto: i64,
    /// The policy versions that judged on the day.
    pub policies: Vec<String>,
    /// The closed report of the day before that it goes on from.
    pub previous: Option<Previous>,
}

/// The closed report that another goes on from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its day.
    pub date: String,
    /// SHA-256 of its content.
    pub hash: String,
    /// The last transfer that it knew.
    pub transfers_upto: i64,
}

/// Steps of one kind, of one conversion day, booked on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The source.
    pub source: String,
    /// The users' currency.
    pub currency: String,
    /// The day of the conversion.
    pub converted: NaiveDate,
    /// The day on which the steps were booked.
    pub booked: NaiveDate,
    /// The step.
    pub step: Step,
    /// How many, and their rewards.
    pub reward: Sum,
    /// Their payouts, in USD.
    pub payout: Amount,
}

/// An account, or all users together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFact {
    /// `users`, or the account's name.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// The balance that is kept now.
    pub kept: Amount,
    /// What moved it on the day, late entries included.
    pub moved: Amount,
    /// What moved it after the day.
    pub after: Amount,
}

/// What a network paid.
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
    /// Its currency.
    pub currency: String,
    /// Its balance.
    pub closing: Amount,
}

/// What is on hold since one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldFact {
    /// The source.
    pub source: String,
    /// The users' currency.
    pub currency: String,
    /// The day on which it was held.
    pub since: NaiveDate,
    /// How many, and their rewards.
    pub reward: Sum,
    /// Their payouts, in USD.
    pub payout: Amount,
}

/// What users owe: the negative balances of one currency, each taken by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebtRoll {
    /// The currency.
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

/// One entry of a list of the top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// `offer`, `country` or `sub1`.
    pub of: String,
    /// The source.
    pub source: String,
    /// The offer's id, the country, the value; empty if the network named none.
    pub key: String,
    /// Reversals, and their payouts in USD.
    pub reversed: Sum,
}

/// Postbacks of one disposition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispositionFact {
    /// The source.
    pub source: String,
    /// The step they caused, or `repeat`, `quarantined`, `information`, `conflict`, `reversed_before`, `received`, `refused`.
    pub disposition: String,
    /// How many.
    pub count: i64,
}
