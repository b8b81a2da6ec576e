//! Which statements count: parts of one list add up, a new version supersedes, a discarded one restores the one before.

mod failing;
mod versions;

use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::format::Format;
use domain::statement::life::State;
use jobs::statements::{gave_up, work_off};
use store::statements::intake::Intake;
use store::statements::{BreakRow, Supersedes, Then};

use crate::statements::{HEADER, OVERDUE, TERMS, new, of, totals};
use crate::support::database::Home;
use crate::support::postbacks::NOW;

/// Imports every unfinished statement, as a worker does.
async fn work(home: &Home) {
    for id in home.store.unfinished_statements().await.expect("listed") {
        if let Err(error) = work_off(&home.store, id, TERMS, || true).await {
            gave_up(&home.store, id, error, NOW).await.expect("it is noted");
        }
    }
}

async fn stands(home: &Home, id: i64) -> State {
    match home.store.statement(id).await.expect("it is read") {
        Some(row) => row.stands().expect("a known state"),
        None => State::Discarded,
    }
}

async fn lines(home: &Home, id: i64, state: LineState) -> Vec<BreakRow> {
    home.store.statement_breaks(id, OVERDUE, state, 0, 100).await.expect("they are listed")
}

/// The sum of the network's amounts in all statements that count.
async fn theirs(home: &Home) -> Amount {
    let mut theirs = Amount(0);
    for row in home.store.statements(i64::MAX, 100).await.expect("they are listed") {
        if row.stands().expect("a known state") == State::Matched {
            theirs += totals(home, row.id).await.theirs;
        }
    }
    theirs
}

fn usd(dollars: i64) -> Amount {
    Amount(dollars * 1_000_000)
}

/// A file with one credit of a dollar for each number.
fn file(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().fold(HEADER.to_owned(), |file, n| file + &of(n, "approved", "1.00"))
}

async fn import_with(home: &Home, file_name: &str, file: &str, supersedes: Supersedes) -> i64 {
    let mut intake = Intake::begin(&home.store, new(file_name), Format::default())
        .await
        .expect("it begins")
        .superseding(supersedes);
    intake.push(file.as_bytes()).await.expect("it is taken");
    let (id, _) = intake.finish(Then::Import).await.expect("it is received");
    work(home).await;
    id
}
