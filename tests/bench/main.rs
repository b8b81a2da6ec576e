//! How many postbacks are acknowledged and decided a second, beside a bare warp route, in one run.
//!
//!     tests/run with cargo bench --bench throughput
//!     tests/run with cargo bench --bench throughput -- --rewards 1000000
//!     tests/run with cargo bench --bench throughput -- sqlite deliveries
//!     tests/run with cargo bench --bench throughput -- postgres report
//!     tests/run with cargo bench --bench throughput -- growth sqlite --rewards 10000000
//!     tests/run with cargo bench --bench throughput -- table
//!     tests/run with cargo bench --bench throughput -- table quick
//!     tests/run with cargo bench --bench throughput -- table sqlite memory hot
//!
//! `table` measures every limit of the design. `table quick` takes five minutes and leaves out what needs a million
//! rewards; `table smoke` only shows that each section runs. Sections are named in `sections/mod.rs`, and an unknown word
//! lists everything that can be said.
//!
//! Everything runs on this machine, the load generator too, so only the ratio between two figures of one run means
//! anything. Rounds of the bare route and of the real executable take turns; the median of each is printed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints, and stops at the first unexpected result"
)]

mod arguments;
mod books;
mod crowd;
mod deliveries;
mod growth;
mod load;
mod postback;
mod processes;
mod reporting;
mod sections;
mod sizes;
#[expect(dead_code, reason = "the tests of the executable use all of it")]
#[path = "../service/support/mod.rs"]
mod support;
mod table;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arguments::{Arguments, Mode};
use load::{Load, Round};
use processes::{Gateway, bare_route, serve_bare};

/// Connections of the load generator.
const CONNECTIONS: usize = 256;
/// How long one round lasts, and how many there are of each kind.
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;
/// Exit code of a command line that nobody understands.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if words.iter().any(|word| word == "--bare") {
        runtime.block_on(serve_bare());
        return ExitCode::SUCCESS;
    }
    match Arguments::read(words) {
        Ok(arguments) => {
            let postgres = std::env::var("TEST_POSTGRES_URL").expect("run through `tests/run with`");
            runtime.block_on(run(&arguments, &postgres));
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

async fn run(arguments: &Arguments, postgres: &str) {
    if arguments.mode == Mode::Table {
        return table::table(arguments, postgres).await;
    }
    for database in &arguments.databases {
        match arguments.mode {
            Mode::Report => reporting::report(database, postgres, arguments.rewards).await,
            Mode::Growth => {
                growth::print(database, postgres, arguments.rewards.unwrap_or(growth::REWARDS)).await;
            }
            Mode::Deliveries => deliveries::measure(database, postgres).await,
            Mode::Rounds | Mode::Table => {
                measure(database, postgres, arguments.rewards.unwrap_or(0)).await;
                deliveries::measure(database, postgres).await;
            }
        }
    }
}

/// Unix milliseconds.
fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a benchmark is an edge")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("not so far ahead")
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
