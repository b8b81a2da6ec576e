//! What is remembered of users, addresses and times: loaded for a batch, and saved with what it learned.
//!
//! A user is locked before their memory is read, so nobody else changes it meanwhile. A list of sightings is not: whoever
//! saves adds in front of what is there by then, and a worker that reads at the same time counts one user less.

use std::sync::LazyLock;

use domain::batch::BatchOutcome;
use domain::evidence::Evidence;
use domain::history::rebuilding::Rebuilding;
use domain::history::sightings::{MOST_CHARS, Seen, oldest_key};
use domain::history::{KnownUser, Remembered, RememberedReward, UserChange};
use domain::money::Micros;
use domain::postback::event::Kind;
use domain::time::TimestampMs;
use domain::verdict::Decision;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::rewards::process::MappedPostback;
use crate::{Result, Store, read};

/// Lists of sightings that one statement deletes.
const DELETED_AT_ONCE: i64 = 5_000;

static LOAD_USERS: LazyStatement = LazyLock::new(|| {
    Statement::given::<UserRow<'_>>(
        "SELECT users.app, users.user_id, users.first_seen_at, users.memory
         FROM {given} JOIN users ON users.app = given.app AND users.user_id = given.user_id",
    )
});

static SAVE_USERS: LazyStatement = LazyLock::new(|| {
    Statement::given::<MemoryRow<'_>>(
        "UPDATE users SET memory = given.memory FROM {given}
         WHERE users.app = given.app AND users.user_id = given.user_id",
    )
});

static LOAD_SIGHTINGS: LazyStatement = LazyLock::new(|| {
    Statement::given::<ListRow>(
        "SELECT sightings.key, sightings.entries FROM {given} JOIN sightings ON sightings.key = given.key",
    )
});

static ADD_SIGHTINGS: LazyStatement = LazyLock::new(|| {
    Statement::given::<EntriesRow<'_>>(&format!(
        "INSERT INTO sightings ({{columns}})
         SELECT {{columns}} FROM {{given}} WHERE true ORDER BY key
         ON CONFLICT (key) DO UPDATE SET entries = substr(excluded.entries || sightings.entries, 1, {MOST_CHARS})"
    ))
});

given_row! {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    pub(super) struct UserRow<'a> {
        pub(super) app: &'a str,
        pub(super) user_id: &'a str,
    }
}

given_row! {
    struct MemoryRow<'a> {
        app: &'a str,
        user_id: &'a str,
        memory: &'a str,
    }
}

given_row! {
    struct ListRow {
        key: i64,
    }
}

given_row! {
    struct EntriesRow<'a> {
        key: i64,
        entries: &'a str,
    }
}

/// What is remembered of everything that `batch` touches. `users` are locked, each named once.
pub(super) async fn load(tx: &mut Tx, batch: &[MappedPostback], users: &[UserRow<'_>]) -> Result<Remembered> {
    let known: Vec<(String, String, i64, Option<String>)> = tx.fetch(&LOAD_USERS, users).await?;
    let known = known.into_iter().map(|(app, user_id, first_seen_at, memory)| KnownUser {
        app,
        user_id,
        first_seen_at: TimestampMs(first_seen_at),
        memory,
    });
    let mut keys: Vec<i64> = batch
        .iter()
        .filter_map(|postback| {
            let mapped = postback.mapped.as_ref().ok()?;
            let counts = mapped.event.kind == Kind::Credit && mapped.event.information.is_none();
            counts.then(|| {
                let (source, app) = (&mapped.source.name, &mapped.source.app);
                Seen::of(&RememberedReward::of(source, app, &mapped.event, None, postback.received_at)).keys()
            })
        })
        .flatten()
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let keys: Vec<_> = keys.into_iter().map(|key| ListRow { key }).collect();
    let lists = if keys.is_empty() { Vec::new() } else { tx.fetch(&LOAD_SIGHTINGS, &keys).await? };
    Ok(Remembered::of(known.collect(), lists))
}

/// Saves what the batch learned.
pub(super) async fn save(tx: &mut Tx, outcome: &BatchOutcome) -> Result<()> {
    let users: Vec<_> = outcome
        .users
        .iter()
        .map(|user| MemoryRow { app: &user.app, user_id: &user.user_id, memory: &user.memory })
        .collect();
    if !users.is_empty() {
        tx.execute(&SAVE_USERS, &users).await?;
    }
    let lists: Vec<_> =
        outcome.sightings.iter().map(|(key, entries)| EntriesRow { key: *key, entries }).collect();
    if !lists.is_empty() {
        tx.execute(&ADD_SIGHTINGS, &lists).await?;
    }
    Ok(())
}

impl Store {
    /// Deletes lists of sightings that no rule asks for any more at `now`, or that are older than the `days` for which
    /// addresses are kept (0: for ever); at most a few thousand. `true` if there may be more.
    pub async fn forget_sightings(&self, now: TimestampMs, days: u32) -> Result<bool> {
        let oldest = oldest_key(now, days);
        let deleted = self
            .write(move |tx| {
                Box::pin(async move {
                    Ok(with_statement!(tx, FORGET, |sql, connection| {
                        let query = sqlx::query(sql).bind(oldest).bind(DELETED_AT_ONCE);
                        query.execute(connection).await?.rows_affected()
                    }))
                })
            })
            .await?;
        Ok(deleted >= DELETED_AT_ONCE.unsigned_abs())
    }
}

/// A judged reward, or one that was reversed, as far as it is remembered.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of rewards and verdicts, described in the migration")]
pub struct RememberedRow {
    pub id: i64,
    pub source: String,
    pub app: String,
    pub user_id: String,
    pub event_key: String,
    pub offer_id: Option<String>,
    pub event_id: Option<String>,
    pub ip: Option<String>,
    pub country_code: Option<String>,
    pub clicked_at: Option<i64>,
    pub sub1: Option<String>,
    pub payout_micros: Option<i64>,
    pub received_at: i64,
    /// `None` if it was never judged.
    pub decision: Option<String>,
    pub facts: Option<String>,
    /// When the network reversed it, separated by `;`.
    pub reversals: Option<String>,
}

impl RememberedRow {
    /// Adds it to memories that are rebuilt.
    pub fn add_to(&self, rebuilding: &mut Rebuilding) {
        if let Some(decision) = &self.decision {
            let evidence = self.facts.as_deref().and_then(|facts| Evidence::parse(facts).ok());
            let located = evidence.as_ref().map(|evidence| evidence.location(Vec::new()));
            let country = located.and_then(|location| location.country);
            let reward = RememberedReward {
                source: &self.source,
                app: &self.app,
                user_id: &self.user_id,
                key: &self.event_key,
                offer_id: self.offer_id.as_deref(),
                event_id: self.event_id.as_deref(),
                ip: self.ip.as_deref(),
                country: country.as_deref().or(self.country_code.as_deref()),
                clicked_at: self.clicked_at.map(TimestampMs),
                sub_id: self.sub1.as_deref(),
                payout: self.payout_micros.map(Micros),
                times: evidence.as_ref().and_then(Evidence::times),
                received_at: TimestampMs(self.received_at),
            };
            rebuilding.add(&reward, decision == Decision::Credit.name());
        }
        for at in self.reversals.iter().flat_map(|all| all.split(';')).filter_map(|at| at.parse().ok()) {
            rebuilding.reversed(&self.app, &self.user_id, TimestampMs(at));
        }
    }
}

/// A user with what is remembered.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of users, described in the migration")]
pub struct UserMemoryRow {
    pub app: String,
    pub user_id: String,
    pub memory: Option<String>,
}

impl Store {
    /// Up to `limit` rewards behind the row `after`, in the order of their rows, as far as they are remembered.
    pub async fn remembered_rewards(&self, after: i64, limit: i64) -> Result<Vec<RememberedRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT rewards.id, source, app, user_id, event_key, offer_id, event_id, ip, country_code, clicked_at, sub1,
                    payout_micros, received_at, decision, facts,
                    (SELECT string_agg(CAST(taken_at AS TEXT), ';') FROM steps
                     WHERE steps.reward_id = rewards.id AND actor = 'network'
                       AND step IN ('reverse_credited', 'reverse_held', 'reverse_rejected')) AS reversals
             FROM rewards LEFT JOIN verdicts ON verdicts.reward_id = rewards.id
             WHERE rewards.id > $1 ORDER BY rewards.id LIMIT $2"
        ).bind(after).bind(limit).fetch_all(pool).await)?)
    }

    /// Up to `limit` users behind `after`, in the order of app and user.
    pub async fn user_memories(&self, after: (&str, &str), limit: i64) -> Result<Vec<UserMemoryRow>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT app, user_id, memory FROM users WHERE (app, user_id) > ($1, $2)
             ORDER BY app, user_id LIMIT $3"
        ).bind(after.0).bind(after.1).bind(limit).fetch_all(pool).await)?)
    }

    /// Up to `limit` lists of sightings behind `after`, in the order of their keys.
    pub async fn sightings(&self, after: i64, limit: i64) -> Result<Vec<(i64, String)>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT key, entries FROM sightings WHERE key > $1 ORDER BY key LIMIT $2"
        ).bind(after).bind(limit).fetch_all(pool).await)?)
    }

    /// Replaces what is remembered of users, and lists of sightings.
    pub async fn replace_memories(&self, users: Vec<UserChange>, lists: Vec<(i64, String)>) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                let rows: Vec<_> = users
                    .iter()
                    .map(|user| MemoryRow { app: &user.app, user_id: &user.user_id, memory: &user.memory })
                    .collect();
                if !rows.is_empty() {
                    tx.execute(&SAVE_USERS, &rows).await?;
                }
                let rows: Vec<_> =
                    lists.iter().map(|(key, entries)| EntriesRow { key: *key, entries }).collect();
                if !rows.is_empty() {
                    tx.execute(&REPLACE_SIGHTINGS, &rows).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

static REPLACE_SIGHTINGS: LazyStatement = LazyLock::new(|| {
    Statement::given::<EntriesRow<'_>>(
        "INSERT INTO sightings ({columns})
         SELECT {columns} FROM {given} WHERE true ORDER BY key
         ON CONFLICT (key) DO UPDATE SET entries = excluded.entries",
    )
});

static FORGET: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM sightings WHERE key IN (SELECT key FROM sightings WHERE key < $1 ORDER BY key LIMIT $2)",
        &[],
    )
});
