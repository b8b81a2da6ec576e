//! Lists of deliveries and attempts.

use domain::delivery::Status;
use domain::time::TimestampMs;
use sqlx::QueryBuilder;

use crate::db::conditions::{Conditions, push_conditions};
use crate::rewards::list::Place;
use crate::{Result, Store, read};

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only of this app.
    pub app: Option<String>,
    /// Only of this status.
    pub status: Option<Status>,
    /// Created at or after.
    pub from: Option<TimestampMs>,
    /// Created before.
    pub to: Option<TimestampMs>,
    /// Only what follows this place in the list: creation time and id of the last row of the previous page.
    pub after: Option<Place>,
}

/// A saved delivery.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of deliveries, described in the migration")]
pub struct DeliveryRow {
    pub id: i64,
    pub reward_id: i64,
    pub seq: i64,
    pub app: String,
    pub user_id: String,
    pub event: String,
    pub reason: String,
    pub status: String,
    pub born_at: i64,
    pub due_at: i64,
    #[sqlx(rename = "tries")]
    pub lease_count: i64,
    #[sqlx(rename = "attempts")]
    pub counted_attempts: i64,
    pub ended_at: Option<i64>,
    /// The person or token that gave it up; `None` unless it is given up.
    pub given_up_by: Option<String>,
    /// The reason given; `None` unless it is given up.
    pub given_up_why: Option<String>,
}

/// A saved attempt.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of attempts, described in the migration")]
pub struct AttemptRow {
    pub delivery_id: i64,
    pub number: i64,
    pub began_at: i64,
    pub duration_ms: i64,
    pub result: String,
    pub http_status: Option<i64>,
    pub detail: Option<String>,
    pub answer: Option<String>,
}

const SELECT: &str =
    "SELECT id, reward_id, seq, app, user_id, event, reason, status, born_at, due_at, tries, attempts,
                             ended_at, given_up_by, given_up_why
                      FROM deliveries WHERE ";

impl DeliveryFilter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        // Written out and not bound, so that SQLite uses the partial index of this status.
        conditions.sql(match self.status {
            None => "1 = 1",
            Some(Status::Waiting) => "status = 'waiting'",
            Some(Status::Blocked) => "status = 'behind'",
            Some(Status::Delivered) => "status = 'delivered'",
            Some(Status::Failed) => "status = 'failed'",
            Some(Status::GivenUp) => "status = 'given_up'",
            Some(Status::Cancelled) => "status = 'withdrawn'",
        });
        append_created(&mut conditions, self.app.as_deref(), self.from, self.to);
        if let Some(place) = self.after {
            conditions.sql(" AND (born_at, id) < (").int(place.received_at.0);
            conditions.sql(", ").int(place.id).sql(")");
        }
        conditions
    }
}

/// Appends conditions: of this app, created at or after `from` and before `to`.
pub(super) fn append_created(
    conditions: &mut Conditions,
    app: Option<&str>,
    from: Option<TimestampMs>,
    to: Option<TimestampMs>,
) {
    if let Some(app) = app {
        conditions.sql(" AND app = ").text(app);
    }
    if let Some(from) = from {
        conditions.sql(" AND born_at >= ").int(from.0);
    }
    if let Some(to) = to {
        conditions.sql(" AND born_at < ").int(to.0);
    }
}

impl Store {
    /// Up to `limit` deliveries, newest first.
    pub async fn deliveries(&self, filter: &DeliveryFilter, limit: i64) -> Result<Vec<DeliveryRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            push_conditions!(query, filter.conditions());
            query.push(" ORDER BY born_at DESC, id DESC LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The deliveries of a reward, in order.
    pub async fn deliveries_of_reward(&self, reward_id: i64) -> Result<Vec<DeliveryRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            query.push("reward_id = ").push_bind(reward_id).push(" ORDER BY seq");
            query.build_query_as().fetch_all(pool).await
        })?)
    }

    /// The attempts at the deliveries of a reward, in order.
    pub async fn attempts_of_reward(&self, reward_id: i64) -> Result<Vec<AttemptRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT delivery_id, number, began_at, duration_ms, result, http_status, detail, answer
             FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE reward_id = $1)
             ORDER BY delivery_id, number"
        ).bind(reward_id).fetch_all(pool).await)?)
    }
}
