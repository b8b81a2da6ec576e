//! A database of a test's own, on either system; gone when the test ends.

use std::path::{Path, PathBuf};

use sqlx::{
    AssertSqlSafe, ColumnIndex, ConnectOptions as _, Connection as _, PgConnection, Row, SqliteConnection,
};

/// Which system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A database that nobody else uses.
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres { server_url: String, name: String },
}

impl Database {
    /// An empty one; a file would stand in `folder`.
    pub(crate) fn new(kind: Kind, folder: &Path) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(folder.join("rewardgate.db")),
            Kind::Postgres => Self::on_server(&std::env::var("TEST_POSTGRES_URL").expect(
                "TEST_POSTGRES_URL is not set; `tests/run` starts a Postgres and sets it, for one command too: \
                 tests/run with cargo test --test service",
            )),
        }
    }

    /// An empty one on the Postgres server at `server_url`.
    pub(crate) fn on_server(server_url: &str) -> Self {
        let name = format!("service_{:016x}", rand::random::<u64>());
        let database = Self::Postgres { server_url: server_url.to_owned(), name };
        database.execute_on_server(&format!("CREATE DATABASE {}", database.name()));
        database
    }

    /// What the settings say of it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite://{}", file.display()),
            Self::Postgres { server_url, name } => {
                let (server, _) = server_url.rsplit_once('/').expect("a URL with a database");
                format!("{server}/{name}")
            }
        }
    }

    /// Runs `sql` in it, behind the product's back.
    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => block_on(async {
                let options: sqlx::sqlite::SqliteConnectOptions = self.url().parse().expect("a URL");
                let mut connection: SqliteConnection = options.connect().await.expect("the file opens");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("SQL that works");
            }),
            Self::Postgres { .. } => run_on_postgres(&self.url(), sql),
        }
    }

    /// The number that `sql` asks for.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        block_on(async {
            match self {
                Self::Sqlite(_) => {
                    let options: sqlx::sqlite::SqliteConnectOptions = self.url().parse().expect("a URL");
                    let mut connection: SqliteConnection = options.connect().await.expect("the file opens");
                    sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a number")
                }
                Self::Postgres { .. } => {
                    let mut connection =
                        PgConnection::connect(&self.url()).await.expect("the server answers");
                    sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a number")
                }
            }
        })
    }

    /// The rows that `sql` asks for, of texts.
    pub(crate) fn texts(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        fn texts<R: Row>(rows: &[R]) -> Vec<Vec<Option<String>>>
        where
            usize: ColumnIndex<R>,
            for<'r> Option<String>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
        {
            rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
        }
        let sql = AssertSqlSafe(sql.to_owned());
        block_on(async {
            match self {
                Self::Sqlite(_) => {
                    let options: sqlx::sqlite::SqliteConnectOptions = self.url().parse().expect("a URL");
                    let mut connection: SqliteConnection = options.connect().await.expect("the file opens");
                    texts(&sqlx::query(sql).fetch_all(&mut connection).await.expect("rows"))
                }
                Self::Postgres { .. } => {
                    let mut connection =
                        PgConnection::connect(&self.url()).await.expect("the server answers");
                    texts(&sqlx::query(sql).fetch_all(&mut connection).await.expect("rows"))
                }
            }
        })
    }

    /// Lets nobody in and sends everybody away, as a maintenance does; returns when the last one is gone.
    pub(crate) fn close(&self) {
        let name = self.name();
        self.execute_on_server(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
        self.execute_on_server(&format!(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{name}'"
        ));
    }

    /// Lets everybody in again.
    pub(crate) fn reopen(&self) {
        self.execute_on_server(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name()));
    }

    /// From now on (or not any more) it takes no writes, as after a failover to a copy: sessions that begin meanwhile
    /// stay that way.
    pub(crate) fn take_writes(&self, takes_them: bool) {
        let name = self.name();
        let is_read_only = if takes_them { "off" } else { "on" };
        self.execute_on_server(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = {is_read_only}"
        ));
        if !takes_them {
            self.end_sessions();
        }
    }

    /// A role of this database's own that owns it and is nobody special, and the URL that it comes by.
    pub(crate) fn own_role(&self) -> (Role<'_>, String) {
        let name = self.name();
        self.execute_on_server(&format!("CREATE ROLE {name} LOGIN PASSWORD 'test'"));
        self.execute_on_server(&format!("ALTER DATABASE {name} OWNER TO {name}"));
        let url = self.url();
        let address = url.rsplit_once('@').expect("a user").1;
        (Role(self), format!("postgres://{name}:test@{address}"))
    }

    /// Ends every connection, whatever it is doing.
    pub(crate) fn end_sessions(&self) {
        let name = self.name();
        self.execute_on_server(&format!(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{name}'"
        ));
    }

    /// Ends one of its connections, whatever that one is doing.
    pub(crate) fn terminate_one(&self) {
        let name = self.name();
        self.execute_on_server(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' ORDER BY random() LIMIT 1"
        ));
    }

    fn execute_on_server(&self, sql: &str) {
        let Self::Postgres { server_url, .. } = self else { panic!("SQLite has no server") };
        run_on_postgres(server_url, sql);
    }

    fn name(&self) -> &str {
        let Self::Postgres { name, .. } = self else { panic!("SQLite has no server") };
        name
    }
}

/// The role of a database; gone, with the database, when the test ends.
pub(crate) struct Role<'d>(&'d Database);

impl Role<'_> {
    /// How many connections it may have; -1 for any number.
    pub(crate) fn limit_connections(&self, limit: i32) {
        self.0.execute_on_server(&format!("ALTER ROLE {} CONNECTION LIMIT {limit}", self.0.name()));
    }

    /// Whether it may write postbacks down.
    pub(crate) fn may_record(&self, may: bool) {
        let name = self.0.name();
        let (verb, to) = if may { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
        self.0.execute(&format!("{verb} INSERT ON postbacks {to} {name}"));
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let name = self.0.name();
        self.0.execute_on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        self.0.execute_on_server(&format!("DROP ROLE {name}"));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if matches!(self, Self::Postgres { .. }) {
            self.execute_on_server(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name()));
        }
    }
}

fn run_on_postgres(url: &str, sql: &str) {
    block_on(async {
        let mut connection =
            PgConnection::connect(url).await.expect("the server of TEST_POSTGRES_URL answers");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("SQL that works");
    });
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}
