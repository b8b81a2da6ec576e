//! One transaction in one task.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use sqlx::{FromRow, Postgres, Sqlite, Transaction};

use crate::access::audit::{Noted, chain};
use crate::db::deadline::WRITE;
use crate::db::rows::{GivenRow, arrays, values};
use crate::db::sql::Statement;
use crate::db::turns::Turn;
use crate::{Database, Error, Result, Store};

/// Postgres: a few hundred keys are looked up in an index, one by one. Left to itself, the planner reads the whole table
/// instead as long as it thinks that cheaper: up to about a hundred thousand users, for every batch. One round trip, as
/// `BEGIN` alone.
macro_rules! begin_batch {
    () => {
        "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
         SET LOCAL enable_bitmapscan = off"
    };
}

/// With statistics of a time when nothing waited, the planner would read and sort all postbacks that wait now, to claim the
/// first few hundred. Only the claim, which comes first, must not sort: to spare the sort of a few hundred users, the planner
/// would walk all of them. So the claim allows sorting again (`{then_sorts}`).
const BEGIN_CLAIM: &str = concat!(begin_batch!(), "; SET LOCAL enable_sort = off");

/// An open transaction with its audit lines. Dropped without [`Tx::end`], it is rolled back.
pub(crate) enum Tx {
    /// With the turn to write, which ends after the transaction.
    Sqlite(Transaction<'static, Sqlite>, Vec<Noted>, Option<Turn>),
    Postgres(Transaction<'static, Postgres>, Vec<Noted>),
}

/// Runs `work` to its end even if the caller is dropped. Every writing method goes through here: a connection whose
/// future is dropped midway can return to the pool with an open transaction, and lose the next write.
pub(crate) fn own_task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> impl Future<Output = Result<T>> + Send {
    // Spawned at once, so that the caller's future stays small.
    let task = tokio::spawn(work);
    async move { task.await.unwrap_or_else(|fault| Err(Error::Aborted(fault.to_string()))) }
}

/// The work of a transaction. Boxed, because only a boxed future can borrow the transaction for the right lifetime.
pub(crate) type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 't>>;

impl Store {
    /// Runs `work` in one transaction in a task of its own: commits on `Ok`, rolls back on an error.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        self.write_within(WRITE, work).await
    }

    /// Like [`Store::write`], with the deadline `limit`.
    pub(crate) async fn write_within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        own_task(async move {
            let done = async {
                let turn = store.turn().await?;
                store.write_once(turn, work).await
            };
            let done = store.within(limit, done).await;
            store.commits.note(&done);
            done
        })
        .await
    }

    /// Like [`Store::write_within`], in a turn that has come.
    pub(crate) async fn write_in<T: Send + 'static>(
        &self,
        turn: Option<Turn>,
        limit: Duration,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        own_task(async move {
            let done = store.within(limit, store.write_once(turn, work)).await;
            store.commits.note(&done);
            done
        })
        .await
    }

    /// Runs `statement` with `rows` as its `{given}` in a transaction of its own: the database begins and commits it by
    /// itself, which saves two round trips.
    pub(crate) async fn execute_alone(
        &self,
        turn: Option<Turn>,
        limit: Duration,
        statement: &Statement,
        rows: &[impl GivenRow],
    ) -> Result<()> {
        let store = self.clone();
        let (sqlite, postgres) = match &self.database {
            Database::Sqlite { .. } => (Some(values(&statement.given, rows)), None),
            Database::Postgres(_) => (None, Some(arrays(&statement.given, rows))),
        };
        let text = statement.postgres;
        own_task(async move {
            let done = store.within(limit, async {
                match (&store.database, sqlite, postgres) {
                    (Database::Sqlite { writer, .. }, Some(values), _) => {
                        let (sql, arguments) = values?;
                        sqlx::query_with(sql, arguments).execute(writer).await?;
                    }
                    (Database::Postgres(line), _, Some(arrays)) => {
                        sqlx::query_with(text, arrays?).execute(&line.pool()).await?;
                    }
                    _ => return Err(Error::Aborted("rows of another database".into())),
                }
                Ok(())
            });
            let done = done.await;
            drop(turn);
            store.commits.note(&done);
            done
        })
        .await
    }

    async fn write_once<T>(
        &self,
        turn: Option<Turn>,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send,
    ) -> Result<T> {
        let mut tx = self.begin_in(turn).await?;
        let done = work(&mut tx).await;
        tx.end(done).await
    }

    /// Like [`Store::write`], then wakes the delivery workers, even if the caller was dropped.
    pub(crate) async fn write_and_wake<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        own_task(async move {
            let done = store.write(work).await?;
            store.wake_all_forwarders().await;
            Ok(done)
        })
        .await
    }

    /// Waits until it may write; `None` on Postgres, where several write at once.
    pub(crate) async fn turn(&self) -> Result<Option<Turn>> {
        match &self.database {
            Database::Sqlite { turns, .. } => turns.take().await.map(Some),
            Database::Postgres(_) => Ok(None),
        }
    }

    /// Begins a transaction that will write. Only to be called inside [`own_task`].
    pub(crate) async fn begin(&self) -> Result<Tx> {
        let turn = self.turn().await?;
        self.begin_in(turn).await
    }

    /// Like [`Store::begin`], for a batch whose statements all look rows up by their keys; `claims` if its first statement
    /// claims postbacks.
    pub(crate) async fn begin_batch(&self, claims: bool) -> Result<Tx> {
        let Database::Postgres(line) = &self.database else { return self.begin().await };
        let begin = if claims { BEGIN_CLAIM } else { begin_batch!() };
        Ok(Tx::Postgres(line.pool().begin_with(begin).await?, Vec::new()))
    }

    async fn begin_in(&self, turn: Option<Turn>) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that the ban points to")]
        Ok(match &self.database {
            // dialect: SQLite gets the write lock at once; a later upgrade would fail without waiting
            Database::Sqlite { writer, .. } => {
                Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?, Vec::new(), turn)
            }
            Database::Postgres(line) => Tx::Postgres(line.pool().begin().await?, Vec::new()),
        })
    }
}

/// Runs one body on the connection of a transaction, with the statement's text for its dialect.
macro_rules! with_statement {
    ($tx:expr, $statement:expr, |$sql:ident, $connection:ident| $body:expr) => {
        match $tx {
            $crate::db::tx::Tx::Sqlite(tx, ..) => {
                let ($sql, $connection) = ($statement.sqlite, &mut **tx);
                $body
            }
            $crate::db::tx::Tx::Postgres(tx, _) => {
                let ($sql, $connection) = ($statement.postgres, &mut **tx);
                $body
            }
        }
    };
}
pub(crate) use with_statement;

/// A row that can be read from both databases.
pub(crate) trait Row:
    for<'r> FromRow<'r, sqlx::sqlite::SqliteRow> + for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, sqlx::sqlite::SqliteRow>
        + for<'r> FromRow<'r, sqlx::postgres::PgRow>
        + Send
        + Unpin
{
}

impl Tx {
    /// SQLite: true if another writer waits for this transaction to end.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self, Self::Sqlite(.., Some(turn)) if turn.is_awaited())
    }

    /// Runs `statement` with `rows` as its `{given}`, and returns the number of affected rows.
    pub(crate) async fn execute(&mut self, statement: &Statement, rows: &[impl GivenRow]) -> Result<u64> {
        match self {
            Self::Sqlite(tx, ..) => {
                let (sql, arguments) = values(&statement.given, rows)?;
                let touched = sqlx::query_with(sql, arguments).execute(&mut **tx).await?;
                Ok(touched.rows_affected())
            }
            Self::Postgres(tx, _) => {
                let arguments = arrays(&statement.given, rows)?;
                let touched = sqlx::query_with(statement.postgres, arguments).execute(&mut **tx).await?;
                Ok(touched.rows_affected())
            }
        }
    }

    /// Runs `statement` with `rows` as its `{given}`, and returns its result rows.
    pub(crate) async fn fetch<T: Row>(
        &mut self,
        statement: &Statement,
        rows: &[impl GivenRow],
    ) -> Result<Vec<T>> {
        match self {
            Self::Sqlite(tx, ..) => {
                let (sql, arguments) = values(&statement.given, rows)?;
                Ok(sqlx::query_as_with(sql, arguments).fetch_all(&mut **tx).await?)
            }
            Self::Postgres(tx, _) => {
                let arguments = arrays(&statement.given, rows)?;
                Ok(sqlx::query_as_with(statement.postgres, arguments).fetch_all(&mut **tx).await?)
            }
        }
    }

    /// The audit lines to add before the commit.
    pub(crate) fn noted(&mut self) -> &mut Vec<Noted> {
        let (Self::Sqlite(_, noted, _) | Self::Postgres(_, noted)) = self;
        noted
    }

    /// Commits if `work` is `Ok`; otherwise rolls back, and returns after all locks are released. The audit lines are
    /// added here, all at once: every audited act locks the head of the audit, so it is the last lock, held only during
    /// the commit.
    pub(crate) async fn end<T>(mut self, work: Result<T>) -> Result<T> {
        let work = match work {
            Ok(done) => chain::add(&mut self).await.map(|()| done),
            failed => failed,
        };
        match (self, work) {
            (Self::Sqlite(tx, ..), Ok(done)) => tx.commit().await.map(|()| done).map_err(Error::from),
            (Self::Postgres(tx, _), Ok(done)) => tx.commit().await.map(|()| done).map_err(Error::from),
            (tx, Err(error)) => {
                let rolled_back = match tx {
                    Self::Sqlite(tx, ..) => tx.rollback().await,
                    Self::Postgres(tx, _) => tx.rollback().await,
                };
                // A lost connection has released its locks too.
                drop(rolled_back);
                Err(error)
            }
        }
    }
}

/// `Ok` if a guarded statement affected exactly the expected number of rows.
pub(crate) fn guard(what: &str, affected: u64, expected: usize) -> Result<()> {
    if usize::try_from(affected) == Ok(expected) {
        Ok(())
    } else {
        Err(Error::Contended(format!(
            "{what}: only {affected} of {expected} rows were unchanged since loading"
        )))
    }
}
