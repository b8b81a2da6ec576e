//! A decision on one reward (as a batch of one), and undoing it.

use domain::actor::Actor;
use domain::audit::Action;
use domain::batch::Because;
use domain::delivery::Subscriptions;
use domain::review::decision::{self, NotAllowed, NotUndoable, Review};
use domain::time::TimestampMs;

use super::apply::{load, take};
use super::rows::{IdRow, LAST_STEPS, LastStepRow};
use super::{BulkDecision, Skip, Wanted};
use crate::access::audit::{self, Line};
use crate::db::tx::{Tx, own_task};
use crate::rewards::existing::status;
use crate::{Error, Result, Store, read};

/// Who decides, why and when.
#[derive(Clone, Debug)]
pub struct Reviewer {
    /// A person, a service, or [`ACTOR_POLICY`](super::ACTOR_POLICY).
    pub actor: Actor,
    /// The reason given, if any.
    pub note: Option<String>,
    /// The time of the decision.
    pub now: TimestampMs,
    /// The business day of `now`.
    pub business_date: String,
}

impl Reviewer {
    /// The cause of the reviewer's steps.
    pub(super) fn because(&self) -> Because<'_> {
        Because { actor: &self.actor, note: self.note.clone(), postback_id: None, now: self.now }
    }
}

/// The result of a decision on one reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// Saved and booked.
    Done,
    /// There is no such reward.
    NotFound,
    /// A second person is required; saved as an opinion.
    Waits,
    /// This other person has claimed it in the queue; nothing was saved.
    Claimed(String),
    /// The reward's status does not allow the decision; nothing was saved.
    NotAllowed(NotAllowed),
}

/// The result of undoing a decision on one reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Undone before the app was notified.
    Done,
    /// There is no such reward.
    NotFound,
    /// This other person or service made the decision; nothing was saved.
    NotYours(String),
    /// It cannot be undone; nothing was saved.
    NotUndoable(NotUndoable),
}

impl Store {
    /// Decides on the reward `id` in its current state; a release may overturn an earlier reject.
    pub async fn review(&self, id: i64, decision: Review, reviewer: Reviewer) -> Result<Reviewed> {
        let store = self.clone();
        own_task(async move { store.review_in_its_task(id, decision, reviewer).await }).await
    }

    async fn review_in_its_task(&self, id: i64, decision: Review, reviewer: Reviewer) -> Result<Reviewed> {
        let row: Option<(String, i64)> = read!(self, pool => sqlx::query_as(
            "SELECT status, steps FROM rewards WHERE id = $1"
        ).bind(id).fetch_optional(pool).await)?;
        let Some((name, steps)) = row else { return Ok(Reviewed::NotFound) };
        let status = status(id, &name)?;
        if let Err(not_allowed) = decision::step(decision, status) {
            return Ok(Reviewed::NotAllowed(not_allowed));
        }
        let wanted = vec![Wanted { reward_id: id, steps }];
        let done = self.decide(BulkDecision { wanted, decision, overturn: true, reviewer }).await?;
        match done.skipped.into_iter().next().map(|skipped| skipped.why) {
            Some(Skip::NotFound) => Ok(Reviewed::NotFound),
            Some(Skip::Claimed { person }) => Ok(Reviewed::Claimed(person)),
            Some(Skip::Changed { status, .. }) => match decision::step(decision, status) {
                Err(not_allowed) => Ok(Reviewed::NotAllowed(not_allowed)),
                Ok(_) => Err(Error::Contended(format!("reward {id} has changed"))),
            },
            None if done.waiting.is_empty() => Ok(Reviewed::Done),
            None => Ok(Reviewed::Waits),
        }
    }

    /// Undoes the last decision on the reward `id` within its grace period, by another step with opposite transfers. The
    /// decision's delivery is cancelled.
    pub async fn undo(&self, id: i64, reviewer: Reviewer) -> Result<Undone> {
        let subscriptions = self.subscriptions.clone();
        self.write_and_wake(move |tx| Box::pin(async move { undo(tx, id, reviewer, &subscriptions).await }))
            .await
    }
}

async fn undo(tx: &mut Tx, id: i64, reviewer: Reviewer, subscriptions: &Subscriptions) -> Result<Undone> {
    let rewards = load(tx, &[IdRow { id }]).await?;
    let Some(reward) = rewards.get(&id) else { return Ok(Undone::NotFound) };
    let last: Vec<LastStepRow> =
        tx.fetch(&LAST_STEPS, &[Wanted { reward_id: id, steps: reward.steps }]).await?;
    let Some(last) = last.into_iter().next() else { return Ok(Undone::NotFound) };
    match decision::undo(last.step_taken()?, subscriptions.grace_ms, reviewer.now) {
        // If two people agreed, only the second can undo it, as on the page.
        Ok(_) if last.actor.rsplit(", ").next() != Some(reviewer.actor.name()) => {
            Ok(Undone::NotYours(last.actor))
        }
        Ok(step) => {
            let detail = reviewer.note.clone().unwrap_or_default();
            let line = Line::new(&reviewer.actor, Action::Undone, format!("reward {id}"), detail);
            audit::note(tx, &line, reviewer.now);
            let step = reward.clone().take(step, reviewer.because());
            take(tx, &[(id, reward, step)], &reviewer, subscriptions).await?;
            Ok(Undone::Done)
        }
        Err(not_undoable) => Ok(Undone::NotUndoable(not_undoable)),
    }
}
