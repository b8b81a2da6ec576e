//! The filter of held rewards, and its SQL conditions.

use std::borrow::Cow;

use domain::money::Micros;
use domain::review::queue::Grouping;
use domain::time::TimestampMs;

use crate::db::conditions::Conditions;
use crate::{Result, Store, read};

/// A search with at most this many hits uses the indexes of the columns found. A larger one scans the index of its
/// grouping, which covers all columns: half the work once it finds a quarter of a long queue, and never more than without
/// a search.
const MAX_FEW: i64 = 10_000;

/// Limit of offer names listed in a query; if a search finds more, every reward is compared with the pattern.
const MAX_NAMES: i64 = 500;

/// What the rewards of one cluster have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterKey {
    /// What the cluster is grouped by.
    pub grouping: Grouping,
    /// The rule's code, the address or /64, the `sub1`, or the user.
    pub first: String,
    /// In the same order: the offer, nothing, the source, or the app. Empty if the network named none.
    pub second: String,
}

/// A filter of held rewards; the default matches all.
#[derive(Clone, Debug, Default)]
pub struct HoldFilter {
    /// Only with this rule as the one that weighed most.
    pub rule: Option<String>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only of this offer.
    pub offer_id: Option<String>,
    /// Only of this country, as named by the network.
    pub country: Option<String>,
    /// Only with at least this payout.
    pub min_payout: Option<Micros>,
    /// Received before.
    pub received_before: Option<TimestampMs>,
    /// Only ids up to this: the newest that the viewer has seen.
    pub upto_id: Option<i64>,
    /// Equals the user, transaction, `sub1` or address, or is a part of the offer's name.
    pub text: Option<String>,
    /// Where `text` was found; set by [`Store::with_search`].
    pub found: Option<Found>,
    /// Only of this cluster.
    pub cluster: Option<ClusterKey>,
    /// Only these rewards.
    pub ids: Option<Vec<i64>>,
}

/// Where a search found its text.
#[derive(Clone, Debug)]
pub struct Found {
    /// Columns that equal the text.
    pub(super) columns: Vec<&'static str>,
    /// Names of offers that have a transaction equal to the text; the index on names finds these rewards.
    pub(super) transactions: Vec<String>,
    /// Names of offers that contain the text.
    pub(super) names: Names,
    /// At most [`MAX_FEW`] hits, so that using the indexes is faster.
    pub(super) is_few: bool,
}

/// Offer names found by a search.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// At most [`MAX_NAMES`].
    These(Vec<String>),
    /// Too many to list: those that match this pattern.
    Like(String),
}

/// The LIKE pattern, in lower case, for strings that contain `text`.
fn pattern(text: &str) -> String {
    let part = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{part}%")
}

impl Store {
    /// The same filter with its text searched. Every query does this itself; a caller of several queries does it once for
    /// all of them.
    pub async fn with_search<'f>(&self, filter: &'f HoldFilter) -> Result<Cow<'f, HoldFilter>> {
        let Some(text) = filter.text.as_ref().filter(|_| filter.found.is_none()) else {
            return Ok(Cow::Borrowed(filter));
        };
        let pattern = pattern(text);
        // There are few names and many rewards, so each name is compared once. Without MATERIALIZED both databases would
        // compare it for every reward.
        let rows: Vec<(String, String, i64)> = read!(self, pool => sqlx::query_as(
            "WITH names AS MATERIALIZED (SELECT offer_name, COUNT(*) AS rewards,
                                                COUNT(*) FILTER (WHERE tx_id = $1) AS transactions
                                         FROM holds GROUP BY offer_name)
             SELECT 'user_id' AS found_in, '' AS name, COUNT(*) AS rewards FROM holds WHERE user_id = $1
             UNION ALL
             SELECT 'sub1', '', COUNT(*) FROM holds WHERE sub1 = $1
             UNION ALL
             SELECT 'address_group', '', COUNT(*) FROM holds WHERE address_group = $1
             UNION ALL
             SELECT * FROM (SELECT 'tx_id', offer_name, transactions FROM names
                            WHERE transactions > 0 LIMIT $3) AS sent
             UNION ALL
             SELECT * FROM (SELECT 'offer_name', offer_name, rewards FROM names
                            WHERE lower(offer_name) LIKE $2 ESCAPE '\\' LIMIT $3) AS named"
        ).bind(text).bind(&pattern).bind(MAX_NAMES + 1).fetch_all(pool).await)?;
        let found = Found::of(&rows, pattern);
        Ok(Cow::Owned(HoldFilter { found: Some(found), ..filter.clone() }))
    }
}

impl Found {
    /// From the rows of the search: column, offer name (or empty), number of rewards.
    fn of(rows: &[(String, String, i64)], pattern: String) -> Self {
        let counted = |column: &str| rows.iter().any(|row| row.0 == column && row.2 > 0);
        let named = |column: &str| -> Vec<String> {
            rows.iter().filter(|row| row.0 == column).map(|row| row.1.clone()).collect()
        };
        let can_be_listed =
            |names: &[String]| i64::try_from(names.len()).is_ok_and(|names| names <= MAX_NAMES);
        let mut columns = vec!["user_id", "sub1", "address_group"];
        columns.retain(|column| counted(column));
        let (mut transactions, names) = (named("tx_id"), named("offer_name"));
        let is_few = can_be_listed(&transactions)
            && can_be_listed(&names)
            && rows.iter().map(|row| row.2).sum::<i64>() <= MAX_FEW;
        if !can_be_listed(&transactions) {
            transactions.clear();
            columns.push("tx_id");
        }
        let names = if can_be_listed(&names) { Names::These(names) } else { Names::Like(pattern) };
        Self { columns, transactions, names, is_few }
    }
}

/// The two columns of a grouping.
pub(super) fn columns(grouping: Grouping) -> (&'static str, &'static str) {
    match grouping {
        Grouping::Rule => ("rule", "offer_id"),
        Grouping::Address => ("address_group", "''"),
        Grouping::Sub1 => ("sub1", "source"),
        Grouping::User => ("user_id", "app"),
    }
}

impl HoldFilter {
    /// The conditions of a filter whose text was searched, each starting with `AND`.
    pub(super) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        for (condition, value) in [
            (" AND rule = ", &self.rule),
            (" AND source = ", &self.source),
            (" AND offer_id = ", &self.offer_id),
            (" AND country = ", &self.country),
        ] {
            if let Some(value) = value {
                conditions.sql(condition).text(value);
            }
        }
        if let Some(min_payout) = self.min_payout {
            conditions.sql(" AND payout_micros >= ").int(min_payout.0);
        }
        if let Some(received_before) = self.received_before {
            // The plus keeps both databases from using the index by age: most of a queue is older than the ages people
            // ask for, and that index covers no other column.
            conditions.sql(" AND +received_at < ").int(received_before.0);
        }
        if let Some(upto_id) = self.upto_id {
            conditions.sql(" AND +holds.reward_id <= ").int(upto_id);
        }
        if let (Some(text), Some(found)) = (&self.text, &self.found) {
            found.append_to(&mut conditions, text);
        }
        if let Some(ids) = &self.ids {
            conditions.sql(" AND holds.reward_id IN (");
            for id in ids {
                conditions.int(*id).sql(", ");
            }
            // An SQL list cannot be empty; no reward has the id -1.
            conditions.sql("-1)");
        }
        if let Some(key) = &self.cluster {
            let (first, second) = columns(key.grouping);
            conditions.sql(" AND ").sql(first).sql(" = ").text(&key.first);
            conditions.sql(" AND ").sql(second).sql(" = ").text(&key.second);
        }
        conditions
    }
}

impl Found {
    /// Appends the condition that `text` was found in the reward.
    fn append_to(&self, conditions: &mut Conditions, text: &str) {
        // A cast keeps SQLite from using an index, which it would do even with many hits.
        let (cast, as_text) = if self.is_few { ("", "") } else { ("CAST(", " AS TEXT)") };
        let mut either = " AND (";
        for column in &self.columns {
            conditions.sql(either).sql(cast).sql(column).sql(as_text).sql(" = ").text(text);
            either = " OR ";
        }
        for name in &self.transactions {
            conditions.sql(either).sql(cast).sql("offer_name").sql(as_text).sql(" = ").text(name);
            conditions.sql(" AND tx_id = ").text(text);
            either = " OR ";
        }
        match &self.names {
            Names::Like(pattern) => {
                conditions.sql(either).sql("lower(offer_name) LIKE ").text(pattern).sql(" ESCAPE '\\'");
                either = " OR ";
            }
            Names::These(names) if names.is_empty() => {}
            Names::These(names) => {
                conditions.sql(either).sql(cast).sql("offer_name").sql(as_text).sql(" IN (");
                conditions.texts(names).sql(")");
                either = " OR ";
            }
        }
        // A text that was found nowhere matches no reward.
        conditions.sql(if either == " OR " { ")" } else { " AND false" });
    }
}
