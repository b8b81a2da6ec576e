//! One transaction in one task.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use sqlx::{FromRow, Postgres, Sqlite, Transaction};

use crate::access::audit::{Noted, chain};
use crate::db::deadline::WRITE;
use crate::db::rows::{GivenRow, arrays, values};
use crate::db::sql::Statement;
use crate::{Database, Error, Result, Store};

/// An open transaction, with the lines that it leaves in the audit. Dropped without [`Tx::end`], it is rolled back.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>, Vec<Noted>),
    Postgres(Transaction<'static, Postgres>, Vec<Noted>),
}

/// Runs `work` to its end even if the caller is dropped. Every method that writes goes through here: a transaction
/// that is torn out of its future can come back to the pool half begun, and swallow the next write.
pub(crate) fn own_task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> impl Future<Output = Result<T>> + Send {
    // Begun at once, so that the caller carries nothing of it.
    let task = tokio::spawn(work);
    async move { task.await.unwrap_or_else(|fault| Err(Error::Aborted(fault.to_string()))) }
}

/// What is done in a transaction. Boxed, because only a box may borrow the transaction for as long as it needs.
pub(crate) type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 't>>;

impl Store {
    /// Does `work` in one transaction and in a task of its own; it is durable if that went well, and else as if it
    /// had never been.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        self.write_within(WRITE, work).await
    }

    /// The same, with a deadline of its own.
    pub(crate) async fn write_within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        own_task(async move {
            let done = async {
                let mut tx = store.begin().await?;
                let done = work(&mut tx).await;
                tx.end(done).await
            };
            let done = store.within(limit, done).await;
            store.commits.note(&done);
            done
        })
        .await
    }

    /// The same, and then wakes whoever tells apps, also if the caller is gone by then.
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

    /// Begins a transaction that will write. Only to be called inside [`own_task`].
    pub(crate) async fn begin(&self) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that the ban points to")]
        Ok(match &self.database {
            // dialect: SQLite takes the write lock at once; a later upgrade would fail without waiting
            Database::Sqlite { writer, .. } => {
                Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?, Vec::new())
            }
            Database::Postgres(line) => Tx::Postgres(line.pool().begin().await?, Vec::new()),
        })
    }
}

/// Runs one body on the connection of a transaction, with the statement's text in its dialect.
macro_rules! with_statement {
    ($tx:expr, $statement:expr, |$sql:ident, $connection:ident| $body:expr) => {
        match $tx {
            $crate::db::tx::Tx::Sqlite(tx, _) => {
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

/// A row that both databases can give.
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
    /// Runs `statement` on `rows` (its `{given}`) and answers with how many rows it touched.
    pub(crate) async fn execute(&mut self, statement: &Statement, rows: &[impl GivenRow]) -> Result<u64> {
        match self {
            Self::Sqlite(tx, _) => {
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

    /// Runs `statement` on `rows` (its `{given}`) and answers with the rows it returns.
    pub(crate) async fn fetch<T: Row>(
        &mut self,
        statement: &Statement,
        rows: &[impl GivenRow],
    ) -> Result<Vec<T>> {
        match self {
            Self::Sqlite(tx, _) => {
                let (sql, arguments) = values(&statement.given, rows)?;
                Ok(sqlx::query_as_with(sql, arguments).fetch_all(&mut **tx).await?)
            }
            Self::Postgres(tx, _) => {
                let arguments = arrays(&statement.given, rows)?;
                Ok(sqlx::query_as_with(statement.postgres, arguments).fetch_all(&mut **tx).await?)
            }
        }
    }

    /// The lines that it leaves in the audit.
    pub(crate) fn noted(&mut self) -> &mut Vec<Noted> {
        let (Self::Sqlite(_, noted) | Self::Postgres(_, noted)) = self;
        noted
    }

    /// Makes it durable if `work` went well; else takes it back, and answers only when every lock is let go of. Its lines
    /// are added to the audit here and all at once, because the end of the audit is one row that every act locks: the
    /// last lock of all, held for no longer than the commit takes.
    pub(crate) async fn end<T>(mut self, work: Result<T>) -> Result<T> {
        let work = match work {
            Ok(done) => chain::add(&mut self).await.map(|()| done),
            failed => failed,
        };
        match (self, work) {
            (Self::Sqlite(tx, _), Ok(done)) => tx.commit().await.map(|()| done).map_err(Error::from),
            (Self::Postgres(tx, _), Ok(done)) => tx.commit().await.map(|()| done).map_err(Error::from),
            (tx, Err(error)) => {
                let taken_back = match tx {
                    Self::Sqlite(tx, _) => tx.rollback().await,
                    Self::Postgres(tx, _) => tx.rollback().await,
                };
                // A connection that is gone has let go of everything, too.
                drop(taken_back);
                Err(error)
            }
        }
    }
}

/// `Ok` if a guarded statement touched exactly the rows it was meant for.
pub(crate) fn guard(what: &str, touched: u64, meant: usize) -> Result<()> {
    if usize::try_from(touched) == Ok(meant) {
        Ok(())
    } else {
        Err(Error::Contended(format!("{what}: {touched} of {meant} rows were still as loaded")))
    }
}
