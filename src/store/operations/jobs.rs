//! Scheduled and requested jobs: rows in apalis's own storage, pushed inside our own transactions.
//!
//! apalis 1.0 alone is not safe enough, so this module works around it (each point was reproduced):
//!
//! - its SQLite `setup` turns `synchronous` off, so only its migrations are run, with a migrations table of their own;
//! - it restarts a job that kills its process for ever, so attempts are counted in `scheduled`;
//! - it loses the delay between attempts, so a retry is a new row with `run_at`, and the old row ends as done;
//! - its queries slow down with every finished row, so those are pruned.

use std::sync::LazyLock;
use std::time::Duration;

use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_postgres::PostgresStorage;
use apalis_sqlite::SqliteStorage;
use domain::time::{SECOND_MS, TimestampMs};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;

use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::{Tx, with_statement};
use crate::{Database, Error, Result, Store};

/// The queue's name in apalis's tables.
const QUEUE: &str = "rewardgate";
/// The table of apalis's own migrations on SQLite, separate from ours.
const SQLITE_MIGRATIONS_TABLE: &str = "_apalis_migrations";
/// Jobs that a worker takes at once. Not more than it runs at once: apalis sends no heartbeat for a job that was taken but
/// not started, so another worker would start it too.
const BATCH: usize = 1;
/// Interval of a worker's heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// After this many missed heartbeats another worker takes over. The default on Postgres would be ten.
const MISSED_HEARTBEATS: usize = 3;

/// A job to run once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The kind of job, e.g. `purge`.
    pub name: String,
    /// Its business date or other key; each pair of name and slot runs once.
    pub slot: String,
}

/// apalis's storage of jobs on either database.
pub enum JobStorage {
    /// On the only writing connection.
    Sqlite(SqliteStorage<Job>),
    /// On the connection pool.
    Postgres(PostgresStorage<Job>),
}

/// Whether to run a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Run it; the number of the attempt, from 1.
    Attempt(i64),
    /// It has already finished.
    Done,
}

static SCHEDULE: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "INSERT INTO scheduled (job, slot, pushed_at, attempts) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING",
        &[],
    )
});

static BEGIN: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE scheduled SET attempts = attempts + 1 WHERE job = $1 AND slot = $2 AND finished_at IS NULL
         RETURNING attempts",
        &[],
    )
});

static FINISH: LazyStatement = LazyLock::new(|| {
    Statement::new(
        "UPDATE scheduled SET finished_at = $3 WHERE job = $1 AND slot = $2 AND finished_at IS NULL",
        &[],
    )
});

static PRUNE_JOBS: LazyStatement = LazyLock::new(|| {
    // dialect: apalis has other table names, and stores seconds on SQLite and timestamps on Postgres
    Statement::of_dialects(
        "DELETE FROM Jobs WHERE status IN ('Done', 'Failed', 'Killed') AND done_at < $1 / 1000",
        "DELETE FROM apalis.jobs WHERE status IN ('Done', 'Failed', 'Killed')
         AND done_at < to_timestamp($1 / 1000)",
    )
});

static PRUNE_WORKERS: LazyStatement = LazyLock::new(|| {
    // dialect: as above
    Statement::of_dialects(
        "DELETE FROM Workers WHERE last_seen < $1 / 1000
         AND NOT EXISTS (SELECT 1 FROM Jobs WHERE lock_by = Workers.id)",
        "DELETE FROM apalis.workers WHERE last_seen < to_timestamp($1 / 1000)
         AND NOT EXISTS (SELECT 1 FROM apalis.jobs WHERE lock_by = workers.id)",
    )
});

impl Store {
    /// The storage that workers take jobs from.
    pub fn job_storage(&self) -> JobStorage {
        match &self.database {
            Database::Sqlite { writer, .. } => JobStorage::Sqlite(
                SqliteStorage::new(writer).with_config(
                    apalis_sqlite::Config::default()
                        .queue(QUEUE)
                        .batch_size(BATCH)
                        .heartbeat_interval(HEARTBEAT)
                        .missed_heartbeats(MISSED_HEARTBEATS),
                ),
            ),
            Database::Postgres(line) => JobStorage::Postgres(
                PostgresStorage::new(&line.pool()).with_config(
                    apalis_postgres::Config::default()
                        .queue(QUEUE)
                        .batch_size(BATCH)
                        .heartbeat_interval(HEARTBEAT)
                        .missed_heartbeats(MISSED_HEARTBEATS),
                ),
            ),
        }
    }

    /// Pushes `job`, unless it was pushed before for the same slot; `true` if it was pushed now.
    pub async fn schedule(&self, job: Job, now: TimestampMs) -> Result<bool> {
        self.write(move |tx| Box::pin(async move { schedule(tx, &job, now).await })).await
    }

    /// Counts one more attempt at `job`.
    pub async fn begin_job(&self, job: Job) -> Result<Begun> {
        self.write(move |tx| Box::pin(async move { begin(tx, &job).await })).await
    }

    /// Marks `job` as finished.
    pub async fn finish_job(&self, job: Job, now: TimestampMs) -> Result<()> {
        self.write(move |tx| Box::pin(async move { finish(tx, &job, now).await })).await
    }

    /// Pushes `job` again, to start at `run_at`.
    pub async fn postpone_job(&self, job: Job, run_at: TimestampMs) -> Result<()> {
        self.write(move |tx| Box::pin(async move { push(tx, &job, run_at).await })).await
    }

    /// Deletes apalis's rows of jobs that ended and workers last seen before `before`.
    pub async fn prune_jobs(&self, before: TimestampMs) -> Result<()> {
        self.write(move |tx| Box::pin(async move { prune(tx, before).await })).await
    }

    /// Brings apalis's own tables up to date.
    pub(crate) async fn migrate_queue(&self) -> std::result::Result<(), sqlx::migrate::MigrateError> {
        match &self.database {
            Database::Sqlite { writer, .. } => sqlite_migrations().run(writer).await,
            // apalis uses a migrations table of its own on Postgres.
            Database::Postgres(line) => PostgresStorage::migrations().run(&line.pool()).await,
        }
    }
}

fn sqlite_migrations() -> Migrator {
    let mut migrations = SqliteStorage::migrations();
    migrations.dangerous_set_table_name(SQLITE_MIGRATIONS_TABLE);
    migrations
}

pub(crate) async fn schedule(tx: &mut Tx, job: &Job, now: TimestampMs) -> Result<bool> {
    let inserted = with_statement!(tx, SCHEDULE, |sql, connection| sqlx::query(sql)
        .bind(&job.name)
        .bind(&job.slot)
        .bind(now.0)
        .execute(connection)
        .await?
        .rows_affected());
    if inserted == 0 {
        return Ok(false);
    }
    push(tx, job, now).await.map(|()| true)
}

async fn begin(tx: &mut Tx, job: &Job) -> Result<Begun> {
    let attempts: Option<i64> = with_statement!(tx, BEGIN, |sql, connection| sqlx::query_scalar(sql)
        .bind(&job.name)
        .bind(&job.slot)
        .fetch_optional(connection)
        .await?);
    Ok(attempts.map_or(Begun::Done, Begun::Attempt))
}

async fn finish(tx: &mut Tx, job: &Job, now: TimestampMs) -> Result<()> {
    with_statement!(tx, FINISH, |sql, connection| {
        sqlx::query(sql).bind(&job.name).bind(&job.slot).bind(now.0).execute(connection).await?;
    });
    Ok(())
}

async fn prune(tx: &mut Tx, before: TimestampMs) -> Result<()> {
    for statement in [&PRUNE_JOBS, &PRUNE_WORKERS] {
        with_statement!(tx, statement, |sql, connection| {
            sqlx::query(sql).bind(before.0).execute(connection).await?;
        });
    }
    Ok(())
}

async fn push(tx: &mut Tx, job: &Job, run_at: TimestampMs) -> Result<()> {
    let payload = serde_json::to_vec(job)
        .map_err(|error| Error::Aborted(format!("cannot write a job as JSON: {error}")))?;
    let run_at_s = u64::try_from(run_at.0 / SECOND_MS).unwrap_or_default();
    let task: Task<Vec<u8>> = TaskBuilder::new(payload).run_at_timestamp(run_at_s).build();
    let pushed = match tx {
        Tx::Sqlite(tx, ..) => apalis_sqlite::queries::push_tasks(&mut **tx, QUEUE, &[task])
            .await
            .map_err(|error| error.to_string()),
        Tx::Postgres(tx, _) => apalis_postgres::queries::push_tasks(&mut **tx, QUEUE, vec![task])
            .await
            .map_err(|error| error.to_string()),
    };
    pushed.map_err(|error| Error::Aborted(format!("cannot push a job: {error}")))
}
