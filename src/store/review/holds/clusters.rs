//! The queue in clusters: what has a rule and an offer, an address, a `sub1` or a user in common.

use domain::review::queue::Grouping;
use sqlx::QueryBuilder;

use super::filter::columns;
use super::{HoldFilter, HoldSort, due_at};
use crate::db::conditions::push_conditions;
use crate::{Result, Store, read};

/// Held rewards that belong together, as far as they are sorted by it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Cluster {
    /// [`super::ClusterKey::first`]
    pub first: String,
    /// [`super::ClusterKey::second`]
    pub second: String,
    /// How many.
    pub rewards: i64,
    /// What the network pays for them, in USD.
    pub payout_micros: i64,
    /// When the oldest was received.
    pub oldest_at: i64,
    /// When the first of them is due.
    pub due_at: i64,
    /// The highest score.
    pub max_score: i64,
    /// What it is sorted by.
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
    /// The codes of the rules that counted, strongest first, with blanks between.
    pub fired: String,
    /// Their currency.
    pub currency: String,
    /// An offer of them; the only one if they are grouped by rule.
    pub offer_name: String,
    /// How many rewards.
    pub rewards: i64,
    /// What the users get.
    pub reward_micros: i64,
}

/// How many users a cluster has.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ClusterUsers {
    /// [`Cluster::first`]
    pub first: String,
    /// [`Cluster::second`]
    pub second: String,
    /// How many.
    pub users: i64,
}

/// Appends the clusters of a page as rows of two columns, which both databases call `column1` and `column2`.
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
    /// Up to `limit` clusters of what `filter` finds, from `after` on.
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

    /// What the rewards of these clusters were held by and are worth, the most frequent first.
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
            // CROSS: SQLite begins with the page and goes along the index of the grouping, whatever the filter is.
            query.push(" CROSS JOIN holds WHERE ").push(first).push(" = column1 AND ").push(second).push(" = column2");
            push_conditions!(query, filter.conditions());
            query.push(" GROUP BY column1, column2, fired, currency ORDER BY COUNT(*) DESC");
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// How many users these clusters have.
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
            // Cluster by cluster: to sort all of their rewards by user takes three times as long.
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
