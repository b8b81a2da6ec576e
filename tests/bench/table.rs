//! Everything in one table: `tests/run with cargo bench --bench throughput -- table`.
//!
//! Every figure is of one run on one machine, the load generator included, so the ratios are what can be compared. The
//! table is printed, and written to `target/bench/table.md` and `table.json`. The last one kept is `RESULTS.md`.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::load::{Load, Round};
use crate::processes::{Gateway, ORIGIN, Running, SECRET, bare_route};
use crate::{CONNECTIONS, ROUND, ROUNDS, median, workers};

/// How long the whole path is saturated, and how long a steady rate lasts.
const LONG: Duration = Duration::from_secs(10);
/// Postbacks a second while web and worker are apart.
const STEADY: u32 = 3_000;
/// Postbacks of one user, offer and event.
const HOT: u64 = 30_000;
/// Postbacks before memory is read.
const MEMORY_AFTER: u64 = 300_000;

/// One line of the table.
struct Line {
    what: String,
    database: &'static str,
    value: f64,
    unit: &'static str,
    /// What design asks for: at least, or at most if negative.
    limit: Option<f64>,
}

impl Line {
    fn is_reached(&self) -> Option<bool> {
        self.limit.map(|limit| if limit < 0.0 { self.value <= -limit } else { self.value >= limit })
    }
}

/// The table as it grows.
#[derive(Default)]
struct Table(Vec<Line>);

impl Table {
    fn add(
        &mut self,
        database: &'static str,
        what: &str,
        value: f64,
        unit: &'static str,
        limit: Option<f64>,
    ) {
        println!("{database:<8} {what:<58} {value:>12.2} {unit}");
        self.0.push(Line { what: what.to_owned(), database, value, unit, limit });
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "{}\n\n| database | what | measured | limit | reached |\n|---|---|---|---|---|\n",
            machine()
        );
        for line in &self.0 {
            let limit = match line.limit {
                None => String::new(),
                Some(limit) if limit < 0.0 => format!("≤ {} {}", -limit, line.unit),
                Some(limit) => format!("≥ {limit} {}", line.unit),
            };
            let reached = line.is_reached().map_or("", |reached| if reached { "yes" } else { "no" });
            let value =
                if line.value < 100.0 { format!("{:.2}", line.value) } else { format!("{:.0}", line.value) };
            let _ = writeln!(
                text,
                "| {} | {} | {value} {} | {limit} | {reached} |",
                line.database, line.what, line.unit
            );
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        let lines: Vec<_> = self
            .0
            .iter()
            .map(|line| {
                json!({"database": line.database, "what": line.what, "value": line.value, "unit": line.unit,
                       "limit": line.limit.map(f64::abs), "reached": line.is_reached()})
            })
            .collect();
        json!({"machine": machine(), "lines": lines})
    }
}

/// Measures everything on the databases of `databases`, and writes the table.
pub(crate) async fn table(databases: &[&'static str], postgres: &str) {
    let mut table = Table::default();
    for database in databases {
        acknowledged(&mut table, database, postgres).await;
        whole_path(&mut table, database, postgres).await;
        apart(&mut table, database, postgres).await;
        hot(&mut table, database, postgres).await;
        memory(&mut table, database, postgres).await;
    }
    let folder = std::path::Path::new("target/bench");
    std::fs::create_dir_all(folder).expect("a folder");
    let markdown = table.markdown();
    std::fs::write(folder.join("table.md"), &markdown).expect("written");
    std::fs::write(folder.join("table.json"), format!("{:#}\n", table.json())).expect("written");
    println!("\n{markdown}");
}

/// Acknowledgements beside a bare route and beside the handler that most publishers write; what deciding them takes, and
/// what they weigh in the database.
async fn acknowledged(table: &mut Table, database: &'static str, postgres: &str) {
    let gateway = Gateway::prepare(database, postgres).await;
    let mut load = Load::new();
    let naive_home = Gateway::prepare("postgres", postgres).await;
    let (mut bare, mut naive, mut ours): (Vec<Round>, Vec<Round>, Vec<Round>) = Default::default();
    for _ in 0..ROUNDS {
        let route = bare_route();
        bare.push(load.run(route.address, CONNECTIONS, ROUND).await);
        drop(route);
        if let Some(handler) = naive_handler(naive_home.url()) {
            naive.push(load.run(handler.address, CONNECTIONS, ROUND).await);
        }
        let web = gateway.web();
        ours.push(load.run(web.address, CONNECTIONS, ROUND).await);
        web.stop();
    }
    naive_home.remove().await;
    let (bare, ours) = (median(bare).answers_per_second(), median(ours).answers_per_second());
    table.add(database, "bare warp route, answers", bare, "/s", None);
    table.add(database, "acknowledged, 256 connections", ours, "/s", None);
    table.add(database, "acknowledged beside a bare warp route", ours / bare, "×", Some(0.35));
    if !naive.is_empty() {
        let naive = median(naive).answers_per_second();
        table.add(database, "Express 5 and pg, answers", naive, "/s", None);
        table.add(database, "acknowledged beside Express 5 and pg", ours / naive, "×", Some(25.0));
    }
    let (waiting, began) = (gateway.waiting().await, Instant::now());
    gateway.drain(workers(database)).await;
    table.add(
        database,
        &format!("decided, cold-start rules, {} worker(s)", workers(database)),
        waiting as f64 / began.elapsed().as_secs_f64(),
        "/s",
        None,
    );
    let bytes = gateway.bytes().await as f64 / gateway.rewards().await as f64;
    table.add(database, "bytes in the database per credited reward", bytes, "B", Some(-1_100.0));
    gateway.remove().await;
}

/// One process that does it all, saturated: counted until nothing waits any more.
async fn whole_path(table: &mut Table, database: &'static str, postgres: &str) {
    let gateway = Gateway::prepare(database, postgres).await;
    let (up, began) = (gateway.up(), Instant::now());
    let round = Load::new().run(up.address, CONNECTIONS, LONG).await;
    gateway.until_nothing_waits().await;
    let per_second = round.answers as f64 / began.elapsed().as_secs_f64();
    up.stop();
    let limits = if database.starts_with("sqlite") { (Some(12_000.0), Some(-50.0)) } else { (None, None) };
    table.add(database, "whole path in one process, saturated", per_second, "/s", limits.0);
    table.add(database, "… p99 of its acknowledgements", round.p99_ms(), "ms", limits.1);
    gateway.remove().await;
}

/// Web and worker apart on one database, at a steady rate.
async fn apart(table: &mut Table, database: &'static str, postgres: &str) {
    let gateway = Gateway::prepare(database, postgres).await;
    let (web, worker) = (gateway.web(), gateway.worker());
    let round = Load::new().steady(web.address, STEADY, tokio::time::sleep(LONG)).await;
    gateway.until_nothing_waits().await;
    web.stop();
    worker.stop();
    let what = format!("web and worker apart at {STEADY}/s: p99 of acknowledgements");
    table.add(database, &what, round.p99_ms(), "ms", Some(-25.0));
    gateway.remove().await;
}

/// The same user, offer and event again and again, beside as many distinct ones.
async fn hot(table: &mut Table, database: &'static str, postgres: &str) {
    let mut rates = Vec::new();
    for mut load in [Load::new(), Load::of_one_task()] {
        let gateway = Gateway::prepare(database, postgres).await;
        let web = gateway.web();
        load.send(web.address, CONNECTIONS, HOT).await;
        web.stop();
        let began = Instant::now();
        gateway.drain(workers(database)).await;
        rates.push(HOT as f64 / began.elapsed().as_secs_f64());
        gateway.remove().await;
    }
    table.add(database, "decided, 30,000 of one user, offer and event", rates[1], "/s", None);
    table.add(database, "… beside as many distinct ones", rates[1] / rates[0], "×", Some(0.8));
}

/// Resident memory of each role after many postbacks.
async fn memory(table: &mut Table, database: &'static str, postgres: &str) {
    for role in ["up", "web and worker"] {
        let gateway = Gateway::prepare(database, postgres).await;
        let (first, second) =
            if role == "up" { (gateway.up(), None) } else { (gateway.web(), Some(gateway.worker())) };
        let mut load = Load::new();
        load.send(first.address, CONNECTIONS, MEMORY_AFTER / 3).await;
        gateway.until_nothing_waits().await;
        let early = first.resident_mib();
        load.send(first.address, CONNECTIONS, MEMORY_AFTER - MEMORY_AFTER / 3).await;
        gateway.until_nothing_waits().await;
        let name = if role == "up" { "one process" } else { "web" };
        let what = format!("resident memory, {name}, after {MEMORY_AFTER} postbacks");
        table.add(database, &what, first.resident_mib(), "MiB", Some(-150.0));
        table.add(database, "… after a third of them", early, "MiB", None);
        if let Some(worker) = second {
            let what = format!("resident memory, worker, after {MEMORY_AFTER} postbacks");
            table.add(database, &what, worker.resident_mib(), "MiB", Some(-150.0));
            worker.stop();
        }
        first.stop();
        gateway.remove().await;
    }
}

/// The handler of `naive/`, installed under `target/`; `None`, said once, where there is no npm.
fn naive_handler(database_url: &str) -> Option<Running> {
    let (from, to) = ("tests/bench/naive", "target/bench/naive");
    if !std::path::Path::new(to).join("node_modules/express").exists() {
        std::fs::create_dir_all(to).expect("a folder");
        std::fs::copy(format!("{from}/package.json"), format!("{to}/package.json")).expect("copied");
        let install = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--silent"])
            .current_dir(to)
            .status();
        if !install.is_ok_and(|status| status.success()) {
            println!("skipped: Express 5 and pg, because npm cannot install them");
            return None;
        }
    }
    std::fs::copy(format!("{from}/server.js"), format!("{to}/server.js")).expect("copied");
    let mut command = Command::new("node");
    command.arg("server.js").current_dir(to).stderr(Stdio::inherit());
    command.envs([
        ("DATABASE_URL", database_url),
        ("SECRET", SECRET),
        ("ORIGIN", ORIGIN),
        ("NODE_ENV", "production"),
    ]);
    Some(Running::start(command))
}

/// What was measured on what, in a sentence.
fn machine() -> String {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        output.map_or_else(|_| "?".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
    format!(
        "{} cores ({}), {}, {}, commit {}, {}; the load generator on the same machine.",
        std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        cpu.trim_start_matches(['\t', ':', ' ']),
        said("uname", &["-sr"]),
        said("rustc", &["--version"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        said("date", &["-u", "+%Y-%m-%d"]),
    )
}
