//! One line of the log: a completion, and which call of it.

use std::net::IpAddr;

use super::persona::Persona;
use super::places::Place;

/// A completion that the network pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The truth.
    pub persona: Persona,
    /// Number of the transaction, from 1.
    pub(super) number: u64,
    /// Number of the account, from 1.
    pub(super) user: u32,
    pub(super) place: Place,
    /// Positions of source, sub id, offer and step.
    pub(super) source: usize,
    pub(super) sub: usize,
    pub(super) offer: usize,
    pub(super) step: usize,
    /// Networks send whole seconds.
    pub(super) clicked_at_s: i64,
    /// From the click to this step, in milliseconds.
    pub(super) took_ms: i64,
}

/// Which call of a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The user earned the reward.
    Credit,
    /// The same call again.
    Again,
    /// The network takes the reward back.
    Reversal,
}

/// A call as it is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// When the call arrives, in unix milliseconds.
    pub received_at_ms: i64,
    /// Which call.
    pub act: Act,
    /// Of what.
    pub completion: Completion,
}

impl Completion {
    /// The user's address.
    pub fn address(&self) -> IpAddr {
        self.place.address
    }

    /// The country that the network reports.
    pub fn country(&self) -> &'static str {
        self.place.country
    }
}
