//! What a batch starts from: mapped postbacks, and the rewards they touch.

use super::Reward;
use crate::baseline::FromBaseline;
use crate::history::Remembered;
use crate::lists::hit::Hit;
use crate::location::{GeoResult, Location};
use crate::postback::event::Event;
use crate::postback::networks::Field;
use crate::postback::networks::coverage::Unsigned;
use crate::review::reversal::KnownCase;
use crate::skew::Clicks;
use crate::time::TimestampMs;

/// The settings of a source that processing needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTerms {
    /// Name in the settings.
    pub name: String,
    /// The app that owns its users.
    pub app: String,
    /// The currency of its rewards.
    pub currency: String,
    /// How long its network repeats a postback that was not acknowledged, in milliseconds.
    pub retry_horizon_ms: i64,
    /// What its network's signature leaves open.
    pub unsigned: Unsigned,
}

/// One recorded postback, mapped and located.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Row id in `postbacks`.
    pub postback_id: i64,
    /// The source it came in by.
    pub source: SourceTerms,
    /// When it was recorded.
    pub received_at: TimestampMs,
    /// The mapped parameters.
    pub event: Event,
    /// What the geo databases say of the user's address.
    pub location: Location,
    /// Whether the address matches the reported country.
    pub geo: GeoResult,
    /// The entries of people's lists that match it.
    pub listed: Vec<Hit>,
    /// Whether the caller is on the source's list; `None` without a list.
    pub caller_listed: Option<bool>,
    /// What the current baseline says of the event; `None` if it says nothing.
    pub normal: Option<FromBaseline>,
}

/// A task is one user doing one event of one offer of one source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// Name in the settings.
    pub source: String,
    /// The publisher's id of the user.
    pub user_id: String,
    /// The network's id of the offer.
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

/// What the store knows before the batch.
#[derive(Clone, Debug, Default)]
pub struct ExistingRewards {
    /// The rewards whose keys are in the batch.
    pub rewards: Vec<Reward>,
    /// Earlier rewards for the tasks in the batch: task and event key; of one task at most as many as
    /// [`SAME_TASK_CAP`] needs.
    pub tasks: Vec<(Task, String)>,
    /// Cases of those rewards: the reward's row, and the case.
    pub cases: Vec<(i64, KnownCase)>,
    /// What is remembered of the users, addresses and times of the batch.
    pub remembered: Remembered,
    /// The newest clicks; loaded only if the batch has one in the future.
    pub clicks: Clicks,
}

/// How many earlier rewards for a task are counted: the rule only asks whether there is one.
pub const SAME_TASK_CAP: usize = 1;
