//! What a statement comes to, and that it comes to exactly that.

use super::LineState;
use crate::report::amount::Amount;

/// All lines and bookings of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfState {
    /// The state.
    pub state: LineState,
    /// How many.
    pub count: i64,
    /// How many of them a person has accepted.
    pub accepted_count: i64,
    /// What they count in the network's total, in USD.
    pub theirs: Amount,
    /// What they count in ours.
    pub ours: Amount,
    /// Theirs less ours, of those that were accepted.
    pub accepted: Amount,
}

/// A whole statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// State by state.
    pub states: Vec<OfState>,
    /// The network's total, in USD.
    pub theirs: Amount,
    /// Ours.
    pub ours: Amount,
    /// Theirs less ours: the sum of the five below.
    pub difference: Amount,
    /// Differences within the tolerance.
    pub in_tolerance: Amount,
    /// Differences that a person has accepted.
    pub accepted: Amount,
    /// What the network counts in another statement.
    pub elsewhere: Amount,
    /// What it does not count yet, and has time for.
    pub pending: Amount,
    /// Differences that are open.
    pub open: Amount,
    /// How many of those there are.
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

    /// True if the parts are the whole, to the micro.
    pub fn ties_out(&self) -> bool {
        self.difference == self.in_tolerance + self.accepted + self.elsewhere + self.pending + self.open
    }
}
