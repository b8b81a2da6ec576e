//! Calls: refused, repeated, not to be mapped.

use serde::Serialize;

use super::lines::Reasons;
use super::sum::Sum;
use crate::time::TimestampMs;

/// The calls of all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// All calls of known sources.
    pub events: u64,
    /// When the first of them came.
    pub first_at: Option<TimestampMs>,
    /// When the last of them came.
    pub last_at: Option<TimestampMs>,
    /// Calls that the gateway refuses, by reason: mostly a wrong signature.
    pub refused: Reasons,
    /// The money that refused credits name.
    pub refused_credits: Sum,
    /// Calls that took effect, or whose conflict was recorded.
    pub processed: u64,
    /// Credits that came once more: a script that does not look pays each of them again.
    pub repeated_credits: Sum,
    /// Reversals that came once more.
    pub repeated_reversals: u64,
    /// Calls that cannot be mapped, by reason.
    pub unmapped: Reasons,
    /// Calls of events without money.
    pub information: u64,
    /// Calls that the network marks as tests.
    pub tests: u64,
}

impl Calls {
    /// Counts a call that came `at` this time.
    pub fn came(&mut self, at: TimestampMs) {
        self.events += 1;
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
    }

    /// Calls that were refused.
    pub fn refused_count(&self) -> u64 {
        self.refused.total()
    }
}

/// A reason without what stands in backticks, so that one mistake is one reason whatever the values were.
pub fn without_values(reason: &str) -> String {
    let parts = reason.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part } else { "`…`" }).collect()
}
