//! Lists of postbacks, newest first.

use domain::postback::networks::KeptCall;
use sqlx::QueryBuilder;

use crate::{Result, Store, read};

/// The outcome of a postback, as a filter of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeFilter {
    /// Recorded, not yet processed.
    Received,
    /// Changed a reward.
    Processed,
    /// Repeated an earlier postback; changed nothing.
    Repeat,
    /// Could not be mapped.
    Quarantined,
    /// Could not be mapped, and a person decided that nothing needs to be done.
    SetAside,
    /// Carries information only; nothing follows from it.
    Information,
    /// The network says that it is a test; nothing follows from it.
    Test,
    /// Its signature did not verify.
    Refused,
}

impl OutcomeFilter {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::Processed,
        Self::Repeat,
        Self::Quarantined,
        Self::SetAside,
        Self::Information,
        Self::Test,
        Self::Refused,
    ];

    /// As in the table and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Processed => "processed",
            Self::Repeat => "repeat",
            Self::Quarantined => "quarantined",
            Self::SetAside => "set_aside",
            Self::Information => "information",
            Self::Test => "test",
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
    /// Only these; `None` lists all but the refused calls.
    pub outcome: Option<OutcomeFilter>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only smaller ids; that of the last row of the previous page.
    pub before_id: Option<i64>,
}

/// A saved postback or refused call.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PostbackRow {
    /// Refused calls have a number range of their own.
    pub id: i64,
    /// As in the settings; of a refused call, as in the URL.
    pub source: String,
    /// Unix milliseconds.
    pub received_at: i64,
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// The body, percent-encoded; `None` if there was none, it is not kept, or it does not count. Not read of refused
    /// calls.
    pub body: Option<String>,
    /// Headers that count, one `name: value` in a line.
    pub headers: Option<String>,
    /// Address of the caller.
    pub remote_ip: String,
    /// The call's id in the logs; `None` if it was recorded before calls had ids.
    pub request_id: Option<String>,
    /// A name of [`OutcomeFilter`].
    pub outcome: String,
    /// Reason of the outcome; `None` if it needs none.
    pub reason: Option<String>,
    /// Why the body is not kept; `None` if it is, or there was none.
    pub body_left_out: Option<String>,
    /// The reward that it changed or repeated; `None` for other outcomes.
    pub reward_id: Option<i64>,
}

impl PostbackRow {
    /// The call as it was received.
    pub fn kept(&self) -> KeptCall<'_> {
        KeptCall::of(&self.method, &self.target, self.headers.as_deref(), self.body.as_deref())
    }
}

const KEPT: &str = "SELECT id, source, received_at, method, target, CASE WHEN body_of IS NULL THEN body END AS body, headers, remote_ip, request_id, outcome, reason, body_left_out, reward_id FROM postbacks WHERE ";
const REFUSED: &str =
    "SELECT id, source, received_at, method, target, CAST(NULL AS TEXT) AS body, CAST(NULL AS TEXT) AS headers, remote_ip, request_id, 'refused' AS outcome, reason,
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
                // Written out and not bound, so that the planner uses the partial index of this outcome.
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

    /// The postback `id`, if it exists.
    pub async fn postback(&self, id: i64) -> Result<Option<PostbackRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source, received_at, method, target, CASE WHEN body_of IS NULL THEN body END AS body, headers, remote_ip, request_id, outcome, reason, body_left_out, reward_id
             FROM postbacks WHERE id = $1"
        ).bind(id).fetch_optional(pool).await)?)
    }

    /// The postbacks of a reward, in the order received.
    pub async fn postbacks_of_reward(&self, reward_id: i64) -> Result<Vec<PostbackRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT id, source, received_at, method, target, CASE WHEN body_of IS NULL THEN body END AS body, headers, remote_ip, request_id, outcome, reason, body_left_out, reward_id FROM postbacks
             WHERE reward_id = $1 ORDER BY id LIMIT 1000"
        ).bind(reward_id).fetch_all(pool).await)?)
    }
}
