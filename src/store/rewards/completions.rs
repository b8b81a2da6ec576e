//! Completions that nobody disputed, in the order received, for baselines.

use domain::baseline::shares::{FAST_MS, LEAST_FOR_FAST, SLOW_MS, Share};
use domain::baseline::{LocatedSource, SUSPICIOUS_FROM};
use domain::location::GeoResult;
use domain::time::TimestampMs;

use crate::db::deadline::LONG;
use crate::db::tx::own_task;
use crate::{Result, Store, read, read_snapshot};

/// A credited reward that was never held nor taken back, with fewer than [`SUSPICIOUS_FROM`] points.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of rewards, described in the migration")]
pub struct CompletionRow {
    pub id: i64,
    pub source: String,
    pub tx: String,
    pub user_id: String,
    pub offer_id: String,
    /// Empty if the network names none.
    pub event_id: String,
    pub received_at: i64,
    pub clicked_at: Option<i64>,
    pub reward_micros: Option<i64>,
    pub payout_micros: Option<i64>,
}

/// A place among completions: what follows it is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    received_at: i64,
    id: i64,
}

impl Cursor {
    /// Before everything received at `received_at` or later.
    pub fn at(received_at: TimestampMs) -> Self {
        Self { received_at: received_at.0, id: 0 }
    }
}

impl CompletionRow {
    /// The place behind this one.
    pub fn cursor(&self) -> Cursor {
        Cursor { received_at: self.received_at, id: self.id }
    }
}

/// Only the one step of the credit was ever taken. Read through the index of credited rewards in the order of their receipt.
const COMPLETIONS: &str = "
    SELECT id, source, event_key AS tx, user_id, offer_id, COALESCE(event_id, '') AS event_id, received_at, clicked_at,
           reward_micros, payout_micros
    FROM rewards JOIN verdicts ON verdicts.reward_id = rewards.id
    WHERE status = 'credited' AND received_at >= $1 AND received_at < $3 AND (received_at, id) > ($1, $2)
      AND steps = 1 AND taken_back_micros = 0 AND taken_back_payout_micros = 0 AND offer_id IS NOT NULL
      AND decision = 'credit' AND score < $4
    ORDER BY received_at, id LIMIT $5";

/// Each half reads one of the two indexes that hold rewards in the order of their receipt.
const LOCATED: &str = "
    SELECT source, CAST(SUM(located) AS BIGINT) AS located, CAST(SUM(mismatched) AS BIGINT) AS mismatched
    FROM (SELECT source, COUNT(*) AS located,
                 SUM(CASE WHEN geo_result = $2 THEN 1 ELSE 0 END) AS mismatched
          FROM rewards JOIN verdicts ON verdicts.reward_id = rewards.id
          WHERE status = 'credited' AND received_at >= $1 AND geo_result IN ($2, $3, $4)
          GROUP BY source
          UNION ALL
          SELECT source, COUNT(*), SUM(CASE WHEN geo_result = $2 THEN 1 ELSE 0 END)
          FROM rewards JOIN verdicts ON verdicts.reward_id = rewards.id
          WHERE status IN ('held', 'rejected', 'reversed') AND status <> 'credited' AND received_at >= $1
            AND geo_result IN ($2, $3, $4)
          GROUP BY source) AS halves
    GROUP BY source ORDER BY source";

/// As above, in two halves. Of sub ids only those with enough completions are told, and the largest first.
macro_rules! shares {
    ($by:literal, $sub_id:literal, $offer_id:literal, $having:literal) => {
        concat!(
            "SELECT source, sub_id, offer_id, CAST(SUM(n) AS BIGINT), CAST(SUM(fast) AS BIGINT),
                    CAST(SUM(slow) AS BIGINT), CAST(SUM(reversed) AS BIGINT)
             FROM (SELECT source, ", $sub_id, " AS sub_id, ", $offer_id, " AS offer_id, COUNT(*) AS n,
                          SUM(CASE WHEN received_at - clicked_at BETWEEN 0 AND $2 THEN 1 ELSE 0 END) AS fast,
                          SUM(CASE WHEN received_at - clicked_at > $3 THEN 1 ELSE 0 END) AS slow, 0 AS reversed
                   FROM rewards WHERE status = 'credited' AND received_at >= $1
                   GROUP BY ", $by, "
                   UNION ALL
                   SELECT source, ", $sub_id, ", ", $offer_id, ", COUNT(*),
                          SUM(CASE WHEN received_at - clicked_at BETWEEN 0 AND $2 THEN 1 ELSE 0 END),
                          SUM(CASE WHEN received_at - clicked_at > $3 THEN 1 ELSE 0 END),
                          SUM(CASE WHEN status = 'reversed' THEN 1 ELSE 0 END)
                   FROM rewards WHERE status IN ('held', 'rejected', 'reversed') AND status <> 'credited'
                     AND received_at >= $1 AND credit_seen = 1
                   GROUP BY ", $by, ") AS halves
             GROUP BY source, sub_id, offer_id ", $having
        )
    };
}

const SHARES: &str = shares!(
    "source, sub1, offer_id",
    "COALESCE(sub1, '')",
    "COALESCE(offer_id, '')",
    "HAVING SUM(n) >= $4 ORDER BY SUM(n) DESC, source, sub_id, offer_id LIMIT $5"
);

const WHOLE: &str = shares!("source", "''", "''", "ORDER BY source");

/// Who came from where, in the order of receipt.
const ADDRESSES: &str = "
    SELECT received_at, id, app, user_id, ip FROM rewards
    WHERE status = 'credited' AND received_at >= $1 AND (received_at, id) > ($1, $2)
    ORDER BY received_at, id LIMIT $3";

/// The user and the address of a credited reward.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of rewards, described in the migration")]
pub struct AddressRow {
    pub received_at: i64,
    pub id: i64,
    pub app: String,
    pub user_id: String,
    pub ip: Option<String>,
}

impl AddressRow {
    /// The place behind this one.
    pub fn cursor(&self) -> Cursor {
        Cursor { received_at: self.received_at, id: self.id }
    }
}

type ShareRow = (String, String, String, i64, i64, i64, i64);

fn share((source, sub_id, offer_id, n, fast, slow, reversed): ShareRow) -> Share {
    Share { source, sub_id, offer_id, n, fast, slow, reversed }
}

impl Store {
    /// The completions since `since` by sub id and offer, those with fewer than [`LEAST_FOR_FAST`] left out and at most
    /// `limit`, and by source.
    pub async fn shares(&self, since: TimestampMs, limit: i64) -> Result<(Vec<Share>, Vec<Share>)> {
        let store = self.clone();
        let (shares, whole): (Vec<ShareRow>, Vec<ShareRow>) = own_task(async move {
            let read = async {
                read_snapshot!(store, snapshot => {
                    let shares = sqlx::query_as(SHARES).bind(since.0).bind(FAST_MS - 1).bind(SLOW_MS);
                    let shares = shares.bind(LEAST_FOR_FAST).bind(limit).fetch_all(&mut *snapshot).await?;
                    let whole = sqlx::query_as(WHOLE).bind(since.0).bind(FAST_MS - 1).bind(SLOW_MS);
                    Ok((shares, whole.fetch_all(&mut *snapshot).await?))
                })
            };
            store.within(LONG, read).await
        })
        .await?;
        Ok((shares.into_iter().map(share).collect(), whole.into_iter().map(share).collect()))
    }

    /// Users and addresses of up to `limit` credited rewards behind `after`, in the order received.
    pub async fn addresses(&self, after: Cursor, limit: i64) -> Result<Vec<AddressRow>> {
        Ok(read!(self, pool => sqlx::query_as(ADDRESSES)
            .bind(after.received_at).bind(after.id).bind(limit).fetch_all(pool).await)?)
    }

    /// Up to `limit` completions behind `after` and before `until`, in the order received.
    pub async fn completions(
        &self,
        after: Cursor,
        until: TimestampMs,
        limit: i64,
    ) -> Result<Vec<CompletionRow>> {
        Ok(read!(self, pool => sqlx::query_as(COMPLETIONS)
            .bind(after.received_at).bind(after.id).bind(until.0).bind(SUSPICIOUS_FROM).bind(limit)
            .fetch_all(pool).await)?)
    }

    /// How addresses compared with the reported countries since `since`, by source.
    pub async fn located_sources(&self, since: TimestampMs) -> Result<Vec<LocatedSource>> {
        let store = self.clone();
        let known = [GeoResult::Mismatch, GeoResult::Match, GeoResult::Compatible].map(GeoResult::name);
        let rows: Vec<(String, i64, i64)> = own_task(async move {
            let read = async {
                read_snapshot!(store, snapshot => {
                    let query = sqlx::query_as(LOCATED).bind(since.0).bind(known[0]).bind(known[1]).bind(known[2]);
                    Ok(query.fetch_all(&mut *snapshot).await?)
                })
            };
            store.within(LONG, read).await
        })
        .await?;
        let located = |(source, located, mismatched)| LocatedSource { source, located, mismatched };
        Ok(rows.into_iter().map(located).collect())
    }
}
