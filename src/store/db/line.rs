//! The connections to a Postgres server, which can become unreachable without an error.
//!
//! sqlx 0.9 sets neither a TCP keepalive nor a user time-out, and its pool waits for ever for a connection that is
//! returned in the middle of an answer. So every use has a deadline ([`crate::db::deadline`]), every connection that was idle is pinged
//! before it is used, and once one of them does not answer **all of them are replaced**: a new pool takes over, and the
//! old one is closed after its users have had time to finish.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

use crate::db::connect::ACQUIRE_TIMEOUT;
use crate::db::deadline::too_late;

/// Deadline of a ping.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// A connection that answered this recently, when it was returned, is used without a ping: under load that saves a round
/// trip for every transaction, and one that went dark since is found by the deadline of its next statement.
const FRESH: Duration = Duration::from_millis(500);
/// If the server has answered nothing at all for this long, a missed deadline means that it is unreachable, not that one
/// statement is slow.
const SILENCE: Duration = Duration::from_secs(4);
/// Minimum time between two replacements: on a read-only server every write asks for one.
const RENEW_PAUSE: Duration = Duration::from_millis(500);
/// How long an old pool stays open for its users.
const OLD_POOL_TIME: Duration = ACQUIRE_TIMEOUT;
/// How long closing may take. Unreachable connections end when the system drops their sockets.
const CLOSE_TIME: Duration = Duration::from_mins(1);

/// The connections of this process to a Postgres server.
#[derive(Debug)]
pub(crate) struct Line {
    this: Weak<Self>,
    connect: PgConnectOptions,
    max_connections: u32,
    /// The number of replacements so far (the generation), and the current pool.
    pool: watch::Sender<(u64, PgPool)>,
    began: Instant,
    /// Time of the server's last answer, in milliseconds since `began`.
    answered_ms: AtomicU64,
    /// Time at which a connection was last found dead, in milliseconds since `began`; 0 if none was.
    troubled_ms: AtomicU64,
    /// Time of the last replacement, in milliseconds since `began`.
    renewed_ms: AtomicU64,
}

impl Line {
    /// Connections to the server of `connect`; none is open yet.
    pub(crate) fn new(connect: PgConnectOptions, max_connections: u32) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            pool: watch::Sender::new((0, pool(this.clone(), 0, &connect, max_connections))),
            connect,
            max_connections,
            began: Instant::now(),
            answered_ms: AtomicU64::new(0),
            troubled_ms: AtomicU64::new(0),
            renewed_ms: AtomicU64::new(0),
        })
    }

    /// The current pool.
    pub(crate) fn pool(&self) -> PgPool {
        self.pool.borrow().1.clone()
    }

    /// The number of pools before the current one.
    pub(crate) fn generation(&self) -> u64 {
        self.pool.borrow().0
    }

    /// Ends when the pool of `generation` has been replaced.
    pub(crate) async fn renewed(&self, generation: u64) {
        let mut pools = self.pool.subscribe();
        if pools.wait_for(|(current, _)| *current != generation).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Records that the server has answered.
    pub(crate) fn note_answer(&self) {
        self.answered_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Records that a connection was found dead: the others may be, too.
    fn note_trouble(&self) {
        self.troubled_ms.store(self.now_ms().max(1), Ordering::Relaxed);
    }

    /// True if a connection was found dead so short a time ago that those which answered before may be dead, too.
    fn is_troubled(&self) -> bool {
        let troubled_ms = self.troubled_ms.load(Ordering::Relaxed);
        let since_ms = self.now_ms().saturating_sub(troubled_ms);
        troubled_ms > 0 && u128::from(since_ms) <= 2 * FRESH.as_millis()
    }

    /// True if the server has not answered for [`SILENCE`].
    pub(crate) fn is_silent(&self) -> bool {
        let silent_ms = self.now_ms().saturating_sub(self.answered_ms.load(Ordering::Relaxed));
        u128::from(silent_ms) >= SILENCE.as_millis()
    }

    /// Replaces the pool of `generation`, unless it was replaced already, or a replacement was made just now.
    pub(crate) fn renew(&self, generation: u64, why: &str) {
        let mut old = None;
        self.pool.send_if_modified(|(current, pool_in_use)| {
            let (now, last) = (self.now_ms(), self.renewed_ms.load(Ordering::Relaxed));
            let is_too_soon =
                generation > 0 && u128::from(now.saturating_sub(last)) < RENEW_PAUSE.as_millis();
            if *current != generation || is_too_soon {
                return false;
            }
            self.renewed_ms.store(now, Ordering::Relaxed);
            *current += 1;
            let new = pool(self.this.clone(), *current, &self.connect, self.max_connections);
            old = Some(std::mem::replace(pool_in_use, new));
            true
        });
        let Some(old) = old else { return };
        warn!(why, "replacing all connections to the database");
        tokio::spawn(async move {
            tokio::time::sleep(OLD_POOL_TIME).await;
            // Connections still in use have deadlines of their own.
            let _ = timeout(CLOSE_TIME, old.close()).await;
        });
    }

    /// Connects outside the pool, to get the server's own error.
    pub(crate) async fn try_to_connect(&self) -> Result<(), sqlx::Error> {
        let connected = timeout(SIGN_OF_LIFE, PgConnection::connect_with(&self.connect)).await;
        connected.unwrap_or_else(|_| Err(too_late(SIGN_OF_LIFE)))?.close().await
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn pool(line: Weak<Line>, generation: u64, connect: &PgConnectOptions, max_connections: u32) -> PgPool {
    let returned_to = line.clone();
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Pinged below, with a deadline.
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let (line, is_fresh) = (line.clone(), meta.idle_for < FRESH);
            Box::pin(async move {
                if is_fresh && line.upgrade().is_some_and(|line| !line.is_troubled()) {
                    return Ok(true);
                }
                if let Ok(lives) = timeout(SIGN_OF_LIFE, connection.ping()).await {
                    return lives.map(|()| true);
                }
                if let Some(line) = line.upgrade() {
                    line.renew(generation, "a connection does not answer a ping");
                }
                Err(too_late(SIGN_OF_LIFE))
            })
        })
        // Ends any open transaction of a returned connection. sqlx 0.9.0 returns one with an open transaction when
        // `begin` is dropped midway, and the next borrower's writes would be lost with it. The BEGIN keeps the server
        // from logging a warning when no transaction is open. A connection that was returned after its deadline is
        // dropped here if the rest of the answer does not come either.
        .after_release(move |connection, _| {
            let line = returned_to.clone();
            Box::pin(async move {
                let rolled_back = timeout(SIGN_OF_LIFE, connection.execute("BEGIN; ROLLBACK")).await;
                let rolled_back = rolled_back.unwrap_or_else(|_| Err(too_late(SIGN_OF_LIFE)));
                if let (Err(_), Some(line)) = (&rolled_back, line.upgrade()) {
                    line.note_trouble();
                }
                rolled_back.map(|_| true)
            })
        })
        .connect_lazy_with(connect.clone())
}
