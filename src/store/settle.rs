//! Settling a batch: claim, load, decide, save, in one transaction.
//!
//! | phase | statements |
//! |---|---|
//! | claim what waits, skipping what others have claimed | 1 |
//! | lock the users, load the rewards and earlier tasks it touches | 4 |
//! | decide, in memory: the caller's function, which cannot wait and cannot fail | 0 |
//! | save rewards, verdicts, steps, balances, transfers, outcomes | 8 at most |
//! | write down what apps are to be told of it | 4 at most |
//!
//! A row that waits is locked by its claim, a user by their row, a reward by its row and its unique key, so what was
//! loaded cannot change before it is saved. Should two workers meet on a new key all the same, the second one's
//! insert fails, nothing of it is saved, and it starts again with fresh facts.

use std::sync::{Arc, LazyLock};

use domain::delivery::Subscriptions;
use domain::event::{Click, Event, Quarantine};
use domain::money::Micros;
use domain::reward::Status;
use domain::settlement::{Known, Reward, Settlement, SourceTerms, Task};
use domain::skew::{AHEAD_MS, Clicks, MOST_CLICKS, WINDOW_MS};
use domain::time::TimestampMs;
use serde::Serialize;

use crate::inbox::{Claim, WaitingPostback, claim};
use crate::statement::{Column, LazyStatement, Statement};
use crate::unit::{Tx, own_task, with_statement};
use crate::{Error, Result, Store, read, save};

/// A claimed postback with what it says.
#[derive(Clone, Debug)]
pub struct MappedPostback {
    /// Its row.
    pub id: i64,
    /// When.
    pub received_at: TimestampMs,
    /// What it says, or why it says nothing.
    pub mapped: std::result::Result<Mapped, Quarantine>,
}

/// An event of a source that is in the settings.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// The source.
    pub source: SourceTerms,
    /// What it reports.
    pub event: Event,
    /// Whether the source's list names the caller; `None` without a list.
    pub caller_listed: Option<bool>,
}

/// The caller's part of settling a batch. Both functions are pure and quick: the transaction is open.
pub trait Settle: Send + Sync + 'static {
    /// Says what a postback means.
    fn map(&self, postback: &WaitingPostback) -> MappedPostback;
    /// Decides on the whole batch.
    fn settle(&self, batch: Vec<MappedPostback>, known: Known, now: TimestampMs) -> Settlement;
    /// The business day of `at`.
    fn business_date(&self, at: TimestampMs) -> String;
    /// Told of every batch after it is durable: what was claimed, and what became of it.
    fn saved(&self, claimed: &[WaitingPostback], settlement: &Settlement, now: TimestampMs) {
        let _ = (claimed, settlement, now);
    }
}

static ADD_USERS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO users (app, user_id, first_seen_at)
         SELECT app, user_id, first_seen_at FROM {given} WHERE true ORDER BY app, user_id
         ON CONFLICT DO NOTHING",
        &[Column::Text("app"), Column::Text("user_id"), Column::Int("first_seen_at")],
    )
});

static LOCK_USERS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT 1 AS locked FROM users
         WHERE (app, user_id) IN (SELECT app, user_id FROM {given})
         ORDER BY app, user_id {for_update}",
        &[Column::Text("app"), Column::Text("user_id")],
    )
});

static LOAD_REWARDS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, source, event_key, app, user_id, currency, reward_micros, payout_micros, offer_id, status,
                steps, repeats, conflict, credit_seen
         FROM rewards
         WHERE (event_key, source) IN (SELECT event_key, source FROM {given})
         ORDER BY id {for_update}",
        &[Column::Text("source"), Column::Text("event_key")],
    )
});

static LOAD_TASKS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT DISTINCT given.source, given.user_id, given.offer_id, given.event_id, rewards.event_key
         FROM {given}
         CROSS JOIN rewards
         WHERE rewards.user_id = given.user_id AND rewards.source = given.source
           AND rewards.offer_id = given.offer_id AND COALESCE(rewards.event_id, '') = given.event_id
           AND rewards.credit_seen = 1",
        &[
            Column::Text("source"),
            Column::Text("user_id"),
            Column::Text("offer_id"),
            Column::Text("event_id"),
        ],
    )
});

impl Store {
    /// Settles what `which` claims, and answers with what was saved; empty if there was nothing to claim. Any error
    /// means that nothing was saved.
    pub async fn settle(&self, which: Claim, by: Arc<dyn Settle>, now: TimestampMs) -> Result<Settlement> {
        let store = self.clone();
        own_task(async move {
            let mut tx = store.begin().await?;
            let settled = settle(&mut tx, which, &*by, &store.subscriptions, now).await;
            let (claimed, settlement, tells) = tx.end(settled).await?;
            if tells {
                store.wake_forwarders();
            }
            if !claimed.is_empty() {
                by.saved(&claimed, &settlement, now);
            }
            Ok(settlement)
        })
        .await
    }

    /// Puts a postback aside with `reason`, without judging it: it made every attempt fail. Does nothing if it does
    /// not wait any more, or another worker has it in hand.
    pub async fn quarantine(&self, postback_id: i64, reason: String, now: TimestampMs) -> Result<()> {
        self.write(move |tx| Box::pin(async move { quarantine(tx, postback_id, &reason, now).await })).await
    }
}

async fn settle(
    tx: &mut Tx,
    which: Claim,
    by: &dyn Settle,
    subscriptions: &Subscriptions,
    now: TimestampMs,
) -> Result<(Vec<WaitingPostback>, Settlement, bool)> {
    let claimed = claim(tx, which).await?;
    if claimed.is_empty() {
        return Ok((claimed, Settlement::default(), false));
    }
    let batch: Vec<_> = claimed.iter().map(|postback| by.map(postback)).collect();
    let known = load(tx, &batch).await?;
    let settlement = by.settle(batch, known, now);
    let tells = save::save(tx, &settlement, by, subscriptions, now).await?;
    Ok((claimed, settlement, tells))
}

async fn quarantine(tx: &mut Tx, postback_id: i64, reason: &str, now: TimestampMs) -> Result<()> {
    let claimed = claim(tx, Claim::Only(postback_id)).await?;
    let quarantined = claimed.iter().map(|postback| (postback.id, Quarantine { reason: reason.to_owned() }));
    let settlement = Settlement::default().with_quarantined(quarantined);
    save::outcomes(tx, &settlement, &[], now).await
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct UserRow<'a> {
    app: &'a str,
    user_id: &'a str,
    first_seen_at: i64,
}

#[derive(Serialize)]
struct KeyRow<'a> {
    source: &'a str,
    event_key: &'a str,
}

#[derive(Serialize)]
struct TaskRow {
    source: String,
    user_id: String,
    offer_id: String,
    event_id: String,
}

async fn load(tx: &mut Tx, batch: &[MappedPostback]) -> Result<Known> {
    let events: Vec<_> = batch
        .iter()
        .filter_map(|postback| {
            let mapped = postback.mapped.as_ref().ok()?;
            Some((&mapped.source, &mapped.event, postback.received_at))
        })
        .collect();
    if events.is_empty() {
        return Ok(Known::default());
    }
    let mut users: Vec<_> = events
        .iter()
        .map(|(source, event, received_at)| UserRow {
            app: &source.app,
            user_id: &event.user_id,
            first_seen_at: received_at.0,
        })
        .collect();
    users.sort_unstable();
    users.dedup_by(|later, first| (later.app, later.user_id) == (first.app, first.user_id));
    tx.execute(&ADD_USERS, &users).await?;
    // dialect: SQLite's transaction has the whole file to itself; on Postgres two workers may meet on one user
    if matches!(tx, Tx::Postgres(_)) {
        tx.execute(&LOCK_USERS, &users).await?;
    }
    let keys: Vec<_> = events
        .iter()
        .map(|(source, event, _)| KeyRow { source: &source.name, event_key: event.key() })
        .collect();
    let rewards: Vec<RewardRow> = tx.fetch(&LOAD_REWARDS, &keys).await?;
    let tasks: Vec<_> = events
        .iter()
        .filter_map(|(source, event, _)| Task::of(&source.name, event))
        .map(|Task { source, user_id, offer_id, event_id }| TaskRow { source, user_id, offer_id, event_id })
        .collect();
    let done: Vec<DoneRow> =
        if tasks.is_empty() { Vec::new() } else { tx.fetch(&LOAD_TASKS, &tasks).await? };
    let clicks = clicks(tx, &events).await?;
    Ok(Known {
        clicks,
        rewards: rewards.into_iter().map(Reward::try_from).collect::<Result<_>>()?,
        tasks: done.into_iter().map(DoneRow::into_task).collect(),
    })
}

/// The newest clicks and those of the batch; looked for only if one of the batch lies ahead of us.
async fn clicks(tx: &mut Tx, events: &[(&SourceTerms, &Event, TimestampMs)]) -> Result<Clicks> {
    let of_batch = events.iter().filter_map(|(_, event, received_at)| match event.click {
        Click::At(clicked_at) => Some((clicked_at.0, received_at.0)),
        Click::Missing | Click::Unusable(_) => None,
    });
    let newest = events.iter().map(|(.., received_at)| received_at.0).max().unwrap_or_default();
    let batch =
        of_batch.fold(Clicks::default(), |clicks, (clicked, received)| clicks.with(clicked, received));
    if batch.ahead == 0 {
        return Ok(Clicks::default());
    }
    let (all, ahead): (i64, i64) = with_statement!(tx, CLICKS, |sql, connection| {
        let clicks = sqlx::query_as(sql).bind(newest - WINDOW_MS).bind(AHEAD_MS).bind(MOST_CLICKS);
        clicks.fetch_one(connection).await?
    });
    Ok(Clicks { all: batch.all + all, ahead: batch.ahead + ahead })
}

/// The newest clicks since $1, and how many of them lie ahead by more than $2; at most $3, by their ids, so that no
/// index on the time has to be kept.
const NEWEST_CLICKS: &str = "
    SELECT CAST(COUNT(*) AS BIGINT),
           CAST(COALESCE(SUM(CASE WHEN clicked_at - received_at > $2 THEN 1 ELSE 0 END), 0) AS BIGINT)
    FROM (SELECT clicked_at, received_at FROM rewards ORDER BY id DESC LIMIT $3) AS newest
    WHERE received_at >= $1 AND clicked_at IS NOT NULL";

static CLICKS: LazyStatement = LazyLock::new(|| Statement::new(NEWEST_CLICKS, &[]));

impl Store {
    /// The newest clicks as they are known at `now`.
    pub async fn newest_clicks(&self, now: TimestampMs) -> Result<Clicks> {
        let (all, ahead): (i64, i64) = read!(self, pool => sqlx::query_as(NEWEST_CLICKS)
            .bind(now.0 - WINDOW_MS).bind(AHEAD_MS).bind(MOST_CLICKS).fetch_one(pool).await)?;
        Ok(Clicks { all, ahead })
    }
}

#[derive(sqlx::FromRow)]
struct DoneRow {
    source: String,
    user_id: String,
    offer_id: String,
    event_id: String,
    event_key: String,
}

impl DoneRow {
    fn into_task(self) -> (Task, String) {
        let Self { source, user_id, offer_id, event_id, event_key } = self;
        (Task { source, user_id, offer_id, event_id }, event_key)
    }
}

/// A reward as far as settling and reviewing need it.
#[derive(sqlx::FromRow)]
pub(crate) struct RewardRow {
    id: i64,
    source: String,
    event_key: String,
    app: String,
    user_id: String,
    currency: String,
    reward_micros: Option<i64>,
    payout_micros: Option<i64>,
    offer_id: Option<String>,
    status: String,
    steps: i64,
    repeats: i64,
    conflict: i64,
    credit_seen: i64,
}

impl TryFrom<RewardRow> for Reward {
    type Error = Error;

    fn try_from(row: RewardRow) -> Result<Self> {
        Ok(Self {
            status: status(row.id, &row.status)?,
            id: Some(row.id),
            source: row.source,
            key: row.event_key,
            app: row.app,
            user_id: row.user_id,
            currency: row.currency,
            reward: row.reward_micros.map(Micros),
            payout: row.payout_micros.map(Micros),
            offer_id: row.offer_id,
            steps: row.steps,
            repeats: row.repeats,
            conflict: row.conflict != 0,
            credit_seen: row.credit_seen != 0,
        })
    }
}

pub(crate) fn status(row: i64, name: &str) -> Result<Status> {
    Status::parse(name).ok_or_else(|| Error::Corrupt {
        table: "rewards",
        column: "status",
        row,
        found: name.to_owned(),
    })
}
