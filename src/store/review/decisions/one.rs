//! One reward as a batch of one: a person's decision on it, and taking it back.

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
    /// The person or the service.
    pub actor: Actor,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub now: TimestampMs,
    /// The business day of `now`.
    pub business_date: String,
}

impl Reviewer {
    /// Why a step of theirs is taken.
    pub(super) fn because(&self) -> Because<'_> {
        Because { actor: &self.actor, note: self.note.clone(), postback_id: None, now: self.now }
    }
}

/// What became of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// It is saved and booked.
    Done,
    /// There is no such reward.
    NotFound,
    /// Another person must agree; it is kept as an opinion.
    Waits,
    /// Somebody else has it open in the queue; nothing was saved.
    Claimed(String),
    /// The reward does not stand where this decision is possible; nothing was saved.
    NotAllowed(NotAllowed),
}

/// What became of the wish to undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The decision is taken back, and nobody was told of it.
    Done,
    /// There is no such reward.
    NotFound,
    /// It is the decision of this other one; nothing was saved.
    NotYours(String),
    /// It cannot be taken back; nothing was saved.
    NotUndoable(NotUndoable),
}

impl Store {
    /// Decides on the reward `id` as it stands now; a release also takes back an earlier reject.
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
                Ok(_) => Err(Error::Contended(format!("reward {id} took another step"))),
            },
            None if done.waiting.is_empty() => Ok(Reviewed::Done),
            None => Ok(Reviewed::Waits),
        }
    }

    /// Takes the last decision on the reward `id` back, as long as its grace lasts: by another step, with opposite
    /// transfers. What would have told the app of it never leaves.
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
        // Where two agreed, it is the second one's click, as on the page.
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
