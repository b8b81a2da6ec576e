//! The worker's side of deliveries: hand in what became of some, take others that are due, in one transaction.
//!
//! A delivery that is taken is leased: its time is set to the end of the lease, so that it is due again if the worker
//! dies. Taking it also counts, and what a worker hands in only counts while that number is still the same: a worker
//! that comes too late changes nothing, and its attempt is still written down.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use domain::actor::Actor;
use domain::audit::Action;
use domain::delivery::message::Message;
use domain::delivery::schedule::{Class, Next};
use domain::delivery::{Event, Reason, Status};
use domain::money::Micros;
use domain::time::TimestampMs;

use crate::access::audit::{self, Line};
use crate::db::rows::given_row;
use crate::db::sql::{Column, LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::deliveries::gone::{count_gone, end_run};
use crate::deliveries::outbox::{UserRow, corrupt, lock_users, move_up};
use crate::{Result, Store, read};

use Column::Int;

/// An attempt that has ended, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedAttempt {
    /// The delivery.
    pub id: i64,
    /// The app.
    pub app: String,
    /// The user.
    pub user_id: String,
    /// The number under which it was taken.
    pub number: i64,
    /// Attempts that counted before this one.
    pub counted_attempts: i64,
    /// When the call was begun.
    pub began_at: TimestampMs,
    /// How long it took.
    pub duration_ms: i64,
    /// How it ended.
    pub class: Class,
    /// The status of the answer, if there was one.
    pub http_status: Option<u16>,
    /// What went wrong, in a sentence.
    pub detail: Option<String>,
    /// The beginning of the answer's body.
    pub answer: Option<String>,
    /// What follows.
    pub next: Next,
}

/// What a worker wants to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Of this app.
    pub app: String,
    /// At most so many.
    pub limit: i64,
    /// For so long, in milliseconds.
    pub lease_ms: i64,
}

/// A delivery in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// Its row.
    pub id: i64,
    /// The number under which it was taken.
    pub number: i64,
    /// Attempts that counted so far.
    pub counted_attempts: i64,
    /// True if the app may have booked an earlier attempt: it was sent, and no answer says otherwise.
    pub may_be_booked: bool,
    /// What it says.
    pub message: Message,
}

/// How many deliveries of an app are not done.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Backlog {
    /// The app.
    pub app: String,
    /// `waiting`, `behind` or `failed`.
    pub status: String,
    /// How many.
    pub deliveries: i64,
    /// When the oldest of them was born.
    pub oldest_born_at: Option<i64>,
}

/// An app that wants nothing more.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DisabledApp {
    /// The app.
    pub app: String,
    /// Since when, in unix milliseconds.
    pub disabled_at: i64,
    /// Why.
    pub why: String,
}

static INSERT_ATTEMPTS: LazyStatement = LazyLock::new(|| {
    Statement::given::<AttemptInsert<'_>>(
        "INSERT INTO attempts (delivery_id, number, began_at, duration_ms, result, http_status, detail, answer)
         SELECT {columns} FROM {given} WHERE true
         ON CONFLICT DO NOTHING")
});

static DECIDE: LazyStatement = LazyLock::new(|| {
    Statement::given::<DecisionRow>(
        "UPDATE deliveries {by_id}
         SET status = given.status, due_at = given.due_at, attempts = given.attempts, ended_at = given.ended_at
         FROM {given}
         WHERE deliveries.id = given.id AND deliveries.tries = given.number AND deliveries.status = 'waiting'")
});

static ENABLE: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM disabled_apps WHERE app = $1", &[]));

static DUE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id FROM deliveries
         WHERE status = 'waiting' AND app = $1 AND due_at <= $2
           AND NOT EXISTS (SELECT 1 FROM disabled_apps WHERE disabled_apps.app = $1)
         ORDER BY due_at, id LIMIT $3 {for_update_skip_locked}",
        &[],
    )
});

/// The first time it is taken also fixes what it says: a repeat must not carry another balance under the same id.
static LEASE: LazyStatement = LazyLock::new(|| {
    Statement::given::<LeaseRow>(
        "UPDATE deliveries
         SET tries = deliveries.tries + 1, due_at = given.due_at,
             told_balance_micros = COALESCE(deliveries.told_balance_micros,
                 (SELECT accounts.balance_micros FROM rewards
                  JOIN accounts ON accounts.name = 'user:' || rewards.app || '/' || rewards.user_id
                               AND accounts.currency = rewards.currency
                  WHERE rewards.id = deliveries.reward_id), 0)
         FROM {given} WHERE deliveries.id = given.id",
    )
});

/// A worker that was killed leaves an attempt out, so what may be booked is what was taken before, less what the app
/// certainly has not booked.
static LOAD: LazyStatement = LazyLock::new(|| {
    let not_booked = Class::ALL.into_iter().filter(|class| class.is_not_booked());
    let not_booked: Vec<_> = not_booked.map(|class| format!("'{}'", class.name())).collect();
    let text =
        "SELECT deliveries.id, deliveries.tries, deliveries.attempts, deliveries.event, deliveries.reason,
                deliveries.reward_id, deliveries.seq, deliveries.born_at, rewards.source, rewards.user_id,
                rewards.tx_id, COALESCE(steps.part_reward_micros, reward_micros) AS reward_micros,
                COALESCE(steps.part_payout_micros, payout_micros) AS payout_micros, rewards.currency,
                told_balance_micros, offer_id, offer_name, event_id, event_name, ip, country_code, clicked_at, sub1,
                sub2,
                CASE WHEN deliveries.tries > 1
                     THEN deliveries.tries - 1 - (SELECT COUNT(*) FROM attempts
                                                  WHERE attempts.delivery_id = deliveries.id
                                                    AND attempts.number < deliveries.tries
                                                    AND attempts.result IN ({not_booked}))
                     ELSE 0 END AS may_be_booked
         FROM {given}
         CROSS JOIN deliveries
         JOIN rewards ON rewards.id = deliveries.reward_id
         JOIN steps ON steps.reward_id = deliveries.reward_id AND steps.seq = deliveries.seq
         WHERE deliveries.id = given.id
         ORDER BY deliveries.id";
    Statement::new(&text.replace("{not_booked}", &not_booked.join(", ")), &[Int("id")])
});

impl Store {
    /// Writes down `ended` and takes what `take` asks for, of what is due. Any error means that nothing was written
    /// and nothing taken.
    pub async fn complete_and_lease(
        &self,
        ended: Vec<FinishedAttempt>,
        take: Take,
        now: TimestampMs,
    ) -> Result<Vec<Leased>> {
        self.write(move |tx| Box::pin(async move { complete_and_lease(tx, &ended, &take, now).await })).await
    }

    /// When the next delivery of `app` is due, of those that nobody has in hand; `None` if there is none, or the app
    /// is disabled.
    pub async fn next_due(&self, app: &str) -> Result<Option<TimestampMs>> {
        let due_at: Option<i64> = read!(self, pool => sqlx::query_scalar(
            "SELECT MIN(due_at) FROM deliveries WHERE status = 'waiting' AND app = $1
             AND NOT EXISTS (SELECT 1 FROM disabled_apps WHERE disabled_apps.app = $1)"
        ).bind(app).fetch_one(pool).await)?;
        Ok(due_at.map(TimestampMs))
    }

    /// What is not done, by app.
    pub async fn backlog(&self) -> Result<Vec<Backlog>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT app, status, CAST(COUNT(*) AS BIGINT) AS deliveries, MIN(born_at) AS oldest_born_at
             FROM deliveries WHERE status = 'waiting' GROUP BY app, status
             UNION ALL
             SELECT app, status, CAST(COUNT(*) AS BIGINT), MIN(born_at)
             FROM deliveries WHERE status = 'behind' GROUP BY app, status
             UNION ALL
             SELECT app, status, CAST(COUNT(*) AS BIGINT), MIN(born_at)
             FROM deliveries WHERE status = 'failed' GROUP BY app, status"
        ).fetch_all(pool).await)?)
    }

    /// The apps that want nothing more.
    pub async fn disabled_apps(&self) -> Result<Vec<DisabledApp>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT app, disabled_at, why FROM disabled_apps ORDER BY app"
        ).fetch_all(pool).await)?)
    }

    /// Switches an app on again; false if it was not off.
    pub async fn enable_app(&self, app: String, by: Actor, now: TimestampMs) -> Result<bool> {
        self.write_and_wake(move |tx| {
            Box::pin(async move {
                let is_enabled = enable(tx, &app).await?;
                if is_enabled {
                    audit::note(
                        tx,
                        &Line::new(&by, Action::AppEnabled, format!("app {app}"), String::new()),
                        now,
                    );
                }
                Ok(is_enabled)
            })
        })
        .await
    }
}

async fn complete_and_lease(
    tx: &mut Tx,
    ended: &[FinishedAttempt],
    take: &Take,
    now: TimestampMs,
) -> Result<Vec<Leased>> {
    if !ended.is_empty() {
        write_down(tx, ended, now).await?;
    }
    if take.limit <= 0 {
        return Ok(Vec::new());
    }
    let due: Vec<i64> = with_statement!(tx, DUE, |sql, connection| sqlx::query_scalar(sql)
        .bind(&take.app)
        .bind(now.0)
        .bind(take.limit)
        .fetch_all(connection)
        .await?);
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = due.iter().map(|id| LeaseRow { id: *id, due_at: now.0 + take.lease_ms }).collect();
    tx.execute(&LEASE, &rows).await?;
    let rows: Vec<LeasedRow> = tx.fetch(&LOAD, &rows).await?;
    rows.into_iter().map(Leased::try_from).collect()
}

async fn write_down(tx: &mut Tx, ended: &[FinishedAttempt], now: TimestampMs) -> Result<()> {
    // Only what ends lets the next one of its user pass.
    let done = ended.iter().filter(|ended| matches!(ended.next, Next::Done | Next::GiveUp));
    let users =
        done.map(|ended| UserRow { app: ended.app.clone(), user_id: ended.user_id.clone() }).collect();
    let users = lock_users(tx, users).await?;
    let attempts: Vec<_> = ended.iter().map(AttemptInsert::of).collect();
    tx.execute(&INSERT_ATTEMPTS, &attempts).await?;
    let decisions: Vec<_> = ended.iter().map(|ended| DecisionRow::of(ended, now)).collect();
    tx.execute(&DECIDE, &decisions).await?;
    move_up(tx, &users).await?;
    let apps: BTreeSet<&str> = ended.iter().map(|ended| ended.app.as_str()).collect();
    for app in apps {
        count_gone(tx, app, ended, now).await?;
    }
    Ok(())
}

async fn enable(tx: &mut Tx, app: &str) -> Result<bool> {
    end_run(tx, app).await?;
    Ok(with_statement!(tx, ENABLE, |sql, connection| sqlx::query(sql)
        .bind(app)
        .execute(connection)
        .await?
        .rows_affected())
        == 1)
}

given_row! {
    struct AttemptInsert<'a> {
        id: i64,
        number: i64,
        began_at: i64,
        duration_ms: i64,
        result: &'static str,
        http_status: Option<i64>,
        detail: Option<&'a str>,
        answer: Option<&'a str>,
    }
}

impl<'a> AttemptInsert<'a> {
    fn of(ended: &'a FinishedAttempt) -> Self {
        Self {
            id: ended.id,
            number: ended.number,
            began_at: ended.began_at.0,
            duration_ms: ended.duration_ms,
            result: ended.class.name(),
            http_status: ended.http_status.map(i64::from),
            detail: ended.detail.as_deref(),
            answer: ended.answer.as_deref(),
        }
    }
}

given_row! {
    struct DecisionRow {
        id: i64,
        number: i64,
        status: &'static str,
        due_at: i64,
        attempts: i64,
        ended_at: Option<i64>,
    }
}

impl DecisionRow {
    fn of(ended: &FinishedAttempt, now: TimestampMs) -> Self {
        let (status, due_at, spent) = match ended.next {
            Next::Done => (Status::Delivered, now, 1),
            Next::RetryAt(at) => (Status::Waiting, at, 1),
            Next::KeepUntil(at) => (Status::Waiting, at, 0),
            Next::GiveUp => (Status::Failed, now, 1),
        };
        Self {
            id: ended.id,
            number: ended.number,
            status: status.name(),
            due_at: due_at.0,
            attempts: ended.counted_attempts + spent,
            ended_at: (status != Status::Waiting).then_some(now.0),
        }
    }
}

given_row! {
    struct LeaseRow {
        id: i64,
        due_at: i64,
    }
}

#[derive(sqlx::FromRow)]
struct LeasedRow {
    id: i64,
    #[sqlx(rename = "tries")]
    lease_count: i64,
    #[sqlx(rename = "attempts")]
    counted_attempts: i64,
    event: String,
    reason: String,
    reward_id: i64,
    seq: i64,
    born_at: i64,
    source: String,
    user_id: String,
    tx_id: String,
    reward_micros: Option<i64>,
    payout_micros: Option<i64>,
    currency: String,
    told_balance_micros: Option<i64>,
    offer_id: Option<String>,
    offer_name: Option<String>,
    event_id: Option<String>,
    event_name: Option<String>,
    ip: Option<String>,
    country_code: Option<String>,
    clicked_at: Option<i64>,
    sub1: Option<String>,
    sub2: Option<String>,
    may_be_booked: i64,
}

impl TryFrom<LeasedRow> for Leased {
    type Error = crate::Error;

    fn try_from(row: LeasedRow) -> Result<Self> {
        let event = Event::parse(&row.event).ok_or_else(|| corrupt("event", row.id, row.event))?;
        let reason = Reason::parse(&row.reason).ok_or_else(|| corrupt("reason", row.id, row.reason))?;
        let message = Message {
            event,
            reason,
            reward_id: row.reward_id,
            sequence: row.seq,
            caused_at: TimestampMs(row.born_at),
            source: row.source,
            user_id: row.user_id,
            tx_id: row.tx_id,
            reward: Micros(row.reward_micros.unwrap_or_default()),
            payout: row.payout_micros.map(Micros),
            currency: row.currency,
            balance: Micros(row.told_balance_micros.unwrap_or_default()),
            offer_id: row.offer_id,
            offer_name: row.offer_name,
            event_id: row.event_id,
            event_name: row.event_name,
            ip: row.ip,
            country_code: row.country_code,
            clicked_at: row.clicked_at.map(TimestampMs),
            sub1: row.sub1,
            sub2: row.sub2,
        };
        let may_be_booked = row.may_be_booked > 0;
        Ok(Self {
            id: row.id,
            number: row.lease_count,
            counted_attempts: row.counted_attempts,
            may_be_booked,
            message,
        })
    }
}
