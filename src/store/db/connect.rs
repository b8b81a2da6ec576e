//! Opens either database, and checks that its commits are durable.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use domain::time::TimestampMs;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use crate::db::checkpoint::PAGES_AT_MOST;
use crate::db::deadline::READ;
use crate::db::line::Line;
use crate::db::turns::Turns;
use crate::{Database, Error, Result, Store};

/// Older versions can corrupt the write-ahead log when two connections checkpoint at once
/// (<https://www.sqlite.org/wal.html#walresetbug>).
const SQLITE_LEAST_VERSION: (u32, u32, u32) = (3, 51, 3);

/// The oldest tested version; the SQL itself would run on older ones.
const POSTGRES_LEAST_VERSION: i64 = 150_000;

/// `PRAGMA synchronous` = FULL: every commit is on disk before it is acknowledged.
const FULL: i64 = 2;

/// How long SQLite waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// File mode: only the owner reads and writes.
const OWNER_ONLY: u32 = 0o600;
/// Mode bits of all other accounts.
const OTHERS: u32 = 0o007;
/// Pause before opening a file again that another process is switching to WAL mode.
const SWITCH_PAUSE: Duration = Duration::from_millis(20);
/// Postgres: connections reserved for ingest, in addition to those of the settings. One records, one wakes workers, one
/// saves refused calls.
pub const INGEST_CONNECTIONS: u32 = 3;
/// How long a caller waits for a connection of the pool.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The server ends a session whose open transaction is idle for this long, because it holds locks. Its client may be
/// unreachable.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "10s";
/// When the server drops an unreachable client with its locks. Milliseconds without a TCP acknowledgement.
const TCP_USER_TIMEOUT: &str = "10000";
/// The same for an idle connection: seconds until the first probe, seconds between probes, probes without an answer.
const TCP_KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")];
/// Waiting longer for a lock means that something hangs: the transaction fails and is retried.
const LOCK_TIMEOUT: &str = "10s";

/// How to open the database.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Postgres: all connections except those of ingest. SQLite: reading connections; one more writes.
    pub max_connections: u32,
    /// SQLite: whether to create a missing file.
    pub create: bool,
}

/// What all page caches of a process may hold together, in KiB. The one connection that writes gets five eighths: it alone
/// looks up what a batch touches. The others share the rest.
const PAGE_CACHE_KIB: u32 = 64 * 1_024;
/// The same of a scratch database: the command beside it needs memory for other things.
const SCRATCH_CACHE_KIB: u32 = 24 * 1_024;

/// Result rows that SQLite's thread may be ahead of whoever reads them: those of a whole batch, so that both threads wait
/// for each other once a statement and not every few rows.
const ROW_BUFFER: usize = 1_024;

/// Prepared statements of a SQLite connection: enough for every statement in each of its row sizes.
const STATEMENT_CACHE: usize = 400;

impl Store {
    /// Opens `url` (`sqlite://FILE` or `postgres://…`) and checks its version and that its commits are durable.
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self> {
        let (database, ingest_line) = if url.starts_with("sqlite:") {
            (open_sqlite(url, options, Durability::Full).await?, None)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let (line, ingest_line) = open_postgres(url, options).await?;
            (Database::Postgres(line), Some(ingest_line))
        } else {
            return Err(Error::Unfit("`database_url` must start with sqlite:// or postgres://".into()));
        };
        Ok(Self::of(database, ingest_line))
    }

    /// Creates a database in `file` that nobody needs after this process: its commits are not durable, so that they take no
    /// time. Nothing that was acknowledged to anybody may be in it.
    pub async fn open_scratch(file: &Path) -> Result<Self> {
        let url = format!("sqlite://{}", file.display());
        let options = OpenOptions { max_connections: 1, create: true };
        Ok(Self::of(open_sqlite(&url, options, Durability::None).await?, None))
    }

    fn of(database: Database, ingest_line: Option<Arc<Line>>) -> Self {
        Self {
            database,
            wake: Arc::default(),
            wake_forwarders: Arc::new(tokio::sync::watch::Sender::new(())),
            subscriptions: Arc::default(),
            terms: Arc::default(),
            body_bytes_per_hour: crate::postbacks::bodies::BODY_BYTES_PER_HOUR,
            commits: Arc::default(),
            ingest_line,
            repeated: crate::rewards::repeated::Repeated::default(),
            policies: crate::db::remembered::Remembered::default(),
            moment: None,
        }
    }
}

/// Whether commits reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    /// Every one, before it is acknowledged.
    Full,
    /// None: of databases that end with their process.
    None,
}

impl Durability {
    fn synchronous(self) -> SqliteSynchronous {
        match self {
            Self::Full => SqliteSynchronous::Full,
            Self::None => SqliteSynchronous::Off,
        }
    }

    /// What all page caches may hold together.
    fn page_cache_kib(self) -> u32 {
        match self {
            Self::Full => PAGE_CACHE_KIB,
            Self::None => SCRATCH_CACHE_KIB,
        }
    }

    /// Where SQLite sorts. The proof of a scratch database sorts all of its transfers, beside the command that made them.
    fn temp_store(self) -> &'static str {
        match self {
            Self::Full => "memory",
            Self::None => "file",
        }
    }
}

async fn open_sqlite(url: &str, options: OpenOptions, durability: Durability) -> Result<Database> {
    let connect = SqliteConnectOptions::from_str(url)?
        .create_if_missing(options.create)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(durability.synchronous())
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENT_CACHE)
        .row_buffer_size(ROW_BUFFER)
        .pragma("wal_autocheckpoint", PAGES_AT_MOST)
        .pragma("temp_store", durability.temp_store())
        // So that REPLACE also runs the triggers that forbid deleting evidence.
        .pragma("recursive_triggers", "on");
    let file = connect.get_filename().to_path_buf();
    if !options.create && !file.exists() {
        // The absolute path, because a relative one depends on the folder of the command.
        let whole = std::path::absolute(&file).unwrap_or_else(|_| file.clone());
        return Err(Error::Unfit(format!(
            "there is no database file {}, and this command does not create one: run it in the server's folder, or set \
             `database_url` to an absolute path; for a new installation run `rewardgate migrate` first",
            whole.display()
        )));
    }
    // A database in memory has no file, only a name; the check below rejects it as not durable.
    if options.create && !is_in_memory(&file) {
        create_for_owner_only(&file).map_err(|why| {
            Error::Unfit(format!("cannot create the database file {}: {why}", file.display()))
        })?;
    }
    // A single connection first, so that an unfit file fails at once: a pool would retry until its time-out.
    let mut first = first_connection(&connect).await?;
    assert_fit(&mut first, durability).await?;
    first.close().await?;
    let writer: SqlitePool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(assert_fit(connection, durability)))
        // On a full disk SQLite rolls a transaction back by itself. The driver does not notice, its own ROLLBACK fails,
        // and no transaction could begin on that connection again: it is replaced.
        .after_release(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .connect_with(with_cache(connect.clone(), durability.page_cache_kib() / 8 * 5))
        .await?;
    let readers_max = options.max_connections.max(1);
    let moving = with_cache(connect.clone(), 0);
    let connect = with_cache(connect, durability.page_cache_kib() / 8 * 3 / readers_max);
    let readers = SqlitePoolOptions::new()
        .max_connections(readers_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        // A read that missed its deadline may leave a snapshot open.
        .after_release(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .connect_lazy_with(connect.pragma("query_only", "on"));
    let turns = Turns::of((!is_in_memory(&file)).then_some(file.as_path()));
    Ok(Database::Sqlite { writer, readers, turns, connect: Box::new(moving) })
}

/// The same with a page cache of so many KiB, 1 MiB at least.
fn with_cache(connect: SqliteConnectOptions, kib: u32) -> SqliteConnectOptions {
    connect.pragma("cache_size", format!("-{}", kib.max(1_024)))
}

/// True for the name that sqlx gives to a database in memory.
fn is_in_memory(file: &Path) -> bool {
    file.to_str().is_some_and(|name| name.starts_with("file:sqlx-in-memory"))
}

/// Creates a missing file so that no other account can read it, whatever the umask. SQLite gives its side files the same
/// mode.
fn create_for_owner_only(file: &Path) -> std::io::Result<()> {
    let created = std::fs::OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(file);
    match created {
        Ok(created) => created.set_permissions(std::fs::Permissions::from_mode(OWNER_ONLY)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The files of a SQLite database that every account of this machine may read or write. Empty for Postgres.
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
    let is_open = |path: &PathBuf| path.metadata().is_ok_and(|data| data.permissions().mode() & OTHERS != 0);
    ["", "-wal", "-shm"].into_iter().map(beside).filter(is_open).collect()
}

/// The connection that creates the file and switches it to WAL mode. If another process is switching too, SQLite answers
/// BUSY at once whatever the busy timeout, so this waits itself.
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

/// Refuses a connection that would acknowledge commits before they are on disk. Checked for every writing connection,
/// because the setting belongs to the connection and not to the file.
async fn assert_fit(
    connection: &mut SqliteConnection,
    durability: Durability,
) -> std::result::Result<(), sqlx::Error> {
    let unfit = |what: String| sqlx::Error::Configuration(what.into());
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *connection).await?;
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) < SQLITE_LEAST_VERSION {
        return Err(unfit(format!("SQLite {version} can corrupt its log; use 3.51.3 or newer")));
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    if durability == Durability::Full && (mode != "wal" || synchronous != FULL) {
        return Err(unfit(format!(
            "SQLite opened with journal_mode={mode} synchronous={synchronous}, but WAL and FULL (2) are required; put \
             the file on a local file system with shared memory"
        )));
    }
    Ok(())
}

/// The general connections, and those of ingest.
async fn open_postgres(url: &str, options: OpenOptions) -> Result<(Arc<Line>, Arc<Line>)> {
    let connect = PgConnectOptions::from_str(url)?.application_name("rewardgate").options([
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        ("tcp_user_timeout", TCP_USER_TIMEOUT),
        // A cached plan made for a small table would still scan the whole table after it has grown.
        ("plan_cache_mode", "force_custom_plan"),
        // A batch switches kinds of plans off, which the planner expresses as a huge cost; compiling a statement because of that
        // takes a hundred times as long as running it.
        ("jit", "off"),
    ]);
    let connect = connect.options(TCP_KEEPALIVE);
    let ingest_line = Line::new(connect.clone(), INGEST_CONNECTIONS);
    let line = Line::new(connect, options.max_connections.max(2));
    let pool = line.pool();
    let setting =
        |name: &'static str| sqlx::query_scalar::<_, String>("SELECT current_setting($1)").bind(name);
    let version = setting("server_version_num").fetch_one(&pool).await?;
    if version.parse::<i64>().unwrap_or(0) < POSTGRES_LEAST_VERSION {
        return Err(Error::Unfit(format!("the server is Postgres {version}; use 15 or newer")));
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
    /// Fails if the database does not answer.
    pub async fn ping(&self) -> Result<()> {
        crate::read!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// The clock of the database server; `None` on SQLite, which has no server.
    pub async fn server_time(&self) -> Result<Option<TimestampMs>> {
        let Database::Postgres(line) = &self.database else { return Ok(None) };
        let now_ms = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let now_ms = async { sqlx::query_scalar(now_ms).fetch_one(&line.pool()).await };
        Ok(Some(TimestampMs(self.within(READ, now_ms).await?)))
    }

    /// The latest time of the last thousand postbacks; it is in the future only if the clock was set back. For a replayed
    /// postback the time of the replay counts, so that a thousand old calls cannot hide a wrong clock.
    pub async fn newest_received_at(&self) -> Result<Option<TimestampMs>> {
        let newest: Option<i64> = crate::read!(self, pool => sqlx::query_scalar(
            "SELECT MAX(recorded_at) FROM (SELECT COALESCE(recorded_at, received_at) AS recorded_at
                                           FROM postbacks ORDER BY id DESC LIMIT 1000) AS latest"
        ).fetch_one(pool).await)?;
        Ok(newest.map(TimestampMs))
    }
}
