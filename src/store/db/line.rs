//! The line to a Postgres server, which can go dark: no answer comes any more, and nobody says so.
//!
//! sqlx 0.9 sets neither a TCP keepalive nor a user time-out, and its pool waits without an end for a connection that
//! is given back in the middle of an answer. So every use has a deadline ([`crate::db::deadline`]), every connection is
//! asked for a sign of life before it is used, and once one of them is found dark **all of them are replaced**: a new
//! pool takes the place of the old one, which is closed when those that still use it have had their time.

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

/// How long a connection that nobody uses may take to show that it lives.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// When nothing at all was answered for so long, a deadline that is missed means that the line is dark, and not that
/// one statement is slow.
const SILENCE: Duration = Duration::from_secs(4);
/// The least time between two renewals: while the server takes no writes, every write asks for one.
const RENEW_PAUSE: Duration = Duration::from_millis(500);
/// How long those that still use an old pool have before it is closed.
const OLD_POOL_TIME: Duration = ACQUIRE_TIMEOUT;
/// How long closing it may take. What is dark ends when the system gives its sockets up.
const CLOSE_TIME: Duration = Duration::from_mins(1);

/// The connections of this process to a Postgres server.
#[derive(Debug)]
pub(crate) struct Line {
    this: Weak<Self>,
    connect: PgConnectOptions,
    max_connections: u32,
    /// The pool in use, and how many were in use before it.
    pool: watch::Sender<(u64, PgPool)>,
    began: Instant,
    /// When the server last answered anything, in milliseconds since the line was made.
    answered_ms: AtomicU64,
    /// When the pool was last replaced, likewise.
    renewed_ms: AtomicU64,
}

impl Line {
    /// A line to the server of `connect`; nothing is connected yet.
    pub(crate) fn new(connect: PgConnectOptions, max_connections: u32) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            pool: watch::Sender::new((0, pool(this.clone(), 0, &connect, max_connections))),
            connect,
            max_connections,
            began: Instant::now(),
            answered_ms: AtomicU64::new(0),
            renewed_ms: AtomicU64::new(0),
        })
    }

    /// The pool in use.
    pub(crate) fn pool(&self) -> PgPool {
        self.pool.borrow().1.clone()
    }

    /// How many pools were in use before this one.
    pub(crate) fn generation(&self) -> u64 {
        self.pool.borrow().0
    }

    /// Ends when the pool of `generation` is not in use any more.
    pub(crate) async fn renewed(&self, generation: u64) {
        let mut pools = self.pool.subscribe();
        if pools.wait_for(|(current, _)| *current != generation).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Notes that the server has answered.
    pub(crate) fn note_answer(&self) {
        self.answered_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// True if nothing was answered for some time.
    pub(crate) fn is_silent(&self) -> bool {
        let silent_ms = self.now_ms().saturating_sub(self.answered_ms.load(Ordering::Relaxed));
        u128::from(silent_ms) >= SILENCE.as_millis()
    }

    /// Replaces the pool of `generation` by a new one, unless somebody else did, or did so just now.
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
        warn!(why, "all connections to the database are renewed");
        tokio::spawn(async move {
            tokio::time::sleep(OLD_POOL_TIME).await;
            // Whatever is still in use then has a deadline of its own.
            let _ = timeout(CLOSE_TIME, old.close()).await;
        });
    }

    /// Connects past the pool, for the server's own words about why that is not possible.
    pub(crate) async fn try_to_connect(&self) -> Result<(), sqlx::Error> {
        let connected = timeout(SIGN_OF_LIFE, PgConnection::connect_with(&self.connect)).await;
        connected.unwrap_or_else(|_| Err(too_late(SIGN_OF_LIFE)))?.close().await
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn pool(line: Weak<Line>, generation: u64, connect: &PgConnectOptions, max_connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Asked below, where an answer that does not come has an end.
        .test_before_acquire(false)
        .before_acquire(move |connection, _| {
            let line = line.clone();
            Box::pin(async move {
                if let Ok(lives) = timeout(SIGN_OF_LIFE, connection.ping()).await {
                    return lives.map(|()| true);
                }
                if let Some(line) = line.upgrade() {
                    line.renew(generation, "a connection gives no sign of life");
                }
                Err(too_late(SIGN_OF_LIFE))
            })
        })
        // A connection that comes back is put out of any transaction. sqlx 0.9.0 returns one with an open
        // transaction when `begin` is dropped in mid-flight, and the next borrower's writes would vanish with it.
        // The BEGIN in front keeps the server from logging a warning where there was none. A connection that is given
        // back because its deadline is over is thrown away here, if the rest of the answer does not come either.
        .after_release(|connection, _| {
            Box::pin(async move {
                let put_out = timeout(SIGN_OF_LIFE, connection.execute("BEGIN; ROLLBACK")).await;
                put_out.unwrap_or_else(|_| Err(too_late(SIGN_OF_LIFE))).map(|_| true)
            })
        })
        .connect_lazy_with(connect.clone())
}
