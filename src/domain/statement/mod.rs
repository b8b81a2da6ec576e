//! The network's own statement: reading its lines and matching them with the books.
//!
//! Every line and every booking of ours ends in exactly one state with a difference in USD, so that the sum of all
//! differences **is** the difference of the two totals, whatever was found.
//!
//! | module | what it answers |
//! |---|---|
//! | [`mod@format`] | how a network writes its files: the settings |
//! | `header`, `columns` | where the header is, and which column holds which field |
//! | [`mod@line`] | what a line of the file says, or why it cannot be read |
//! | [`number`], `times` | amounts and times as networks write them |
//! | [`guess`] | the settings for a file of which nothing is known, and what they leave open |
//! | `aside` | lines that are not transactions: totals, titles, comments |
//! | `spoiled` | ids that a spreadsheet has changed |
//! | [`controls`] | figures that the file states about itself, and whether they are right |
//! | [`totals`] | the totals, to the micro |
//! | [`pieces`] | a file in pieces, cut between records |
//! | `layout`, `records`, `encoding` | where a record ends, and what its bytes are |
//! | [`period`] | the days it covers |
//! | [`life`] | the states of a statement, and the steps between them |
//! | [`payment`] | payments for it |
//! | [`matching`] | which booking a line belongs to, by which rule, with which difference |

mod aside;
mod columns;
pub mod controls;
mod encoding;
pub mod format;
#[cfg(test)]
mod fuzz;
pub mod guess;
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

use crate::postback::event::Kind;
use crate::report::amount::Amount;
use crate::time::TimestampMs;

/// Why nothing of a file can be read. Of anything less only the line is faulty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not a text file; says what it is.
    #[error("the file is {0}: save it as CSV and send that")]
    NoText(&'static str),
    /// The file has no lines.
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
    /// The network's transaction id; `None` in a daily sum.
    pub tx_id: Option<String>,
    /// Credit or reversal.
    pub kind: Kind,
    /// The publisher's id of the user.
    pub user_id: Option<String>,
    /// The network's id of the offer.
    pub offer_id: Option<String>,
    /// The network's id of the event within the offer.
    pub event_id: Option<String>,
    /// Never below zero; `kind` has the sign.
    pub amount: Amount,
    /// ISO code, in upper case.
    pub currency: String,
    /// When it happened; `None` if the file has no time.
    pub at: Option<TimestampMs>,
    /// The day of `at` in the zone of the file, `YYYY-MM-DD`.
    pub day: Option<String>,
    /// Number of transactions in a daily sum, if the file says so.
    pub count: Option<i64>,
}

impl StatementLine {
    /// True if it is a daily sum and not one transaction.
    pub fn is_daily_sum(&self) -> bool {
        self.tx_id.is_none() && self.user_id.is_none()
    }
}

/// The state of a line, or of a booking that no line mentions.
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
    /// Both sides have it, with different amounts.
    AmountDiffers,
    /// One side has taken it back, or never approved it.
    StatusDiffers,
    /// The network counts it in another currency.
    CurrencyDiffers,
    /// The network counts it twice.
    Duplicate,
    /// The network reverses what was never booked here.
    OrphanReversal,
    /// More than one booking fits, so none is taken for it.
    Ambiguous,
    /// Not matched by all rules yet.
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
            Self::Matched => "Both sides agree.",
            Self::MatchedInTolerance => "Both sides have it, with amounts as close as the settings allow.",
            Self::MissingHere => {
                "The network counts it, but its postback never arrived: ask the network to resend it."
            }
            Self::MissingThere => {
                "It is booked here, but the network does not count it and its cut-off is over."
            }
            Self::PendingThere => "It is booked here, and the network has until its cut-off to count it.",
            Self::CountedElsewhere => {
                "Another statement of the network counts it, so it does not count here."
            }
            Self::AmountDiffers => "Both sides have it, with different amounts.",
            Self::StatusDiffers => "One side has taken it back, or never approved it.",
            Self::CurrencyDiffers => "The network counts it in another currency than US dollars.",
            Self::Duplicate => {
                "The network counts it twice, in this statement or in another with other facts."
            }
            Self::OrphanReversal => "The network takes back what was never booked here.",
            Self::Ambiguous => "More than one booking matches, so none was chosen.",
            Self::Open => "The rules have not looked at it yet.",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Open]).find(|state| state.name() == name)
    }

    /// True if both sides agree.
    pub fn is_agreed(self) -> bool {
        matches!(self, Self::Matched | Self::MatchedInTolerance)
    }

    /// True if a person has to act now. Pending lines may still arrive, and another statement counts the rest.
    pub fn needs_a_person(self) -> bool {
        !self.is_agreed() && !matches!(self, Self::PendingThere | Self::CountedElsewhere)
    }

    /// True if a line in this state has a booking.
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
