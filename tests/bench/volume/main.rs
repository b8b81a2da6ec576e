//! How long pages, decisions, reports and statements take on a large database, with SQLite and with Postgres.
//!
//!     tests/run with cargo bench --bench volume
//!     tests/run with cargo bench --bench volume -- queue
//!     tests/run with cargo bench --bench volume -- postgres statement
//!     tests/run with cargo bench --bench volume -- --holds 2000 --rewards 10000
//!
//! `queue` looks through and decides on a hundred thousand held rewards (`--holds`, at least 1,000). `statement` makes the
//! report of a day over a million rewards (`--rewards`, a multiple of 2,000) and matches a statement of two hundred thousand
//! lines. Each takes minutes. The rules behind both are tested by `tests/contract/volume.rs`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first unexpected result"
)]

mod queue;
mod statement;
#[expect(dead_code, reason = "the contract tests use all of it")]
#[path = "../../contract/support/mod.rs"]
mod support;

use support::database::{Home, check};
use support::place::Kind;

/// Held rewards, unless `--holds` says otherwise.
const HOLDS: i64 = 100_000;
/// Rewards in the books, unless `--rewards` says otherwise.
const REWARDS: i64 = 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    // All of `names`, unless some are given.
    let chosen = |names: [&'static str; 2]| {
        let is_given = |name: &&str| arguments.iter().any(|argument| argument == name);
        let some_given = names.iter().any(is_given);
        names.into_iter().filter(|name| !some_given || is_given(name)).collect::<Vec<_>>()
    };
    let (holds, rewards) = (number("--holds").unwrap_or(HOLDS), number("--rewards").unwrap_or(REWARDS));
    for database in chosen(["sqlite", "postgres"]) {
        let kind = if database == "sqlite" { Kind::Sqlite } else { Kind::Postgres };
        for what in chosen(["queue", "statement"]) {
            // One after the other: two at once would slow each other down.
            match what {
                "queue" => check(kind, async |home: &Home| queue::measure(home, holds).await),
                _ => check(kind, async |home: &Home| statement::measure(home, rewards).await),
            }
        }
    }
}
