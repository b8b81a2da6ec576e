//! Processing a batch: mapped postbacks and the rewards they touch in, everything to save out.
//!
//! | phase | where |
//! |---|---|
//! | lease the batch and load what it touches | `store` |
//! | map, locate | [`crate::postback::event`], `geo` |
//! | **process, in the order received** | here, in memory; it cannot fail |
//! | save it all in one transaction | `store` |
//!
//! The rules for repeats and conflicts live here and in `again`: a repeat never credits twice, a reversal is never
//! mistaken for a repeat, and a reversal before its credit waits and wins. A reversal that does not match its credit
//! becomes a case ([`crate::review::reversal`]) that a person decides.

mod again;
mod conflict;
mod incoming;
mod outcome;
pub mod outlook;
mod reward;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;

pub use incoming::{ExistingRewards, Incoming, SAME_TASK_CAP, SourceTerms, Task};
pub use outcome::{
    BatchOutcome, DataTally, Details, Judgement, NewCase, Outcome, PostbackOutcome, RewardChange, TakenStep,
};
pub use reward::{Because, Reward};

use crate::evidence::Evidence;
use crate::history::{History, Noted, Remembered, RememberedReward};
use crate::ledger::Amounts;
use crate::policy::Policy;
use crate::postback::event::Kind;
use crate::postback::event::{Event, NoteKind};
use crate::review::reversal::{KnownCase, Situation};
use crate::reward::{Status, Step};
use crate::rules::Facts;
use crate::signal::{Family, Signal};
use crate::skew::Clicks;
use crate::time::TimestampMs;
use crate::verdict::{Decision, decide};

/// The actor of steps that the rules decide.
pub const ACTOR_RULES: &str = "rules";
/// The actor of steps that the network causes.
pub const ACTOR_NETWORK: &str = "network";

/// The reason of a credit whose reversal came first. Stored, and counted by reports: never change it.
pub const REVERSED_BEFORE: &str = "its reversal came first, so nothing is credited";

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
        let (users, sightings) = open.remembered.changes();
        Self { users, sightings, ..open.outcome }
    }
}

/// The batch while it is processed.
struct Open {
    outcome: BatchOutcome,
    by_key: HashMap<(String, String), usize>,
    tasks: HashMap<Task, HashSet<String>>,
    /// By index of the reward.
    cases: HashMap<usize, Vec<KnownCase>>,
    clicks: Clicks,
    remembered: Remembered,
    /// The zone of business days.
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
            remembered: known.remembered,
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

    fn add(&mut self, change: RewardChange) -> usize {
        let index = self.outcome.rewards.len();
        self.by_key.insert((change.reward.source.clone(), change.reward.key.clone()), index);
        self.outcome.rewards.push(change);
        index
    }

    fn process(&mut self, incoming: Incoming, policy: &Policy, now: TimestampMs) {
        let postback_id = incoming.postback_id;
        if let Some(why) = incoming.event.information {
            let outcome = if why.is_test { Outcome::Test } else { Outcome::Information };
            let reason = Some(why.why);
            self.outcome.postbacks.push(PostbackOutcome { postback_id, outcome, reason, reward: None });
            return;
        }
        // A reversal has no verdict that would show how its values were cleaned.
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
        let change = &mut self.outcome.rewards[index];
        let (postback_id, received_at) = (incoming.postback_id, incoming.received_at);
        let said = again::said(&incoming.event);
        let again = match incoming.event.kind {
            Kind::Credit => change.credit_again(incoming, cases, self.zone, now),
            Kind::Reversal => {
                let steps_before = change.steps.len();
                let again = change.reverse(&incoming, cases, now);
                if change.steps.len() > steps_before {
                    self.remembered.reversed(&change.reward.app, &change.reward.user_id, now);
                }
                again
            }
        };
        if let Some(situation) = again.raises {
            let said = change.reversal_said.take().unwrap_or(said);
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
        let source = &incoming.source;
        let normal = incoming.normal.as_ref();
        let country = incoming.location.country.as_deref();
        let (event, received_at) = (&incoming.event, incoming.received_at);
        let noted = Noted::of(&RememberedReward {
            times: normal.and_then(|found| found.normal.as_ref()?.times),
            ..RememberedReward::of(&source.name, &source.app, event, country, received_at)
        });
        let usual_sharing = normal.and_then(|found| found.usual_sharing);
        let history = History { usual_sharing, ..self.remembered.history(&noted) };
        let facts = Facts {
            source: &incoming.source.name,
            event: &incoming.event,
            completed_at: incoming.received_at,
            location: &incoming.location,
            geo: incoming.geo,
            caller_listed: incoming.caller_listed,
            listed: &incoming.listed,
            unsigned: &incoming.source.unsigned,
            same_task,
            clicks: self.clicks,
            history: &history,
            normal: normal.and_then(|found| found.normal.as_ref()),
            oddity: normal.and_then(|found| found.oddity),
            mismatch_permille: normal.and_then(|found| found.mismatch_permille),
        };
        let verdict = decide(&facts, policy, now);
        let evidence = Evidence::of(&facts);
        self.remembered.add(noted, verdict.decision == Decision::Credit);
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
            verdict: Some(Judgement {
                verdict,
                evidence,
                location: incoming.location,
                geo: incoming.geo,
                baseline: incoming.normal.map(|found| found.version),
            }),
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

/// How the values of `event` were cleaned, in one sentence.
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
