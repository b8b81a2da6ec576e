//! How much each source sends: by the hour, and by calling network and day. Written with each batch, so that the page of
//! sources and the watch for silence never read the postbacks themselves.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use domain::batch::{Outcome, PostbackOutcome};
use domain::location::shortened;
use domain::time::TimestampMs;
use domain::traffic::Hour;

use crate::db::rows::{IdRow, given_row};
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::postbacks::inbox::WaitingPostback;
use crate::review::context::HOUR_MS;
use crate::{Result, Store, read};

/// Networks of one source that a batch counts apart; the postbacks of all others are in one row. A network has a few
/// addresses: this bounds what a stolen secret could write from many.
const MAX_NETWORKS: usize = 16;
/// Rows that [`Store::calling_networks`] reads at most: the newest days are read first.
const MAX_READ: i64 = 2_000;
/// Hours in a day.
const DAY: i64 = 24;

/// Who calls for a source.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CallingNetwork {
    /// /24 or /48; empty for callers that are unknown or were not counted apart.
    pub network: String,
    /// Their postbacks.
    pub postbacks: i64,
    /// When the last of them was received, unix milliseconds.
    pub last_at: i64,
}

/// Refused calls of a source that are still stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RefusedOfSource {
    /// As in the settings.
    pub source: String,
    /// Received since the earlier of the two times.
    pub earlier: i64,
    /// Received since the later one.
    pub later: i64,
}

static ADD: LazyStatement = LazyLock::new(|| {
    // dialect: the scalar MIN and MAX of SQLite are LEAST and GREATEST on Postgres, so both are written out
    Statement::given::<TallyRow<'_>>(
        "INSERT INTO source_tallies ({columns})
         SELECT {columns} FROM {given} WHERE true ORDER BY source, hours, began, network
         ON CONFLICT (source, hours, began, network) DO UPDATE SET
             postbacks = source_tallies.postbacks + excluded.postbacks,
             quarantined = source_tallies.quarantined + excluded.quarantined,
             first_at = CASE WHEN excluded.first_at < source_tallies.first_at
                             THEN excluded.first_at ELSE source_tallies.first_at END,
             last_at = CASE WHEN excluded.last_at > source_tallies.last_at
                            THEN excluded.last_at ELSE source_tallies.last_at END",
    )
});

/// A replayed postback is counted again when it is processed, so it leaves its hour here. In its network's day it is
/// counted once more. Rows of before the tallies have no hour, or one that counts fewer.
static SUBTRACT_REPLAYED: LazyStatement = LazyLock::new(|| {
    // An insert, because only that locks its rows in an order.
    Statement::given::<IdRow>(
        "INSERT INTO source_tallies (source, hours, began, network, postbacks, quarantined, first_at, last_at)
         SELECT present.source, 1, present.began, '', replayed.tally, replayed.tally, present.first_at, present.last_at
         FROM (SELECT source, received_at / 3600000 AS began, COUNT(*) AS tally FROM postbacks
               WHERE id IN (SELECT id FROM {given}) GROUP BY source, received_at / 3600000) AS replayed
         JOIN source_tallies AS present
           ON present.source = replayed.source AND present.hours = 1 AND present.began = replayed.began
         WHERE present.network = '' ORDER BY present.source, present.began
         ON CONFLICT (source, hours, began, network) DO UPDATE SET
             postbacks = CASE WHEN source_tallies.postbacks > excluded.postbacks
                              THEN source_tallies.postbacks - excluded.postbacks ELSE 0 END,
             quarantined = CASE WHEN source_tallies.quarantined > excluded.quarantined
                                THEN source_tallies.quarantined - excluded.quarantined ELSE 0 END",
    )
});

given_row! {
    struct TallyRow<'a> {
        source: &'a str,
        hours: i64,
        began: i64,
        network: String,
        postbacks: i64,
        quarantined: i64,
        first_at: i64,
        last_at: i64,
    }
}

impl TallyRow<'_> {
    fn add(&mut self, other: &Self) {
        self.postbacks += other.postbacks;
        self.quarantined += other.quarantined;
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// Counts the `claimed` postbacks with their `outcomes`.
pub(crate) async fn add(
    tx: &mut Tx,
    claimed: &[WaitingPostback],
    outcomes: &[PostbackOutcome],
) -> Result<()> {
    let rows = rows(claimed, outcomes);
    if !rows.is_empty() {
        tx.execute(&ADD, &rows).await?;
    }
    Ok(())
}

/// Takes the postbacks `ids`, which are replayed, out of their hours.
pub(crate) async fn subtract_replayed(tx: &mut Tx, ids: &[IdRow]) -> Result<()> {
    tx.execute(&SUBTRACT_REPLAYED, ids).await?;
    Ok(())
}

/// One row for each source and hour, and for each source, day and network.
fn rows<'a>(claimed: &'a [WaitingPostback], outcomes: &[PostbackOutcome]) -> Vec<TallyRow<'a>> {
    let quarantined: std::collections::HashSet<i64> =
        outcomes.iter().filter(|of| of.outcome == Outcome::Quarantined).map(|of| of.postback_id).collect();
    let mut rows: BTreeMap<(&str, i64, i64, String), TallyRow<'a>> = BTreeMap::new();
    let mut apart: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for postback in claimed {
        let source = postback.source.as_str();
        let hour = postback.received_at.div_euclid(HOUR_MS);
        let network = counted_as(apart.entry(source).or_default(), &postback.remote_ip);
        let day = hour - hour.rem_euclid(DAY);
        for (hours, began, network) in [(1, hour, String::new()), (DAY, day, network)] {
            let one = TallyRow {
                source,
                hours,
                began,
                network: network.clone(),
                postbacks: 1,
                quarantined: i64::from(quarantined.contains(&postback.id)),
                first_at: postback.received_at,
                last_at: postback.received_at,
            };
            match rows.get_mut(&(source, hours, began, network.clone())) {
                Some(row) => row.add(&one),
                None => drop(rows.insert((source, hours, began, network), one)),
            }
        }
    }
    rows.into_values().collect()
}

/// The network that a caller counts for, given those that this batch has `seen`.
fn counted_as(seen: &mut Vec<String>, remote_ip: &str) -> String {
    let Ok(caller) = remote_ip.parse::<IpAddr>() else { return String::new() };
    let network = shortened(caller).to_string();
    if seen.contains(&network) {
        return network;
    }
    if seen.len() >= MAX_NETWORKS {
        return String::new();
    }
    seen.push(network.clone());
    network
}

impl Store {
    /// The hours in which `source` sent something, from the hour of `since` on, oldest first.
    pub async fn source_hours(&self, source: &str, since: TimestampMs) -> Result<Vec<Hour>> {
        let rows: Vec<(i64, i64, i64, i64, i64)> = read!(self, pool => sqlx::query_as(
            "SELECT began, postbacks, quarantined, first_at, last_at FROM source_tallies
             WHERE source = $1 AND hours = 1 AND began >= $2 ORDER BY began"
        ).bind(source).bind(since.0.div_euclid(HOUR_MS)).fetch_all(pool).await)?;
        Ok(rows
            .into_iter()
            .map(|(began, postbacks, quarantined, first_at, last_at)| Hour {
                began_at: TimestampMs(began * HOUR_MS),
                postbacks,
                quarantined,
                first_at: TimestampMs(first_at),
                last_at: TimestampMs(last_at),
            })
            .collect())
    }

    /// When the last postback of `source` was received; `None` if none is counted.
    pub async fn last_postback_of(&self, source: &str) -> Result<Option<TimestampMs>> {
        let last: Option<i64> = read!(self, pool => sqlx::query_scalar(
            "SELECT last_at FROM source_tallies WHERE source = $1 AND hours = 1 ORDER BY began DESC LIMIT 1"
        ).bind(source).fetch_optional(pool).await)?;
        Ok(last.map(TimestampMs))
    }

    /// The networks that sent most of the postbacks of `source` since the day of `since` (UTC); at most `limit`.
    pub async fn calling_networks(
        &self,
        source: &str,
        since: TimestampMs,
        limit: i64,
    ) -> Result<Vec<CallingNetwork>> {
        let hour = since.0.div_euclid(HOUR_MS);
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT network, CAST(SUM(postbacks) AS BIGINT) AS postbacks, MAX(last_at) AS last_at
             FROM (SELECT network, postbacks, last_at FROM source_tallies
                   WHERE source = $1 AND hours = 24 AND began >= $2 ORDER BY began DESC, network LIMIT $3) AS newest
             GROUP BY network ORDER BY 2 DESC, network LIMIT $4"
        ).bind(source).bind(hour - hour.rem_euclid(DAY)).bind(MAX_READ).bind(limit).fetch_all(pool).await)?)
    }

    /// How many refused calls of each source are stored since `earlier` and since `later`. Reads all that are stored, of
    /// which there are at most [`MAX_REFUSED`](super::refused::MAX_REFUSED).
    pub async fn refused_by_source(
        &self,
        earlier: TimestampMs,
        later: TimestampMs,
    ) -> Result<Vec<RefusedOfSource>> {
        Ok(read!(self, pool => sqlx::query_as(
            "SELECT share AS source, CAST(COUNT(*) AS BIGINT) AS earlier,
                    CAST(SUM(CASE WHEN received_at >= $2 THEN 1 ELSE 0 END) AS BIGINT) AS later
             FROM refused WHERE received_at >= $1 AND share <> '' GROUP BY share ORDER BY share"
        ).bind(earlier.0).bind(later.0).fetch_all(pool).await)?)
    }
}
