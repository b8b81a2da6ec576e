//! The queue of held rewards: in clusters, one by one, in sums. The database keeps the table `holds` itself.

mod clusters;
mod filter;

use domain::time::TimestampMs;
use sqlx::QueryBuilder;

pub use clusters::{Cluster, ClusterPart, ClusterPlace, ClusterUsers};
pub use filter::{ClusterKey, Found, HoldFilter};

use crate::db::conditions::push_conditions;
use crate::{Result, Store, read};

/// The most choices of one filter.
const MAX_CHOICES: i64 = 50;

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoldSort {
    /// What is due first.
    #[default]
    Age,
    /// What pays most.
    Money,
    /// What scores highest.
    Score,
}

/// One held reward.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of holds, described in the migration")]
pub struct HoldRow {
    pub reward_id: i64,
    pub source: String,
    pub app: String,
    pub user_id: String,
    pub tx_id: String,
    pub offer_id: String,
    pub offer_name: String,
    pub event_name: String,
    pub rule: String,
    pub fired: String,
    pub address_group: String,
    pub sub1: String,
    pub country: String,
    pub currency: String,
    pub reward_micros: i64,
    pub payout_micros: i64,
    pub score: i64,
    pub hard: i64,
    pub conflict: i64,
    pub received_at: i64,
    pub steps: i64,
    /// What it is sorted by.
    pub sort_value: i64,
    /// Who has it open, if somebody has.
    pub claimed_by: Option<String>,
    /// How many opinions wait for another person's.
    pub opinions: i64,
}

/// A place in a list of held rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldPlace {
    /// [`HoldRow::sort_value`]
    pub sort_value: i64,
    /// The reward.
    pub reward_id: i64,
}

/// What a filter finds, in sums.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct HoldTotals {
    /// How many rewards.
    pub rewards: i64,
    /// What the network pays for them, in USD.
    pub payout_micros: i64,
    /// What the users get, if it is all in one currency.
    pub reward_micros: Option<i64>,
    /// That currency.
    pub currency: Option<String>,
    /// When the oldest was received.
    pub oldest_at: Option<i64>,
    /// The newest reward.
    pub newest_id: Option<i64>,
    /// How many should have been decided by now.
    pub overdue: i64,
    /// What the network pays for those.
    pub overdue_payout_micros: i64,
}

/// What a filter can be set to.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Choice {
    /// `rule`, `source`, `offer` or `country`.
    pub filter: String,
    /// The value.
    pub value: String,
    /// What people call it.
    pub name: String,
    /// How many held rewards have it.
    pub rewards: i64,
}

/// Appends what a row of `holds` is due at.
macro_rules! due_at {
    ($query:ident, $terms:expr) => {{
        let terms: &domain::review::queue::ReviewTerms = $terms;
        match terms.urgent {
            Some(urgent) => {
                $query.push("(received_at + CASE WHEN payout_micros >= ").push_bind(urgent.0);
                $query.push(" THEN CAST(").push_bind(terms.urgent_target_ms);
                $query.push(" AS BIGINT) ELSE CAST(").push_bind(terms.target_ms).push(" AS BIGINT) END)");
            }
            None => {
                $query.push("(received_at + CAST(").push_bind(terms.target_ms).push(" AS BIGINT))");
            }
        }
    }};
}
use due_at;

impl Store {
    /// What `filter` finds, in sums.
    pub async fn hold_totals(&self, filter: &HoldFilter, now: TimestampMs) -> Result<HoldTotals> {
        let filter = &*self.with_search(filter).await?;
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) AS rewards,
                CAST(COALESCE(SUM(payout_micros), 0) AS BIGINT) AS payout_micros,
                CASE WHEN MIN(currency) = MAX(currency) THEN CAST(SUM(reward_micros) AS BIGINT) END AS reward_micros,
                CASE WHEN MIN(currency) = MAX(currency) THEN MIN(currency) END AS currency,
                MIN(received_at) AS oldest_at, MAX(reward_id) AS newest_id, COUNT(*) FILTER (WHERE ");
            due_at!(query, &self.terms);
            query.push(" < ").push_bind(now.0).push(") AS overdue,
                CAST(COALESCE(SUM(payout_micros) FILTER (WHERE ");
            due_at!(query, &self.terms);
            query.push(" < ").push_bind(now.0).push("), 0) AS BIGINT) AS overdue_payout_micros FROM holds WHERE true");
            push_conditions!(query, filter.conditions());
            query.build_query_as().fetch_one(pool).await
        })?)
    }

    /// How many users what `filter` finds belongs to.
    pub async fn hold_users(&self, filter: &HoldFilter) -> Result<i64> {
        let filter = &*self.with_search(filter).await?;
        let (users,): (i64,) = read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM (SELECT 1 AS one FROM holds WHERE true");
            push_conditions!(query, filter.conditions());
            query.push(" GROUP BY user_id, app) AS users_of");
            query.build_query_as().fetch_one(pool).await
        })?;
        Ok(users)
    }

    /// Up to `limit` of the rewards that `filter` finds, from `after` on.
    pub async fn holds(
        &self,
        filter: &HoldFilter,
        sort: HoldSort,
        after: Option<HoldPlace>,
        now: TimestampMs,
        limit: i64,
    ) -> Result<Vec<HoldRow>> {
        let filter = &*self.with_search(filter).await?;
        // Where every hold has as much time as any other, what is due first came first: the index delivers that, and
        // only as many rows as are asked for are read.
        let (order, ahead) = match (sort, self.terms.urgent) {
            (HoldSort::Age, None) => ("received_at", self.terms.target_ms),
            _ => ("sort_value", 0),
        };
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT sorted.*, claims.person AS claimed_by,
                (SELECT COUNT(*) FROM opinions WHERE opinions.reward_id = sorted.reward_id
                                                 AND opinions.steps = sorted.steps) AS opinions
                FROM (SELECT * FROM (SELECT holds.*, ");
            match sort {
                HoldSort::Age => due_at!(query, &self.terms),
                HoldSort::Money => { query.push("-payout_micros"); }
                HoldSort::Score => { query.push("-score"); }
            }
            query.push(" AS sort_value FROM holds WHERE true");
            push_conditions!(query, filter.conditions());
            query.push(") AS found");
            if let Some(place) = after {
                query.push(" WHERE (").push(order).push(", reward_id) > (");
                query.push_bind(place.sort_value - ahead).push(", ").push_bind(place.reward_id).push(")");
            }
            query.push(" ORDER BY ").push(order).push(", reward_id LIMIT ").push_bind(limit);
            query.push(") AS sorted LEFT JOIN claims ON claims.reward_id = sorted.reward_id AND claims.until_at > ");
            query.push_bind(now.0);
            query.push(" ORDER BY sort_value, sorted.reward_id");
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The held reward `id`.
    pub async fn hold(&self, id: i64, now: TimestampMs) -> Result<Option<HoldRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT holds.*, received_at AS sort_value, claims.person AS claimed_by,
                    (SELECT COUNT(*) FROM opinions WHERE opinions.reward_id = holds.reward_id
                                                     AND opinions.steps = holds.steps) AS opinions
             FROM holds LEFT JOIN claims ON claims.reward_id = holds.reward_id AND claims.until_at > $2
             WHERE holds.reward_id = $1"
        ).bind(id).bind(now.0).fetch_optional(pool).await)?)
    }

    /// The ids of what `filter` finds, each with the steps it has taken; oldest first, at most `limit`.
    pub async fn hold_ids(&self, filter: &HoldFilter, limit: i64) -> Result<Vec<(i64, i64)>> {
        let filter = &*self.with_search(filter).await?;
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT reward_id, steps FROM holds WHERE true");
            push_conditions!(query, filter.conditions());
            query.push(" ORDER BY received_at, reward_id LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// How many rewards are held.
    pub async fn hold_count(&self) -> Result<i64> {
        let (count,): (i64,) =
            read!(self, pool => sqlx::query_as("SELECT COUNT(*) FROM holds").fetch_one(pool).await)?;
        Ok(count)
    }

    /// What the filters can be set to, the most frequent first.
    pub async fn hold_choices(&self) -> Result<Vec<Choice>> {
        Ok(read!(self, pool => sqlx::query_as(
            "WITH groups AS (
                 SELECT rule, source, offer_id, country, MAX(offer_name) AS offer_name, COUNT(*) AS rewards
                 FROM holds GROUP BY rule, source, offer_id, country),
             each AS (
                 SELECT 'rule' AS filter, rule AS value, rule AS name, SUM(rewards) AS rewards FROM groups GROUP BY rule
                 UNION ALL
                 SELECT 'source', source, source, SUM(rewards) FROM groups GROUP BY source
                 UNION ALL
                 SELECT 'country', country, country, SUM(rewards) FROM groups GROUP BY country
                 UNION ALL
                 SELECT 'offer', offer_id, MAX(offer_name), SUM(rewards) FROM groups GROUP BY offer_id),
             numbered AS (
                 SELECT filter, value, name, CAST(rewards AS BIGINT) AS rewards,
                        ROW_NUMBER() OVER (PARTITION BY filter ORDER BY rewards DESC, value) AS place
                 FROM each WHERE value <> '')
             SELECT filter, value, name, rewards FROM numbered WHERE place <= $1 ORDER BY filter, place"
        ).bind(MAX_CHOICES).fetch_all(pool).await)?)
    }
}
