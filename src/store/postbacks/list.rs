//! Reading postbacks back, newest first.

use sqlx::QueryBuilder;

use crate::{Result, Store, read};

/// What became of a postback, as a filter of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeFilter {
    /// Recorded, not yet processed.
    Received,
    /// Had its effect.
    Processed,
    /// Said again what was known.
    Repeat,
    /// Could not be mapped.
    Quarantined,
    /// Could not be mapped, and a person says that it is worth nothing.
    SetAside,
    /// It says nothing that anything follows from.
    Information,
    /// Its signature did not verify.
    Refused,
}

impl OutcomeFilter {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Received,
        Self::Processed,
        Self::Repeat,
        Self::Quarantined,
        Self::SetAside,
        Self::Information,
        Self::Refused,
    ];

    /// The name in the table and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Processed => "processed",
            Self::Repeat => "repeat",
            Self::Quarantined => "quarantined",
            Self::SetAside => "set_aside",
            Self::Information => "information",
            Self::Refused => "refused",
        }
    }

    /// The outcome of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// Which postbacks to list.
#[derive(Clone, Debug, Default)]
pub struct PostbackFilter {
    /// Only these; without it everything that was accepted.
    pub outcome: Option<OutcomeFilter>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only those before this id: the last one of the page before.
    pub before_id: Option<i64>,
}

/// One postback as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PostbackRow {
    /// Its row; refused calls are numbered apart.
    pub id: i64,
    /// The source.
    pub source: String,
    /// When, in unix milliseconds.
    pub received_at: i64,
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// Who called.
    pub remote_ip: String,
    /// What names the call in the logs; `None` if it is older than such names.
    pub request_id: Option<String>,
    /// What became of it.
    pub outcome: String,
    /// Why, if that needs saying.
    pub reason: Option<String>,
    /// Why its body is not kept, if one came and is not.
    pub body_left_out: Option<String>,
    /// The reward it belongs to.
    pub reward_id: Option<i64>,
}

const KEPT: &str = "SELECT id, source, received_at, method, target, remote_ip, request_id, outcome, reason, body_left_out, reward_id FROM postbacks WHERE ";
const REFUSED: &str =
    "SELECT id, source, received_at, method, target, remote_ip, request_id, 'refused' AS outcome, reason,
     CAST(NULL AS TEXT) AS body_left_out,     CAST(NULL AS BIGINT) AS reward_id FROM refused WHERE ";

impl Store {
    /// Up to `limit` postbacks, newest first.
    pub async fn postbacks(&self, filter: &PostbackFilter, limit: i64) -> Result<Vec<PostbackRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(match filter.outcome {
                Some(OutcomeFilter::Refused) => REFUSED,
                _ => KEPT,
            });
            query.push("true");
            match filter.outcome {
                None | Some(OutcomeFilter::Refused) => {}
                // Written out and not bound, so that the planner can use the index of exactly these rows.
                Some(outcome) => {
                    query.push(" AND outcome = '").push(outcome.name()).push("'");
                }
            }
            if let Some(source) = &filter.source {
                query.push(" AND source = ").push_bind(source);
            }
            if let Some(before_id) = filter.before_id {
                query.push(" AND id < ").push_bind(before_id);
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The postback `id`.
    pub async fn postback(&self, id: i64) -> Result<Option<PostbackRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source, received_at, method, target, remote_ip, request_id, outcome, reason, body_left_out, reward_id
             FROM postbacks WHERE id = $1"
        ).bind(id).fetch_optional(pool).await)?)
    }

    /// The postbacks of a reward, in the order received.
    pub async fn postbacks_of_reward(&self, reward_id: i64) -> Result<Vec<PostbackRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source, received_at, method, target, remote_ip, request_id, outcome, reason, body_left_out, reward_id FROM postbacks
             WHERE reward_id = $1 ORDER BY id LIMIT 1000"
        ).bind(reward_id).fetch_all(pool).await)?)
    }
}
