//! Calls whose signature did not verify, or that are no postback at all. They are kept apart from the postbacks and
//! limited in number, because anyone can send them.

use std::net::IpAddr;
use std::sync::LazyLock;

use domain::location::shortened;
use domain::time::TimestampMs;
use tracing::warn;

use crate::db::rows::given_row;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::postbacks::inbox::NewPostback;
use crate::{Result, Store, read};

/// How many refused calls are kept; older ones are dropped. The room is shared evenly among the sources (all unknown
/// sources count as one), and within a source among the calling networks, so that a flood from one caller does not push
/// out the calls of others. Room that one does not need goes to the others.
pub const MAX_REFUSED: i64 = 10_000;
/// The newest of each kind of refusal of each source are always kept.
const ALWAYS_KEPT: i64 = 8;
/// Limit of the name of a kind, in bytes.
const MAX_KIND_LEN: usize = 40;

/// Start of the reason of a call whose source is not in the settings. Callers choose that name freely, so reports count
/// all of them as one source.
pub const UNKNOWN_SOURCE: &str = "there is no source";

/// A refused call with its reason.
#[derive(Clone, Debug)]
pub struct NewRefused {
    /// The call as received.
    pub call: NewPostback,
    /// Why it was refused.
    pub reason: String,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<RefusedInsert<'_>>(
        "INSERT INTO refused
             ({columns})
         SELECT {columns} FROM {given}",
    )
});

/// Calls with the highest `place` are dropped. `in_network` counts from the newest call of a network. `in_share` goes
/// round the networks of a source: the newest of each, then the second, and so on; the sources take turns in the same
/// way. One index holds everything that is read. It runs outside the deleting transaction, because ranking ten thousand
/// rows takes longer than recording should wait.
const EXCESS: &str = "
    SELECT id FROM (
        SELECT id, ROW_NUMBER() OVER (
            ORDER BY CASE WHEN in_kind <= $2 THEN 0 ELSE in_share END, id DESC) AS place
        FROM (
            SELECT id, in_kind, ROW_NUMBER() OVER (PARTITION BY share ORDER BY in_network, id DESC) AS in_share
            FROM (
                SELECT id, share,
                       ROW_NUMBER() OVER (PARTITION BY share, network ORDER BY id DESC) AS in_network,
                       ROW_NUMBER() OVER (PARTITION BY share, kind ORDER BY id DESC) AS in_kind
                FROM refused
            ) AS ranked
        ) AS shared
    ) AS placed
    WHERE place > $1";

static DELETE: LazyStatement = LazyLock::new(|| {
    Statement::given::<DroppedRow>("DELETE FROM refused WHERE id IN (SELECT id FROM {given})")
});

given_row! {
    /// A call to drop.
    struct DroppedRow {
        id: i64,
    }
}

given_row! {
    /// A refused call as it is inserted.
    struct RefusedInsert<'a> {
        source: &'a str,
        received_at: TimestampMs,
        method: &'a str,
        target: &'a str,
        body: Option<&'a str>,
        headers: Option<&'a str>,
        remote_ip: &'a str,
        request_id: &'a str,
        reason: &'a str,
        share: &'a str,
        network: String,
        kind: &'a str,
    }
}

impl<'a> RefusedInsert<'a> {
    fn of(refused: &'a NewRefused) -> Self {
        let call = &refused.call;
        Self {
            source: &call.source,
            received_at: call.received_at,
            method: &call.method,
            target: &call.target,
            body: call.body.as_deref(),
            headers: call.headers.as_deref(),
            remote_ip: &call.remote_ip,
            request_id: &call.request_id,
            reason: &refused.reason,
            share: refused.share(),
            network: refused.network(),
            kind: refused.kind(),
        }
    }
}

impl NewRefused {
    /// The share of the room that it uses: its source, or empty for all unknown sources.
    pub fn share(&self) -> &str {
        if self.reason.starts_with(UNKNOWN_SOURCE) { "" } else { &self.call.source }
    }

    /// The calling network: /24 (IPv4) or /48 (IPv6); empty if the address is unknown.
    pub fn network(&self) -> String {
        self.call.remote_ip.parse::<IpAddr>().map_or_else(|_| String::new(), |ip| shortened(ip).to_string())
    }

    /// The kind of refusal: the reason up to the first part that depends on the call.
    fn kind(&self) -> &str {
        let own = |letter: char| matches!(letter, '`' | ':' | ';' | '(') || letter.is_ascii_digit();
        let kind = self.reason.split(own).next().unwrap_or_default().trim_end();
        domain::postback::cleaning::shortened(kind, MAX_KIND_LEN)
    }
}

static COUNT_DROPPED: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO tallies (name, tally) VALUES ('refused dropped', $1)
         ON CONFLICT (name) DO UPDATE SET tally = tallies.tally + excluded.tally",
        &[],
    )
});

/// Numbers of refused calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedCount {
    /// Currently kept.
    pub kept: i64,
    /// Dropped for newer ones, since installation.
    pub dropped: i64,
}

impl Store {
    /// How many refused calls are kept, and how many were dropped.
    pub async fn refused_count(&self) -> Result<RefusedCount> {
        let (kept, dropped): (i64, i64) = read!(self, pool => sqlx::query_as(
            "SELECT CAST((SELECT COUNT(*) FROM refused) AS BIGINT),
                    CAST(COALESCE((SELECT tally FROM tallies WHERE name = 'refused dropped'), 0) AS BIGINT)"
        ).fetch_one(pool).await)?;
        Ok(RefusedCount { kept, dropped })
    }

    /// Saves `refused`, and drops calls beyond [`MAX_REFUSED`]: the oldest of whoever has most. On an error nothing was
    /// saved and it can be tried again. If dropping fails, the next call drops them.
    pub async fn keep_refused(&self, refused: Vec<NewRefused>) -> Result<()> {
        self.write(move |tx| Box::pin(async move { keep(tx, &refused).await })).await?;
        if let Err(error) = self.trim_refused().await {
            warn!(%error, "old refused calls could not be dropped; this is retried after the next refused call");
        }
        Ok(())
    }

    async fn trim_refused(&self) -> Result<()> {
        if self.refused_count().await?.kept <= MAX_REFUSED {
            return Ok(());
        }
        let excess: Vec<i64> = read!(self, pool => sqlx::query_scalar(EXCESS)
            .bind(MAX_REFUSED).bind(ALWAYS_KEPT).fetch_all(pool).await)?;
        let dropped: Vec<_> = excess.into_iter().map(|id| DroppedRow { id }).collect();
        self.write(move |tx| Box::pin(async move { drop_excess(tx, &dropped).await })).await
    }
}

async fn keep(tx: &mut Tx, refused: &[NewRefused]) -> Result<()> {
    let rows: Vec<_> = refused.iter().map(RefusedInsert::of).collect();
    tx.execute(&INSERT, &rows).await?;
    Ok(())
}

/// Counts only what it deletes itself: another process may already have dropped some.
async fn drop_excess(tx: &mut Tx, rows: &[DroppedRow]) -> Result<()> {
    let dropped = tx.execute(&DELETE, rows).await?;
    let dropped = i64::try_from(dropped).unwrap_or(i64::MAX);
    with_statement!(tx, COUNT_DROPPED, |sql, connection| {
        sqlx::query(sql).bind(dropped).execute(connection).await?;
    });
    Ok(())
}
