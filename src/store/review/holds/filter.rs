//! Which held rewards somebody looks at, and how a question to the database says so.

use std::borrow::Cow;

use domain::money::Micros;
use domain::review::queue::Grouping;
use domain::time::TimestampMs;

use crate::{Result, Store, read};

/// A search that finds no more than this goes along the indexes of what it found. Any other walks the index of its
/// grouping, which holds every column that is asked for: half as much work from a quarter of a long queue on, and
/// never more than without a search.
const MAX_FEW: i64 = 10_000;

/// The most names of offers that a question lists; if a search finds more, every reward is compared by itself.
const MAX_NAMES: i64 = 500;

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
    /// Where `text` was found: see [`Store::with_search`].
    pub found: Option<Found>,
    /// Only of this cluster.
    pub cluster: Option<ClusterKey>,
    /// Only these rewards.
    pub ids: Option<Vec<i64>>,
}

/// Where a search found its text.
#[derive(Clone, Debug)]
pub struct Found {
    /// The columns that are the text.
    pub(super) columns: Vec<&'static str>,
    /// The names of the offers whose transactions are the text: the index of names leads to them.
    pub(super) transactions: Vec<String>,
    /// The names of offers that it is a part of.
    pub(super) names: Names,
    /// Whether it is in so few rewards that an index of the text is worth following.
    pub(super) is_few: bool,
}

/// The names of offers that a search found.
#[derive(Clone, Debug)]
pub(super) enum Names {
    /// These.
    These(Vec<String>),
    /// More than can be listed: those that are like this pattern.
    Like(String),
}

/// The pattern of LIKE for what has `text` in it, in whatever case.
fn pattern(text: &str) -> String {
    let part = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{part}%")
}

impl Store {
    /// The same filter with its text looked up. Every question does that by itself; whoever asks several looks it up
    /// once and for all of them.
    pub async fn with_search<'f>(&self, filter: &'f HoldFilter) -> Result<Cow<'f, HoldFilter>> {
        let Some(text) = filter.text.as_ref().filter(|_| filter.found.is_none()) else {
            return Ok(Cow::Borrowed(filter));
        };
        let pattern = pattern(text);
        // A queue has few names beside its rewards, so each name is compared once. MATERIALIZED, or either database
        // would compare it for every reward again.
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
    /// From what the search counted: the column, the name if it is that of an offer, and in how many rewards.
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

/// The columns that a grouping goes by.
pub(super) fn columns(grouping: Grouping) -> (&'static str, &'static str) {
    match grouping {
        Grouping::Rule => ("rule", "offer_id"),
        Grouping::Address => ("address_group", "''"),
        Grouping::Sub1 => ("sub1", "source"),
        Grouping::User => ("user_id", "app"),
    }
}

/// Appends the conditions of a filter whose text was looked up. A macro, because the two databases' query builders are
/// different types.
macro_rules! by_filter {
    ($query:ident, $filter:expr) => {{
        let filter: &$crate::review::holds::HoldFilter = $filter;
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
            // The plus keeps both from the index by age. Most of a queue is older than any age that people ask for,
            // and that index holds nothing of what is asked.
            $query.push(" AND +received_at < ").push_bind(received_before.0);
        }
        if let Some(upto_id) = filter.upto_id {
            $query.push(" AND +holds.reward_id <= ").push_bind(upto_id);
        }
        if let (Some(text), Some(found)) = (&filter.text, &filter.found) {
            by_found!($query, text, found);
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
            let (first, second) = $crate::review::holds::filter::columns(key.grouping);
            $query.push(" AND ").push(first).push(" = ").push_bind(&key.first);
            $query.push(" AND ").push(second).push(" = ").push_bind(&key.second);
        }
    }};
}
pub(super) use by_filter;

/// Appends that a reward is one of those in which a text was found.
macro_rules! by_found {
    ($query:ident, $text:expr, $found:expr) => {{
        use $crate::review::holds::filter::Names;
        let found: &$crate::review::holds::filter::Found = $found;
        // A column that is cast to what it is has no index on SQLite, which would follow it however much was found.
        let (cast, as_text) = if found.is_few { ("", "") } else { ("CAST(", " AS TEXT)") };
        let mut either = " AND (";
        for column in &found.columns {
            $query.push(either).push(cast).push(*column).push(as_text).push(" = ").push_bind($text);
            either = " OR ";
        }
        for name in &found.transactions {
            $query.push(either).push(cast).push("offer_name").push(as_text).push(" = ").push_bind(name);
            $query.push(" AND tx_id = ").push_bind($text);
            either = " OR ";
        }
        match &found.names {
            Names::Like(pattern) => {
                $query.push(either).push("lower(offer_name) LIKE ").push_bind(pattern).push(" ESCAPE '\\'");
                either = " OR ";
            }
            Names::These(names) if names.is_empty() => {}
            Names::These(names) => {
                $query.push(either).push(cast).push("offer_name").push(as_text).push(" IN (");
                let mut listed = $query.separated(", ");
                for name in names {
                    listed.push_bind(name);
                }
                $query.push(")");
                either = " OR ";
            }
        }
        // What was found nowhere is in no reward.
        $query.push(if either == " OR " { ")" } else { " AND false" });
    }};
}
pub(super) use by_found;
