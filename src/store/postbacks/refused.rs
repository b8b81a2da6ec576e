//! Calls whose signature did not verify, or that never were a postback: kept apart from the postbacks, and bounded,
//! because anyone can send them.

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

/// How many refused calls are kept; others make room. The room is shared out evenly: among the sources (all that are not
/// in the settings are one), and within a source among the networks that call, so that nobody who floods us with calls
/// pushes out what others sent. Whatever is not needed by one is used by the others.
pub const MAX_REFUSED: i64 = 10_000;
/// How many of each kind of refusal of each source stay whatever else comes.
const ALWAYS_KEPT: i64 = 8;
/// The longest name of a kind, in bytes.
const MAX_KIND_LEN: usize = 40;

/// How the reason of a call begins whose source is not in the settings. Its name is anybody's text: reports count all of
/// them as one.
pub const UNKNOWN_SOURCE: &str = "there is no source";

/// A refused call and why.
#[derive(Clone, Debug)]
pub struct NewRefused {
    /// The call as it came off the socket.
    pub call: NewPostback,
    /// What was wrong with it.
    pub reason: String,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<RefusedInsert<'_>>(
        "INSERT INTO refused
             ({columns})
         SELECT {columns} FROM {given}",
    )
});

/// What has the highest place leaves. `in_network` counts from the newest of a network, `in_share` goes round the networks
/// of a source, taking the newest of each, then the second, and so on; and so do the sources among each other. All that
/// is read stands in one index; and it is read outside of the transaction that deletes, because placing ten thousand
/// takes longer than anybody who records should wait.
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

static DELETE: LazyStatement =
    LazyLock::new(|| Statement::given::<Leaving>("DELETE FROM refused WHERE id IN (SELECT id FROM {given})"));

given_row! {
    /// One that leaves.
    struct Leaving {
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
    /// Whose room it takes up: its source's, or (empty) that of all that are not in the settings.
    pub fn share(&self) -> &str {
        if self.reason.starts_with(UNKNOWN_SOURCE) { "" } else { &self.call.source }
    }

    /// The network that called: /24, or /48; empty if that is not known.
    pub fn network(&self) -> String {
        self.call.remote_ip.parse::<IpAddr>().map_or_else(|_| String::new(), |ip| shortened(ip).to_string())
    }

    /// What kind of refusal it is: its reason up to the first word that is the call's own.
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

/// How many refused calls there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedCount {
    /// Kept now.
    pub kept: i64,
    /// Dropped since the beginning to make room for newer ones.
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

    /// Keeps `refused`, and drops what is beyond [`MAX_REFUSED`]: of whoever has most, the oldest. An error means that
    /// nothing of it is kept, so that it can be tried again; what cannot be dropped now is dropped after the next ones.
    pub async fn keep_refused(&self, refused: Vec<NewRefused>) -> Result<()> {
        self.write(move |tx| Box::pin(async move { keep(tx, &refused).await })).await?;
        if let Err(error) = self.trim_refused().await {
            warn!(%error, "old refused calls are not dropped yet");
        }
        Ok(())
    }

    async fn trim_refused(&self) -> Result<()> {
        if self.refused_count().await?.kept <= MAX_REFUSED {
            return Ok(());
        }
        let excess: Vec<i64> = read!(self, pool => sqlx::query_scalar(EXCESS)
            .bind(MAX_REFUSED).bind(ALWAYS_KEPT).fetch_all(pool).await)?;
        let leaving: Vec<_> = excess.into_iter().map(|id| Leaving { id }).collect();
        self.write(move |tx| Box::pin(async move { drop_excess(tx, &leaving).await })).await
    }
}

async fn keep(tx: &mut Tx, refused: &[NewRefused]) -> Result<()> {
    let rows: Vec<_> = refused.iter().map(RefusedInsert::of).collect();
    tx.execute(&INSERT, &rows).await?;
    Ok(())
}

/// Only what is deleted here counts as dropped: another process may have dropped some of them meanwhile.
async fn drop_excess(tx: &mut Tx, leaving: &[Leaving]) -> Result<()> {
    let dropped = tx.execute(&DELETE, leaving).await?;
    let dropped = i64::try_from(dropped).unwrap_or(i64::MAX);
    with_statement!(tx, COUNT_DROPPED, |sql, connection| {
        sqlx::query(sql).bind(dropped).execute(connection).await?;
    });
    Ok(())
}
