//! Sends deliveries again that failed, or that the app has lost.

use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::delivery::Status;
use domain::text::count;
use domain::time::TimestampMs;
use sqlx::QueryBuilder;

use crate::access::audit::{self, Line};
use crate::db::conditions::{Conditions, push_conditions};
use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, own_task, with_statement};
use crate::deliveries::giving_up::take_up_again;
use crate::deliveries::list::append_created;
use crate::deliveries::outbox::{UserRow, corrupt, lock_users, move_up};
use crate::rewards::list::Place;
use crate::{Result, Store, read};

/// Deliveries of one step of resending.
pub const STEP_ROWS: i64 = 500;

/// Limit of the count, for the audit line, of deliveries beyond the first step. It keeps the count well within the
/// deadline of a read; above it the line says "over".
const MAX_COUNTED: i64 = 1_000_000;

/// Which deliveries are sent again.
#[derive(Clone, Debug)]
pub struct ResendFilter {
    /// Only of this app.
    pub app: Option<String>,
    /// Failed ones, or delivered ones that the app has lost.
    pub status: Resendable,
    /// Created at or after.
    pub from: Option<TimestampMs>,
    /// Created before.
    pub to: Option<TimestampMs>,
    /// Only deliveries that had ended by then, so that repeating the order sends none of them twice.
    pub ended_by: TimestampMs,
}

/// The statuses that allow sending again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resendable {
    /// All attempts failed.
    #[default]
    Failed,
    /// The app acknowledged it.
    Delivered,
}

impl Resendable {
    /// The same as a status of deliveries.
    pub fn status(self) -> Status {
        match self {
            Self::Failed => Status::Failed,
            Self::Delivered => Status::Delivered,
        }
    }

    /// `None` if deliveries of this status are not sent again.
    pub fn of(status: Status) -> Option<Self> {
        match status {
            Status::Failed => Some(Self::Failed),
            Status::Delivered => Some(Self::Delivered),
            Status::Waiting | Status::Blocked | Status::GivenUp | Status::Cancelled => None,
        }
    }
}

/// The result of an order to send many again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResentMany {
    /// Deliveries that wait again.
    pub deliveries: u64,
    /// Where the next order continues; `None` if nothing is left.
    pub next: Option<Place>,
}

/// The result of sending one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resent {
    /// It waits again.
    Done,
    /// There is no such delivery.
    NotFound,
    /// Its status does not allow it: it is still to be sent, or never will be.
    NotPossible(Status),
}

static LOAD_ONE: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT id, app, user_id, status, born_at FROM deliveries WHERE id = $1", &[])
});

/// A delivery keeps its id, so it is sent before everything created later.
static PUT_BACK: LazyStatement = LazyLock::new(|| {
    Statement::given::<PutBackRow<'_>>(
        "UPDATE deliveries {by_id} SET status = 'behind', due_at = given.due_at, attempts = 0, ended_at = NULL
         FROM {given}
         WHERE deliveries.id = given.id AND deliveries.status = given.status")
});

impl Store {
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

    /// Sends the deliveries of `filter` after the place `after` again, oldest first, and at most `most` of them (a
    /// multiple of [`STEP_ROWS`]). Each step is a transaction of its own, so the process may stop at any time and the
    /// order can be repeated. The first step that changes something writes the audit line of the whole order.
    pub async fn resend_many(
        &self,
        filter: ResendFilter,
        after: Option<Place>,
        most: Option<i64>,
        by: Actor,
        now: TimestampMs,
    ) -> Result<ResentMany> {
        let store = self.clone();
        // Continues if the caller disconnects, because the audit line covers the whole order.
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

    /// How many deliveries follow `after`, within an order of at most `left` with its first step.
    async fn rest(&self, filter: &ResendFilter, after: Option<Place>, left: Option<i64>) -> Result<i64> {
        let limit = left.map_or(MAX_COUNTED, |left| (left - STEP_ROWS).clamp(0, MAX_COUNTED));
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries WHERE ");
            push_conditions!(query, filter.conditions(after));
            query.push(" LIMIT ").push_bind(limit).push(") AS rest");
            query.build_query_scalar().fetch_one(pool).await
        })?)
    }

    async fn candidates(&self, filter: &ResendFilter, after: Option<Place>) -> Result<Vec<Candidate>> {
        Ok(read!(self, pool => {
            let mut query = QueryBuilder::new("SELECT id, app, user_id, status, born_at FROM deliveries WHERE ");
            push_conditions!(query, filter.conditions(after));
            query.push(" ORDER BY born_at, id LIMIT ").push_bind(STEP_ROWS);
            query.build_query_as().fetch_all(pool).await
        })?)
    }
}

impl ResendFilter {
    /// The conditions for deliveries after the place `after`.
    fn conditions(&self, after: Option<Place>) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.sql(match self.status {
            Resendable::Failed => "status = 'failed'",
            Resendable::Delivered => "status = 'delivered'",
        });
        conditions.sql(" AND ended_at <= ").int(self.ended_by.0);
        append_created(&mut conditions, self.app.as_deref(), self.from, self.to);
        if let Some(place) = after {
            conditions.sql(" AND (born_at, id) > (").int(place.received_at.0);
            conditions.sql(", ").int(place.id).sql(")");
        }
        conditions
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

/// An order to send many again, for its audit line.
struct Order {
    filter: ResendFilter,
    /// Deliveries beyond the first step.
    rest: i64,
    by: Actor,
}

impl Order {
    /// `first` is how many the first step sends again; the rest was counted when the order began.
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

given_row! {
    struct PutBackRow<'a> {
        id: i64,
        status: &'a str,
        due_at: i64,
    }
}

/// Loads the delivery `id`.
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
        // Somebody else was first, and it waits already.
        0 => Ok(Resent::NotPossible(Status::Waiting)),
        _ => Ok(Resent::Done),
    }
}

/// Puts back those whose status has not changed since they were loaded.
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
