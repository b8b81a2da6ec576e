//! The schema: `migrations/sqlite` and `migrations/postgres`, with the same numbers, names, tables and columns.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::Migrator;

use crate::{Database, Error, Result, Store};

static SQLITE: LazyLock<Migrator> = LazyLock::new(|| forward(sqlx::migrate!("../../migrations/sqlite")));
static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| forward(sqlx::migrate!("../../migrations/postgres")));

/// A newer schema is accepted: while a newer version is rolled out or back, processes of this version start on it too.
fn forward(mut migrations: Migrator) -> Migrator {
    migrations.set_ignore_missing(true);
    migrations
}

/// Retries of a migration on SQLite while another process migrates.
const SQLITE_TRIES: u32 = 20;
const SQLITE_PAUSE: Duration = Duration::from_millis(250);

impl Store {
    /// Brings the schema up to date. Any number of processes may migrate at once.
    pub async fn migrate(&self) -> Result<()> {
        let store = self.clone();
        crate::db::tx::own_task(async move {
            match &store.database {
                // Postgres: the migrator holds an advisory lock.
                Database::Postgres(line) => {
                    POSTGRES.run(&line.pool()).await?;
                    store.migrate_queue().await?;
                    Ok(())
                }
                // SQLite has no such lock: the process that loses the race finds an existing table, and retries.
                Database::Sqlite { writer, .. } => {
                    let mut tries = 0;
                    loop {
                        let migrated = async {
                            SQLITE.run(writer).await?;
                            store.migrate_queue().await
                        };
                        match migrated.await {
                            Ok(()) => return Ok(()),
                            Err(error) if tries >= SQLITE_TRIES => return Err(error.into()),
                            Err(_) => tries += 1,
                        }
                        tokio::time::sleep(SQLITE_PAUSE).await;
                    }
                }
            }
        })
        .await
    }

    /// Fails unless the schema is up to date; changes nothing.
    pub async fn assert_migrated(&self) -> Result<()> {
        let newest = SQLITE.iter().map(|migration| migration.version).max().unwrap_or(0);
        let found: std::result::Result<i64, _> = crate::read!(self, pool => sqlx::query_scalar(
            "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM _sqlx_migrations WHERE success"
        ).fetch_one(pool).await);
        match found {
            Ok(found) if found >= newest => Ok(()),
            Ok(found) => Err(Error::Unfit(format!(
                "the schema is at version {found}, but version {newest} is needed: run `rewardgate migrate`"
            ))),
            Err(error) => {
                match error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
                    // dialect: "no such table" is a plain error on SQLite, undefined_table on Postgres
                    Some("1" | "42P01") => {
                        Err(Error::Unfit("the database has no schema yet: run `rewardgate migrate`".into()))
                    }
                    _ => Err(error.into()),
                }
            }
        }
    }
}
