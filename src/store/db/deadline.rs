//! Every use of the database has a deadline. Work that misses it loses its connection, and the caller gets a transient
//! error.
//!
//! A commit that missed its deadline may still have become durable. Every writer can handle that: a postback is answered
//! with 503 and comes again as a repeat, a batch is claimed again, a job is started again.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::{Database, Error, Result, Store};

/// For recording postbacks, while the network waits for the answer.
pub(crate) const RECORD: Duration = Duration::from_secs(8);
/// For reads.
pub(crate) const READ: Duration = Duration::from_secs(12);
/// For processing a batch; after a miss it is retried in smaller batches.
pub(crate) const PROCESS: Duration = Duration::from_secs(12);
/// For all other writes.
pub(crate) const WRITE: Duration = Duration::from_secs(30);
/// For the ledger proof and imports of files. They also end as soon as the connections are replaced.
pub(crate) const LONG: Duration = Duration::from_mins(30);

/// The error after a missed deadline.
pub(crate) fn too_late(limit: Duration) -> sqlx::Error {
    let what = format!("no answer within {} s", limit.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, what))
}

/// An error of sqlx, or the store's own error around it.
pub(crate) trait Fault: From<sqlx::Error> {
    /// The error of sqlx, if it is one.
    fn of_database(&self) -> Option<&sqlx::Error>;
}

impl Fault for sqlx::Error {
    fn of_database(&self) -> Option<&sqlx::Error> {
        Some(self)
    }
}

impl Fault for Error {
    fn of_database(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Unavailable(error) | Self::Broken(error) | Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl Store {
    /// Runs `work` until `limit`. Every use of the database goes through here.
    pub(crate) async fn within<T, E: Fault>(
        &self,
        limit: Duration,
        work: impl Future<Output = std::result::Result<T, E>>,
    ) -> std::result::Result<T, E> {
        let Database::Postgres(line) = &self.database else {
            return timeout(limit, work).await.unwrap_or_else(|_| Err(too_late(limit).into()));
        };
        let generation = line.generation();
        let is_lost = async {
            if limit < LONG {
                std::future::pending::<()>().await;
            }
            line.renewed(generation).await;
        };
        let done = tokio::select! {
            done = timeout(limit, work) => done.unwrap_or_else(|_| Err(too_late(limit).into())),
            () = is_lost => Err(too_late(crate::db::line::SIGN_OF_LIFE).into()),
        };
        match done.as_ref().err().and_then(Fault::of_database) {
            Some(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) if line.is_silent() => {
                line.renew(generation, "the database does not answer");
            }
            Some(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => {}
            Some(error) if is_read_only(error) => {
                // A session stays read-only even after the server accepts writes again.
                line.renew(generation, "the database is read-only");
                line.note_answer();
            }
            _ => line.note_answer(),
        }
        done
    }

    /// Ends when the connections to the database were replaced: a caller that holds one must take another. Never ends on
    /// SQLite.
    pub async fn connections_renewed(&self) {
        match &self.database {
            Database::Postgres(line) => line.renewed(line.generation()).await,
            Database::Sqlite { .. } => std::future::pending().await,
        }
    }
}

/// `read_only_sql_transaction`: the session or the server is read-only.
fn is_read_only(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "25006")
}

/// Whether writes currently succeed.
#[derive(Debug)]
pub(crate) struct Commits(watch::Sender<Option<Failing>>);

/// Writes have been failing.
#[derive(Clone, Copy, Debug)]
pub struct Failing {
    /// The first failure after the last successful write.
    pub since: Instant,
    /// Reason of the latest failure, as in [`Error::reason`].
    pub reason: &'static str,
}

impl Default for Commits {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Commits {
    /// Records the result of a write. One that the database refused because of its data says nothing about others.
    pub(crate) fn note<T>(&self, done: &Result<T>) {
        let reason = match done {
            Err(error @ (Error::Unavailable(_) | Error::Broken(_))) => Some(error.reason()),
            Ok(_) => None,
            Err(_) => return,
        };
        self.0.send_if_modified(|failing| {
            let is_news = failing.map(|failing| failing.reason) != reason;
            let since = failing.map_or_else(Instant::now, |failing| failing.since);
            *failing = reason.map(|reason| Failing { since, reason });
            is_news
        });
    }
}

impl Store {
    /// Set if the last write failed.
    pub fn failing(&self) -> Option<Failing> {
        *self.commits.0.borrow()
    }

    /// Fails if the database is read-only, as far as it can be checked without writing. Always succeeds on SQLite.
    pub async fn assert_writable(&self) -> Result<()> {
        let Database::Postgres(line) = &self.database else { return Ok(()) };
        let generation = line.generation();
        let asked = async { sqlx::query_scalar("SHOW transaction_read_only").fetch_one(&line.pool()).await };
        let read_only: String = self.within(READ, asked).await?;
        if read_only == "on" {
            line.renew(generation, "the database is read-only");
            return Err(Error::Unfit(
                "Postgres is read-only, so no postbacks can be recorded; connect to the primary server"
                    .into(),
            ));
        }
        Ok(())
    }

    /// Why the database cannot be used, as in [`Error::reason`]; checked on a new connection outside the pool.
    pub async fn why_not(&self) -> &'static str {
        match &self.database {
            Database::Postgres(line) => match line.try_to_connect().await {
                Ok(()) => "all connections are in use",
                Err(error) => Error::from(error).reason(),
            },
            Database::Sqlite { .. } => "it is locked, or its disk is slow",
        }
    }
}
