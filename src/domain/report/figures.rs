//! Figures of the day: per source, in total, and about conversions of earlier days.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::amount::{Amount, Sum};
use super::facts::{Fact, Line};
use crate::reward::Step;

/// What was booked for one source in one currency. Decisions are counted without those taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFigures {
    /// Name in the settings.
    pub source: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// Its figures, flattened in JSON.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Counts and amounts of the booked steps; amounts in the users' currency unless a field says USD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// What the network approved, in USD: credited or held, it owes it either way.
    pub approved: Sum,
    /// What it took back, in USD.
    pub reversed: Sum,
    /// Approved less reversed, in USD.
    pub net: Amount,
    /// Credited by the rules, in the users' currency.
    pub credited: Sum,
    /// Held by the rules, in the users' currency.
    pub held: Sum,
    /// Released by reviewers or policy, less what was undone.
    pub released: Sum,
    /// Rejected by reviewers, less what was undone.
    pub rejected: Sum,
    /// Rejected at first, and released by people afterwards.
    pub overturned: Sum,
    /// Reversed after they had been credited.
    pub reversed_credited: Sum,
    /// Taken back while on hold.
    pub reversed_held: Sum,
    /// Taken back after they had been rejected: users never had them.
    pub reversed_rejected: Sum,
    /// Reversals that came before their credit: nothing moved.
    pub reversed_first: i64,
    /// Parts taken back from users, who keep the rest.
    #[serde(default)]
    pub reversed_credited_part: Sum,
    /// Parts taken back while on hold.
    #[serde(default)]
    pub reversed_held_part: Sum,
    /// Parts taken back after they had been rejected.
    #[serde(default)]
    pub reversed_rejected_part: Sum,
    /// Approved again by the network after it had taken them back; they are held.
    #[serde(default)]
    pub reapproved: Sum,
}

impl Figures {
    /// Adds the steps of one line.
    pub(super) fn add(&mut self, step: Step, reward: Sum, payout: Amount) {
        let paid = Sum { count: reward.count, amount: payout };
        match step {
            Step::Credit | Step::Hold | Step::Reapprove => self.approved += paid,
            step if step.takes_back() => self.reversed += paid,
            _ => {}
        }
        match step {
            Step::Credit => self.credited += reward,
            Step::Hold => self.held += reward,
            Step::Release => self.released += reward,
            Step::Reject => self.rejected += reward,
            Step::Overturn => self.overturned += reward,
            Step::UndoRelease => self.released = self.released - reward,
            Step::UndoReject => self.rejected = self.rejected - reward,
            Step::UndoOverturn => self.overturned = self.overturned - reward,
            Step::ReverseCredited => self.reversed_credited += reward,
            Step::ReverseHeld => self.reversed_held += reward,
            Step::ReverseRejected => self.reversed_rejected += reward,
            Step::ReverseUnseen => self.reversed_first += reward.count,
            Step::ReverseCreditedPart => self.reversed_credited_part += reward,
            Step::ReverseHeldPart => self.reversed_held_part += reward,
            Step::ReverseRejectedPart => self.reversed_rejected_part += reward,
            Step::Reapprove => self.reapproved += reward,
        }
        self.net = self.approved.amount - self.reversed.amount;
    }

    fn merge(&mut self, other: &Self) {
        self.approved += other.approved;
        self.reversed += other.reversed;
        self.net += other.net;
        self.credited += other.credited;
        self.held += other.held;
        self.released += other.released;
        self.rejected += other.rejected;
        self.overturned += other.overturned;
        self.reversed_credited += other.reversed_credited;
        self.reversed_held += other.reversed_held;
        self.reversed_rejected += other.reversed_rejected;
        self.reversed_first += other.reversed_first;
        self.reversed_credited_part += other.reversed_credited_part;
        self.reversed_held_part += other.reversed_held_part;
        self.reversed_rejected_part += other.reversed_rejected_part;
        self.reapproved += other.reapproved;
    }

    /// What came to users: credited, released, overturned.
    pub fn given(&self) -> Amount {
        self.credited.amount + self.released.amount + self.overturned.amount
    }
}

/// Totals over all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalFigures {
    /// What the networks approved, in USD.
    pub approved: Sum,
    /// What they took back, in USD.
    pub reversed: Sum,
    /// Approved less reversed, in USD.
    pub net: Amount,
    /// Rewards, for each currency of the users; `source` is empty.
    pub currencies: Vec<SourceFigures>,
}

/// Steps about conversions of an earlier day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorLine {
    /// The day that they belong to: of the conversion, or of the booking for a late entry.
    pub belongs_to: String,
    /// Name in the settings.
    pub source: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// As [`Step::name`] says.
    pub step: String,
    /// How many, and their rewards.
    pub reward: Sum,
    /// Their payouts, in USD.
    pub payout: Amount,
}

/// The lines that count for the day: booked on it, or late.
pub(super) fn of_the_day(facts: &Fact) -> impl Iterator<Item = &Line> {
    facts.lines.iter().filter(|line| line.booked == facts.day.date()).chain(&facts.late)
}

pub(super) fn by_source(facts: &Fact) -> Vec<SourceFigures> {
    let mut sources = BTreeMap::<(&str, &str), Figures>::new();
    for line in of_the_day(facts) {
        sources.entry((&line.source, &line.currency)).or_default().add(line.step, line.reward, line.payout);
    }
    let figures = |((source, currency), figures): ((&str, &str), Figures)| SourceFigures {
        source: source.to_owned(),
        currency: currency.to_owned(),
        figures,
    };
    sources.into_iter().map(figures).collect()
}

pub(super) fn totals(sources: &[SourceFigures]) -> TotalFigures {
    let mut currencies = BTreeMap::<&str, Figures>::new();
    let mut all = Figures::default();
    for source in sources {
        all.merge(&source.figures);
        currencies.entry(&source.currency).or_default().merge(&source.figures);
    }
    let currencies = currencies.into_iter().map(|(currency, figures)| SourceFigures {
        source: String::new(),
        currency: currency.to_owned(),
        figures,
    });
    TotalFigures {
        approved: all.approved,
        reversed: all.reversed,
        net: all.net,
        currencies: currencies.collect(),
    }
}

pub(super) fn prior_periods(facts: &Fact) -> Vec<PriorLine> {
    let today = facts.day.date();
    prior(of_the_day(facts).filter(|line| line.converted < today), |line| line.converted.to_string())
}

pub(super) fn late(facts: &Fact) -> Vec<PriorLine> {
    prior(facts.late.iter(), |line| line.booked.to_string())
}

fn prior<'f>(lines: impl Iterator<Item = &'f Line>, day: impl Fn(&Line) -> String) -> Vec<PriorLine> {
    let mut sums = BTreeMap::<(String, &str, &str, &str), (Sum, Amount)>::new();
    for line in lines {
        let key = (day(line), line.source.as_str(), line.currency.as_str(), line.step.name());
        let (reward, payout) = sums.entry(key).or_default();
        *reward += line.reward;
        *payout += line.payout;
    }
    let line = |((belongs_to, source, currency, step), (reward, payout))| PriorLine {
        belongs_to,
        source: str::to_owned(source),
        currency: str::to_owned(currency),
        step: str::to_owned(step),
        reward,
        payout,
    };
    sums.into_iter().map(line).collect()
}
