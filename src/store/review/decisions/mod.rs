//! One click of one person that decides on many rewards, what became of each, and taking it all back.
//!
//! A decision only ever touches what is held (or rejected, if that is what is to be overturned), and only in the state in which it was seen: a page that is out of date can
//! neither overturn what somebody else decided nor decide it again. What could not be decided comes back with what
//! happened instead.

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

/// How many rewards one click may decide on.
pub const MAX_DECIDED: usize = 5_000;

/// How many clicks of the whole team are looked through for one that can still be undone: far more than a grace sees.
const CLICKS_LOOKED_AT: i64 = 1_000;

/// Who releases what nobody needs to look at.
pub const ACTOR_POLICY: &str = "policy";

given_row! {
    /// A reward that is to be decided on, as it was seen.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Wanted {
        /// The reward.
        pub reward_id: i64,
        /// How many steps it had taken.
        pub steps: i64,
    }
}

/// One click.
#[derive(Clone, Debug)]
pub struct BulkDecision {
    /// On what; at most [`MAX_DECIDED`], the rest is left alone.
    pub wanted: Vec<Wanted>,
    /// What is decided.
    pub decision: Review,
    /// Whether a release may also take back an earlier reject. A click in the queue never means that.
    pub overturn: bool,
    /// By whom, why and when.
    pub reviewer: Reviewer,
}

/// What became of one click.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkDecisionResult {
    /// To undo it by, if anything was decided.
    pub id: Option<i64>,
    /// Decided.
    pub taken: Vec<i64>,
    /// Kept as an opinion: another person is asked.
    pub waiting: Vec<i64>,
    /// Neither.
    pub skipped: Vec<Skipped>,
    /// What the network pays for what was decided, in USD.
    pub payout_micros: i64,
}

/// A reward that was not decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The reward.
    pub reward_id: i64,
    /// Why.
    pub why: Skip,
}

/// Why a reward was not decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// There is none of this id.
    NotFound,
    /// Somebody else has it open.
    Claimed {
        /// Who.
        person: String,
    },
    /// Something else happened to it first.
    Changed {
        /// Where it stands now.
        status: Status,
        /// By what.
        step: Step,
        /// By whom.
        by: String,
        /// When.
        at: TimestampMs,
    },
}

/// What became of an undo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoneDecision {
    /// Held again.
    pub undone: Vec<i64>,
    /// Too late: told already, or changed since.
    pub too_late: Vec<i64>,
}

/// A decision as it is kept.
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
    /// The reward, or the first of them.
    pub first_reward_id: i64,
}

/// An opinion as it is kept.
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

    /// Takes the decision `id` back, which must be of this person, as far as its grace lasts; `None` if there is none
    /// of theirs.
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

    /// What `person` decided in this way and alone in the [`BULK_MS`] before `now`.
    pub async fn decided_alone(&self, person: &str, decision: Review, now: TimestampMs) -> Result<Alone> {
        let decided = read!(self, pool => sqlx::query_as(ALONE)
            .bind(person).bind(decision_name(decision)).bind(now.0.saturating_sub(BULK_MS))
            .fetch_one(pool).await)?;
        Ok(alone(decided))
    }

    /// The decision `id`.
    pub async fn decision(&self, id: i64) -> Result<Option<DecisionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, person, decision, note, decided_at, rewards, payout_micros,
                    (SELECT MIN(reward_id) FROM decided WHERE decision_id = decisions.id) AS first_reward_id
             FROM decisions WHERE id = $1"
        ).bind(id).fetch_optional(pool).await)?)
    }

    /// The newest decision of `person` after `since` of which something still stands as they left it.
    pub async fn last_decision(&self, person: &str, since: TimestampMs) -> Result<Option<DecisionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, person, decision, note, decided_at, rewards, payout_micros,
                    (SELECT MIN(reward_id) FROM decided WHERE decision_id = decisions.id) AS first_reward_id
             FROM decisions WHERE id > (SELECT COALESCE(MAX(id), 0) FROM decisions) - $1 AND person = $2 AND decided_at > $3
               AND EXISTS (SELECT 1 FROM decided JOIN rewards ON rewards.id = decided.reward_id
                           WHERE decision_id = decisions.id AND rewards.steps = decided.seq)
             ORDER BY id DESC LIMIT 1"
        ).bind(CLICKS_LOOKED_AT).bind(person).bind(since.0).fetch_optional(pool).await)?)
    }

    /// What was said of the reward `id` while it stood at `steps`, the oldest first.
    pub async fn opinions(&self, id: i64, steps: i64) -> Result<Vec<OpinionRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT reward_id, person, decision, note, given_at FROM opinions
             WHERE reward_id = $1 AND steps = $2 ORDER BY id"
        ).bind(id).bind(steps).fetch_all(pool).await)?)
    }

    /// Releases up to `limit` soft holds that nobody needs to look at; how many they were. Nothing of what somebody has
    /// open, has an opinion on, or that a postback contradicted.
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
        // Nobody is asked, so nobody is asked twice.
        Ok(self.decide_under(decide, SecondPerson::default()).await?.taken.len())
    }
}
