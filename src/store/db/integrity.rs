//! Checks for damage below the tables; `verify` runs them on a copy before the ledger proof.

use domain::time::TimestampMs;

use crate::db::deadline::LONG;
use crate::{Database, Error, Result, Store, read};

/// Limit of listed faults.
const MAX_FAULTS: usize = 100;

/// The newest postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The highest id.
    pub postback_id: i64,
    /// The time of that call.
    pub received_at: TimestampMs,
}

impl Store {
    /// Damage, one sentence each: pages and indexes on SQLite; on Postgres the page checksum failures found so far, and
    /// tables that cannot be read completely. Reads everything.
    pub async fn integrity(&self) -> Result<Vec<String>> {
        let store = self.clone();
        let found =
            crate::db::tx::own_task(async move { store.within(LONG, store.look_for_damage()).await }).await;
        match found {
            Err(error) if error.is_broken() => Ok(vec![format!("the file is damaged: {error}")]),
            found => found,
        }
    }

    async fn look_for_damage(&self) -> Result<Vec<String>> {
        match &self.database {
            // dialect: each has its own checks
            Database::Sqlite { readers, .. } => {
                let lines: Vec<String> =
                    sqlx::query_scalar(CHECK_FILE).fetch_all(readers).await.map_err(Error::from)?;
                let faults = lines.into_iter().filter(|line| line != "ok");
                Ok(faults.take(MAX_FAULTS).map(|fault| format!("the file is damaged: {fault}")).collect())
            }
            Database::Postgres(line) => {
                let pool = line.pool();
                let failures: i64 = sqlx::query_scalar(CHECKSUM_FAILURES).fetch_one(&pool).await?;
                let mut faults = Vec::new();
                if failures > 0 {
                    faults.push(format!("the server has found {failures} damaged pages; see its log"));
                }
                for (table, sql) in READ_ALL {
                    if let Err(error) = sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await {
                        faults.push(format!("the table {table} cannot be read: {error}"));
                    }
                }
                Ok(faults)
            }
        }
    }

    /// The newest postback; `None` if there is none.
    pub async fn reach(&self) -> Result<Option<Reach>> {
        let last: Option<(i64, i64)> = read!(self, pool => sqlx::query_as(
            "SELECT id, received_at FROM postbacks ORDER BY id DESC LIMIT 1"
        ).fetch_optional(pool).await)?;
        Ok(last.map(|(postback_id, at)| Reach { postback_id, received_at: TimestampMs(at) }))
    }
}

const CHECK_FILE: &str = "PRAGMA integrity_check(100)";

const CHECKSUM_FAILURES: &str =
    "SELECT CAST(COALESCE(MAX(checksum_failures), 0) AS BIGINT) FROM pg_stat_database
                                 WHERE datname = current_database()";

/// Reads every row completely, including values stored out of line.
macro_rules! read_all {
    ($($table:literal),+ $(,)?) => {
        [$(($table, concat!("SELECT CAST(COALESCE(SUM(LENGTH(CAST(each AS TEXT))), 0) AS BIGINT) FROM ", $table,
                            " AS each"))),+]
    };
}

const READ_ALL: [(&str, &str); 8] =
    read_all!["postbacks", "rewards", "verdicts", "steps", "accounts", "transfers", "deliveries", "reports"];
