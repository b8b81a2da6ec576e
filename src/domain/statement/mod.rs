//! The network's own statement: reading its lines, and matching them with what we booked.
//!
//! Every line and every booking of ours ends in exactly one state with a difference in USD, so that the sum of all
//! differences **is** the difference of the two totals, whatever was found.
//!
//! | module | what it answers |
//! |---|---|
//! | [`mod@format`] | how a network writes its files: the settings |
//! | `header`, `columns` | where the header is, and which column holds which field |
//! | [`line`] | what a line of the file says, or why it cannot be read |
//! | [`number`], `times` | amounts and times as networks write them |
//! | `aside` | lines that are no transactions: totals, titles, remarks |
//! | `spoiled` | ids that a spreadsheet has changed |
//! | [`controls`] | what the file says of itself, and whether that is so |
//! | [`totals`] | what it all comes to, exactly |
//! | [`pieces`] | a file in pieces, cut between records |
//! | `layout`, `records`, `encoding` | where a record ends, and what its bytes are |
//! | [`period`] | which days it speaks of |
//! | [`life`] | where a statement stands, and its steps |
//! | [`payment`] | what was paid for it |
//! | [`matching`] | which booking it belongs to, by which rule, with which difference |

mod aside;
mod columns;
pub mod controls;
mod encoding;
pub mod format;
#[cfg(test)]
mod fuzz;
mod header;
mod layout;
pub mod life;
pub mod line;
pub mod matching;
pub mod number;
pub mod payment;
pub mod period;
pub mod pieces;
#[cfg(test)]
mod reading;
mod records;
mod spoiled;
#[cfg(test)]
mod tests;
mod times;
pub mod totals;

use serde::{Deserialize, Serialize};

use crate::postback::network::Kind;
use crate::report::amount::Amount;
use crate::time::TimestampMs;

/// Why nothing of a file can be read. Of anything less only the line is faulty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no text, but this.
    #[error("the file is {0}: save it as CSV and send that")]
    NoText(&'static str),
    /// Nothing stands in it.
    #[error("the file is empty")]
    Empty,
    /// The settings of the source cannot be right.
    #[error("{0}")]
    Settings(String),
    /// Its columns are not those of the settings.
    #[error("{0}")]
    Columns(String),
    /// The line with this number is too long.
    #[error("line {0} is longer than {max} bytes, which no statement needs: is it a text file with lines?", max = pieces::MAX_LINE_LEN)]
    LongLine(i64),
    /// There are too many lines.
    #[error("it has more than {max} lines: import it in parts", max = pieces::MAX_LINES)]
    TooManyLines,
}

/// One line of a statement, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Its number in the file, from 1.
    pub number: i64,
    /// The network's transaction id.
    pub tx_id: Option<String>,
    /// Whether it gives or takes back.
    pub kind: Kind,
    /// The user.
    pub user_id: Option<String>,
    /// The offer.
    pub offer_id: Option<String>,
    /// The event within the offer.
    pub event_id: Option<String>,
    /// How much, never below zero.
    pub amount: Amount,
    /// Of which currency.
    pub currency: String,
    /// When, if the file says so.
    pub at: Option<TimestampMs>,
    /// The day of that, in the zone of the file.
    pub day: Option<String>,
    /// Of the sum of a day: how many transactions it stands for, if the file says so.
    pub count: Option<i64>,
}

impl StatementLine {
    /// True if it is the sum of a day and not one transaction.
    pub fn is_daily_sum(&self) -> bool {
        self.tx_id.is_none() && self.user_id.is_none()
    }
}

/// What became of a line, or of a booking of ours that no line speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// The same on both sides.
    Matched,
    /// The same but for an amount within the tolerance.
    MatchedInTolerance,
    /// The network counts it, and we never got it.
    MissingHere,
    /// We booked it, and the network does not count it, though its cut-off is over.
    MissingThere,
    /// We booked it, and the network does not count it yet: its cut-off is not over.
    PendingThere,
    /// Another statement of the network counts it: a booking of ours, or the same line once more.
    CountedElsewhere,
    /// The amounts differ.
    AmountDiffers,
    /// One side has taken it back, or never approved it.
    StatusDiffers,
    /// The network counts it in another currency.
    CurrencyDiffers,
    /// The network counts it twice.
    Duplicate,
    /// The network takes back what we never had.
    OrphanReversal,
    /// More than one booking fits, so none is taken for it.
    Ambiguous,
    /// Not looked at by all rules yet.
    Open,
}

impl LineState {
    /// Every state that a finished statement can hold.
    pub const ALL: [Self; 12] = [
        Self::Matched,
        Self::MatchedInTolerance,
        Self::MissingHere,
        Self::MissingThere,
        Self::PendingThere,
        Self::CountedElsewhere,
        Self::AmountDiffers,
        Self::StatusDiffers,
        Self::CurrencyDiffers,
        Self::Duplicate,
        Self::OrphanReversal,
        Self::Ambiguous,
    ];

    /// The name in tables, files and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::MatchedInTolerance => "matched_in_tolerance",
            Self::MissingHere => "missing_here",
            Self::MissingThere => "missing_there",
            Self::PendingThere => "pending_there",
            Self::CountedElsewhere => "counted_elsewhere",
            Self::AmountDiffers => "amount_differs",
            Self::StatusDiffers => "status_differs",
            Self::CurrencyDiffers => "currency_differs",
            Self::Duplicate => "duplicate",
            Self::OrphanReversal => "orphan_reversal",
            Self::Ambiguous => "ambiguous",
            Self::Open => "open",
        }
    }

    /// A heading of at most 31 letters.
    pub fn title(self) -> &'static str {
        match self {
            Self::Matched => "Matched",
            Self::MatchedInTolerance => "Matched within tolerance",
            Self::MissingHere => "Missing here",
            Self::MissingThere => "Missing there, overdue",
            Self::PendingThere => "Missing there, pending",
            Self::CountedElsewhere => "Counted in another statement",
            Self::AmountDiffers => "Amount differs",
            Self::StatusDiffers => "Status differs",
            Self::CurrencyDiffers => "Currency differs",
            Self::Duplicate => "Duplicate",
            Self::OrphanReversal => "Orphan reversal",
            Self::Ambiguous => "Ambiguous",
            Self::Open => "Not matched yet",
        }
    }

    /// What it means, and whose turn it is.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Matched => "Both sides have the same.",
            Self::MatchedInTolerance => "Both sides have it, with amounts as close as the settings allow.",
            Self::MissingHere => {
                "The network counts it, and its postback never came: ask for it to be sent again."
            }
            Self::MissingThere => {
                "It is booked here, and the network does not count it though its cut-off is over."
            }
            Self::PendingThere => "It is booked here, and the network has until its cut-off to count it.",
            Self::CountedElsewhere => {
                "Another statement of the network counts it, so it does not count here."
            }
            Self::AmountDiffers => "Both sides have it, with different amounts.",
            Self::StatusDiffers => "One side has taken it back, or never approved it.",
            Self::CurrencyDiffers => "The network counts it in another currency than US dollars.",
            Self::Duplicate => "The network counts it twice, in this statement or otherwise in another.",
            Self::OrphanReversal => "The network takes back what was never booked here.",
            Self::Ambiguous => "More than one booking fits, so none is taken for it.",
            Self::Open => "The rules have not looked at it yet.",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Open]).find(|state| state.name() == name)
    }

    /// True if both sides agree on it, so that nobody has to look.
    pub fn is_agreed(self) -> bool {
        matches!(self, Self::Matched | Self::MatchedInTolerance)
    }

    /// True if somebody has to look at it now. What is pending may still come, and what another statement counts has
    /// come.
    pub fn needs_a_person(self) -> bool {
        !self.is_agreed() && !matches!(self, Self::PendingThere | Self::CountedElsewhere)
    }

    /// True if a booking of ours belongs to a line in this state.
    pub fn has_booking(self) -> bool {
        matches!(self, Self::Matched | Self::MatchedInTolerance | Self::AmountDiffers | Self::CurrencyDiffers)
    }
}

/// `credit` or `reversal`.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Credit => "credit",
        Kind::Reversal => "reversal",
    }
}

/// The kind of that name.
pub fn parse_kind(name: &str) -> Option<Kind> {
    [Kind::Credit, Kind::Reversal].into_iter().find(|kind| kind_name(*kind) == name)
}

/// An amount as it counts in a total: a reversal counts against.
pub fn signed(kind: Kind, amount: Amount) -> Amount {
    match kind {
        Kind::Credit => amount,
        Kind::Reversal => -amount,
    }
}
