//! The queue of held rewards: lists, clusters, totals. Triggers of the database maintain the table `holds`.

mod clusters;
mod filter;

use domain::time::TimestampMs;
use sqlx::QueryBuilder;

pub use clusters::{Cluster, ClusterPart, ClusterPlace, ClusterUsers};
pub use filter::{ClusterKey, Found, HoldFilter};

use crate::db::conditions::push_conditions;
use crate::{Result, Store, read};

/// Limit of the choices of one filter.
const MAX_CHOICES: i64 = 50;

/// The sort order of held rewards and clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoldSort {
    /// First due first.
    #[default]
    Age,
    /// Highest payout first.
    Money,
    /// Highest score first.
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
    /// The value of the chosen sort order.
    pub sort_value: i64,
    /// Holder of a running claim.
    pub claimed_by: Option<String>,
    /// Opinions that wait for a second person.
    pub opinions: i64,
}

/// A place in a list of held rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldPlace {
    /// [`HoldRow::sort_value`]
    pub sort_value: i64,
    /// Orders rewards of the same value.
    pub reward_id: i64,
}

/// Totals of the held rewards that match a filter.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct HoldTotals {
    /// Their number.
    pub rewards: i64,
    /// Sum of their payouts, in USD micros.
    pub payout_micros: i64,
    /// Sum of their rewards, in micros; `None` with several currencies.
    pub reward_micros: Option<i64>,
    /// Currency of `reward_micros`.
    pub currency: Option<String>,
    /// When the oldest was received, unix milliseconds.
    pub oldest_at: Option<i64>,
    /// The highest id.
    pub newest_id: Option<i64>,
    /// Number of those past their due time.
    pub overdue: i64,
    /// Sum of the overdue payouts, in USD micros.
    pub overdue_payout_micros: i64,
}

/// A possible value of a filter.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Choice {
    /// `rule`, `source`, `offer` or `country`.
    pub filter: String,
    /// As in [`HoldFilter`].
    pub value: String,
    /// The name to show.
    pub name: String,
    /// Held rewards that have it.
    pub rewards: i64,
}

/// Appends the due time of a row of `holds`, in unix milliseconds.
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
    /// Totals of the held rewards that match `filter`.
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

    /// The number of distinct users whose held rewards match `filter`.
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

    /// Up to `limit` held rewards that match `filter`, after the place `after`.
    pub async fn holds(
        &self,
        filter: &HoldFilter,
        sort: HoldSort,
        after: Option<HoldPlace>,
        now: TimestampMs,
        limit: i64,
    ) -> Result<Vec<HoldRow>> {
        let filter = &*self.with_search(filter).await?;
        // Without an urgent target every hold has the same time, so due order is the order of receipt: the index
        // delivers it, and only `limit` rows are read.
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

    /// The held reward `id`, if it is held.
    pub async fn hold(&self, id: i64, now: TimestampMs) -> Result<Option<HoldRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT holds.*, received_at AS sort_value, claims.person AS claimed_by,
                    (SELECT COUNT(*) FROM opinions WHERE opinions.reward_id = holds.reward_id
                                                     AND opinions.steps = holds.steps) AS opinions
             FROM holds LEFT JOIN claims ON claims.reward_id = holds.reward_id AND claims.until_at > $2
             WHERE holds.reward_id = $1"
        ).bind(id).bind(now.0).fetch_optional(pool).await)?)
    }

    /// Ids of up to `limit` held rewards that match `filter`, each with its number of steps; oldest first.
    pub async fn hold_ids(&self, filter: &HoldFilter, limit: i64) -> Result<Vec<(i64, i64)>> {
        let filter = &*self.with_search(filter).await?;
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT reward_id, steps FROM holds WHERE true");
            push_conditions!(query, filter.conditions());
            query.push(" ORDER BY received_at, reward_id LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The number of held rewards.
    pub async fn hold_count(&self) -> Result<i64> {
        let (count,): (i64,) =
            read!(self, pool => sqlx::query_as("SELECT COUNT(*) FROM holds").fetch_one(pool).await)?;
        Ok(count)
    }

    /// The possible values of the filters, the most frequent first.
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
