//! One completion that may count for what is normal, and the time since the step before it.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::history::fingerprint;
use crate::money::{MICROS_PER_UNIT, Micros};
use crate::time::TimestampMs;

/// A credited completion that nobody held and nobody took back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Name in the settings.
    pub source: String,
    /// The network's id of the offer.
    pub offer_id: String,
    /// Empty if the network names none.
    pub event_id: String,
    /// The key of the reward, unique in its source.
    pub tx: String,
    /// When its postback arrived.
    pub received_at: TimestampMs,
    /// From click to completion, in milliseconds; `None` if it could not be measured.
    pub took_ms: Option<i64>,
    /// Since the step before it of the same click, in milliseconds; `None` for the first step.
    pub gap_ms: Option<i64>,
    /// In the user's currency.
    pub reward: Option<Micros>,
    /// In USD.
    pub payout: Option<Micros>,
}

impl Completion {
    /// Units of reward per USD, in micros; `None` unless both are above zero.
    pub(super) fn ratio_micros(&self) -> Option<i64> {
        let above_zero = |amount: Option<Micros>| amount.filter(|amount| amount.0 > 0).map(|amount| amount.0);
        let (reward, payout) = above_zero(self.reward).zip(above_zero(self.payout))?;
        let ratio = i128::from(reward) * i128::from(MICROS_PER_UNIT) / i128::from(payout);
        Some(i64::try_from(ratio).unwrap_or(i64::MAX))
    }

    /// A number that depends on nothing but the transaction: the completions with the smallest are the sample.
    pub(super) fn rank(&self) -> u64 {
        let hash = Sha256::digest(self.tx.as_bytes());
        hash.iter().take(8).fold(0, |rank, byte| rank << 8 | u64::from(*byte))
    }
}

/// A click: the steps of one offer after it share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickKey {
    /// Name in the settings.
    pub source: String,
    /// The publisher's id of the user.
    pub user_id: String,
    /// The network's id of the offer.
    pub offer_id: String,
    /// When the offer was opened.
    pub clicked_at: TimestampMs,
}

impl ClickKey {
    /// A number for it, which takes less room than the names.
    fn number(&self) -> u64 {
        fingerprint(&[&self.source, &self.user_id, &self.offer_id, &self.clicked_at.0.to_string()])
    }
}

/// Clicks that are remembered at once, in each of two generations.
const CLICKS_REMEMBERED: usize = 50_000;

/// The newest step of each click, for the time between two steps. Completions come in the order received. Memory is
/// bounded: a click without a step among the next `CLICKS_REMEMBERED` clicks is forgotten.
#[derive(Debug, Default)]
pub struct Gaps {
    /// By the number of the click.
    newer: HashMap<u64, TimestampMs>,
    older: HashMap<u64, TimestampMs>,
}

impl Gaps {
    /// The time since the step before of the same click, in milliseconds; `None` if this is the first that is known.
    pub fn since_the_last(&mut self, click: &ClickKey, received_at: TimestampMs) -> Option<i64> {
        let click = click.number();
        let before = self.newer.get(&click).or_else(|| self.older.get(&click)).copied();
        if self.newer.len() >= CLICKS_REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(click, received_at);
        before.map(|before| received_at.0.saturating_sub(before.0).max(0))
    }
}
