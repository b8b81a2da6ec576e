//! What a batch leaves to be saved.

use std::sync::Arc;

use chrono_tz::Tz;

use super::{Because, Reward};
use crate::evidence::Evidence;
use crate::history::UserChange;
use crate::ledger::{Amounts, Transfer};
use crate::location::{GeoResult, Location};
use crate::postback::event::{Event, Quarantine};
use crate::review::reversal::{Ending, Said, Situation};
use crate::reward::{Status, Step};
use crate::time::TimestampMs;
use crate::verdict::Verdict;

/// Everything to be saved, in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchOutcome {
    /// Every reward that the batch touched.
    pub rewards: Vec<RewardChange>,
    /// The result of each postback, in the order received.
    pub postbacks: Vec<PostbackOutcome>,
    /// Reversals that a person must look at.
    pub cases: Vec<NewCase>,
    /// How often the rules about data fired, by source and rule.
    pub tallies: Vec<DataTally>,
    /// What is remembered of its users from now on.
    pub users: Vec<UserChange>,
    /// What is added in front of lists of sightings, by key.
    pub sightings: Vec<(i64, String)>,
    /// The business day of its steps, `YYYY-MM-DD`.
    pub business_date: String,
}

/// A reversal that a person must decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCase {
    /// The reward, as an index into [`BatchOutcome::rewards`].
    pub reward: usize,
    /// The postback that raised it.
    pub postback_id: i64,
    /// Why it needs a person.
    pub situation: Situation,
    /// Amounts and user that the reversal names.
    pub said: Said,
    /// When its postback was received.
    pub raised_at: TimestampMs,
    /// An orphan's credit may still arrive until then.
    pub due_at: TimestampMs,
}

/// How often one rule about data fired on the postbacks of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataTally {
    /// Name in the settings.
    pub source: String,
    /// The rule's code; [`DataTally::LOOKED_AT`] counts all postbacks checked.
    pub code: String,
    /// Number of postbacks.
    pub count: i64,
}

impl DataTally {
    /// In place of a rule's code: all postbacks checked.
    pub const LOOKED_AT: &str = "";
}

/// One touched reward as it stands after the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewardChange {
    /// The reward; new if it has no id.
    pub reward: Reward,
    /// The event whose details are to be written: of a new reward, or of one of which only a reversal was known.
    pub details: Option<Details>,
    /// The verdict, if it was judged in this batch.
    pub verdict: Option<Judgement>,
    /// The steps it took in this batch.
    pub steps: Vec<TakenStep>,
    /// Why its open cases are closed by this batch.
    pub closes: Vec<Ending>,
    /// What the reversal said that came before the credit, if the credit contradicts it.
    pub reversal_said: Option<Said>,
}

impl RewardChange {
    pub(super) fn new(reward: Reward) -> Self {
        Self {
            reward,
            details: None,
            verdict: None,
            steps: Vec::new(),
            closes: Vec::new(),
            reversal_said: None,
        }
    }
}

/// What the network reported about a reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The mapped postback.
    pub event: Event,
    /// When its first postback arrived.
    pub received_at: TimestampMs,
    /// The business day of that.
    pub business_date: String,
}

impl Details {
    pub(super) fn new(event: Event, received_at: TimestampMs, zone: Tz) -> Self {
        Self { event, received_at, business_date: received_at.business_date(zone) }
    }
}

/// A verdict with the location it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Decision and signals.
    pub verdict: Verdict,
    /// The facts it rests on, as they are stored.
    pub evidence: Evidence,
    /// What the geo databases said of the address.
    pub location: Location,
    /// Whether the address matched the reported country.
    pub geo: GeoResult,
    /// The version of the baseline that said something of the event.
    pub baseline: Option<Arc<str>>,
}

/// The result of one postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostbackOutcome {
    /// Row id in `postbacks`.
    pub postback_id: i64,
    /// How it was processed.
    pub outcome: Outcome,
    /// For people; `None` if the result speaks for itself.
    pub reason: Option<String>,
    /// The reward it belongs to, as an index into [`BatchOutcome::rewards`].
    pub reward: Option<usize>,
}

/// How a postback was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It took effect, or its conflict was recorded.
    Processed,
    /// It repeated a known postback.
    Repeat,
    /// It could not be mapped; a person can state what is missing.
    Quarantined,
    /// It has no effect, such as an event without money.
    Information,
    /// It has no effect, because the network says that it is a test.
    Test,
}

impl Outcome {
    /// The name in tables, pages and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Repeat => "repeat",
            Self::Quarantined => "quarantined",
            Self::Information => "information",
            Self::Test => "test",
        }
    }
}

impl BatchOutcome {
    /// Releases what this batch holds, in the name of `actor`: it was paid long ago. The verdicts stay as they are.
    #[must_use]
    pub fn with_holds_released(mut self, actor: &str, note: &str, now: TimestampMs) -> Self {
        let held = self
            .rewards
            .iter_mut()
            .filter(|change| change.reward.status == Status::Held && !change.steps.is_empty());
        for change in held {
            let because = Because { actor, note: Some(note.to_owned()), postback_id: None, now };
            let taken = change.reward.take(Step::Release, because);
            change.steps.push(taken);
        }
        self
    }

    /// Adds postbacks that could not be mapped.
    #[must_use]
    pub fn with_quarantined(mut self, quarantined: impl IntoIterator<Item = (i64, Quarantine)>) -> Self {
        self.postbacks.extend(quarantined.into_iter().map(|(postback_id, quarantine)| PostbackOutcome {
            postback_id,
            outcome: Outcome::Quarantined,
            reason: Some(quarantine.reason),
            reward: None,
        }));
        self
    }
}

/// One step of a reward, with what it moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenStep {
    /// Its number within the reward, from 1.
    pub seq: i64,
    /// Which change of status.
    pub step: Step,
    /// [`super::ACTOR_RULES`], [`super::ACTOR_NETWORK`], or the name of a person or token.
    pub actor: String,
    /// Reason for people; `None` if the step speaks for itself.
    pub note: Option<String>,
    /// The postback that caused it, if one did.
    pub postback_id: Option<i64>,
    /// Amounts moved, if not the whole reward and payout.
    pub amounts: Option<Amounts>,
    /// The ledger transfers it causes.
    pub transfers: Vec<Transfer>,
}
