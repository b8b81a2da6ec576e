//! Where databases are made: a directory for SQLite, a server for Postgres.

use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use crate::support::database::{DEADLINE, within};

/// Which database a rule is tested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Where the databases of one rule are made.
///
/// A directory goes with its rule. Databases on a server stay and are wiped for the next rule that leases them:
/// dropping one makes the server write everything to the disk, which takes longer than most rules do. There are
/// never more of them than rules at the same time, and none is lost to a run that was killed.
pub(crate) enum Place {
    Sqlite(TempDir),
    Postgres(Mutex<Vec<Lease>>),
}

impl Place {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(tempfile::tempdir().expect("a temporary directory")),
            Kind::Postgres => Self::Postgres(Mutex::default()),
        }
    }

    /// The URL of a database that nobody else has, with nothing in it; on SQLite a file that is not there yet.
    pub(crate) async fn blank(&self) -> String {
        match self {
            Self::Sqlite(directory) => {
                let path = directory.path().join(format!("{:016x}.db", rand::random::<u64>()));
                format!("sqlite://{}", path.display())
            }
            Self::Postgres(leases) => {
                let (lease, url) = Lease::take().await;
                leases.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
                url
            }
        }
    }

    /// Gives everything back.
    pub(crate) async fn clear(self) {
        if let Self::Postgres(leases) = self {
            for lease in leases.into_inner().unwrap_or_else(PoisonError::into_inner) {
                // A session that cannot be closed has ended, and its lease with it.
                let _ = lease.0.close().await;
            }
        }
    }
}

/// A database on the server is ours for as long as this session lives: it holds a lock that says so.
pub(crate) struct Lease(PgConnection);

impl Lease {
    /// Leases the first database that nobody has, makes it if it is not there, and wipes it.
    async fn take() -> (Self, String) {
        let mut session = server().connect().await.expect("the Postgres of TEST_POSTGRES_URL answers");
        let mut number = 1;
        while !ask(&mut session, &format!("SELECT pg_try_advisory_lock(hashtext('contract'), {number})"))
            .await
        {
            number += 1;
        }
        let name = format!("rewardgate_contract_{number}");
        let exists = format!("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = '{name}')");
        if !ask(&mut session, &exists).await {
            execute(&mut session, &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        }
        wipe(&mut session, &name).await;
        (Self(session), server().database(&name).to_url_lossy().to_string())
    }
}

async fn wipe(session: &mut PgConnection, name: &str) {
    execute(session, &format!("ALTER DATABASE {name} RESET ALL")).await;
    let left =
        format!("SELECT COUNT(pg_terminate_backend(pid)) = 0 FROM pg_stat_activity WHERE datname = '{name}'");
    within(DEADLINE, "sessions of the previous rule end", async || ask(session, &left).await.then_some(()))
        .await;
    let mut inside = server().database(name).connect().await.expect("the database opens");
    execute(
        &mut inside,
        "DROP SCHEMA IF EXISTS apalis CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    )
    .await;
    inside.close().await.expect("it was wiped");
}

async fn execute(session: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(session).await;
    done.unwrap_or_else(|why| panic!("{sql}: {why}"));
}

async fn ask(session: &mut PgConnection, question: &str) -> bool {
    let answer = sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(session).await;
    answer.unwrap_or_else(|why| panic!("{question}: {why}"))
}

/// The Postgres server that tests may make databases on.
fn server() -> PgConnectOptions {
    let url = std::env::var("TEST_POSTGRES_URL").expect(
        "TEST_POSTGRES_URL is not set, so Postgres cannot be tested: `tests/run` sets it, and so does \
         `tests/run with cargo test`, with a Postgres of its own",
    );
    PgConnectOptions::from_str(&url).expect("TEST_POSTGRES_URL is a URL of Postgres")
}
