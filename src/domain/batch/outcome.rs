//! What a batch leaves to be saved.

use chrono_tz::Tz;

use super::Reward;
use crate::ledger::{Amounts, Transfer};
use crate::location::{GeoResult, Location};
use crate::postback::event::{Event, Quarantine};
use crate::review::reversal::{Ending, Said, Situation};
use crate::reward::Step;
use crate::time::TimestampMs;
use crate::verdict::Verdict;

/// Everything that is to be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchOutcome {
    /// Every reward that the batch touched.
    pub rewards: Vec<RewardChange>,
    /// What became of each postback, in the order received.
    pub postbacks: Vec<PostbackOutcome>,
    /// Reversals that a person must look at.
    pub cases: Vec<NewCase>,
    /// How often the network's data was found wanting.
    pub tallies: Vec<DataTally>,
    /// The business day on which its steps are taken.
    pub business_date: String,
}

/// A reversal that does not simply reverse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCase {
    /// The reward, as an index into [`BatchOutcome::rewards`].
    pub reward: usize,
    /// The postback that raised it.
    pub postback_id: i64,
    /// Why.
    pub situation: Situation,
    /// What the reversal says.
    pub said: Said,
    /// When.
    pub raised_at: TimestampMs,
    /// Until then the credit of an orphan may still come by itself.
    pub due_at: TimestampMs,
}

/// How many postbacks of a source that had an effect were looked at, and how often a rule about data fired on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataTally {
    /// The source.
    pub source: String,
    /// The rule; [`DataTally::LOOKED_AT`] for all that were looked at.
    pub code: String,
    /// How many.
    pub count: i64,
}

impl DataTally {
    /// Stands for no rule: every postback that was looked at.
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
    /// How open cases of it end by what came in this batch.
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

/// What the network said of a reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The event.
    pub event: Event,
    /// When it arrived first.
    pub received_at: TimestampMs,
    /// The business day of that.
    pub business_date: String,
}

impl Details {
    pub(super) fn new(event: Event, received_at: TimestampMs, zone: Tz) -> Self {
        Self { event, received_at, business_date: received_at.business_date(zone) }
    }
}

/// A verdict with the geography it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What was known of the address.
    pub location: Location,
    /// How it agreed with the reported country.
    pub geo: GeoResult,
}

/// What became of a postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostbackOutcome {
    /// The postback.
    pub postback_id: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, if that needs saying.
    pub reason: Option<String>,
    /// The reward it belongs to, as an index into [`BatchOutcome::rewards`].
    pub reward: Option<usize>,
}

/// What became of a postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It had its effect, or its conflict was noted.
    Processed,
    /// It said again what was known.
    Repeat,
    /// It could not be mapped.
    Quarantined,
    /// It says nothing that anything follows from, such as an event without money.
    Information,
}

impl Outcome {
    /// The name in tables, pages and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Processed => "processed",
            Self::Repeat => "repeat",
            Self::Quarantined => "quarantined",
            Self::Information => "information",
        }
    }
}

impl BatchOutcome {
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
    /// The step.
    pub step: Step,
    /// Who: [`ACTOR_RULES`], [`ACTOR_NETWORK`], or a person's or token's name.
    pub actor: String,
    /// Why.
    pub note: Option<String>,
    /// The postback that caused it, if one did.
    pub postback_id: Option<i64>,
    /// What it moved, where that is not all of the reward and its payout.
    pub amounts: Option<Amounts>,
    /// Its transfers.
    pub transfers: Vec<Transfer>,
}
