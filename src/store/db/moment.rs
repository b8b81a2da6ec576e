//! Several reads on one snapshot: whatever is committed between them, a delivery that counts three attempts is shown with
//! three, and a reversed reward with its reversal.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::db::deadline::READ;
use crate::db::tx::{Tx, own_task};
use crate::{Database, Result, Store};

/// One snapshot of the database, on a connection of its own.
#[derive(Clone)]
pub(crate) struct Moment(Arc<Mutex<Tx>>);

impl Moment {
    pub(crate) async fn lock(&self) -> MutexGuard<'_, Tx> {
        self.0.lock().await
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Moment")
    }
}

impl Store {
    /// The same store, reading from one snapshot. It holds a connection until it is dropped, so make it for one answer
    /// only. Writes are not part of the snapshot. On a store that already has a snapshot, this returns the same one.
    pub async fn at_one_moment(&self) -> Result<Self> {
        if self.moment.is_some() {
            return Ok(self.clone());
        }
        let store = self.clone();
        // Only the begin must not be interrupted: a dropped read rolls its snapshot back.
        let begin = own_task(async move { store.within(READ, store.begin_reading()).await });
        Ok(Self { moment: Some(Moment(Arc::new(Mutex::new(begin.await?)))), ..self.clone() })
    }

    /// Begins a transaction that reads from one snapshot. Only to be called inside [`own_task`].
    pub(crate) async fn begin_reading(&self) -> Result<Tx> {
        // dialect: SQLite transactions are snapshots; Postgres needs this isolation level
        const POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(match &self.database {
            Database::Sqlite { readers, .. } => {
                Tx::Sqlite(readers.begin_with("BEGIN").await?, Vec::new(), None)
            }
            Database::Postgres(line) => Tx::Postgres(line.pool().begin_with(POSTGRES).await?, Vec::new()),
        })
    }
}
