//! Calls whose signature did not verify, or that never were a postback: kept apart from the postbacks, and bounded,
//! because anyone can send them.

use std::sync::LazyLock;

use serde::Serialize;

use crate::inbox::NewPostback;
use crate::statement::{Column, LazyStatement, Statement};
use crate::unit::{Tx, with_statement};
use crate::{Result, Store, read};

/// How many refused calls are kept; older ones make room.
pub const MAX_REFUSED: i64 = 10_000;

/// How the reason of a call begins whose source is not in the settings. Its name is anybody's text: reports count all of
/// them as one.
pub const UNKNOWN_SOURCE: &str = "there is no source";

/// A refused call and why.
#[derive(Clone, Debug, Serialize)]
pub struct NewRefused {
    /// The call as it came off the socket.
    #[serde(flatten)]
    pub call: NewPostback,
    /// What was wrong with it.
    pub reason: String,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO refused (source, received_at, method, target, body, remote_ip, request_id, reason)
         SELECT source, received_at, method, target, body, remote_ip, request_id, reason FROM {given}",
        &[
            Column::Text("source"),
            Column::Int("received_at"),
            Column::Text("method"),
            Column::Text("target"),
            Column::Text("body"),
            Column::Text("remote_ip"),
            Column::Text("request_id"),
            Column::Text("reason"),
        ],
    )
});

static TRIM: LazyStatement = LazyLock::new(|| {
    Statement::new("DELETE FROM refused WHERE id <= (SELECT MAX(id) FROM refused) - $1", &[])
});

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

    /// Keeps `refused`, and drops the oldest beyond [`MAX_REFUSED`].
    pub async fn keep_refused(&self, refused: Vec<NewRefused>) -> Result<()> {
        self.write(move |tx| Box::pin(async move { keep(tx, &refused).await })).await
    }
}

async fn keep(tx: &mut Tx, refused: &[NewRefused]) -> Result<()> {
    tx.execute(&INSERT, &refused).await?;
    let dropped = with_statement!(tx, TRIM, |sql, connection| {
        sqlx::query(sql).bind(MAX_REFUSED).execute(connection).await?.rows_affected()
    });
    if dropped > 0 {
        let dropped = i64::try_from(dropped).unwrap_or(i64::MAX);
        with_statement!(tx, COUNT_DROPPED, |sql, connection| {
            sqlx::query(sql).bind(dropped).execute(connection).await?;
        });
    }
    Ok(())
}
