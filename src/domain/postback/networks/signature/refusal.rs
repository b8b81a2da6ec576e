//! Why a call is refused. Each reason names the parameter, and what to check.

use crate::postback::networks::parameters::BadBody;

/// Why the signature of a call does not prove anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not there.
    #[error("the signature is missing: there is no {0}")]
    Missing(String),
    /// Which one counts would be a guess.
    #[error("{0} appears more than once")]
    Repeated(String),
    /// Something follows it that is not signed.
    #[error("`{0}` is not the last parameter, and what follows it would not be signed")]
    NotLast(String),
    /// It cannot be a signature of this digest.
    #[error("the signature is malformed: it is not {0}")]
    Malformed(&'static str),
    /// A parameter that is signed is not in the call.
    #[error(
        "`{0}` is part of what is signed and missing in the call; add it to the URL in the network's dashboard"
    )]
    MissingPart(String),
    /// It is signed as a whole number and is no number.
    #[error("`{0}` is signed as a whole number and is not a decimal number")]
    NotInteger(String),
    /// The body is not what its network sends.
    #[error("{0}")]
    Body(#[from] BadBody),
    /// The time that is signed cannot be read.
    #[error("the signature has no time in seconds")]
    NoTime,
    /// An old call, or one with a clock that is wrong.
    #[error("the signature is {age_s} s old, more than the allowed {window_s} s; check both clocks")]
    Stale {
        /// Seconds between its time and ours; below zero for a time to come.
        age_s: i64,
        /// The most that is accepted, in seconds either way.
        window_s: u32,
    },
    /// The key it names is not among those of the source.
    #[error("the key `{0}` is not known; fetch the network's key list again")]
    UnknownKey(String),
    /// The source lacks what this network needs.
    #[error("the source has no {0}; add it to its settings")]
    NoKey(&'static str),
    /// It is well formed and no secret of the source produces it.
    #[error("the signature does not match any secret of this source")]
    Wrong,
}
