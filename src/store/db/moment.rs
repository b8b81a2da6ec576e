//! An answer that is made of several readings is of one moment: whatever is committed between two of them, a delivery
//! that counts three attempts is shown with three, and a reward that was reversed with its reversal.

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
    /// The same store, of which everything that is read from now on is of one moment. It keeps a connection until it
    /// is dropped, so that it is made for one answer and no longer; what is written with it is written outside. A moment of a moment is
    /// that moment.
    pub async fn at_one_moment(&self) -> Result<Self> {
        if self.moment.is_some() {
            return Ok(self.clone());
        }
        let store = self.clone();
        // Only the beginning must not be torn: what reads and is dropped takes its snapshot back.
        let begin = own_task(async move { store.within(READ, store.begin_reading()).await });
        Ok(Self { moment: Some(Moment(Arc::new(Mutex::new(begin.await?)))), ..self.clone() })
    }

    /// Begins a transaction in which everything that is read is of one moment. Only to be called inside [`own_task`].
    pub(crate) async fn begin_reading(&self) -> Result<Tx> {
        // dialect: SQLite's transactions are snapshots, those of Postgres only at this level.
        const POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(match &self.database {
            Database::Sqlite { readers, .. } => Tx::Sqlite(readers.begin_with("BEGIN").await?, Vec::new()),
            Database::Postgres(line) => Tx::Postgres(line.pool().begin_with(POSTGRES).await?, Vec::new()),
        })
    }
}
