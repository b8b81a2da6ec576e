//! The totals of a statement, and the proof that their parts add up.

use super::LineState;
use crate::report::amount::Amount;

/// All lines and bookings of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfState {
    /// What the lines have in common.
    pub state: LineState,
    /// Number of lines and bookings.
    pub count: i64,
    /// Those that a person has accepted.
    pub accepted_count: i64,
    /// Their share of the network's total, in USD.
    pub theirs: Amount,
    /// Their share of our total, in USD.
    pub ours: Amount,
    /// Theirs less ours, of those that were accepted.
    pub accepted: Amount,
}

/// The totals of a statement, in USD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// One entry for each state that occurs.
    pub states: Vec<OfState>,
    /// The network's total.
    pub theirs: Amount,
    /// Our total.
    pub ours: Amount,
    /// Theirs minus ours: the sum of the five below.
    pub difference: Amount,
    /// Differences within the tolerance.
    pub in_tolerance: Amount,
    /// Differences that a person has accepted.
    pub accepted: Amount,
    /// Counted by the network in another statement.
    pub elsewhere: Amount,
    /// Not counted by the network yet, before its cut-off.
    pub pending: Amount,
    /// Differences still open.
    pub open: Amount,
    /// Number of open differences.
    pub open_count: i64,
}

impl Totals {
    /// The totals of `states`.
    pub fn of(states: Vec<OfState>) -> Self {
        let mut totals = Self::default();
        for of in &states {
            totals.theirs += of.theirs;
            totals.ours += of.ours;
            let difference = of.theirs - of.ours;
            if of.state.is_agreed() {
                totals.in_tolerance += difference;
                continue;
            }
            totals.accepted += of.accepted;
            let rest = difference - of.accepted;
            match of.state {
                LineState::CountedElsewhere => totals.elsewhere += rest,
                LineState::PendingThere => totals.pending += rest,
                _ => {
                    totals.open += rest;
                    totals.open_count += of.count - of.accepted_count;
                }
            }
        }
        totals.difference = totals.theirs - totals.ours;
        totals.states = states;
        totals
    }

    /// True if the five parts add up to the difference, to the micro.
    pub fn ties_out(&self) -> bool {
        self.difference == self.in_tolerance + self.accepted + self.elsewhere + self.pending + self.open
    }
}
