//! The processes under load: the real executable on a fresh database, and a bare warp route.

use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, Executor};
use warp::Filter;

use crate::support::gate::PASSWORD;

/// The origin in the signatures of postbacks.
pub(crate) const ORIGIN: &str = "https://gw.example.com";
/// Their secret.
pub(crate) const SECRET: &str = "benchmark-secret";

/// 1 while any postback waits.
const ANY_WAITING: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT id FROM postbacks WHERE outcome = 'received' LIMIT 1) AS first";

/// A child process, killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a first line");
        let address =
            line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))) }
    }

    /// Its resident memory.
    pub(crate) fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("kilobytes") / 1_024.0
    }

    /// Ends it as an operator would, and waits for it.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(self.child.wait().expect("ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that serves one route which does nothing.
pub(crate) fn bare_route() -> Running {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--bare");
    Running::start(command)
}

/// Runs in that process.
pub(crate) async fn serve_bare() {
    let route = warp::path!("pb" / String).and(warp::query::raw()).map(|_, _| "OK");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("listening on http://{}", listener.local_addr().expect("an address"));
    warp::serve(route).incoming(listener).run().await;
}

/// The real executable and its database.
pub(crate) struct Gateway {
    pub(crate) database: &'static str,
    folder: tempfile::TempDir,
    url: String,
    postgres: String,
    name: String,
    /// Further sections of the settings, such as the app's.
    more: String,
}

impl Gateway {
    pub(crate) async fn prepare(database: &str, postgres: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let name = format!("bench_{}_{:08x}", std::process::id(), rand::random::<u32>());
        let (database, url) = if database == "sqlite" {
            ("sqlite  ", format!("sqlite://{}/bench.db", folder.path().display()))
        } else {
            let mut server = sqlx::PgConnection::connect(postgres).await.expect("Postgres");
            server.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("a database");
            ("postgres", format!("{}/{name}", postgres.rsplit_once('/').expect("a database in the URL").0))
        };
        Self { database, folder, url, postgres: postgres.to_owned(), name, more: String::new() }
    }

    pub(crate) async fn remove(self) {
        if self.database == "postgres" {
            let mut server = sqlx::PgConnection::connect(&self.postgres).await.expect("Postgres");
            let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            server.execute(sqlx::AssertSqlSafe(drop)).await.expect("dropped");
        }
    }

    /// The same, with an app at `origin` that gets every delivery.
    pub(crate) fn forwarding_to(self, origin: &str) -> Self {
        let url = sandbox::app::postback_url(origin);
        let app = format!(
            "[deliveries]\nallow_networks = [\"127.0.0.0/8\"]\n[[apps]]\nname = \"main\"\n[apps.forward]\n\
             url = \"{url}\"\nsecret = \"env:BENCH_SECRET\"\nconcurrency = 32\n"
        );
        Self { more: app, ..self }
    }

    /// The same, with these sections at the end of the settings.
    pub(crate) fn with_sections(self, sections: &str) -> Self {
        Self { more: sections.to_owned(), ..self }
    }

    pub(crate) fn web(&self) -> Running {
        self.start("web")
    }

    pub(crate) fn worker(&self) -> Running {
        self.start("worker")
    }

    /// A worker under a policy of its own.
    pub(crate) fn worker_under(&self, policy: &str) -> Running {
        let path = self.folder.path().join("policy.toml");
        std::fs::write(&path, policy).expect("a policy");
        Running::start(self.command_with("worker", &format!("policy = \"{}\"\n", path.display())))
    }

    pub(crate) fn up(&self) -> Running {
        self.start("up")
    }

    /// The reward of each delivery, and when it was created in unix milliseconds.
    pub(crate) async fn created_at(&self) -> Vec<(i64, i64)> {
        let sql = "SELECT reward_id, born_at FROM deliveries";
        if self.database == "postgres" {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.expect("Postgres");
            sqlx::query_as(sql).fetch_all(&mut connection).await.expect("rows")
        } else {
            let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("SQLite");
            sqlx::query_as(sql).fetch_all(&mut connection).await.expect("rows")
        }
    }

    /// The database's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How large the database is.
    pub(crate) async fn bytes(&self) -> i64 {
        if self.database == "postgres" {
            return self.number("SELECT CAST(pg_database_size(current_database()) AS BIGINT)").await;
        }
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)".into()).await;
        self.number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").await
    }

    /// Waits until whoever works has left nothing.
    pub(crate) async fn until_nothing_waits(&self) {
        // Counting what waits would cost more than deciding it.
        while self.number(ANY_WAITING).await > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Runs `workers` workers until nothing waits.
    pub(crate) async fn drain(&self, workers: usize) {
        let running: Vec<_> = (0..workers).map(|_| self.start("worker")).collect();
        self.until_nothing_waits().await;
        for worker in running {
            worker.stop();
        }
    }

    pub(crate) async fn waiting(&self) -> i64 {
        self.number("SELECT CAST(COUNT(*) AS BIGINT) FROM postbacks WHERE outcome = 'received'").await
    }

    pub(crate) async fn rewards(&self) -> i64 {
        self.number("SELECT CAST(COUNT(*) AS BIGINT) FROM rewards").await
    }

    /// How many rewards wait for a person.
    pub(crate) async fn held(&self) -> i64 {
        self.number("SELECT CAST(COUNT(*) AS BIGINT) FROM rewards WHERE status = 'held'").await
    }

    async fn number(&self, sql: &'static str) -> i64 {
        if self.database == "postgres" {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.expect("Postgres");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a number")
        } else {
            let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("SQLite");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a number")
        }
    }

    /// Runs `sql`, which may be several statements.
    pub(crate) async fn execute(&self, sql: String) {
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        let done = if self.database == "postgres" {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.expect("Postgres");
            sql.execute(&mut connection).await.map(|_| ())
        } else {
            let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("SQLite");
            sql.execute(&mut connection).await.map(|_| ())
        };
        done.expect("the database does it");
    }

    /// Makes the report of a day, which must tie out; how long that took.
    pub(crate) fn report(&self, date: &str) -> Duration {
        timed(&mut self.report_command(date), &[0])
    }

    /// What makes the report of a day.
    pub(crate) fn report_command(&self, date: &str) -> Command {
        let mut command = self.command("report");
        command.arg(date).stdout(Stdio::null());
        command
    }

    /// Adds somebody who decides on holds, with the password that tests sign in with.
    pub(crate) fn add_reviewer(&self, name: &str) {
        let mut command = self.command("staff");
        command.args(["add", name, "--role", "risk"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("starts");
        writeln!(child.stdin.take().expect("piped"), "{PASSWORD}").expect("it listens");
        assert!(child.wait().expect("ends").success());
    }

    fn start(&self, role: &str) -> Running {
        Running::start(self.command(role))
    }

    fn command(&self, role: &str) -> Command {
        self.command_with(role, "")
    }

    /// With further lines at the top of the settings.
    fn command_with(&self, role: &str, top: &str) -> Command {
        let config = self.folder.path().join("rewardgate.toml");
        // So many processes as a section asks for work, with one worker each; one process alone has as many as it ships
        // with.
        let workers = if role == "worker" { "workers = 1\n" } else { "" };
        let settings = format!(
            "listen = \"127.0.0.1:0\"\npublic_url = \"{ORIGIN}\"\ndatabase_url = \"{}\"\n{workers}{top}log = \"warn\"\n\
             [reports]\ncut_off_hours = 1\n\
             [[sources]]\nname = \"bench\"\nnetwork = \"targo\"\nsecret = \"env:BENCH_SECRET\"\ncurrency = \"coins\"\n{}",
            self.url, self.more
        );
        std::fs::write(&config, settings).expect("settings");
        let mut command = Command::new(env!("CARGO_BIN_EXE_rewardgate"));
        command.arg(role).arg("--config").arg(config).env("BENCH_SECRET", SECRET);
        command
    }
}

/// How long `command` takes, which must end with one of these codes.
pub(crate) fn timed(command: &mut Command, codes: &[i32]) -> Duration {
    let began = Instant::now();
    let code = command.status().expect("starts").code();
    assert!(code.is_some_and(|code| codes.contains(&code)), "{command:?}: {code:?}");
    began.elapsed()
}
