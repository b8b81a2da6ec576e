//! What a batch starts from: mapped postbacks, and the rewards they touch.

use super::Reward;
use crate::location::{GeoResult, Location};
use crate::postback::event::Event;
use crate::postback::network::Field;
use crate::review::reversal::KnownCase;
use crate::skew::Clicks;
use crate::time::TimestampMs;

/// What the settings say of a source, as far as settling needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTerms {
    /// The source.
    pub name: String,
    /// The app that owns its users.
    pub app: String,
    /// The currency of its rewards.
    pub currency: String,
    /// How long its network repeats a postback that was not acknowledged, in milliseconds.
    pub retry_horizon_ms: i64,
}

/// One recorded postback, mapped and located.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its row.
    pub postback_id: i64,
    /// The source it came in by.
    pub source: SourceTerms,
    /// When.
    pub received_at: TimestampMs,
    /// What it says.
    pub event: Event,
    /// What is known of the user's address.
    pub location: Location,
    /// How that agrees with the reported country.
    pub geo: GeoResult,
    /// Whether the source's list names the caller; `None` without a list.
    pub caller_listed: Option<bool>,
}

/// A task is one user doing one event of one offer of one source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The source.
    pub source: String,
    /// The user.
    pub user_id: String,
    /// The offer.
    pub offer_id: String,
    /// The event; empty if the network names none.
    pub event_id: String,
}

impl Task {
    /// The task of an event; `None` if it names no offer, or if the network meant to name an event and failed: then
    /// two events would look like one.
    pub fn of(source: &str, event: &Event) -> Option<Self> {
        if event.lacks(Field::EventId) {
            return None;
        }
        Some(Self {
            source: source.into(),
            user_id: event.user_id.clone(),
            offer_id: event.offer_id.clone()?,
            event_id: event.event_id.clone().unwrap_or_default(),
        })
    }
}

/// What is known before the batch.
#[derive(Clone, Debug, Default)]
pub struct ExistingRewards {
    /// The rewards whose keys stand in the batch.
    pub rewards: Vec<Reward>,
    /// Earlier rewards for the tasks in the batch: task and event key; of one task at most as many as
    /// [`SAME_TASK_CAP`] needs.
    pub tasks: Vec<(Task, String)>,
    /// Cases of those rewards: the reward's row, and the case.
    pub cases: Vec<(i64, KnownCase)>,
    /// The newest clicks, if one of the batch lies ahead of us.
    pub clicks: Clicks,
}

/// How many earlier rewards for a task are counted at most: the rule asks whether there is one.
pub const SAME_TASK_CAP: usize = 1;
