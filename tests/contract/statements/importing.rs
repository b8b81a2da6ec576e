//! A file is received once and imported in steps: cut short, repeated, faulty, new versions, waiting for a person.

use domain::statement::format::Format;
use domain::statement::life::State;
use domain::statement::{LineState, controls};
use jobs::statements::work_off;
use store::access::audit::AuditFilter;
use store::statements::intake::Intake;
use store::statements::{Confirmed, Discarded, Received, Step, Then};

use super::{
    HEADER, TERMS, confirm, counts, import, import_as, line, new, of, receive, receive_as, ten, totals,
};
use crate::support::database::Home;
use crate::support::postbacks::NOW;

contract! {
    both:
        an_import_that_is_cut_short_goes_on_where_it_was,
        the_same_file_twice_is_refused_with_a_pointer_to_the_first,
        faulty_lines_are_kept_with_their_reason,
        another_file_for_the_same_days_is_a_new_version_with_its_differences,
        what_a_file_says_of_itself_is_held_against_its_lines,
        a_file_waits_for_a_person_and_is_discarded_or_imported,
        a_file_that_was_not_received_to_its_end_is_forgotten;
}

/// A file of several pieces, about unknown transactions.
fn long_file() -> String {
    let mut file = HEADER.to_owned();
    for n in 0..3_000 {
        file += &line(&format!("X{n}"), "approved", &format!("u{n}"), "o", "0.5");
    }
    file
}

async fn an_import_that_is_cut_short_goes_on_where_it_was(home: &Home) {
    ten(home).await;
    let file = long_file() + &of(0, "approved", "1.00");
    let whole = import(home, "whole.csv", &file).await;
    let (id, _) = receive(home, "cut.csv", &(file + "\n")).await;
    let mut steps = 0;
    // Each step by another process, as if the one before had been killed.
    loop {
        let process = home.another_process().await;
        let done = process.statement_step(id, TERMS).await.expect("a step");
        process.close().await;
        if done == Step::Done {
            break;
        }
        steps += 1;
    }
    assert!(steps > 4, "{steps} steps");
    assert_eq!(counts(home, id).await, counts(home, whole).await);
    assert_eq!(home.store.unfinished_statements().await.expect("they are listed"), [0_i64; 0]);
}

async fn the_same_file_twice_is_refused_with_a_pointer_to_the_first(home: &Home) {
    let file = HEADER.to_owned() + &of(0, "approved", "1.00");
    let first = import(home, "a.csv", &file).await;
    assert_eq!(receive(home, "b.csv", &file).await.1, Received::Before(first));
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM statements").await, 1);
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM statement_chunks").await, 1);
}

async fn faulty_lines_are_kept_with_their_reason(home: &Home) {
    let file = HEADER.to_owned() + "T0,approved,u,o,,much,USD,\nT1\n" + &of(2, "approved", "1.00");
    let id = import(home, "a.csv", &file).await;
    let faults = home.store.statement_faults(id, 0, 10).await.expect("they are listed");
    assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
    assert!(faults[0].1.contains("`amount` is `much`"), "{faults:?}");
    assert_eq!(counts(home, id).await, [("missing_here", 1)]);
}

async fn another_file_for_the_same_days_is_a_new_version_with_its_differences(home: &Home) {
    ten(home).await;
    let row = async |id: i64| home.store.statement(id).await.expect("it is read").expect("a statement");
    let first = HEADER.to_owned() + &of(0, "approved", "1.00") + &of(1, "approved", "1.00");
    let first = import(home, "a.csv", &first).await;
    assert_eq!((row(first).await.version, row(first).await.superseded_by), (1, None));
    let second = HEADER.to_owned() + &of(0, "approved", "2.00") + &of(2, "approved", "1.00");
    let second = import(home, "b.csv", &second).await;
    assert_eq!((row(second).await.version, row(first).await.superseded_by), (2, Some(second)));
    assert_eq!(home.store.statement_before(second).await.expect("it is read"), Some(first));
    // The new version takes nothing from the old one, and nothing is counted twice.
    assert_eq!(counts(home, second).await[0], ("amount_differs", 1));
    let changes = home.store.statement_changes(second, first, 10).await.expect("they are compared");
    let changes: Vec<_> = changes
        .iter()
        .map(|row| (row.change.as_str(), row.tx_id.as_str(), row.before_micros, row.now_micros))
        .collect();
    assert_eq!(
        changes,
        [
            ("added", "T2", None, Some(1_000_000)),
            ("changed", "T0", Some(1_000_000), Some(2_000_000)),
            ("removed", "T1", Some(1_000_000), None),
        ]
    );
}

async fn what_a_file_says_of_itself_is_held_against_its_lines(home: &Home) {
    let labels = [("opening", "Opening"), ("closing", "Closing"), ("lines", "Count")];
    let controls = labels.map(|(name, label)| (name.to_owned(), label.to_owned())).into();
    let format = Format { controls, ..Format::default() };
    let file = HEADER.to_owned()
        + "Opening,,,,,100.00,,\n"
        + &of(0, "approved", "1.00")
        + &of(1, "reversed", "0.25")
        + "T2,approved,u,o,,much,USD,\n"
        + "Closing,,,,,100.50,,\nCount,3\n";
    let id = import_as(home, "a.csv", &format, &file).await;
    let (stated, read) = home.store.statement_controls(id, "USD").await.expect("they are read");
    assert_eq!(stated.len(), 3);
    let gaps = controls::gaps(&stated, read);
    // Three lines, of which one cannot be read: the count is right, the balance is not.
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].stated.as_str(), gaps[0].found.as_str()), ("0.5", "0.75"));
}

async fn a_file_waits_for_a_person_and_is_discarded_or_imported(home: &Home) {
    let file = HEADER.to_owned() + &of(0, "approved", "1.00");
    let ask =
        async |name: &str, file: &str| receive_as(home, new(name), &Format::default(), file, Then::Ask).await;
    let (id, _) = ask("a.csv", &file).await;
    assert_eq!(home.store.unfinished_statements().await.expect("listed"), [0_i64; 0], "nobody said a word");
    assert_eq!(home.store.statement_step(id, TERMS).await.expect("a step"), Step::Done);
    let piece = home.store.statement_piece(id, 0).await.expect("it is read").expect("a piece");
    assert_eq!(piece.content, file.as_bytes());
    let discard = async |id| home.store.discard_statement(id, "fay".into(), NOW).await.expect("an answer");
    assert_eq!(discard(id).await, Discarded::Done);
    assert_eq!(discard(id).await, Discarded::Missing);
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM statement_chunks").await, 0);
    // It may come again, because it is as if it had never been.
    let (id, received) = ask("a.csv", &file).await;
    assert_eq!(received, Received::New);
    assert_eq!(confirm(home, id, None).await, Confirmed::Done);
    assert_eq!(confirm(home, id, None).await, Confirmed::NotNow(State::Importing), "once");
    work_off(&home.store, id, TERMS, || true).await.expect("it is matched");
    assert_eq!(counts(home, id).await, [("missing_here", 1)]);
    let audit = home.store.audit(&AuditFilter::default(), 10).await.expect("it is read");
    let actions: Vec<_> = audit.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(
        actions,
        ["statement_imported", "statement_received", "statement_discarded", "statement_received"]
    );
}

async fn a_file_that_was_not_received_to_its_end_is_forgotten(home: &Home) {
    let mut intake = Intake::begin(&home.store, new("a.csv"), Format::default()).await.expect("it begins");
    intake.push(long_file().as_bytes()).await.expect("it is taken");
    drop(intake);
    assert!(home.raw().await.number("SELECT COUNT(*) FROM statement_chunks").await > 0);
    let id = import(home, "a.csv", &(HEADER.to_owned() + &of(0, "approved", "1.00"))).await;
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM statements").await, 1);
    assert_eq!(totals(home, id).await.states[0].state, LineState::MissingHere);
}
