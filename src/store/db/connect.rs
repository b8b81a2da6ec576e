//! Opening either database, and proving that what it acknowledges is durable.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use domain::time::TimestampMs;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use crate::db::deadline::READ;
use crate::db::line::Line;
use crate::{Database, Error, Result, Store};

/// Below this, SQLite's write-ahead log can be corrupted by two connections that checkpoint at once
/// (<https://www.sqlite.org/wal.html#walresetbug>).
const SQLITE_LEAST_VERSION: (u32, u32, u32) = (3, 51, 3);

/// `FOR UPDATE SKIP LOCKED`, generated identities and the JSON functions that are used are all older than this, but
/// nothing below is tested.
const POSTGRES_LEAST_VERSION: i64 = 150_000;

/// What `PRAGMA synchronous` answers for FULL: every commit is on disk before it is acknowledged.
const FULL: i64 = 2;

/// How long a connection waits for another writer before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Rights of a file: its owner reads and writes.
const FOR_US_ALONE: u32 = 0o600;
/// Those of every account of the machine.
const FOR_ALL: u32 = 0o007;
/// The pause before a file that another process is putting into WAL mode is opened again.
const SWITCH_PAUSE: Duration = Duration::from_millis(20);
/// Postgres: how many connections ingest has for itself, beyond those of the settings. One records, one
/// tells workers, one keeps refused calls.
pub const INGEST_CONNECTIONS: u32 = 3;
/// How long a caller waits for a connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A transaction that nobody continues holds locks: the server ends its session. Whoever held it may be dark.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "10s";
/// After how long without a sign of life the server gives a client up, and with it what it holds: nothing is
/// acknowledged for so many milliseconds; nothing is said for so many seconds, and then so many questions, so far
/// apart, are not answered.
const TCP_USER_TIMEOUT: &str = "10000";
const TCP_KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")];
/// A lock that is not had by then is somebody's fault: try again with fresh facts.
const LOCK_TIMEOUT: &str = "10s";

/// Limits of the connections.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Postgres: connections in all, without those of ingest. SQLite: connections that read; one more writes.
    pub max_connections: u32,
    /// SQLite: whether a file that does not exist is made.
    pub create: bool,
}

/// How many statements a connection to SQLite keeps prepared: each of them, for each of the sizes of its rows.
const STATEMENT_CACHE: usize = 400;

impl Store {
    /// Opens `url` (`sqlite://FILE` or `postgres://…`) and checks that it is fit for money.
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self> {
        let (database, ingest_line) = if url.starts_with("sqlite:") {
            (open_sqlite(url, options).await?, None)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let (line, ingest_line) = open_postgres(url, options).await?;
            (Database::Postgres(line), Some(ingest_line))
        } else {
            return Err(Error::Unfit("a database URL starts with sqlite:// or postgres://".into()));
        };
        Ok(Self {
            database,
            wake: Arc::default(),
            wake_forwarders: Arc::new(tokio::sync::watch::Sender::new(())),
            subscriptions: Arc::default(),
            terms: Arc::default(),
            body_bytes_per_hour: crate::postbacks::bodies::BODY_BYTES_PER_HOUR,
            commits: Arc::default(),
            ingest_line,
            moment: None,
        })
    }
}

async fn open_sqlite(url: &str, options: OpenOptions) -> Result<Database> {
    let connect = SqliteConnectOptions::from_str(url)?
        .create_if_missing(options.create)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENT_CACHE)
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "memory")
        // So that REPLACE asks the triggers that keep evidence from being deleted.
        .pragma("recursive_triggers", "on");
    let file = connect.get_filename();
    if !options.create && !file.exists() {
        // The whole path: a short one is looked for wherever the command was called.
        let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
        return Err(Error::Unfit(format!(
            "there is no database file {}, and this command makes none: call it in the folder where the server runs, or \
             give `database_url` a whole path; for a new installation run `rewardgate migrate` first",
            whole.display()
        )));
    }
    // A database in memory has no file, only a name; that it is not durable is said below.
    if options.create && !is_in_memory(file) {
        make_for_us_alone(file).map_err(|why| {
            Error::Unfit(format!("the database file {} cannot be made: {why}", file.display()))
        })?;
    }
    // Once by itself, so that an unfit file is an error at once: a pool would try again until its time is up.
    let mut first = first_connection(&connect).await?;
    assert_durable(&mut first).await?;
    first.close().await?;
    let writer: SqlitePool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(assert_durable(connection)))
        // A full disk makes SQLite take a transaction back by itself. The driver does not hear of it, its own ROLLBACK
        // fails, and no transaction could ever begin on that connection again: a new one takes its place.
        .after_release(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .connect_with(connect.clone())
        .await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(options.max_connections.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        // Whoever missed a deadline may leave a snapshot behind.
        .after_release(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .connect_lazy_with(connect.pragma("query_only", "on"));
    Ok(Database::Sqlite { writer, readers })
}

/// Whether this is the name that sqlx gives to a database in memory.
fn is_in_memory(file: &Path) -> bool {
    file.to_str().is_some_and(|name| name.starts_with("file:sqlx-in-memory"))
}

/// Makes the file, if it is not there, so that nobody else on this machine can read it, whatever the umask. What SQLite
/// makes beside it gets the same rights.
fn make_for_us_alone(file: &Path) -> std::io::Result<()> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(FOR_US_ALONE).open(file);
    match made {
        Ok(made) => made.set_permissions(std::fs::Permissions::from_mode(FOR_US_ALONE)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Those files of a SQLite database that every account of this machine may read or write; none of a server's.
pub fn open_to_all(url: &str) -> Vec<PathBuf> {
    if !url.starts_with("sqlite:") {
        return Vec::new();
    }
    let Ok(connect) = SqliteConnectOptions::from_str(url) else { return Vec::new() };
    let beside = |end: &str| {
        let mut path = connect.get_filename().as_os_str().to_owned();
        path.push(end);
        PathBuf::from(path)
    };
    let is_open = |path: &PathBuf| path.metadata().is_ok_and(|data| data.permissions().mode() & FOR_ALL != 0);
    ["", "-wal", "-shm"].into_iter().map(beside).filter(is_open).collect()
}

/// The connection that makes the file and puts it into WAL mode. SQLite answers a process that switches while another
/// one does with BUSY at once, whatever the busy timeout, so waiting is up to us.
async fn first_connection(connect: &SqliteConnectOptions) -> Result<SqliteConnection> {
    let give_up = tokio::time::Instant::now() + BUSY_TIMEOUT;
    loop {
        match connect.connect().await.map_err(Error::from) {
            Err(Error::Unavailable(_)) if tokio::time::Instant::now() < give_up => {
                tokio::time::sleep(SWITCH_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

/// Refuses a connection that would acknowledge what is not on disk. Asked of every connection that writes, because
/// the setting belongs to the connection and not to the file.
async fn assert_durable(connection: &mut SqliteConnection) -> std::result::Result<(), sqlx::Error> {
    let unfit = |what: String| sqlx::Error::Configuration(what.into());
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *connection).await?;
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < SQLITE_LEAST_VERSION {
        return Err(unfit(format!("SQLite {version} can corrupt its log; 3.51.3 or newer is needed")));
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    if mode != "wal" || synchronous != FULL {
        return Err(unfit(format!(
            "SQLite opened with journal_mode={mode} synchronous={synchronous}; WAL and FULL (2) are needed: is the \
             file on a file system without shared memory?"
        )));
    }
    Ok(())
}

/// The line of everybody, and that of ingest.
async fn open_postgres(url: &str, options: OpenOptions) -> Result<(Arc<Line>, Arc<Line>)> {
    let connect = PgConnectOptions::from_str(url)?.application_name("rewardgate").options([
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        ("tcp_user_timeout", TCP_USER_TIMEOUT),
        // A plan that was made while a table was small would be kept when it has grown, and walk all of it.
        ("plan_cache_mode", "force_custom_plan"),
    ]);
    let connect = connect.options(TCP_KEEPALIVE);
    let ingest_line = Line::new(connect.clone(), INGEST_CONNECTIONS);
    let line = Line::new(connect, options.max_connections.max(2));
    let pool = line.pool();
    let setting =
        |name: &'static str| sqlx::query_scalar::<_, String>("SELECT current_setting($1)").bind(name);
    let version = setting("server_version_num").fetch_one(&pool).await?;
    if version.parse::<i64>().unwrap_or(0) < POSTGRES_LEAST_VERSION {
        return Err(Error::Unfit(format!("Postgres 15 or newer is needed, this is {version}")));
    }
    for (name, why) in [
        ("fsync", "a crash of the machine would lose the database"),
        ("synchronous_commit", "a crash would lose what was acknowledged"),
        ("full_page_writes", "a crash could leave torn pages"),
    ] {
        if setting(name).fetch_one(&pool).await? == "off" {
            return Err(Error::Unfit(format!("Postgres runs with {name} = off: {why}; set it to on")));
        }
    }
    Ok((line, ingest_line))
}

impl Store {
    /// Asks the database for one row: reachable or not.
    pub async fn ping(&self) -> Result<()> {
        crate::read!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// The database server's own clock; `None` on SQLite, which has this machine's.
    pub async fn server_time(&self) -> Result<Option<TimestampMs>> {
        let Database::Postgres(line) = &self.database else { return Ok(None) };
        let now_ms = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let now_ms = async { sqlx::query_scalar(now_ms).fetch_one(&line.pool()).await };
        Ok(Some(TimestampMs(self.within(READ, now_ms).await?)))
    }

    /// The latest time of the last thousand postbacks: unless a clock was set back, none of them lies in the future. Of
    /// what was replayed it is the time of that: a thousand old calls at once must not hide a clock that is wrong.
    pub async fn newest_received_at(&self) -> Result<Option<TimestampMs>> {
        let newest: Option<i64> = crate::read!(self, pool => sqlx::query_scalar(
            "SELECT MAX(recorded_at) FROM (SELECT COALESCE(recorded_at, received_at) AS recorded_at
                                           FROM postbacks ORDER BY id DESC LIMIT 1000) AS latest"
        ).fetch_one(pool).await)?;
        Ok(newest.map(TimestampMs))
    }
}
