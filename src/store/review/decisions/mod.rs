//! Decisions of one person on many rewards at once, and undoing them.
//!
//! A decision only changes rewards that are held (or rejected, if it may overturn) and still in the state that the person
//! saw: from an outdated page nobody can overturn somebody else's decision or repeat it. Rewards that could not be decided
//! on are returned with the reason.

mod apply;
mod decide;
mod one;
mod rows;

use domain::review::decision::Review;
use domain::review::queue::{Alone, BULK_MS, SecondPerson};
use domain::reward::{Status, Step};
use domain::time::TimestampMs;

use crate::db::rows::given_row;
use crate::db::tx::with_statement;
use crate::{Result, Store, read};
use apply::take_back;
pub(crate) use apply::{Taken, load, take};
use decide::{ReviewContext, alone, decision_name};
pub use one::{Reviewed, Reviewer, Undone};
use rows::{ALONE, DECIDED, DECISION};
pub(crate) use rows::{IdRow, ONE_BY_ONE};

/// Limit of rewards in one decision.
pub const MAX_DECIDED: usize = 5_000;

/// The newest decisions of the whole team that are searched for one to undo: far more than are made in a grace period.
const RECENT_DECISIONS: i64 = 1_000;

/// The actor of automatic releases.
pub const ACTOR_POLICY: &str = "policy";

given_row! {
    /// A reward to decide on, as the person saw it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Wanted {
        /// The id of the reward.
        pub reward_id: i64,
        /// Its number of steps at that time; another number means that it has changed.
        pub steps: i64,
    }
}

/// A decision on one or many rewards.
#[derive(Clone, Debug)]
pub struct BulkDecision {
    /// The rewards; those beyond [`MAX_DECIDED`] are ignored.
    pub wanted: Vec<Wanted>,
    /// Release or reject.
    pub decision: Review,
    /// Whether a release may overturn an earlier reject; never set for decisions from the queue.
    pub overturn: bool,
    /// Signs the steps.
    pub reviewer: Reviewer,
}

/// The result of a [`BulkDecision`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkDecisionResult {
    /// The id of the decision, for undo; `None` if nothing was decided.
    pub id: Option<i64>,
    /// Ids of decided rewards.
    pub taken: Vec<i64>,
    /// Ids of rewards that wait for a second person; saved as opinions.
    pub waiting: Vec<i64>,
    /// Rewards that did not change.
    pub skipped: Vec<Skipped>,
    /// Sum of the decided payouts, in USD micros.
    pub payout_micros: i64,
}

/// A reward that was not decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The id of the reward.
    pub reward_id: i64,
    /// The reason.
    pub why: Skip,
}

/// Why a reward was not decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// There is no such reward.
    NotFound,
    /// Somebody else has claimed it.
    Claimed {
        /// Holder of the claim.
        person: String,
    },
    /// It changed after the person saw it.
    Changed {
        /// The current status.
        status: Status,
        /// The latest step.
        step: Step,
        /// Actor of that step.
        by: String,
        /// Time of that step.
        at: TimestampMs,
    },
}

/// The result of undoing a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoneDecision {
    /// Ids of rewards that are held again.
    pub undone: Vec<i64>,
    /// Ids of rewards that were already delivered to the app, or have changed since.
    pub too_late: Vec<i64>,
}

/// A saved decision.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of decisions, described in the migration")]
pub struct DecisionRow {
    pub id: i64,
    pub person: String,
    pub decision: String,
    pub note: Option<String>,
    pub decided_at: i64,
    pub rewards: i64,
    pub payout_micros: i64,
    /// The lowest id of its rewards.
    pub first_reward_id: i64,
}

/// A saved opinion.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of opinions, described in the migration")]
pub struct OpinionRow {
    pub reward_id: i64,
    pub person: String,
    pub decision: String,
    pub note: Option<String>,
    pub given_at: i64,
}

impl Store {
    /// Decides on many rewards in one transaction, with a fixed number of statements.
    pub async fn decide(&self, mut decide: BulkDecision) -> Result<BulkDecisionResult> {
        decide.wanted.sort_unstable_by_key(|wanted| wanted.reward_id);
        decide.wanted.dedup_by_key(|wanted| wanted.reward_id);
        decide.wanted.truncate(MAX_DECIDED);
        self.decide_under(decide, self.terms.second.clone()).await
    }

    async fn decide_under(&self, decide: BulkDecision, second: SecondPerson) -> Result<BulkDecisionResult> {
        let subscriptions = self.subscriptions.clone();
        self.write_and_wake(move |tx| {
            Box::pin(async move {
                let context = ReviewContext::open(tx, &decide, &second).await?;
                context.decide(tx, &decide, &second, &subscriptions).await
            })
        })
        .await
    }

    /// Undoes the reviewer's own decision `id` within the grace period; `None` if the reviewer made no such decision.
    pub async fn undo_decision(&self, id: i64, reviewer: Reviewer) -> Result<Option<UndoneDecision>> {
        let subscriptions = self.subscriptions.clone();
        self.write_and_wake(move |tx| {
            Box::pin(async move {
                let person: Option<(String,)> = with_statement!(tx, DECISION, |sql, connection| {
                    sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
                });
                if person.is_none_or(|(person,)| person != *reviewer.actor) {
                    return Ok(None);
                }
                let decided: Vec<(i64, i64)> = with_statement!(tx, DECIDED, |sql, connection| {
                    sqlx::query_as(sql).bind(id).fetch_all(connection).await?
                });
                take_back(tx, id, &decided, &reviewer, &subscriptions).await.map(Some)
            })
        })
        .await
    }

    /// What `person` decided the same way and alone in the [`BULK_MS`] before `now`.
    pub async fn decided_alone(&self, person: &str, decision: Review, now: TimestampMs) -> Result<Alone> {
        let decided = read!(self, pool => sqlx::query_as(ALONE)
            .bind(person).bind(decision_name(decision)).bind(now.0.saturating_sub(BULK_MS))
            .fetch_one(pool).await)?;
        Ok(alone(decided))
    }

    /// The decision `id`, if it exists.
    pub async fn decision(&self, id: i64) -> Result<Option<DecisionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, person, decision, note, decided_at, rewards, payout_micros,
                    (SELECT MIN(reward_id) FROM decided WHERE decision_id = decisions.id) AS first_reward_id
             FROM decisions WHERE id = $1"
        ).bind(id).fetch_optional(pool).await)?)
    }

    /// The newest decision of `person` after `since` with at least one reward that has not changed since.
    pub async fn last_decision(&self, person: &str, since: TimestampMs) -> Result<Option<DecisionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, person, decision, note, decided_at, rewards, payout_micros,
                    (SELECT MIN(reward_id) FROM decided WHERE decision_id = decisions.id) AS first_reward_id
             FROM decisions WHERE id > (SELECT COALESCE(MAX(id), 0) FROM decisions) - $1 AND person = $2 AND decided_at > $3
               AND EXISTS (SELECT 1 FROM decided JOIN rewards ON rewards.id = decided.reward_id
                           WHERE decision_id = decisions.id AND rewards.steps = decided.seq)
             ORDER BY id DESC LIMIT 1"
        ).bind(RECENT_DECISIONS).bind(person).bind(since.0).fetch_optional(pool).await)?)
    }

    /// The opinions on the reward `id` while it had `steps` steps, oldest first.
    pub async fn opinions(&self, id: i64, steps: i64) -> Result<Vec<OpinionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT reward_id, person, decision, note, given_at FROM opinions
             WHERE reward_id = $1 AND steps = $2 ORDER BY id"
        ).bind(id).bind(steps).fetch_all(pool).await)?)
    }

    /// Releases up to `limit` soft holds under the automatic release policy; returns their number. Skips rewards that
    /// somebody has claimed or has an opinion on, and those that a postback contradicted.
    pub async fn auto_release(&self, now: TimestampMs, business_date: String, limit: i64) -> Result<usize> {
        let Some(auto) = self.terms.auto_release else { return Ok(0) };
        let due: Vec<(i64, i64)> = read!(self, pool => sqlx::query_as(
            "SELECT reward_id, steps FROM holds
             WHERE received_at < $1 AND payout_micros < $2 AND hard = 0 AND conflict = 0
               AND NOT EXISTS (SELECT 1 FROM opinions WHERE opinions.reward_id = holds.reward_id
                                                        AND opinions.steps = holds.steps)
               AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.reward_id = holds.reward_id AND until_at > $3)
             ORDER BY received_at, reward_id LIMIT $4"
        ).bind(now.0 - auto.after_ms).bind(auto.below.0).bind(now.0).bind(limit).fetch_all(pool).await)?;
        if due.is_empty() {
            return Ok(0);
        }
        let note = format!(
            "released by policy: a soft hold that pays less than ${} and waited {} h",
            auto.below,
            auto.after_ms / 3_600_000
        );
        let wanted = due.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps }).collect();
        let reviewer = Reviewer { actor: ACTOR_POLICY.into(), note: Some(note), now, business_date };
        let decide = BulkDecision { wanted, decision: Review::Release, overturn: false, reviewer };
        // The policy decides alone, so no second person is required.
        Ok(self.decide_under(decide, SecondPerson::default()).await?.taken.len())
    }
}
