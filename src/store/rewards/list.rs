//! Lists of rewards, newest first, and the steps and transfers of one.

use domain::location::Location;
use domain::reward::Status;
use domain::time::TimestampMs;
use domain::verdict::Verdict;
use sqlx::QueryBuilder;

use super::explained::KeptReward;
use crate::{Result, Store, read};

/// Which rewards to list.
#[derive(Clone, Debug, Default)]
pub struct RewardFilter {
    /// Only of this status.
    pub status: Option<Status>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only of this user.
    pub user_id: Option<String>,
    /// Only of this transaction.
    pub tx_id: Option<String>,
    /// Received at or after.
    pub from: Option<TimestampMs>,
    /// Received before.
    pub to: Option<TimestampMs>,
    /// Only what follows this place in the list: the last row of the previous page.
    pub after: Option<Place>,
}

/// A place in a list of rewards or deliveries: time and id of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the reward was received, or the delivery created.
    pub received_at: TimestampMs,
    /// Orders rows of the same time.
    pub id: i64,
}

/// A saved reward with its verdict.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of rewards and verdicts, described in the migration")]
pub struct RewardRow {
    pub id: i64,
    pub source: String,
    pub app: String,
    pub user_id: String,
    pub tx_id: String,
    pub status: String,
    pub currency: String,
    pub reward_micros: Option<i64>,
    pub payout_micros: Option<i64>,
    pub taken_back_micros: i64,
    pub taken_back_payout_micros: i64,
    pub offer_id: Option<String>,
    pub offer_name: Option<String>,
    pub event_id: Option<String>,
    pub event_name: Option<String>,
    pub ip: Option<String>,
    pub country_code: Option<String>,
    pub clicked_at: Option<i64>,
    pub sub1: Option<String>,
    pub sub2: Option<String>,
    pub received_at: i64,
    pub repeats: i64,
    pub conflict: i64,
    pub decision: Option<String>,
    pub score: Option<i64>,
    pub hard: Option<i64>,
    pub policy: Option<String>,
    pub decided_at: Option<i64>,
    pub geo_result: Option<String>,
    /// The version of the rules that decided; `None` before versions were kept.
    pub engine: Option<i64>,
    /// The version of the baseline that said something of its offer.
    pub baseline: Option<String>,
    /// With its signals, which are computed from the stored facts.
    #[sqlx(skip)]
    pub verdict: Option<Verdict>,
    /// What was known of the address when it was judged.
    #[sqlx(skip)]
    pub location: Option<Location>,
}

/// $columns of rewards and verdicts, for [`RewardRow`] and [`VerdictColumns`](super::explained::VerdictColumns).
pub(super) const SELECT: &str =
    "SELECT rewards.id, source, app, user_id, tx_id, status, currency, reward_micros, payout_micros,
            taken_back_micros, taken_back_payout_micros, offer_id, offer_name, event_id, event_name, ip, country_code, clicked_at, sub1, sub2, received_at,
            repeats, conflict, decision, score, hard, COALESCE(policy_versions.version, policy) AS policy, decided_at, geo_result, engine, baseline, location, signals, facts, fired_points,
            geo_builds.databases AS geo_databases
     FROM rewards LEFT JOIN verdicts ON verdicts.reward_id = rewards.id
     LEFT JOIN geo_builds ON geo_builds.id = verdicts.geo_builds
     LEFT JOIN policy_versions ON policy_versions.id = verdicts.policy_id WHERE ";

/// A saved step.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of steps, described in the migration")]
pub struct StepRow {
    pub seq: i64,
    pub step: String,
    pub actor: String,
    pub note: Option<String>,
    pub postback_id: Option<i64>,
    pub taken_at: i64,
}

/// A saved transfer, with its accounts by name.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of transfers, described in the migration")]
pub struct TransferRow {
    pub id: i64,
    pub step_seq: Option<i64>,
    pub debit: String,
    pub credit: String,
    pub amount_micros: i64,
    pub currency: String,
    pub booked_at: i64,
    pub business_date: String,
}

/// The conditions of the indexes that hold rewards in the order of their receipt: together every reward, each once.
pub(crate) const IN_ORDER: [(Status, &str); 4] = [
    (Status::Credited, "status = 'credited'"),
    (Status::Held, "status = 'held' AND status <> 'credited'"),
    (Status::Rejected, "status = 'rejected' AND status <> 'credited'"),
    (Status::Reversed, "status = 'reversed' AND status <> 'credited'"),
];

/// The conditions under which a page is read in order, each through an index.
fn indexes(filter: &RewardFilter) -> Vec<&'static str> {
    let of_status = IN_ORDER.iter().filter(|(status, _)| filter.status.is_none_or(|only| only == *status));
    // A user or a transaction has few rewards: their own index finds them.
    if filter.status.is_none() && (filter.user_id.is_some() || filter.tx_id.is_some()) {
        return vec!["true"];
    }
    of_status.map(|(_, condition)| *condition).collect()
}

impl RewardFilter {
    /// All conditions but that of the status.
    fn push<'a, DB: sqlx::Database>(&'a self, query: &mut QueryBuilder<DB>)
    where
        i64: sqlx::Encode<'a, DB> + sqlx::Type<DB>,
        &'a String: sqlx::Encode<'a, DB> + sqlx::Type<DB>,
    {
        if let Some(source) = &self.source {
            query.push(" AND source = ").push_bind(source);
        }
        if let Some(user_id) = &self.user_id {
            query.push(" AND user_id = ").push_bind(user_id);
        }
        if let Some(tx_id) = &self.tx_id {
            // Every network so far uses the transaction as the event key, which has the index.
            query.push(" AND event_key = ").push_bind(tx_id);
        }
        if let Some(from) = self.from {
            query.push(" AND received_at >= ").push_bind(from.0);
        }
        if let Some(to) = self.to {
            query.push(" AND received_at < ").push_bind(to.0);
        }
        if let Some(place) = self.after {
            query.push(" AND (received_at, id) < (").push_bind(place.received_at.0);
            query.push(", ").push_bind(place.id).push(")");
        }
    }
}

impl Store {
    /// Up to `limit` rewards, newest first.
    pub async fn rewards(&self, filter: &RewardFilter, limit: i64) -> Result<Vec<RewardRow>> {
        let kept: Vec<KeptReward> = read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            query.push("rewards.id IN (SELECT id FROM (");
            for (place, index) in indexes(filter).into_iter().enumerate() {
                query.push(if place == 0 { "" } else { " UNION ALL " });
                query.push("SELECT * FROM (SELECT id, received_at FROM rewards WHERE ").push(index);
                filter.push(&mut query);
                query.push(" ORDER BY received_at DESC, id DESC LIMIT ").push_bind(limit);
                query.push(") AS of_index");
            }
            query.push(") AS newest ORDER BY received_at DESC, id DESC LIMIT ").push_bind(limit);
            query.push(") ORDER BY received_at DESC, rewards.id DESC");
            query.build_query_as().fetch_all(pool).await
        })?;
        self.explained(kept).await
    }

    /// The reward `id` with its verdict, if it exists.
    pub async fn reward(&self, id: i64) -> Result<Option<RewardRow>> {
        let kept = self.kept(id).await?.into_iter().collect();
        Ok(self.explained(kept).await?.pop())
    }

    /// The steps of a reward, in order.
    pub async fn steps(&self, reward_id: i64) -> Result<Vec<StepRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT seq, step, actor, note, postback_id, taken_at FROM steps WHERE reward_id = $1 ORDER BY seq"
        ).bind(reward_id).fetch_all(pool).await)?)
    }

    /// The transfers of a reward, in order.
    pub async fn transfers(&self, reward_id: i64) -> Result<Vec<TransferRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT transfers.id, step_seq, debits.name AS debit, credits.name AS credit, amount_micros,
                    transfers.currency, booked_at, business_date
             FROM transfers
             JOIN accounts AS debits ON debits.id = transfers.debit_id
             JOIN accounts AS credits ON credits.id = transfers.credit_id
             WHERE reward_id = $1 ORDER BY transfers.id"
        ).bind(reward_id).fetch_all(pool).await)?)
    }
}
