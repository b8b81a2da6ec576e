//! SQLite: moves committed pages from the log to the file, on a connection of its own, so that no commit waits for it.
//!
//! By itself SQLite does this in the commit that makes the log longer than 1,000 pages. Beside a large database, where
//! users and transactions lie in random places, that is nearly every batch of a worker.
//!
//! A log begins anew only when all of it was moved and nobody writes. So the last and short move is made in a turn.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tracing::warn;

use crate::db::turns::Turns;
use crate::{Database, Result, Store};

/// Pages of the log after which a commit moves them, as SQLite does by itself: 64 MiB. Reached only in a process that does
/// not run [`Store::keep_log_short`], or while somebody reads for a long time.
pub(crate) const PAGES_AT_MOST: &str = "16384";
/// Pause between two moves: a page that is written again and again is moved once.
const PAUSE: Duration = Duration::from_millis(50);
/// A log of this many pages (16 MiB) is made to begin anew.
const LONG_PAGES: i64 = 4_096;
/// So few pages are moved within a few milliseconds.
const FEW_PAGES: i64 = 512;
/// How often a long log is moved before it is left to grow: its writers are faster, or somebody reads an old state.
const MOVES: usize = 4;
/// Pause after an error, or while somebody reads an old state.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What one move left.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
struct Log {
    /// True if another process was moving at the same time.
    busy: bool,
    /// Pages of the log.
    #[sqlx(rename = "log")]
    pages: i64,
    /// How many of them are in the file.
    #[sqlx(rename = "checkpointed")]
    moved: i64,
}

impl Log {
    fn left(self) -> i64 {
        self.pages - self.moved
    }
}

impl Store {
    /// SQLite: keeps the log short until `stopped`, for a process that runs long.
    pub async fn keep_log_short(&self, stopped: impl Future<Output = ()>) {
        let Database::Sqlite { turns, connect, .. } = &self.database else { return };
        let mut stopped = pin!(stopped);
        while let Err(error) = keep_short(connect, turns, stopped.as_mut()).await {
            warn!(%error, "the database's log cannot be moved now; commits do it when it is long");
            tokio::select! {
                () = &mut stopped => return,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }
}

async fn keep_short(
    connect: &SqliteConnectOptions,
    turns: &Arc<Turns>,
    mut stopped: Pin<&mut impl Future<Output = ()>>,
) -> Result<()> {
    let mut connection = connect.connect().await?;
    let mut pause = PAUSE;
    loop {
        let is_time = async {
            turns.written().await;
            tokio::time::sleep(pause).await;
        };
        tokio::select! {
            () = &mut stopped => return Ok(connection.close().await?),
            () = is_time => {}
        }
        let log = move_pages(&mut connection).await?;
        let is_long = log.pages >= LONG_PAGES && !log.busy;
        let is_stuck = is_long && !begin_anew(&mut connection, turns, log).await?;
        pause = if is_stuck { RETRY_PAUSE } else { PAUSE };
    }
}

/// Moves what is left of a long log; false if it cannot begin anew now.
async fn begin_anew(connection: &mut SqliteConnection, turns: &Arc<Turns>, mut log: Log) -> Result<bool> {
    for _ in 0..MOVES {
        if log.left() < FEW_PAGES {
            let turn = turns.take().await?;
            let log = move_pages(connection).await?;
            drop(turn);
            return Ok(log.left() == 0);
        }
        log = move_pages(connection).await?;
    }
    Ok(false)
}

async fn move_pages(connection: &mut SqliteConnection) -> Result<Log> {
    Ok(sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::OpenOptions;

    fn bytes(file: &Path) -> u64 {
        std::fs::metadata(file).map_or(0, |file| file.len())
    }

    #[tokio::test]
    async fn pages_reach_the_file_without_a_commit_that_moves_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("one.db");
        let url = format!("sqlite://{}", file.display());
        let options = OpenOptions { max_connections: 1, create: true };
        let store = Store::open(&url, options).await.expect("it opens");
        let fill = async || {
            let Database::Sqlite { writer, turns, .. } = &store.database else { panic!("it is SQLite") };
            for sql in ["CREATE TABLE IF NOT EXISTS kept (x)", "INSERT INTO kept VALUES (zeroblob(8000000))"]
            {
                let turn = turns.take().await.expect("a turn");
                sqlx::query(sql).execute(writer).await.expect("it is written");
                drop(turn);
            }
        };
        fill().await;
        assert!(bytes(&file) < 1_000_000, "a commit moved pages: {}", bytes(&file));
        let keeping = tokio::spawn({
            let store = store.clone();
            async move { store.keep_log_short(std::future::pending()).await }
        });
        let deadline = Instant::now() + Duration::from_mins(1);
        for fills in 2..=13 {
            fill().await;
            while bytes(&file) < fills * 8_000_000 {
                assert!(Instant::now() < deadline, "the pages of {fills} fills stay in the log");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        // It began anew several times instead of growing.
        let log = bytes(&folder.path().join("one.db-wal"));
        assert!(log < 60_000_000, "{log} bytes of 104,000,000 are still in the log");
        keeping.abort();
        store.close().await;
    }
}
