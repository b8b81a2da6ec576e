//! How many postbacks are acknowledged and decided a second, beside a bare warp route, in one run.
//!
//!     tests/run with cargo bench --bench throughput
//!     tests/run with cargo bench --bench throughput -- --rewards 1000000
//!     tests/run with cargo bench --bench throughput -- sqlite deliveries
//!     tests/run with cargo bench --bench throughput -- postgres report
//!     tests/run with cargo bench --bench throughput -- table
//!
//! Everything runs on this machine, the load generator too, so only the ratio between two figures of one run means
//! anything. Rounds of the bare route and of the real executable take turns; the median of each is printed.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, and stops at the first unexpected result"
)]

mod books;
mod deliveries;
mod load;
mod processes;
mod reporting;
mod table;

use std::time::{Duration, Instant};

use load::{Load, Round};
use processes::{Gateway, bare_route, serve_bare};

/// Connections of the load generator.
const CONNECTIONS: usize = 256;
/// How long one round lasts, and how many there are of each kind.
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if arguments.iter().any(|argument| argument == "--bare") {
        runtime.block_on(serve_bare());
        return;
    }
    let rewards = arguments.iter().position(|argument| argument == "--rewards");
    let rewards = rewards.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(0_u64);
    let only =
        ["sqlite", "postgres"].into_iter().find(|name| arguments.iter().any(|argument| argument == name));
    let postgres = std::env::var("TEST_POSTGRES_URL").expect("run through `tests/run with`");
    if arguments.iter().any(|argument| argument == "table") {
        let databases: Vec<_> =
            ["sqlite", "postgres"].into_iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
        runtime.block_on(table::table(&databases, &postgres));
        return;
    }
    for database in ["sqlite", "postgres"].into_iter().filter(|name| only.is_none_or(|only| only == *name)) {
        if arguments.iter().any(|argument| argument == "report") {
            runtime.block_on(reporting::report(database, &postgres, rewards));
            continue;
        }
        if !arguments.iter().any(|argument| argument == "deliveries") {
            runtime.block_on(measure(database, &postgres, rewards));
        }
        runtime.block_on(deliveries::measure(database, &postgres));
    }
}

async fn measure(database: &str, postgres: &str, rewards: u64) {
    let gateway = Gateway::prepare(database, postgres).await;
    let mut load = Load::new();
    acknowledged(&gateway, &mut load).await;
    decided(&gateway).await;
    // Again, with so many rewards in the table.
    if rewards > 0 {
        while gateway.rewards().await < i64::try_from(rewards).unwrap_or(i64::MAX) {
            record(&gateway, &mut load).await;
            gateway.drain(workers(database)).await;
        }
        record(&gateway, &mut load).await;
        decided(&gateway).await;
    }
    gateway.remove().await;
}

/// Bare route and gateway in turn.
async fn acknowledged(gateway: &Gateway, load: &mut Load) {
    let (mut bare, mut acknowledged) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let route = bare_route();
        bare.push(load.run(route.address, CONNECTIONS, ROUND).await);
        drop(route);
        let web = gateway.web();
        acknowledged.push(load.run(web.address, CONNECTIONS, ROUND).await);
        web.stop();
    }
    let (bare, acknowledged) = (median(bare), median(acknowledged));
    println!("{} bare route        {bare}", gateway.database);
    println!("{} acknowledged      {acknowledged}", gateway.database);
    println!(
        "{} acknowledged/bare {:.2}",
        gateway.database,
        acknowledged.answers_per_second() / bare.answers_per_second()
    );
}

/// Decides what the rounds before recorded.
async fn decided(gateway: &Gateway) {
    let (workers, waiting) = (workers(gateway.database), gateway.waiting().await);
    let began = Instant::now();
    gateway.drain(workers).await;
    let per_second = waiting as f64 / began.elapsed().as_secs_f64();
    let rewards = gateway.rewards().await;
    println!(
        "{} decided           {per_second:>8.0}/s  {waiting} postbacks, {workers} worker(s), {rewards} rewards at the end",
        gateway.database,
    );
}

async fn record(gateway: &Gateway, load: &mut Load) {
    let web = gateway.web();
    load.run(web.address, CONNECTIONS, ROUND).await;
    web.stop();
}

/// SQLite has one writer; Postgres shares the work out.
fn workers(database: &str) -> usize {
    if database.starts_with("sqlite") { 1 } else { 2 }
}

fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by_key(|round| round.answers);
    rounds.swap_remove(rounds.len() / 2)
}
