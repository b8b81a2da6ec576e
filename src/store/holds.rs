//! The queue of held rewards: in clusters, one by one, in sums. The database keeps the table `holds` itself.

use domain::money::Micros;
use domain::queue::{Grouping, ReviewTerms};
use domain::time::TimestampMs;
use sqlx::QueryBuilder;

use crate::{Result, Store, read};

/// The most choices of one filter.
const MAX_CHOICES: i64 = 50;

/// What the rewards of one cluster have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterKey {
    /// In what way they belong together.
    pub grouping: Grouping,
    /// The rule's code, the address or /64, the `sub1`, or the user.
    pub first: String,
    /// The offer, nothing, the source, or the app. Empty where the network names none.
    pub second: String,
}

/// Which held rewards to look at. Nothing set: all of them.
#[derive(Clone, Debug, Default)]
pub struct HoldFilter {
    /// The rule that weighed most.
    pub rule: Option<String>,
    /// The source.
    pub source: Option<String>,
    /// The offer.
    pub offer_id: Option<String>,
    /// The country that the network named.
    pub country: Option<String>,
    /// At least this payout.
    pub min_payout: Option<Micros>,
    /// Received before.
    pub received_before: Option<TimestampMs>,
    /// Only rewards with ids up to this: what somebody saw.
    pub upto_id: Option<i64>,
    /// Is the user, transaction, `sub1` or address, or a part of the offer's name.
    pub text: Option<String>,
    /// Only of this cluster.
    pub cluster: Option<ClusterKey>,
    /// Only these rewards.
    pub ids: Option<Vec<i64>>,
}

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

/// Held rewards that belong together, as far as they are sorted by it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Cluster {
    /// [`ClusterKey::first`]
    pub first: String,
    /// [`ClusterKey::second`]
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

/// The columns that a grouping goes by.
fn columns(grouping: Grouping) -> (&'static str, &'static str) {
    match grouping {
        Grouping::Rule => ("rule", "offer_id"),
        Grouping::Address => ("address_group", "''"),
        Grouping::Sub1 => ("sub1", "source"),
        Grouping::User => ("user_id", "app"),
    }
}

/// Appends the conditions of a filter. A macro, because the two databases' query builders are different types.
macro_rules! by_filter {
    ($query:ident, $filter:expr) => {{
        let filter: &HoldFilter = $filter;
        for (column, value) in [
            ("rule", &filter.rule),
            ("source", &filter.source),
            ("offer_id", &filter.offer_id),
            ("country", &filter.country),
        ] {
            if let Some(value) = value {
                $query.push(" AND ").push(column).push(" = ").push_bind(value);
            }
        }
        if let Some(min_payout) = filter.min_payout {
            $query.push(" AND payout_micros >= ").push_bind(min_payout.0);
        }
        if let Some(received_before) = filter.received_before {
            $query.push(" AND received_at < ").push_bind(received_before.0);
        }
        if let Some(upto_id) = filter.upto_id {
            $query.push(" AND holds.reward_id <= ").push_bind(upto_id);
        }
        if let Some(text) = &filter.text {
            $query.push(" AND (user_id = ").push_bind(text).push(" OR tx_id = ").push_bind(text);
            $query.push(" OR sub1 = ").push_bind(text).push(" OR address_group = ").push_bind(text);
            let part = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            $query.push(" OR lower(offer_name) LIKE ").push_bind(format!("%{part}%")).push(" ESCAPE '\\')");
        }
        if let Some(ids) = &filter.ids {
            $query.push(" AND holds.reward_id IN (");
            let mut listed = $query.separated(", ");
            for id in ids {
                listed.push_bind(*id);
            }
            // An empty list is no list: `-1` is no reward.
            listed.push("-1");
            $query.push(")");
        }
        if let Some(key) = &filter.cluster {
            let (first, second) = columns(key.grouping);
            $query.push(" AND ").push(first).push(" = ").push_bind(&key.first);
            $query.push(" AND ").push(second).push(" = ").push_bind(&key.second);
        }
    }};
}

/// Appends what a row of `holds` is due at.
macro_rules! due_at {
    ($query:ident, $terms:expr) => {{
        let terms: &ReviewTerms = $terms;
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
            by_filter!(query, filter);
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
        let (first, second) = columns(grouping);
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT column1 AS first, column2 AS second, fired, currency,
                MAX(offer_name) AS offer_name, COUNT(*) AS rewards, CAST(SUM(reward_micros) AS BIGINT) AS reward_micros");
            page_of!(query, clusters);
            query.push(" JOIN holds ON ").push(first).push(" = column1 AND ").push(second).push(" = column2 WHERE true");
            by_filter!(query, filter);
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
        let (first, second) = columns(grouping);
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT first, second, COUNT(*) AS users
                FROM (SELECT column1 AS first, column2 AS second");
            page_of!(query, clusters);
            query.push(" JOIN holds ON ").push(first).push(" = column1 AND ").push(second).push(" = column2 WHERE true");
            by_filter!(query, filter);
            query.push(" GROUP BY column1, column2, user_id, app) AS users_of GROUP BY first, second");
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// What `filter` finds, in sums.
    pub async fn hold_totals(&self, filter: &HoldFilter, now: TimestampMs) -> Result<HoldTotals> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) AS rewards,
                CAST(COALESCE(SUM(payout_micros), 0) AS BIGINT) AS payout_micros,
                CASE WHEN MIN(currency) = MAX(currency) THEN CAST(SUM(reward_micros) AS BIGINT) END AS reward_micros,
                CASE WHEN MIN(currency) = MAX(currency) THEN MIN(currency) END AS currency,
                MIN(received_at) AS oldest_at, MAX(reward_id) AS newest_id,
                CAST(COALESCE(SUM(CASE WHEN ");
            due_at!(query, &self.terms);
            query.push(" < ").push_bind(now.0).push(" THEN 1 ELSE 0 END), 0) AS BIGINT) AS overdue,
                CAST(COALESCE(SUM(CASE WHEN ");
            due_at!(query, &self.terms);
            query.push(" < ").push_bind(now.0).push(" THEN payout_micros ELSE 0 END), 0) AS BIGINT)
                AS overdue_payout_micros FROM holds WHERE true");
            by_filter!(query, filter);
            query.build_query_as().fetch_one(pool).await
        })?)
    }

    /// How many users what `filter` finds belongs to.
    pub async fn hold_users(&self, filter: &HoldFilter) -> Result<i64> {
        let (users,): (i64,) = read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM (SELECT 1 AS one FROM holds WHERE true");
            by_filter!(query, filter);
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
            by_filter!(query, filter);
            query.push(") AS found");
            if let Some(place) = after {
                query.push(" WHERE (sort_value, reward_id) > (").push_bind(place.sort_value);
                query.push(", ").push_bind(place.reward_id).push(")");
            }
            query.push(" ORDER BY sort_value, reward_id LIMIT ").push_bind(limit);
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
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT reward_id, steps FROM holds WHERE true");
            by_filter!(query, filter);
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
