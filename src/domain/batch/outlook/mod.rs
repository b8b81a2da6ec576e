//! What a quarantined postback would do once its gaps are filled, and who signs for what it then did.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::{BatchOutcome, ExistingRewards, Incoming, Reward, SourceTerms};
use crate::location::{GeoResult, Location};
use crate::money::Micros;
use crate::policy::Policy;
use crate::postback::event::Event;
use crate::postback::stated::StatedBy;
use crate::review::queue::ReviewTerms;
use crate::reward::{Status, Step};
use crate::time::TimestampMs;

/// What a postback would do with its stated values, if it were processed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// One or two sentences for a person.
    pub sentence: String,
    /// The reward that would move, in the user's currency; `None` if nothing moves.
    pub reward: Option<Micros>,
    /// The payout that it would move, in USD; `None` if it is unknown.
    pub payout: Option<Micros>,
    /// True if money would move.
    pub moves: bool,
}

impl Outlook {
    /// Processes `event` alone on top of what is `known` under its key. Only the verdict is left open: the rules
    /// judge with more facts than are available here.
    pub fn of(
        event: Event,
        source: &SourceTerms,
        known: Vec<Reward>,
        policy: &Policy,
        now: TimestampMs,
    ) -> Self {
        let known_before = known.first().cloned();
        let incoming = Incoming {
            postback_id: 0,
            source: source.clone(),
            received_at: now,
            event,
            location: Location::default(),
            geo: GeoResult::Unknown,
            caller_listed: None,
            normal: None,
            listed: Vec::new(),
        };
        let known = ExistingRewards { rewards: known, ..ExistingRewards::default() };
        let outcome = BatchOutcome::of(vec![incoming], known, policy, Tz::UTC, now);
        let processed = outcome.postbacks.first();
        let reason = processed.and_then(|processed| processed.reason.clone());
        let Some(change) = outcome.rewards.first() else {
            return Self { sentence: "Nothing changes.".into(), reward: None, payout: None, moves: false };
        };
        let reward = &change.reward;
        let amount = reward.reward.unwrap_or_default();
        let coins = format!("{amount} {}", reward.currency);
        let pays = reward.payout.map_or_else(
            || "the network named no payout".to_owned(),
            |payout| format!("the network pays {} USD", cents(payout)),
        );
        let (user, key) = (&reward.user_id, &reward.key);
        let Some(taken) = change.steps.last() else {
            let sentence = match (reason, known_before.and_then(|known| known.id)) {
                (None, Some(id)) => format!("It repeats reward {id}: nothing changes."),
                (Some(reason), Some(id)) => format!("Nothing changes; reward {id} gets the note: {reason}."),
                (reason, None) => format!("Nothing changes. {}", reason.unwrap_or_default()),
            };
            return Self { sentence, reward: None, payout: None, moves: false };
        };
        let sentence = match (taken.step, taken.step.to()) {
            (Step::Credit | Step::Hold, _) => {
                format!("Credits {coins} to {user}; {pays}. The rules may still hold it.")
            }
            (Step::ReverseUnseen, _) => {
                format!(
                    "A reversal of {key}, whose credit has not arrived: nothing changes now, and a later credit is not \
                     paid."
                )
            }
            (Step::ReverseHeld, _) => format!("Takes back {coins} that are held for {user}; {pays}."),
            (Step::ReverseRejected, _) => format!("Reverses a reward of {user} that was rejected; {pays}."),
            (_, Status::Reversed) => format!("Takes {coins} back from {user}; {pays}."),
            (_, status) => format!("The reward {key} of {user}, {coins}, becomes {}; {pays}.", status.name()),
        };
        let moves = taken.step != Step::ReverseUnseen;
        Self { sentence, reward: moves.then_some(amount), payout: reward.payout.filter(|_| moves), moves }
    }

    /// What moves; the stakes of one person add up.
    pub fn stake(&self) -> Stake {
        let of =
            |amount: Option<Micros>| if self.moves { amount.unwrap_or_default() } else { Micros::default() };
        Stake { reward: of(self.reward), payout: of(self.payout) }
    }

    /// Whether a second person must agree: the limit of one reward in USD is reached, or the payout is unknown while
    /// there is such a limit, or the limit of a stated reward is reached.
    pub fn needs_second(&self, terms: &ReviewTerms) -> bool {
        let pays = |limit: Micros| self.payout.is_none_or(|payout| payout >= limit);
        let gives = |limit: Micros| self.reward.is_some_and(|reward| reward >= limit);
        self.moves
            && (terms.second.single.is_some_and(pays) || terms.second_person_stated_reward.is_some_and(gives))
    }
}

/// The money that a person's stated values would move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stake {
    /// The reward, in the user's currency.
    pub reward: Micros,
    /// The payout, in USD.
    pub payout: Micros,
}

/// An amount with two decimals, or more where it has them.
fn cents(amount: Micros) -> String {
    let text = amount.to_string();
    match text.split_once('.') {
        None => format!("{text}.00"),
        Some((whole, decimals)) => format!("{whole}.{decimals:0<2}"),
    }
}

impl BatchOutcome {
    /// The same outcome, with the steps that a stated postback caused signed by who stated it. What the rules found
    /// stays in front.
    #[must_use]
    pub fn signed_by(mut self, stated: &BTreeMap<i64, StatedBy>) -> Self {
        if stated.is_empty() {
            return self;
        }
        for step in self.rewards.iter_mut().flat_map(|change| &mut change.steps) {
            if let Some(by) = step.postback_id.and_then(|id| stated.get(&id)) {
                step.actor.clone_from(&by.actor);
                let rules = step.note.take().map_or_else(String::new, |found| format!("{found} "));
                step.note = Some(rules + &by.note());
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;
