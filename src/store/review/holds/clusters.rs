//! Clusters of held rewards: those with the same rule and offer, address, `sub1` or user.

use domain::review::queue::Grouping;
use sqlx::QueryBuilder;

use super::filter::columns;
use super::{HoldFilter, HoldSort, due_at};
use crate::db::conditions::push_conditions;
use crate::{Result, Store, read};

/// A cluster of held rewards.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Cluster {
    /// [`super::ClusterKey::first`]
    pub first: String,
    /// [`super::ClusterKey::second`]
    pub second: String,
    /// Their number.
    pub rewards: i64,
    /// Sum of their payouts, in USD micros.
    pub payout_micros: i64,
    /// When the oldest was received, unix milliseconds.
    pub oldest_at: i64,
    /// When the first is due, unix milliseconds.
    pub due_at: i64,
    /// The highest score among them.
    pub max_score: i64,
    /// The value of the chosen sort order.
    pub sort_value: i64,
}

/// A place in a list of clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterPlace {
    /// [`Cluster::sort_value`]
    pub sort_value: i64,
    /// [`Cluster::first`]
    pub first: String,
    /// [`Cluster::second`]
    pub second: String,
}

/// The rewards of a cluster that were held by the same rules.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ClusterPart {
    /// [`Cluster::first`]
    pub first: String,
    /// [`Cluster::second`]
    pub second: String,
    /// Codes of the rules that counted, strongest first, separated by spaces.
    pub fired: String,
    /// Currency of `reward_micros`.
    pub currency: String,
    /// One of their offers; the only one if they are grouped by rule.
    pub offer_name: String,
    /// Their number.
    pub rewards: i64,
    /// Sum of their rewards, in micros.
    pub reward_micros: i64,
}

/// The number of users in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ClusterUsers {
    /// [`Cluster::first`]
    pub first: String,
    /// [`Cluster::second`]
    pub second: String,
    /// Distinct users.
    pub users: i64,
}

/// Appends the clusters of a page as rows of two columns, named `column1` and `column2` by both databases.
macro_rules! page_of {
    ($query:ident, $clusters:expr) => {{
        $query.push(" FROM (VALUES ");
        let mut rows = $query.separated(", ");
        for cluster in $clusters {
            rows.push("(").push_bind_unseparated(&cluster.first).push_unseparated(", ");
            rows.push_bind_unseparated(&cluster.second).push_unseparated(")");
        }
        $query.push(") AS page");
    }};
}

impl Store {
    /// Up to `limit` clusters of the rewards that match `filter`, after the place `after`.
    pub async fn clusters(
        &self,
        filter: &HoldFilter,
        grouping: Grouping,
        sort: HoldSort,
        after: Option<&ClusterPlace>,
        limit: i64,
    ) -> Result<Vec<Cluster>> {
        let filter = &*self.with_search(filter).await?;
        let (first, second) = columns(grouping);
        let sorted = match sort {
            HoldSort::Age => "due_at",
            HoldSort::Money => "-payout_micros",
            HoldSort::Score => "-max_score",
        };
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT * FROM (SELECT *, ");
            query.push(sorted).push(" AS sort_value FROM (SELECT ");
            query.push(first).push(" AS first, ").push(second).push(" AS second, COUNT(*) AS rewards,
                CAST(SUM(payout_micros) AS BIGINT) AS payout_micros, MIN(received_at) AS oldest_at,
                MAX(score) AS max_score, MIN(");
            due_at!(query, &self.terms);
            query.push(") AS due_at FROM holds WHERE true");
            push_conditions!(query, filter.conditions());
            query.push(" GROUP BY ").push(first);
            if second != "''" {
                query.push(", ").push(second);
            }
            query.push(") AS clusters) AS sorted");
            if let Some(place) = after {
                query.push(" WHERE (sort_value, first, second) > (").push_bind(place.sort_value);
                query.push(", ").push_bind(&place.first).push(", ").push_bind(&place.second).push(")");
            }
            query.push(" ORDER BY sort_value, first, second LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The parts of these clusters: rewards held by the same rules, largest part first.
    pub async fn cluster_parts(
        &self,
        filter: &HoldFilter,
        grouping: Grouping,
        clusters: &[Cluster],
    ) -> Result<Vec<ClusterPart>> {
        if clusters.is_empty() {
            return Ok(Vec::new());
        }
        let filter = &*self.with_search(filter).await?;
        let (first, second) = columns(grouping);
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT column1 AS first, column2 AS second, fired, currency,
                MAX(offer_name) AS offer_name, COUNT(*) AS rewards,
                CAST(SUM(reward_micros) AS BIGINT) AS reward_micros");
            page_of!(query, clusters);
            // CROSS makes SQLite start with the page and use the index of the grouping, whatever the filter is.
            query.push(" CROSS JOIN holds WHERE ").push(first).push(" = column1 AND ").push(second).push(" = column2");
            push_conditions!(query, filter.conditions());
            query.push(" GROUP BY column1, column2, fired, currency ORDER BY COUNT(*) DESC");
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The number of users in each of these clusters.
    pub async fn cluster_users(
        &self,
        filter: &HoldFilter,
        grouping: Grouping,
        clusters: &[Cluster],
    ) -> Result<Vec<ClusterUsers>> {
        if clusters.is_empty() {
            return Ok(Vec::new());
        }
        let filter = &*self.with_search(filter).await?;
        let (first, second) = columns(grouping);
        Ok(read!(self, pool => {
            // Cluster by cluster: sorting all rewards by user takes three times as long.
            let mut query = QueryBuilder::new("SELECT column1 AS first, column2 AS second,
                (SELECT COUNT(*) FROM (SELECT DISTINCT user_id, app FROM holds WHERE ");
            query.push(first).push(" = column1 AND ").push(second).push(" = column2");
            push_conditions!(query, filter.conditions());
            query.push(") AS users_of) AS users");
            page_of!(query, clusters);
            query.build_query_as().fetch_all(pool).await
        })?)
    }
}
