//! A statement that cannot be imported fails without stopping another; corrected, it is taken again.

use domain::statement::LineState;
use domain::statement::format::Format;
use domain::statement::life::State;
use jobs::statements::{Worked, work_off};
use store::statements::life::MAX_TRIES;
use store::statements::{Confirmed, Discarded, NewStatement, Received, Step, Then};

use super::{file, lines, stands, theirs, usd, work};
use crate::statements::{TERMS, confirm, import, new, receive, receive_as, ten};
use crate::support::database::Home;
use crate::support::postbacks::NOW;

contract! {
    both:
        a_statement_that_cannot_be_read_fails_and_stops_no_other,
        a_reason_that_may_pass_is_tried_a_bounded_number_of_times,
        a_version_that_fails_gives_back_what_it_superseded,
        the_same_file_after_a_failure_is_taken_again,
        a_file_for_the_wrong_source_is_taken_back_and_sent_again,
        statements_of_one_source_are_read_one_after_the_other;
}

async fn a_statement_that_cannot_be_read_fails_and_stops_no_other(home: &Home) {
    ten(home).await;
    let (broken, _) = receive(home, "broken.csv", &file(0..3)).await;
    let (fine, _) = receive(home, "fine.csv", &file(3..6)).await;
    home.raw().await.execute(&format!("DELETE FROM statement_chunks WHERE statement_id = {broken}")).await;
    work(home).await;
    assert_eq!((stands(home, broken).await, stands(home, fine).await), (State::Failed, State::Matched));
    let row = home.store.statement(broken).await.expect("it is read").expect("a statement");
    assert!(row.failure.as_deref().is_some_and(|why| why.contains("piece 0")), "{:?}", row.failure);
    assert_eq!(home.store.unfinished_statements().await.expect("listed"), [0_i64; 0]);
    // The database says no to a line: nothing that trying again would mend.
    home.raw().await.forbid("INSERT", "statement_lines", "NEW.tx_id = 'T7'").await;
    let (refused, _) = receive(home, "refused.csv", &file(6..8)).await;
    let (last, _) = receive(home, "last.csv", &file([8])).await;
    work(home).await;
    assert_eq!((stands(home, refused).await, stands(home, last).await), (State::Failed, State::Matched));
    // What it was is mended: it is read again from its beginning.
    home.raw().await.allow("statement_lines").await;
    assert_eq!(confirm(home, refused, None).await, Confirmed::Done);
    work(home).await;
    assert_eq!(stands(home, refused).await, State::Matched);
    assert_eq!(lines(home, refused, LineState::Matched).await.len(), 2);
    assert_eq!(
        home.store.discard_statement(broken, "fay".into(), NOW).await.expect("an answer"),
        Discarded::Done
    );
}

async fn a_reason_that_may_pass_is_tried_a_bounded_number_of_times(home: &Home) {
    let (id, _) = receive(home, "a.csv", &file(0..3)).await;
    let fail = async || home.store.note_statement_try(id, "busy".into(), NOW).await.expect("an answer");
    for _ in 1..MAX_TRIES {
        assert!(!fail().await);
    }
    assert_eq!(stands(home, id).await, State::Importing);
    // Progress in between begins anew.
    assert_eq!(home.store.statement_step(id, TERMS).await.expect("a step"), Step::More);
    for _ in 1..MAX_TRIES {
        assert!(!fail().await);
    }
    assert!(fail().await);
    assert_eq!(stands(home, id).await, State::Failed);
    assert!(!fail().await, "no worker has it any more");
}

async fn a_version_that_fails_gives_back_what_it_superseded(home: &Home) {
    ten(home).await;
    let old = import(home, "a.csv", &file(0..4)).await;
    let part = import(home, "part.csv", &file(6..9)).await;
    let newer = import(home, "b.csv", &file([0, 1, 2, 3, 8])).await;
    assert_eq!(stands(home, old).await, State::Superseded);
    // The part leaves, so that the newer one is read again; and now it cannot be.
    home.raw().await.execute(&format!("DELETE FROM statement_chunks WHERE statement_id = {newer}")).await;
    assert_eq!(
        home.store.discard_statement(part, "fay".into(), NOW).await.expect("an answer"),
        Discarded::Done
    );
    work(home).await;
    work(home).await;
    assert_eq!((stands(home, newer).await, stands(home, old).await), (State::Failed, State::Matched));
    assert_eq!(theirs(home).await, usd(4));
}

async fn the_same_file_after_a_failure_is_taken_again(home: &Home) {
    ten(home).await;
    let (first, _) = receive(home, "a.csv", &file(0..4)).await;
    assert!(home.store.fail_statement(first, "a test".into(), NOW).await.expect("an answer"));
    let (second, received) = receive(home, "a.csv", &file(0..4)).await;
    assert_eq!((received, stands(home, first).await), (Received::New, State::Discarded));
    work(home).await;
    assert_eq!((stands(home, second).await, theirs(home).await), (State::Matched, usd(4)));
}

async fn a_file_for_the_wrong_source_is_taken_back_and_sent_again(home: &Home) {
    ten(home).await;
    let wrong = NewStatement { source: "another".into(), ..new("a.csv") };
    let (id, _) = receive_as(home, wrong, &Format::default(), &file(0..4), Then::Import).await;
    work(home).await;
    assert_eq!(lines(home, id, LineState::MissingHere).await.len(), 4);
    assert_eq!(
        home.store.discard_statement(id, "fay".into(), NOW).await.expect("an answer"),
        Discarded::Done
    );
    let right = import(home, "a.csv", &file(0..4)).await;
    assert_eq!((lines(home, right, LineState::Matched).await.len(), theirs(home).await), (4, usd(4)));
}

async fn statements_of_one_source_are_read_one_after_the_other(home: &Home) {
    ten(home).await;
    let (first, _) = receive(home, "a.csv", &file(0..4)).await;
    let (second, _) = receive(home, "b.csv", &file(3..6)).await;
    // The second waits for the first, because a line counts once in both.
    assert_eq!(home.store.statement_step(second, TERMS).await.expect("a step"), Step::After(first));
    assert_eq!(work_off(&home.store, second, TERMS, || true).await.expect("an answer"), Worked::After(first));
    work(home).await;
    assert_eq!(theirs(home).await, usd(6));
}
