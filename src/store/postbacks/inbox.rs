//! The inbox: recording postbacks, and claiming waiting ones.
//!
//! The `postbacks` table itself is the inbox. There is no second row in a queue, so a recorded postback is always
//! processed.

use std::sync::{Arc, LazyLock};

use domain::postback::networks::KeptCall;
use domain::postback::stated::StatedBy;
use domain::time::TimestampMs;

use crate::db::deadline::RECORD;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::turns::Turn;
use crate::db::tx::{Tx, own_task, with_statement};
use crate::postbacks::bodies::{self, Recorded};
use crate::{Result, Store, read};

/// A received postback with a verified signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPostback {
    /// The source whose endpoint was called.
    pub source: String,
    /// The time of the call.
    pub received_at: TimestampMs,
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// The body, percent-encoded; `None` if there was none.
    pub body: Option<String>,
    /// True if the network sends its values there. Such a body is always kept: it is the postback.
    pub body_counts: bool,
    /// Headers that count, one `name: value` in a line: the signature and the content type. `None` if none do.
    pub headers: Option<String>,
    /// Why a received body is not in `body`; otherwise `None`.
    pub body_left_out: Option<String>,
    /// Address of the caller.
    pub remote_ip: String,
    /// The call's id in the logs.
    pub request_id: String,
}

/// A postback that waits for processing.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct WaitingPostback {
    /// Ids increase in the order of recording.
    pub id: i64,
    /// The source whose endpoint was called.
    pub source: String,
    /// Unix milliseconds.
    pub received_at: i64,
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// The body, percent-encoded; `None` if there was none, or it does not count.
    pub body: Option<String>,
    /// Headers that count, one `name: value` in a line.
    pub headers: Option<String>,
    /// Address of the caller.
    pub remote_ip: String,
    /// The call's id in the logs; `None` if it was recorded before calls had ids.
    pub request_id: Option<String>,
    /// The quarantine act whose stated values are in effect.
    pub stated_id: Option<i64>,
    /// Those values; loaded when the postback is processed.
    #[sqlx(skip)]
    pub stated: Option<StatedBy>,
}

impl WaitingPostback {
    /// The call as it was received.
    pub fn kept(&self) -> KeptCall<'_> {
        KeptCall::of(&self.method, &self.target, self.headers.as_deref(), self.body.as_deref())
    }
}

/// The turn to record postbacks.
#[derive(Debug)]
pub struct RecordTurn(Option<Turn>);

/// The number and age of waiting postbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxDepth {
    /// Waiting postbacks.
    pub waiting: i64,
    /// When the oldest of them was received or, if it was replayed, when it was replayed.
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
        "SELECT id, source, received_at, method, target, CASE WHEN body_of IS NULL THEN body END AS body, headers, remote_ip,
                request_id, stated_id FROM postbacks
         WHERE outcome = 'received' AND id = $1 {then_sorts} {for_update_skip_locked}",
        &[],
    )
});

static CLAIM: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "SELECT id, source, received_at, method, target, CASE WHEN body_of IS NULL THEN body END AS body, headers, remote_ip,
                request_id, stated_id FROM postbacks {by_inbox}
         WHERE outcome = 'received' {then_sorts} ORDER BY id LIMIT $1 {for_update_skip_locked}",
        &[],
    )
});

impl Store {
    /// Waits for the turn to record. Until it is used or dropped, nobody else writes to a SQLite database; on Postgres
    /// there is nothing to wait for.
    pub async fn turn_to_record(&self) -> Result<RecordTurn> {
        self.within(RECORD, async { self.turn().await.map(RecordTurn) }).await
    }

    /// Records `postbacks` in one transaction, with those of their bodies that the limits allow. After `Ok` they are on
    /// disk.
    pub async fn record(&self, postbacks: Arc<Vec<NewPostback>>) -> Result<()> {
        let store = self.clone();
        own_task(async move {
            let turn = store.turn_to_record().await?;
            store.record_in(turn, postbacks).await
        })
        .await
    }

    /// Like [`Store::record`], in a turn that has come.
    pub async fn record_in(&self, turn: RecordTurn, postbacks: Arc<Vec<NewPostback>>) -> Result<()> {
        if let Some(rows) = bodies::unbounded(&postbacks) {
            return self.execute_alone(turn.0, RECORD, &INSERT, &rows).await;
        }
        let per_hour = self.body_bytes_per_hour;
        self.write_in(turn.0, RECORD, move |tx| {
            Box::pin(async move {
                let rows = bodies::bounded(tx, &postbacks, per_hour).await?;
                tx.execute(&INSERT, &rows).await.map(|_| ())
            })
        })
        .await
    }

    /// The first `limit` waiting postbacks, claimed or not.
    pub async fn first_waiting(&self, limit: i64) -> Result<Vec<i64>> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "SELECT id FROM postbacks WHERE outcome = 'received' ORDER BY id LIMIT $1"
        ).bind(limit).fetch_all(pool).await)?)
    }

    /// The number and age of waiting postbacks.
    pub async fn inbox_depth(&self) -> Result<InboxDepth> {
        let (waiting, oldest): (i64, Option<i64>) = read!(self, pool => sqlx::query_as(
            "SELECT CAST(COUNT(*) AS BIGINT), MIN(COALESCE(recorded_at, received_at)) FROM postbacks
             WHERE outcome = 'received'"
        ).fetch_one(pool).await)?;
        Ok(InboxDepth { waiting, oldest_received_at: oldest.map(TimestampMs) })
    }
}

/// Which waiting postbacks to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// At most this many, oldest first.
    First(i64),
    /// The one with this id.
    Only(i64),
}

/// Claims waiting postbacks that no other worker has claimed, until the transaction ends.
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
