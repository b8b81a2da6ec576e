//! All rewards in the order of their rows, for those who add them up.

use crate::{Result, Store, read};

/// A reward as it stands, with the result of its verdict.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of rewards and verdicts, described in the migration")]
pub struct PastRewardRow {
    pub id: i64,
    pub source: String,
    pub user_id: String,
    pub tx_id: String,
    pub status: String,
    pub currency: String,
    pub reward_micros: Option<i64>,
    pub payout_micros: Option<i64>,
    pub sub1: Option<String>,
    pub clicked_at: Option<i64>,
    pub received_at: i64,
    pub conflict: i64,
    pub credit_seen: i64,
    pub decision: Option<String>,
    pub score: Option<i64>,
    pub hard: Option<i64>,
    pub fired_points: Option<String>,
}

impl Store {
    /// Up to `limit` rewards behind the row `after`, in the order of their rows.
    pub async fn past_rewards(&self, after: i64, limit: i64) -> Result<Vec<PastRewardRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT rewards.id, source, user_id, tx_id, status, currency, reward_micros, payout_micros, sub1, clicked_at,
                    received_at, conflict, credit_seen, decision, score, hard, fired_points
             FROM rewards LEFT JOIN verdicts ON verdicts.reward_id = rewards.id
             WHERE rewards.id > $1 ORDER BY rewards.id LIMIT $2"
        ).bind(after).bind(limit).fetch_all(pool).await)?)
    }
}
