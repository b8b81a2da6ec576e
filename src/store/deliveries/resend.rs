//! The person's side of deliveries: looking at them, and sending again what failed or what the app has lost.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::delivery::Status;
use domain::text::count;
use domain::time::TimestampMs;
use serde::Serialize;
use sqlx::QueryBuilder;

use crate::access::audit::{self, Line};
use crate::db::sql::{Column, LazyStatement, Statement};
use crate::db::tx::{Tx, own_task, with_statement};
use crate::deliveries::giving_up::take_up_again;
use crate::deliveries::outbox::{UserRow, corrupt, lock_users, move_up};
use crate::rewards::list::Place;
use crate::{Result, Store, read};

/// How many deliveries one step of resending takes.
pub const STEP_ROWS: i64 = 500;

/// How many deliveries behind the first step of an order are counted for its line in the audit: more of them are said
/// to be more, so that the count stays well within the deadline of a reading.
const MAX_COUNTED: i64 = 1_000_000;

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only of this app.
    pub app: Option<String>,
    /// Only of this status.
    pub status: Option<Status>,
    /// Caused at or after.
    pub from: Option<TimestampMs>,
    /// Caused before.
    pub to: Option<TimestampMs>,
    /// Only what comes after this place in the list: the last one of the page before, by when it was caused.
    pub after: Option<Place>,
}

/// Which deliveries are sent again.
#[derive(Clone, Debug)]
pub struct ResendFilter {
    /// Only of this app.
    pub app: Option<String>,
    /// Those that failed, or those that were delivered and that the app has lost.
    pub status: Resendable,
    /// Caused at or after.
    pub from: Option<TimestampMs>,
    /// Caused before.
    pub to: Option<TimestampMs>,
    /// Only what had ended by then: what was sent again since is not sent a third time, however often this is run.
    pub ended_by: TimestampMs,
}

/// What can be sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resendable {
    /// What failed.
    #[default]
    Failed,
    /// What was delivered.
    Delivered,
}

impl Resendable {
    /// The status.
    pub fn status(self) -> Status {
        match self {
            Self::Failed => Status::Failed,
            Self::Delivered => Status::Delivered,
        }
    }

    /// What of this status can be sent again, if it can.
    pub fn of(status: Status) -> Option<Self> {
        match status {
            Status::Failed => Some(Self::Failed),
            Status::Delivered => Some(Self::Delivered),
            Status::Waiting | Status::Blocked | Status::GivenUp | Status::Cancelled => None,
        }
    }
}

/// What an order to send many again did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResentMany {
    /// How many wait to be sent now.
    pub deliveries: u64,
    /// Where the next order goes on; `None` if nothing is left.
    pub next: Option<Place>,
}

/// What became of the wish to send one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resent {
    /// It waits to be sent.
    Done,
    /// There is no such delivery.
    NotFound,
    /// One of this status is not sent again: it is still to be sent, or never will be.
    NotPossible(Status),
}

/// One delivery as it is kept.
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
    pub tries: i64,
    pub attempts: i64,
    pub ended_at: Option<i64>,
    /// Who gave it up.
    pub given_up_by: Option<String>,
    /// Why.
    pub given_up_why: Option<String>,
}

/// One attempt as it is kept.
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

static LOAD_ONE: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT id, app, user_id, status, born_at FROM deliveries WHERE id = $1", &[])
});

/// It goes to the end of nothing: it keeps its id, so it stands before everything that was caused later.
static PUT_BACK: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE deliveries {by_id} SET status = 'behind', due_at = given.due_at, attempts = 0, ended_at = NULL
         FROM {given}
         WHERE deliveries.id = given.id AND deliveries.status = given.status",
        &[Column::Int("id"), Column::Text("status"), Column::Int("due_at")],
    )
});

macro_rules! by_filter {
    ($query:ident, $filter:expr) => {
        if let Some(app) = &$filter.app {
            $query.push(" AND app = ").push_bind(app.clone());
        }
        if let Some(from) = $filter.from {
            $query.push(" AND born_at >= ").push_bind(from.0);
        }
        if let Some(to) = $filter.to {
            $query.push(" AND born_at < ").push_bind(to.0);
        }
    };
}

macro_rules! resendable {
    ($query:ident, $filter:expr, $after:expr) => {
        $query.push(match $filter.status {
            Resendable::Failed => "status = 'failed'",
            Resendable::Delivered => "status = 'delivered'",
        });
        $query.push(" AND ended_at <= ").push_bind($filter.ended_by.0);
        by_filter!($query, $filter);
        if let Some(place) = $after {
            $query.push(" AND (born_at, id) > (").push_bind(place.received_at.0);
            $query.push(", ").push_bind(place.id).push(")");
        }
    };
}

impl Store {
    /// Up to `limit` deliveries, newest first.
    pub async fn deliveries(&self, filter: &DeliveryFilter, limit: i64) -> Result<Vec<DeliveryRow>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new(SELECT);
            // In the text and not bound: only then does SQLite see that an index of this status fits.
            query.push(match filter.status {
                None => "1 = 1",
                Some(Status::Waiting) => "status = 'waiting'",
                Some(Status::Blocked) => "status = 'behind'",
                Some(Status::Delivered) => "status = 'delivered'",
                Some(Status::Failed) => "status = 'failed'",
                Some(Status::GivenUp) => "status = 'given_up'",
                Some(Status::Cancelled) => "status = 'withdrawn'",
            });
            by_filter!(query, filter);
            if let Some(place) = filter.after {
                query.push(" AND (born_at, id) < (").push_bind(place.received_at.0);
                query.push(", ").push_bind(place.id).push(")");
            }
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

    /// Sends one delivery again.
    pub async fn resend(&self, id: i64, by: Actor, now: TimestampMs) -> Result<Resent> {
        self.write_and_wake(move |tx| {
            Box::pin(async move {
                let resent = resend_one(tx, id, now).await?;
                if resent == Resent::Done {
                    let line =
                        Line::new(&by, Action::DeliveryResent, format!("delivery {id}"), String::new());
                    audit::note(tx, &line, now);
                }
                Ok(resent)
            })
        })
        .await
    }

    /// Sends again what `filter` names, from the oldest to the newest, behind `after`, and at most `most` if that is
    /// said (a multiple of [`STEP_ROWS`]). Each step is a transaction of its own, so that a process can end at any moment
    /// and be asked again; the first one that changes something notes the whole order in the audit.
    pub async fn resend_many(
        &self,
        filter: ResendFilter,
        after: Option<Place>,
        most: Option<i64>,
        by: Actor,
        now: TimestampMs,
    ) -> Result<ResentMany> {
        let store = self.clone();
        // Whoever asked may hang up: what the audit says is ordered goes on.
        own_task(async move { store.resend_steps(filter, after, most, by, now).await }).await
    }

    async fn resend_steps(
        &self,
        filter: ResendFilter,
        mut after: Option<Place>,
        most: Option<i64>,
        by: Actor,
        now: TimestampMs,
    ) -> Result<ResentMany> {
        let (mut deliveries, mut is_noted, mut steps) = (0, false, 0);
        loop {
            let page: Vec<Candidate> = self.candidates(&filter, after).await?;
            let next =
                page.last().filter(|_| i64::try_from(page.len()) == Ok(STEP_ROWS)).map(Candidate::place);
            let left = most.map(|most| most - steps * STEP_ROWS);
            let rest = match next {
                Some(_) if !is_noted => self.rest(&filter, next, left).await?,
                _ => 0,
            };
            let line = (!is_noted).then(|| Order { rest, filter: filter.clone(), by: by.clone() });
            let put_back = self
                .write_and_wake(move |tx| {
                    Box::pin(async move {
                        let put_back = put_back(tx, &page, now).await?;
                        if let Some(order) = line.filter(|_| put_back > 0) {
                            audit::note(tx, &order.line(put_back), now);
                        }
                        Ok(put_back)
                    })
                })
                .await?;
            deliveries += put_back;
            is_noted |= put_back > 0;
            steps += 1;
            after = next;
            if after.is_none() || most.is_some_and(|most| steps * STEP_ROWS >= most) {
                return Ok(ResentMany { deliveries, next: after });
            }
        }
    }

    /// How many more there are behind `after`; of an order of at most `left`, the first step included.
    async fn rest(&self, filter: &ResendFilter, after: Option<Place>, left: Option<i64>) -> Result<i64> {
        let limit = left.map_or(MAX_COUNTED, |left| (left - STEP_ROWS).clamp(0, MAX_COUNTED));
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries WHERE ");
            resendable!(query, filter, after);
            query.push(" LIMIT ").push_bind(limit).push(") AS rest");
            query.build_query_scalar().fetch_one(pool).await
        })?)
    }

    async fn candidates(&self, filter: &ResendFilter, after: Option<Place>) -> Result<Vec<Candidate>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT id, app, user_id, status, born_at FROM deliveries WHERE ");
            resendable!(query, filter, after);
            query.push(" ORDER BY born_at, id LIMIT ").push_bind(STEP_ROWS);
            query.build_query_as().fetch_all(pool).await
        })?)
    }
}

/// A delivery that may be sent again.
#[derive(sqlx::FromRow)]
pub(crate) struct Candidate {
    pub(crate) id: i64,
    pub(crate) app: String,
    pub(crate) user_id: String,
    pub(crate) status: String,
    born_at: i64,
}

impl Candidate {
    fn place(&self) -> Place {
        Place { received_at: TimestampMs(self.born_at), id: self.id }
    }
}

/// What the audit says of an order to send many again.
struct Order {
    filter: ResendFilter,
    /// How many there are behind its first step.
    rest: i64,
    by: Actor,
}

impl Order {
    /// `first` is how many the first step sends again. What is behind it is counted as it stands when the order begins.
    fn line(self, first: u64) -> Line {
        let over = if self.rest == MAX_COUNTED { "over " } else { "" };
        let all = first.saturating_add(self.rest.unsigned_abs());
        let subject =
            format!("{over}{}", count(all, &format!("{} delivery", self.filter.status.status().name())));
        let instant = |at: TimestampMs| at.rfc3339();
        let terms = [
            self.filter.app.map(|app| format!("of the app {app}")),
            self.filter.from.map(|from| format!("from {}", instant(from))),
            self.filter.to.map(|to| format!("before {}", instant(to))),
        ];
        let detail: Vec<String> = terms.into_iter().flatten().collect();
        Line::new(&self.by, Action::DeliveriesResent, subject, detail.join(", "))
    }
}

#[derive(Serialize)]
struct PutBackRow<'a> {
    id: i64,
    status: &'a str,
    due_at: i64,
}

/// The delivery of that id.
pub(crate) async fn load(tx: &mut Tx, id: i64) -> Result<Option<Candidate>> {
    Ok(with_statement!(tx, LOAD_ONE, |sql, connection| {
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?
    }))
}

async fn resend_one(tx: &mut Tx, id: i64, now: TimestampMs) -> Result<Resent> {
    let Some(candidate) = load(tx, id).await? else { return Ok(Resent::NotFound) };
    let status = Status::parse(&candidate.status)
        .ok_or_else(|| corrupt("status", candidate.id, candidate.status.clone()))?;
    if status == Status::GivenUp {
        return take_up_again(tx, candidate, now).await;
    }
    if Resendable::of(status).is_none() {
        return Ok(Resent::NotPossible(status));
    }
    match put_back(tx, &[candidate], now).await? {
        // Somebody else was first: it is on its way.
        0 => Ok(Resent::NotPossible(Status::Waiting)),
        _ => Ok(Resent::Done),
    }
}

/// Puts them back into line, those that are still as they were found.
async fn put_back(tx: &mut Tx, page: &[Candidate], now: TimestampMs) -> Result<u64> {
    if page.is_empty() {
        return Ok(0);
    }
    let users =
        page.iter().map(|one| UserRow { app: one.app.clone(), user_id: one.user_id.clone() }).collect();
    let users = lock_users(tx, users).await?;
    let rows: Vec<_> =
        page.iter().map(|one| PutBackRow { id: one.id, status: &one.status, due_at: now.0 }).collect();
    let put_back = tx.execute(&PUT_BACK, &rows).await?;
    move_up(tx, &users).await?;
    Ok(put_back)
}
