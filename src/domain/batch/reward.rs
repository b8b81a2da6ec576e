//! A reward while it is processed: what is left of it, and taking a step.

use super::TakenStep;
use crate::ledger::{Amounts, RewardAmounts, transfers};
use crate::money::Micros;
use crate::reward::{Status, Step};
use crate::time::TimestampMs;

/// A reward as far as processing and reviewing need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reward {
    /// Row id in `rewards`; `None` until it is saved.
    pub id: Option<i64>,
    /// Name in the settings.
    pub source: String,
    /// The event key, unique within the source.
    pub key: String,
    /// The app that owns the user.
    pub app: String,
    /// The publisher's id of the user.
    pub user_id: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// The reward; unknown only while nothing but a reversal has been seen.
    pub reward: Option<Micros>,
    /// The payout in USD, if the network sends it.
    pub payout: Option<Micros>,
    /// Sum of the partial reversals so far.
    pub taken_back: Amounts,
    /// The network's id of the offer; `None` if not sent.
    pub offer_id: Option<String>,
    /// The network's id of the event within the offer; `None` if not sent.
    pub event_id: Option<String>,
    /// After the last step.
    pub status: Status,
    /// When it was reversed; `None` unless it is.
    pub reversed_at: Option<TimestampMs>,
    /// Number of steps taken; also the version that guards against two writers.
    pub steps: i64,
    /// Number of repeated postbacks.
    pub repeats: i64,
    /// True if a postback contradicted it.
    pub conflict: bool,
    /// False only while nothing but a reversal has been seen.
    pub credit_seen: bool,
}

/// Who takes a step, why and when, and which postback made them.
#[derive(Clone, Debug)]
pub struct Because<'a> {
    /// [`super::ACTOR_RULES`], [`super::ACTOR_NETWORK`], or the name of a person or token.
    pub actor: &'a str,
    /// Reason for people; `None` if the step speaks for itself.
    pub note: Option<String>,
    /// The postback that caused it, if one did.
    pub postback_id: Option<i64>,
    /// The time of the step.
    pub now: TimestampMs,
}

impl Reward {
    /// Reward and payout as credited; unknown amounts are 0.
    pub fn whole(&self) -> Amounts {
        Amounts { reward: self.reward.unwrap_or_default(), payout: self.payout.unwrap_or_default() }
    }

    /// What is left of the reward after partial reversals.
    pub fn left(&self) -> Amounts {
        self.whole().less(self.taken_back)
    }

    /// Takes `step`, which must start from the present status, with all that is left; returns what to save.
    pub fn take(&mut self, step: Step, because: Because<'_>) -> TakenStep {
        let amounts = if step == Step::Reapprove { self.whole() } else { self.left() };
        self.take_amounts(step, amounts, because)
    }

    /// Takes `step` with this part of what is left.
    pub fn take_part(&mut self, step: Step, part: Amounts, because: Because<'_>) -> TakenStep {
        let left = self.left();
        let part = Amounts { reward: part.reward.min(left.reward), payout: part.payout.min(left.payout) };
        self.take_amounts(step, part, because)
    }

    fn take_amounts(&mut self, step: Step, amounts: Amounts, because: Because<'_>) -> TakenStep {
        debug_assert!(step.from().is_none() || step.from() == Some(self.status));
        let terms = RewardAmounts {
            source: &self.source,
            app: &self.app,
            user_id: &self.user_id,
            reward: amounts.reward,
            currency: &self.currency,
            payout: amounts.payout,
        };
        let moved = transfers(step, &terms);
        if step.is_part() {
            self.taken_back = self.taken_back.plus(amounts);
        } else if step == Step::Reapprove {
            self.taken_back = Amounts::default();
        }
        self.status = step.to();
        self.reversed_at = (self.status == Status::Reversed).then_some(because.now);
        self.steps += 1;
        TakenStep {
            seq: self.steps,
            step,
            actor: because.actor.to_owned(),
            note: because.note,
            postback_id: because.postback_id,
            amounts: (amounts != self.whole()).then_some(amounts),
            transfers: moved,
        }
    }
}
