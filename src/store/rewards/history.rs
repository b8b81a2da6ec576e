//! What is remembered of users, addresses and times: loaded for a batch, and saved with what it learned.
//!
//! A user is locked before their memory is read, so nobody else changes it meanwhile. A list of sightings is not: whoever
//! saves adds in front of what is there by then, and a worker that reads at the same time counts one user less.

use std::sync::LazyLock;

use domain::batch::BatchOutcome;
use domain::history::sightings::{MOST_CHARS, Seen, oldest_key};
use domain::history::{KnownUser, Remembered};
use domain::postback::event::Kind;
use domain::time::TimestampMs;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::rewards::process::MappedPostback;
use crate::{Result, Store};

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
                Seen::of(&mapped.source.name, &mapped.source.app, &mapped.event, postback.received_at).keys()
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

static FORGET: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM sightings WHERE key IN (SELECT key FROM sightings WHERE key < $1 ORDER BY key LIMIT $2)",
        &[],
    )
});
