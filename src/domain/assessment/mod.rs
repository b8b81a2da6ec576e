//! What the gateway would have done with a publisher's past: the figures of `rewardgate assess`.
//!
//! | module | what it adds up |
//! |---|---|
//! | [`lines`] | lines of the files, and what of them is no call |
//! | [`calls`] | calls: refused, repeated, not to be mapped |
//! | [`rewards`] | rewards as they stood at the end: decisions, rules, days |
//! | [`groups`] | sources and sub ids, and which of them stand out |
//! | [`truth`] | recall and false holds, where somebody knows who cheated |
//! | [`table`] | the summary as one table |
//! | [`sum`] | a number of things and their money |
//!
//! Everything is bounded: a list that could grow with the files has a limit, and says what it left out.

pub mod calls;
pub mod groups;
pub mod lines;
pub mod rewards;
pub mod sum;
pub mod table;
#[cfg(test)]
mod tests;
pub mod truth;

use serde::Serialize;

pub use calls::Calls;
pub use groups::Group;
pub use lines::{Lines, Noted};
pub use rewards::{PastReward, Rewards};
pub use sum::Sum;
pub use truth::{Scores, Truth};

use crate::time::TimestampMs;

/// All figures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Assessment {
    /// Lines of the files.
    pub lines: Lines,
    /// Calls among them.
    pub calls: Calls,
    /// The rewards of these calls.
    pub rewards: Rewards,
    /// Sources and sub ids that stand out, the most money first.
    pub standing_out: Vec<Group>,
    /// Against what is known of the users; `None` if nothing is.
    pub truth: Option<Scores>,
    /// The sources that were called.
    pub sources: Vec<SourceNote>,
    /// The version of the policy that decided.
    pub policy: String,
    /// True if every balance follows from its transfers.
    pub books_proven: bool,
}

/// What the reader must know about a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceNote {
    /// The source's name.
    pub source: String,
    /// The network's title.
    pub network: String,
    /// Calls that were taken.
    pub calls: u64,
    /// Whether signatures were checked, in a sentence.
    pub signatures: String,
    /// What a signature of this network proves, in a sentence.
    pub coverage: String,
}

impl Assessment {
    /// The first and the last call that has a time.
    pub fn span(&self) -> Option<(TimestampMs, TimestampMs)> {
        self.calls.first_at.zip(self.calls.last_at)
    }
}
