//! The worker's side of deliveries: save finished attempts and lease the next due deliveries, in one transaction.
//!
//! A lease moves `due_at` to its end, so that the delivery is due again if the worker dies. It also increments `tries`,
//! and a finished attempt changes its delivery only while that number is unchanged: a worker that comes too late changes
//! nothing, but its attempt is still recorded.

mod attempts;

use std::sync::LazyLock;

use domain::delivery::message::Message;
use domain::delivery::schedule::Class;
use domain::delivery::{Event, Reason};
use domain::money::Micros;
use domain::time::TimestampMs;

use crate::db::rows::given_row;
use crate::db::sql::{Column, LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::deliveries::outbox::corrupt;
use crate::{Result, Store, read};

use Column::Int;

pub use attempts::FinishedAttempt;

use attempts::complete;

/// Which deliveries a worker wants to lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Only of this app.
    pub app: String,
    /// The most to lease; 0 leases none.
    pub limit: i64,
    /// Duration of the lease, in milliseconds.
    pub lease_ms: i64,
}

/// A leased delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The id of the delivery.
    pub id: i64,
    /// How often it has been leased, this time included; identifies the attempt.
    pub number: i64,
    /// Earlier attempts that count towards the retry limit.
    pub counted_attempts: i64,
    /// True if the app may have booked an earlier attempt: it was sent, and no answer rules that out.
    pub may_be_booked: bool,
    /// The content to send.
    pub message: Message,
}

static DUE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id FROM deliveries
         WHERE status = 'waiting' AND app = $1 AND due_at <= $2
           AND NOT EXISTS (SELECT 1 FROM disabled_apps WHERE disabled_apps.app = $1)
         ORDER BY due_at, id LIMIT $3 {for_update_skip_locked}",
        &[],
    )
});

/// The first lease also fixes the balance to send: a repeat must not carry another balance under the same id.
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

/// A killed worker records no attempt. So the earlier leases count as possibly booked, except those whose recorded
/// answer rules it out.
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
    /// Saves the attempts `ended` and leases due deliveries as `take` asks. On an error nothing is saved and nothing is
    /// leased.
    pub async fn complete_and_lease(
        &self,
        ended: Vec<FinishedAttempt>,
        take: Take,
        now: TimestampMs,
    ) -> Result<Vec<Leased>> {
        self.write(move |tx| Box::pin(async move { complete_and_lease(tx, &ended, &take, now).await })).await
    }

    /// When the next waiting delivery of `app` is due; for a leased one that is the end of its lease. `None` if there is
    /// none, or the app is disabled.
    pub async fn next_due(&self, app: &str) -> Result<Option<TimestampMs>> {
        let due_at: Option<i64> = read!(self, pool => sqlx::query_scalar(
            "SELECT MIN(due_at) FROM deliveries WHERE status = 'waiting' AND app = $1
             AND NOT EXISTS (SELECT 1 FROM disabled_apps WHERE disabled_apps.app = $1)"
        ).bind(app).fetch_one(pool).await)?;
        Ok(due_at.map(TimestampMs))
    }
}

async fn complete_and_lease(
    tx: &mut Tx,
    ended: &[FinishedAttempt],
    take: &Take,
    now: TimestampMs,
) -> Result<Vec<Leased>> {
    if !ended.is_empty() {
        complete(tx, ended, now).await?;
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
