//! Deletes expired data, in steps small enough not to slow down other work.
//!
//! Rewards, verdicts, steps and the ledger are never deleted; a reward's address is shortened to its network.

use std::net::IpAddr;
use std::sync::LazyLock;

use domain::location::shortened;
use domain::time::TimestampMs;

use crate::db::rows::{IdRow, given_row};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::review::context::HOUR_MS;
use crate::rewards::list::IN_ORDER;
use crate::{Result, Store};

/// Rows examined in one step.
pub const STEP_ROWS: i64 = 1_000;

/// Raw postbacks recorded before these times are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostbackTerms {
    /// Processed ones, repeats, information and tests; `None`: never.
    pub processed_before: Option<TimestampMs>,
    /// Quarantined ones and those set aside; `None`: never.
    pub quarantined_before: Option<TimestampMs>,
}

impl PostbackTerms {
    /// True if a postback with this outcome has expired. A waiting one never does.
    fn has_expired(&self, outcome: &str, recorded_at: i64) -> bool {
        let before = match outcome {
            "processed" | "repeat" | "information" | "test" => self.processed_before,
            "quarantined" | "set_aside" => self.quarantined_before,
            _ => None,
        };
        before.is_some_and(|before| recorded_at < before.0)
    }

    /// No postback recorded at or after this time has expired.
    fn latest(&self) -> Option<TimestampMs> {
        self.processed_before.max(self.quarantined_before)
    }
}

/// The result of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows deleted or shortened.
    pub rows: u64,
    /// Where the next step continues; `None` if nothing is left to do.
    pub next: Option<i64>,
}

/// In the order of ids, which is the order of recording, so no index on the time is needed. The retention period of a
/// replayed call starts with the replay: its raw form is evidence as long as that of any other.
static LOOK_AT_POSTBACKS: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, COALESCE(recorded_at, received_at) AS recorded_at, outcome FROM postbacks
         WHERE id > $1 ORDER BY id LIMIT $2",
        &[],
    )
});

static DELETE_POSTBACKS: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "DELETE FROM postbacks WHERE id IN (SELECT id FROM {given}) AND outcome <> 'received'",
    )
});

static DELETE_TALLIES: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM data_tallies WHERE hour < $1", &[]));

static DELETE_SOURCE_TALLIES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM source_tallies
         WHERE began + hours <= $1 AND (hours <> 1 OR EXISTS (
             SELECT 1 FROM source_tallies AS later
             WHERE later.source = source_tallies.source AND later.hours = 1 AND later.began > source_tallies.began))",
        &[],
    )
});

static DELETE_REFUSED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "DELETE FROM refused WHERE id IN (SELECT id FROM refused WHERE received_at < $1 ORDER BY id LIMIT $2)",
        &[],
    )
});

/// The last reward whose address was shortened.
static ADDRESSES_DONE: LazyStatement = LazyLock::new(|| {
    Statement::new("SELECT received_at, id FROM retention WHERE subject = 'addresses'", &[])
});

static LOOK_AT_ADDRESSES: LazyStatement = LazyLock::new(|| {
    let arms = IN_ORDER.map(|(_, condition)| {
        format!(
            "SELECT * FROM (SELECT id, received_at, ip FROM rewards
                            WHERE {condition} AND (received_at, id) > ($1, $2) AND received_at < $3
                            ORDER BY received_at, id LIMIT $4) AS of_index"
        )
    });
    Statement::new(
        &format!(
            "SELECT id, received_at, ip FROM ({}) AS oldest ORDER BY received_at, id LIMIT $4",
            arms.join(" UNION ALL ")
        ),
        &[],
    )
});

static SHORTEN_ADDRESSES: LazyStatement = LazyLock::new(|| {
    Statement::given::<ShortRow>(
        "UPDATE rewards {by_id}
         SET ip = given.ip, address_group = CASE WHEN rewards.address_group IS NULL THEN NULL ELSE '' END
         FROM {given} WHERE rewards.id = given.id",
    )
});

/// A hold whose address was shortened is no longer grouped by address.
static SHORTEN_HOLDS: LazyStatement = LazyLock::new(|| {
    Statement::given::<ShortRow>(
        "UPDATE holds SET address_group = '' WHERE reward_id IN (SELECT id FROM {given})",
    )
});

/// Rewards saved before the place up to which addresses were already shortened: no later step would reach them.
static LOOK_AT_LATE_ADDRESSES: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT rewards.id, rewards.received_at, ip FROM {given} JOIN rewards ON rewards.id = given.id
         JOIN retention ON retention.subject = 'addresses'
          AND (rewards.received_at, rewards.id) <= (retention.received_at, retention.id)
         WHERE ip IS NOT NULL",
    )
});

static NOTE_ADDRESSES: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO retention (subject, received_at, id) VALUES ('addresses', $1, $2)
         ON CONFLICT (subject) DO UPDATE SET received_at = excluded.received_at, id = excluded.id",
        &[],
    )
});

static DELETE_BODY_TALLIES: LazyStatement =
    LazyLock::new(|| Statement::new("DELETE FROM body_tallies WHERE hour < $1", &[]));

#[derive(sqlx::FromRow)]
struct PostbackAge {
    id: i64,
    recorded_at: i64,
    outcome: String,
}

#[derive(sqlx::FromRow)]
struct AddressRow {
    id: i64,
    received_at: i64,
    ip: Option<String>,
}

given_row! {
    struct ShortRow {
        id: i64,
        ip: Option<String>,
    }
}

impl Store {
    /// One step through the raw postbacks after `after_id`.
    pub async fn purge_postbacks(&self, terms: PostbackTerms, after_id: i64) -> Result<Purged> {
        self.write(move |tx| Box::pin(async move { purge_postbacks(tx, terms, after_id).await })).await
    }

    /// One step through the refused calls received before `before`.
    pub async fn purge_refused(&self, before: TimestampMs) -> Result<Purged> {
        self.write(move |tx| Box::pin(async move { purge_refused(tx, before).await })).await
    }

    /// Deletes the hourly counts of data rules and of stored bodies from before `before`.
    pub async fn forget_tallies(&self, before: TimestampMs) -> Result<()> {
        let hour = before.0 / HOUR_MS;
        self.write(move |tx| {
            Box::pin(async move {
                for statement in [&DELETE_TALLIES, &DELETE_BODY_TALLIES] {
                    let _rows = with_statement!(tx, statement, |sql, connection| sqlx::query(sql)
                        .bind(hour)
                        .execute(connection)
                        .await?
                        .rows_affected());
                }
                Ok(())
            })
        })
        .await
    }

    /// Deletes what each source sent before `before`, by the hour and by calling network, but for the last hour of each: when
    /// a source last sent something stays known.
    pub async fn forget_source_tallies(&self, before: TimestampMs) -> Result<()> {
        let hour = before.0 / HOUR_MS;
        self.write(move |tx| {
            Box::pin(async move {
                with_statement!(tx, DELETE_SOURCE_TALLIES, |sql, connection| {
                    sqlx::query(sql).bind(hour).execute(connection).await?;
                });
                Ok(())
            })
        })
        .await
    }

    /// One step of shortening the addresses of rewards received before `before`; continues after the previous step.
    pub async fn shorten_addresses(&self, before: TimestampMs) -> Result<Purged> {
        self.write(move |tx| Box::pin(async move { shorten_addresses(tx, before).await })).await
    }
}

async fn purge_postbacks(tx: &mut Tx, terms: PostbackTerms, after_id: i64) -> Result<Purged> {
    let Some(latest) = terms.latest() else { return Ok(Purged::default()) };
    let rows: Vec<PostbackAge> =
        with_statement!(tx, LOOK_AT_POSTBACKS, |sql, connection| sqlx::query_as(sql)
            .bind(after_id)
            .bind(STEP_ROWS)
            .fetch_all(connection)
            .await?);
    let more = is_full(rows.len());
    let old: Vec<_> = rows.iter().take_while(|row| row.recorded_at < latest.0).collect();
    let ended: Vec<_> = old
        .iter()
        .filter(|row| terms.has_expired(&row.outcome, row.recorded_at))
        .map(|row| IdRow { id: row.id })
        .collect();
    let deleted = if ended.is_empty() { 0 } else { tx.execute(&DELETE_POSTBACKS, &ended).await? };
    let next = old.last().filter(|_| more && old.len() == rows.len()).map(|last| last.id);
    Ok(Purged { rows: deleted, next })
}

async fn purge_refused(tx: &mut Tx, before: TimestampMs) -> Result<Purged> {
    let rows = with_statement!(tx, DELETE_REFUSED, |sql, connection| sqlx::query(sql)
        .bind(before.0)
        .bind(STEP_ROWS)
        .execute(connection)
        .await?
        .rows_affected());
    Ok(Purged { rows, next: (i64::try_from(rows) == Ok(STEP_ROWS)).then_some(0) })
}

async fn shorten_addresses(tx: &mut Tx, before: TimestampMs) -> Result<Purged> {
    let done: Option<(i64, i64)> = with_statement!(tx, ADDRESSES_DONE, |sql, connection| sqlx::query_as(sql)
        .fetch_optional(connection)
        .await?);
    let (done_at, done_id) = done.unwrap_or((i64::MIN, i64::MIN));
    let rows: Vec<AddressRow> = with_statement!(tx, LOOK_AT_ADDRESSES, |sql, connection| sqlx::query_as(sql)
        .bind(done_at)
        .bind(done_id)
        .bind(before.0)
        .bind(STEP_ROWS)
        .fetch_all(connection)
        .await?);
    let Some(last) = rows.last() else { return Ok(Purged::default()) };
    let shortened = shorten(tx, &rows).await?;
    with_statement!(tx, NOTE_ADDRESSES, |sql, connection| {
        sqlx::query(sql).bind(last.received_at).bind(last.id).execute(connection).await?;
    });
    let rows_done = u64::try_from(shortened).unwrap_or(u64::MAX);
    Ok(Purged { rows: rows_done, next: is_full(rows.len()).then_some(0) })
}

/// Shortens the addresses of those `rewards` that were saved after their retention period: old calls that were replayed,
/// or the credit of an old reversal.
pub(crate) async fn shorten_late(tx: &mut Tx, rewards: Vec<i64>) -> Result<()> {
    if rewards.is_empty() {
        return Ok(());
    }
    let given: Vec<_> = rewards.into_iter().map(|id| IdRow { id }).collect();
    let late: Vec<AddressRow> = tx.fetch(&LOOK_AT_LATE_ADDRESSES, &given).await?;
    shorten(tx, &late).await.map(|_| ())
}

/// Shortens the addresses of `rows`, and returns their number.
async fn shorten(tx: &mut Tx, rows: &[AddressRow]) -> Result<usize> {
    let short: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            let ip = row.ip.as_deref()?;
            // Anything that is not an address is deleted.
            Some(ShortRow { id: row.id, ip: ip.parse::<IpAddr>().ok().map(|ip| shortened(ip).to_string()) })
        })
        .collect();
    if !short.is_empty() {
        tx.execute(&SHORTEN_ADDRESSES, &short).await?;
        tx.execute(&SHORTEN_HOLDS, &short).await?;
    }
    Ok(short.len())
}

fn is_full(rows: usize) -> bool {
    i64::try_from(rows) == Ok(STEP_ROWS)
}
