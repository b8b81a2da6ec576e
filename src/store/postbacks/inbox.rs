//! The inbox: recording postbacks, and claiming the ones that wait.
//!
//! The `postbacks` table is the inbox itself. There is no second row in a queue, so nothing can be recorded and not
//! be due.

use std::sync::{Arc, LazyLock};

use domain::postback::stated::StatedBy;
use domain::time::TimestampMs;

use crate::db::deadline::RECORD;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::postbacks::bodies::{self, Recorded};
use crate::{Result, Store, read};

/// A postback as it came off the socket, its signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPostback {
    /// The source whose endpoint was called.
    pub source: String,
    /// When.
    pub received_at: TimestampMs,
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// The body, percent-encoded; `None` if there was none.
    pub body: Option<String>,
    /// Why a body that came is not there.
    pub body_left_out: Option<String>,
    /// Who called.
    pub remote_ip: String,
    /// What names the call in the logs.
    pub request_id: String,
}

/// A postback that waits to be processed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct WaitingPostback {
    /// Its row.
    pub id: i64,
    /// The source it came in by.
    pub source: String,
    /// When, in unix milliseconds.
    pub received_at: i64,
    /// Path and query, byte for byte.
    pub target: String,
    /// Who called.
    pub remote_ip: String,
    /// What names the call in the logs; `None` if it is older than such names.
    pub request_id: Option<String>,
    /// The act of people whose stated values hold, if there is one.
    pub stated_id: Option<i64>,
    /// Those values; filled in when the postback is settled.
    #[sqlx(skip)]
    pub stated: Option<StatedBy>,
}

/// How much waits, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxDepth {
    /// How many postbacks wait.
    pub waiting: i64,
    /// When the oldest of them was received; of one that is replayed: when that was.
    pub oldest_received_at: Option<TimestampMs>,
}

static INSERT: LazyStatement = LazyLock::new(|| {
    Statement::given::<Recorded<'_>>(
        "INSERT INTO postbacks
             ({columns})
         SELECT {columns} FROM {given}",
    )
});

static CLAIM_ONE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, source, received_at, target, remote_ip, request_id, stated_id FROM postbacks
         WHERE outcome = 'received' AND id = $1 {for_update_skip_locked}",
        &[],
    )
});

static CLAIM: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, source, received_at, target, remote_ip, request_id, stated_id FROM postbacks {by_inbox}
         WHERE outcome = 'received' ORDER BY id LIMIT $1 {for_update_skip_locked}",
        &[],
    )
});

impl Store {
    /// Records `postbacks` in one transaction; of their bodies, what there is room for. When this returns `Ok`, they are on disk.
    pub async fn record(&self, postbacks: Arc<Vec<NewPostback>>) -> Result<()> {
        let per_hour = self.body_bytes_per_hour;
        self.write_within(RECORD, move |tx| {
            Box::pin(async move {
                let rows = bodies::bounded(tx, &postbacks, per_hour).await?;
                tx.execute(&INSERT, &rows).await.map(|_| ())
            })
        })
        .await
    }

    /// The first `limit` postbacks that wait, whoever has claimed them.
    pub async fn first_waiting(&self, limit: i64) -> Result<Vec<i64>> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT id FROM postbacks WHERE outcome = 'received' ORDER BY id LIMIT $1"
        ).bind(limit).fetch_all(pool).await)?)
    }

    /// How many postbacks wait, and since when.
    pub async fn inbox_depth(&self) -> Result<InboxDepth> {
        let (waiting, oldest): (i64, Option<i64>) = read!(self, pool => sqlx::query_as(
            "SELECT CAST(COUNT(*) AS BIGINT), MIN(COALESCE(recorded_at, received_at)) FROM postbacks
             WHERE outcome = 'received'"
        ).fetch_one(pool).await)?;
        Ok(InboxDepth { waiting, oldest_received_at: oldest.map(TimestampMs) })
    }
}

/// Which postbacks that wait are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The first so many.
    First(i64),
    /// This one alone.
    Only(i64),
}

/// Claims postbacks that wait and that no other worker has claimed; they stay claimed until the transaction ends.
pub(crate) async fn claim(tx: &mut Tx, claim: Claim) -> Result<Vec<WaitingPostback>> {
    let (statement, argument) = match claim {
        Claim::First(limit) => (&CLAIM, limit),
        Claim::Only(id) => (&CLAIM_ONE, id),
    };
    Ok(with_statement!(tx, statement, |sql, connection| sqlx::query_as(sql)
        .bind(argument)
        .fetch_all(connection)
        .await?))
}
