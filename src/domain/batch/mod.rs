//! Settling a batch: mapped postbacks and the rewards they touch in, everything to be saved out.
//!
//! | phase | where |
//! |---|---|
//! | claim the batch and load what it touches | `store` |
//! | map, locate | [`crate::postback::event`], `geo` |
//! | **settle, in the order received** | here, in memory, without a way to fail |
//! | save it all in one transaction | `store` |
//!
//! The rules for repeats and conflicts live here and in `again`: a repeat never credits twice, a reversal is never
//! taken for a repeat, a reversal before its credit waits and wins. What a reversal says that does not fit its credit
//! becomes a case ([`crate::review::reversal`]) that a person decides.

mod again;
mod conflict;
pub mod outlook;
mod reward;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

pub use reward::{Because, Reward};

use chrono_tz::Tz;

use crate::ledger::{Amounts, Transfer};
use crate::location::{GeoResult, Location};
use crate::policy::Policy;
use crate::postback::event::{Event, NoteKind, Quarantine};
use crate::postback::network::{Field, Kind};
use crate::review::reversal::{Ending, KnownCase, Said, Situation};
use crate::reward::{Status, Step};
use crate::rules::Facts;
use crate::signal::{Family, Signal};
use crate::skew::Clicks;
use crate::time::TimestampMs;
use crate::verdict::{Decision, Verdict, decide};

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

/// Who decided, where no person did.
pub const ACTOR_RULES: &str = "rules";
/// The network took the reward back.
pub const ACTOR_NETWORK: &str = "network";

/// Why a credit whose reversal is known already credits nothing.
pub const REVERSED_BEFORE: &str = "its reversal came first, so nothing is credited";

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
    fn new(reward: Reward) -> Self {
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
    fn new(event: Event, received_at: TimestampMs, zone: Tz) -> Self {
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
    /// Processes `batch` in its order on top of what is `known`. Business days are those of `zone`.
    pub fn of(
        batch: Vec<Incoming>,
        known: ExistingRewards,
        policy: &Policy,
        zone: Tz,
        now: TimestampMs,
    ) -> Self {
        let mut open = Open::new(known, zone, now);
        for incoming in batch {
            open.process(incoming, policy, now);
        }
        open.outcome
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

/// The batch in work.
struct Open {
    outcome: BatchOutcome,
    by_key: HashMap<(String, String), usize>,
    tasks: HashMap<Task, HashSet<String>>,
    /// By index of the reward.
    cases: HashMap<usize, Vec<KnownCase>>,
    clicks: Clicks,
    /// That of the business day.
    zone: Tz,
}

impl Open {
    fn new(known: ExistingRewards, zone: Tz, now: TimestampMs) -> Self {
        let mut open = Self {
            outcome: BatchOutcome { business_date: now.business_date(zone), ..BatchOutcome::default() },
            zone,
            by_key: HashMap::new(),
            tasks: HashMap::new(),
            cases: HashMap::new(),
            clicks: known.clicks,
        };
        let mut by_id = HashMap::new();
        for reward in known.rewards {
            let id = reward.id;
            let index = open.add(RewardChange::new(reward));
            by_id.insert(id, index);
        }
        for (reward_id, case) in known.cases {
            if let Some(index) = by_id.get(&Some(reward_id)) {
                open.cases.entry(*index).or_default().push(case);
            }
        }
        for (task, key) in known.tasks {
            open.tasks.entry(task).or_default().insert(key);
        }
        open
    }

    fn add(&mut self, settled: RewardChange) -> usize {
        let index = self.outcome.rewards.len();
        self.by_key.insert((settled.reward.source.clone(), settled.reward.key.clone()), index);
        self.outcome.rewards.push(settled);
        index
    }

    fn process(&mut self, incoming: Incoming, policy: &Policy, now: TimestampMs) {
        let postback_id = incoming.postback_id;
        if let Some(why) = incoming.event.information {
            let (outcome, reason) = (Outcome::Information, Some(why));
            self.outcome.postbacks.push(PostbackOutcome { postback_id, outcome, reason, reward: None });
            return;
        }
        // A reversal has no verdict that could say what was done to its values.
        let noted = match incoming.event.kind {
            Kind::Reversal => noted(&incoming.event),
            Kind::Credit => None,
        };
        if incoming.event.kind == Kind::Reversal {
            let kinds = [("Q7", NoteKind::Cleaned), ("Q8", NoteKind::NotFilledIn)];
            let fired =
                kinds.into_iter().filter(|(_, kind)| incoming.event.notes.iter().any(|it| it.kind == *kind));
            self.tally(&incoming.source.name, fired.map(|(code, _)| code));
        }
        let key = (incoming.source.name.clone(), incoming.event.key().to_owned());
        let known = self.by_key.get(&key).copied();
        let (index, outcome, reason) = match (known, incoming.event.kind) {
            (None, Kind::Credit) => (self.judge(incoming, policy, now), Outcome::Processed, None),
            (None, Kind::Reversal) => (
                self.reverse_unseen(incoming, now),
                Outcome::Processed,
                Some("the reversal came before its credit".into()),
            ),
            (Some(index), _) => {
                let (outcome, reason) = self.process_again(index, incoming, now);
                (index, outcome, reason)
            }
        };
        let reason = match (reason, noted) {
            (Some(reason), Some(noted)) => Some(format!("{reason}; {noted}")),
            (reason, noted) => reason.or(noted),
        };
        self.outcome.postbacks.push(PostbackOutcome { postback_id, outcome, reason, reward: Some(index) });
    }

    /// A postback for a reward that is known.
    fn process_again(
        &mut self,
        index: usize,
        incoming: Incoming,
        now: TimestampMs,
    ) -> (Outcome, Option<String>) {
        let cases = self.cases.entry(index).or_default();
        let settled = &mut self.outcome.rewards[index];
        let (postback_id, received_at) = (incoming.postback_id, incoming.received_at);
        let said = again::said(&incoming.event);
        let again = match incoming.event.kind {
            Kind::Credit => settled.credit_again(incoming, cases, self.zone, now),
            Kind::Reversal => settled.reverse(&incoming, cases, now),
        };
        if let Some(situation) = again.raises {
            let said = settled.reversal_said.take().unwrap_or(said);
            self.raise(NewCase {
                reward: index,
                postback_id,
                situation,
                said,
                raised_at: received_at,
                due_at: now,
            });
        }
        (again.outcome, again.reason)
    }

    fn raise(&mut self, case: NewCase) {
        let NewCase { situation, raised_at, .. } = case;
        let known = KnownCase { situation, said: case.said.clone(), raised_at, ending: None };
        self.cases.entry(case.reward).or_default().push(known);
        self.outcome.cases.push(case);
    }

    /// Counts one postback of `source`, and the rules about data that fired on it.
    fn tally<'c>(&mut self, source: &str, fired: impl IntoIterator<Item = &'c str>) {
        for code in std::iter::once(DataTally::LOOKED_AT).chain(fired) {
            let tallies = &mut self.outcome.tallies;
            match tallies.iter_mut().find(|tally| tally.code == code && tally.source == source) {
                Some(tally) => tally.count += 1,
                None => {
                    tallies.push(DataTally { source: source.to_owned(), code: code.to_owned(), count: 1 });
                }
            }
        }
    }

    /// A credit of a reward that is new.
    fn judge(&mut self, incoming: Incoming, policy: &Policy, now: TimestampMs) -> usize {
        let task = Task::of(&incoming.source.name, &incoming.event);
        let same_task = task.as_ref().map(|task| {
            let keys = self.tasks.get(task);
            let others = keys.into_iter().flatten().filter(|key| *key != incoming.event.key());
            i64::try_from(others.take(SAME_TASK_CAP).count()).unwrap_or(i64::MAX)
        });
        let facts = Facts {
            source: &incoming.source.name,
            event: &incoming.event,
            completed_at: incoming.received_at,
            location: &incoming.location,
            geo: incoming.geo,
            caller_listed: incoming.caller_listed,
            same_task,
            clicks: self.clicks,
        };
        let verdict = decide(&facts, policy, now);
        let of_data = |signal: &&Signal| signal.fired && signal.family == Family::Data;
        let fired = verdict.signals.iter().filter(of_data).map(|signal| signal.code.as_str());
        self.tally(&incoming.source.name, fired);
        let step = match verdict.decision {
            Decision::Credit => Step::Credit,
            Decision::Hold => Step::Hold,
        };
        if let Some(task) = task {
            self.tasks.entry(task).or_default().insert(incoming.event.key().to_owned());
        }
        let mut reward = new_reward(&incoming, step.to());
        let note = (step == Step::Hold).then(|| verdict.sentence());
        let because = Because { actor: ACTOR_RULES, note, postback_id: Some(incoming.postback_id), now };
        let taken = reward.take(step, because);
        self.add(RewardChange {
            details: Some(Details::new(incoming.event, incoming.received_at, self.zone)),
            verdict: Some(Judgement { verdict, location: incoming.location, geo: incoming.geo }),
            steps: vec![taken],
            ..RewardChange::new(reward)
        })
    }

    /// A reversal of a reward that is new: it waits, and wins. If its credit does not come within the retry horizon,
    /// it is an orphan.
    fn reverse_unseen(&mut self, incoming: Incoming, now: TimestampMs) -> usize {
        let mut reward = new_reward(&incoming, Status::Reversed);
        let postback_id = incoming.postback_id;
        let because = Because { actor: ACTOR_NETWORK, note: None, postback_id: Some(postback_id), now };
        let taken = reward.take(Step::ReverseUnseen, because);
        let (said, received_at) = (again::said(&incoming.event), incoming.received_at);
        let due_at = TimestampMs(received_at.0.saturating_add(incoming.source.retry_horizon_ms));
        let details = Some(Details::new(incoming.event, received_at, self.zone));
        let index = self.add(RewardChange { details, steps: vec![taken], ..RewardChange::new(reward) });
        let situation = Situation::Orphan;
        self.raise(NewCase { reward: index, postback_id, situation, said, raised_at: received_at, due_at });
        index
    }
}

/// What was done to the values of `event`, in one sentence.
fn noted(event: &Event) -> Option<String> {
    let cleaned = event.noted(NoteKind::Cleaned).map(|texts| format!("cleaned: {texts}"));
    let unfilled = event.noted(NoteKind::NotFilledIn).map(|texts| format!("not filled in: {texts}"));
    let texts: Vec<_> = [cleaned, unfilled].into_iter().flatten().collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

fn new_reward(incoming: &Incoming, status: Status) -> Reward {
    let event = &incoming.event;
    Reward {
        id: None,
        source: incoming.source.name.clone(),
        key: event.key().to_owned(),
        app: incoming.source.app.clone(),
        user_id: event.user_id.clone(),
        currency: incoming.source.currency.clone(),
        reward: event.reward,
        payout: event.payout,
        taken_back: Amounts::default(),
        offer_id: event.offer_id.clone(),
        event_id: event.event_id.clone(),
        status,
        reversed_at: None,
        steps: 0,
        repeats: 0,
        conflict: false,
        credit_seen: event.kind == Kind::Credit,
    }
}
