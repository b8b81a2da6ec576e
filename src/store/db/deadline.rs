//! Nothing waits for ever: every use of the database has a deadline. Whoever misses it loses the connection, and the
//! caller is told to try again.
//!
//! A commit that missed its deadline may have become durable all the same. Whoever commits must live with that: a
//! postback is answered with 503 and comes again as a repeat, a batch is claimed again, a job is begun again.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::{Database, Error, Result, Store};

/// Recording what networks wait for.
pub(crate) const RECORD: Duration = Duration::from_secs(8);
/// Whatever somebody waits for who reads.
pub(crate) const READ: Duration = Duration::from_secs(12);
/// Settling a batch; one that takes longer is taken in smaller pieces.
pub(crate) const PROCESS: Duration = Duration::from_secs(12);
/// Everything else that writes.
pub(crate) const WRITE: Duration = Duration::from_secs(30);
/// What reads all books, or works through a file. It ends, too, as soon as the line is found dark.
pub(crate) const LONG: Duration = Duration::from_mins(30);

/// The error of a use that missed its deadline.
pub(crate) fn too_late(limit: Duration) -> sqlx::Error {
    let what = format!("no answer within {} s", limit.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, what))
}

/// An error of a use: the database's own, sorted or not.
pub(crate) trait Fault: From<sqlx::Error> {
    /// The database's own.
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
    /// Gives `work` until `limit`. Everything that is done with the database goes through here.
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
                // A session keeps what it was begun with, also when the server takes writes again.
                line.renew(generation, "the database takes no writes");
                line.note_answer();
            }
            _ => line.note_answer(),
        }
        done
    }

    /// Ends when the connections to the database were replaced by new ones: whoever keeps one of their own must take
    /// another. Never on SQLite.
    pub async fn connections_renewed(&self) {
        match &self.database {
            Database::Postgres(line) => line.renewed(line.generation()).await,
            Database::Sqlite { .. } => std::future::pending().await,
        }
    }
}

/// `read_only_sql_transaction`: the session or the server takes no writes.
fn is_read_only(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "25006")
}

/// Whether what is written can be committed at present.
#[derive(Debug)]
pub(crate) struct Commits(watch::Sender<Option<Failing>>);

/// Since when nothing can be committed, and why.
#[derive(Clone, Copy, Debug)]
pub struct Failing {
    /// When the first write failed after the last one that did not.
    pub since: Instant,
    /// The latest reason, half a sentence.
    pub reason: &'static str,
}

impl Default for Commits {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Commits {
    /// Notes how a write ended. A write that the database understood and refused says nothing about others.
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
    /// Since when and why nothing could be written, if the last write failed.
    pub fn failing(&self) -> Option<Failing> {
        *self.commits.0.borrow()
    }

    /// Fails unless the database takes writes at present, as far as it can be asked without writing.
    pub async fn assert_writable(&self) -> Result<()> {
        let Database::Postgres(line) = &self.database else { return Ok(()) };
        let generation = line.generation();
        let asked = async { sqlx::query_scalar("SHOW transaction_read_only").fetch_one(&line.pool()).await };
        let read_only: String = self.within(READ, asked).await?;
        if read_only == "on" {
            line.renew(generation, "the database takes no writes");
            return Err(Error::Unfit("postgres is read-only: nothing can be recorded".into()));
        }
        Ok(())
    }

    /// Why the database cannot be used, half a sentence, asked of it past all that waits for it.
    pub async fn why_not(&self) -> &'static str {
        match &self.database {
            Database::Postgres(line) => match line.try_to_connect().await {
                Ok(()) => "its connections are all in use",
                Err(error) => Error::from(error).reason(),
            },
            Database::Sqlite { .. } => "it is locked, or its disk is slow",
        }
    }
}
