//! A person's decision on a reward, and taking it back.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::batch::{Because, Reward};
use domain::delivery::Subscriptions;
use domain::review::decision::{self, LastStep, NotAllowed, NotUndoable, Review};
use domain::reward::Step;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, guard, own_task, with_statement};
use crate::deliveries::outbox::{self, Touched, UserRow, lock_users};
use crate::review::decisions::{BulkDecision, Skip, Wanted};
use crate::rewards::process::{RewardRow, reward_columns, status};
use crate::rewards::save;
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

static LOAD: LazyStatement =
    LazyLock::new(|| Statement::new(concat!(reward_columns!(), "WHERE id = $1 {for_update}"), &[]));

static UPDATE: LazyStatement = LazyLock::new(|| {
    Statement::new("UPDATE rewards SET status = $1, steps = steps + 1 WHERE id = $2 AND steps = $3", &[])
});

/// Whose reward it is; that never changes.
static OWNER: LazyStatement =
    LazyLock::new(|| Statement::new("SELECT app, user_id FROM rewards WHERE id = $1", &[]));

static LAST_STEP: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT step, actor, taken_at,
                COALESCE((SELECT tries FROM deliveries
                          WHERE deliveries.reward_id = steps.reward_id AND deliveries.seq = steps.seq
                          {for_update}), 0) AS tries
         FROM steps WHERE reward_id = $1 AND seq = $2",
        &[],
    )
});

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

/// The reward, locked together with its user.
async fn load(tx: &mut Tx, id: i64) -> Result<Option<Reward>> {
    let owner: Option<(String, String)> = with_statement!(tx, OWNER, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    });
    let Some((app, user_id)) = owner else { return Ok(None) };
    // The user first and then the reward, as settling does it.
    lock_users(tx, vec![UserRow { app, user_id }]).await?;
    let row: Option<RewardRow> = with_statement!(tx, LOAD, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    });
    row.map(Reward::try_from).transpose()
}

async fn undo(tx: &mut Tx, id: i64, reviewer: Reviewer, subscriptions: &Subscriptions) -> Result<Undone> {
    let Some(reward) = load(tx, id).await? else { return Ok(Undone::NotFound) };
    let (name, actor, taken_at, tries): (String, String, i64, i64) =
        with_statement!(tx, LAST_STEP, |sql, connection| {
            sqlx::query_as(sql).bind(id).bind(reward.steps).fetch_one(connection).await?
        });
    let step =
        Step::parse(&name).ok_or(Error::Corrupt { table: "steps", column: "step", row: id, found: name })?;
    let last = LastStep { step, taken_at: TimestampMs(taken_at), told: tries > 0 };
    match decision::undo(last, subscriptions.grace_ms, reviewer.now) {
        // Where two agreed, it is the second one's click, as on the page.
        Ok(_) if actor.rsplit(", ").next() != Some(reviewer.actor.name()) => Ok(Undone::NotYours(actor)),
        Ok(step) => {
            let detail = reviewer.note.clone().unwrap_or_default();
            let line = Line::new(&reviewer.actor, Action::Undone, format!("reward {id}"), detail);
            audit::note(tx, &line, reviewer.now);
            take(tx, id, &reward, step, reviewer, subscriptions).await.map(|()| Undone::Done)
        }
        Err(not_undoable) => Ok(Undone::NotUndoable(not_undoable)),
    }
}

/// Saves `step` of `reward` with what it moves and what it tells.
async fn take(
    tx: &mut Tx,
    id: i64,
    reward: &Reward,
    step: Step,
    reviewer: Reviewer,
    subscriptions: &Subscriptions,
) -> Result<()> {
    let because =
        Because { actor: &reviewer.actor, note: reviewer.note.clone(), postback_id: None, now: reviewer.now };
    let taken = reward.clone().take(step, because);
    let touched = with_statement!(tx, UPDATE, |sql, connection| {
        let update = sqlx::query(sql).bind(step.to().name()).bind(id).bind(reward.steps);
        update.execute(connection).await?.rows_affected()
    });
    guard("reward", touched, 1)?;
    save::steps(tx, &[(id, &taken)], &reviewer.business_date, reviewer.now).await?;
    let touched = Touched { reward_id: id, app: &reward.app, user_id: &reward.user_id, steps: vec![&taken] };
    outbox::enqueue(tx, &[touched], subscriptions, reviewer.now).await?;
    Ok(())
}
