//! The network's own statement: received once, read and matched in steps that survive being killed, adding up exactly.

use domain::money::{Micros, Positive};
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::format::Format;
use domain::statement::matching::Tolerance;
use domain::statement::totals::Totals;
use jobs::statement::{Intake, work_off};
use store::statements::{Accepted, MatchTerms, NewStatement, Received, StateTotal, Step, Word};

use crate::database::Home;
use crate::story::{NOW, SOURCE, TODAY, credit, reversal};

contract! {
    both:
        planted_differences_of_every_state_are_found_and_none_is_invented,
        an_import_that_is_cut_short_goes_on_where_it_was,
        the_same_file_twice_is_refused_with_a_pointer_to_the_first,
        faulty_lines_are_kept_with_their_reason,
        another_file_for_the_same_days_is_a_new_version,
        a_difference_is_accepted_once_and_counted_apart,
        what_the_network_paid_is_booked_from_paid_to_network,
        a_file_that_was_not_received_to_its_end_is_forgotten;
}

const TERMS: MatchTerms =
    MatchTerms { tolerance: Tolerance { absolute: Amount(10_000), relative_ppm: 0 }, window_ms: 3_600_000 };

const HEADER: &str = "tx_id,status,user_id,offer_id,event_id,amount,currency,time\n";

/// One line as the network writes it, at the time of the stories.
fn line(tx: &str, status: &str, user: &str, offer: &str, amount: &str) -> String {
    format!("{tx},{status},{user},{offer},,{amount},USD,2026-11-23T10:00:00Z\n")
}

fn new(file_name: &str) -> NewStatement {
    NewStatement {
        source: SOURCE.into(),
        file_name: file_name.into(),
        format: serde_json::to_string(&Format::default()).expect("JSON"),
        period: None,
        actor: "fay".into(),
        now: NOW,
    }
}

async fn receive(home: &Home, file_name: &str, file: &str) -> (i64, Received) {
    let mut intake = Intake::begin(&home.store, new(file_name), Format::default()).await.expect("it begins");
    for bytes in file.as_bytes().chunks(10_000) {
        intake.push(bytes).await.expect("it is taken");
    }
    intake.finish().await.expect("it is received")
}

async fn import(home: &Home, file_name: &str, file: &str) -> i64 {
    let (id, received) = receive(home, file_name, file).await;
    assert_eq!(received, Received::New);
    work_off(&home.store, id, TERMS, || true).await.expect("it is matched");
    id
}

async fn totals(home: &Home, id: i64) -> Totals {
    let rows: Vec<StateTotal> = home.store.statement_totals(id).await.expect("they are summed");
    let totals = store::statements::totals(rows).expect("known states");
    assert!(totals.ties_out(), "{totals:?}");
    totals
}

async fn counts(home: &Home, id: i64) -> Vec<(&'static str, i64)> {
    let mut counts: Vec<_> =
        totals(home, id).await.states.iter().map(|of| (of.state.name(), of.count)).collect();
    counts.sort_unstable();
    counts
}

fn word(reason: &str) -> Word {
    Word { actor: "fay".into(), reason: reason.into(), now: NOW }
}

/// Honest credits `T0` to `T9` of a dollar each, of a user and an offer each, with `T8` and `T9` taken back.
async fn ten(home: &Home) {
    let call = |n: usize| credit(&format!("T{n}")).by(&format!("u{n}")).with("offer_id", format!("o{n}"));
    home.tell(&(0..10).map(call).collect::<Vec<_>>()).await;
    home.tell(&[reversal("T8").by("u8"), reversal("T9").by("u9")]).await;
}

fn of(n: usize, status: &str, amount: &str) -> String {
    line(&format!("T{n}"), status, &format!("u{n}"), &format!("o{n}"), amount)
}

async fn planted_differences_of_every_state_are_found_and_none_is_invented(home: &Home) {
    ten(home).await;
    // Two bookings that nobody can tell apart.
    home.tell(&[
        credit("A1").by("a").with("offer_id", "twin").with("event_id", "1"),
        credit("A2").by("a").with("offer_id", "twin").with("event_id", "2"),
    ])
    .await;
    let mut file = HEADER.to_owned();
    file += &of(0, "approved", "1.00");
    file += &of(1, "approved", "1.01");
    file += &of(2, "approved", "1.50");
    file += &of(3, "approved", "1.00");
    file += &of(3, "reversed", "1.00");
    file += &of(0, "approved", "1.00");
    file += "T4,approved,u4,o4,,0.90,EUR,2026-11-23T10:00:00Z\n";
    file += &line("NEVER", "approved", "x", "y", "7");
    file += &line("GONE", "reversed", "x", "y", "3");
    file += &line("", "approved", "u5", "o5", "1.00");
    file += &line("", "approved", "a", "twin", "1.00");
    file += &of(8, "approved", "1.00");
    file += &of(8, "reversed", "1.00");
    file += &of(9, "approved", "1.00");
    let id = import(home, "november.csv", &file).await;
    assert_eq!(
        counts(home, id).await,
        [
            ("ambiguous", 1),
            ("amount_differs", 1),
            ("currency_differs", 1),
            ("duplicate", 1),
            ("matched", 6),
            ("matched_in_tolerance", 1),
            ("missing_here", 1),
            // T6, T7, and the two that cannot be told apart.
            ("missing_there", 4),
            ("orphan_reversal", 1),
            // T3 was taken back there only, T9 here only.
            ("status_differs", 2),
        ]
    );
    let totals = totals(home, id).await;
    assert_eq!(totals.in_tolerance, Amount(10_000));
    let theirs = 1.0 + 1.01 + 1.5 + 1.0 - 1.0 + 1.0 + 7.0 - 3.0 + 1.0 + 1.0 + 1.0 - 1.0 + 1.0;
    assert_eq!(totals.theirs.to_string(), format!("{theirs:.2}"));
    // Twelve credits less two reversals.
    assert_eq!(totals.ours, Amount(10_000_000));
    let missing = home.store.statement_breaks(id, "missing_here", 0, 10).await.expect("they are listed");
    assert_eq!((missing.len(), missing[0].tx_id.as_deref()), (1, Some("NEVER")));
    let by_facts = home.store.statement_breaks(id, "matched", 0, 100).await.expect("they are listed");
    assert_eq!(by_facts.iter().filter(|row| row.rule == "facts").count(), 1);
    let statement = home.store.statement(id).await.expect("it is read").expect("a statement");
    assert_eq!((statement.period_from.as_deref(), statement.state.as_str()), (Some(TODAY), "matched"));
    assert_eq!(home.store.statements(i64::MAX, 10).await.expect("they are listed"), [statement]);
}

/// A file of several pieces, about nothing that we know.
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

async fn another_file_for_the_same_days_is_a_new_version(home: &Home) {
    ten(home).await;
    let versions = async |name: &str, amount: &str| {
        let id = import(home, name, &(HEADER.to_owned() + &of(0, "approved", amount))).await;
        home.store.statement(id).await.expect("it is read").expect("a statement").version
    };
    assert_eq!(versions("a.csv", "1.00").await, 1);
    assert_eq!(versions("b.csv", "2.00").await, 2);
}

async fn a_difference_is_accepted_once_and_counted_apart(home: &Home) {
    ten(home).await;
    let file = HEADER.to_owned() + &of(0, "approved", "1.50") + &of(1, "approved", "1.00");
    let id = import(home, "a.csv", &file).await;
    let open = totals(home, id).await.open;
    let accept = async |subject: &str| {
        home.store.accept_difference(id, subject.into(), word("a bonus")).await.expect("an answer")
    };
    assert_eq!(accept("line 2").await, Accepted::Done);
    assert_eq!(accept("line 2").await, Accepted::Before);
    // What matches is no difference, and what is not there neither.
    assert_eq!(accept("line 3").await, Accepted::Missing);
    assert_eq!(accept("line 99").await, Accepted::Missing);
    let totals = totals(home, id).await;
    assert_eq!((totals.accepted, totals.open), (Amount(500_000), open - Amount(500_000)));
    let row = &home.store.statement_breaks(id, "amount_differs", 0, 10).await.expect("they are listed")[0];
    assert_eq!((row.accepted_by.as_deref(), row.accepted_reason.as_deref()), (Some("fay"), Some("a bonus")));
}

async fn what_the_network_paid_is_booked_from_paid_to_network(home: &Home) {
    ten(home).await;
    let id = import(home, "a.csv", &(HEADER.to_owned() + &of(0, "approved", "1.00"))).await;
    let amount = Positive::new(Micros(5_000_000)).expect("above zero");
    let pay = async |id| home.store.pay_statement(id, amount, word("wire 17"), TODAY.into()).await;
    assert!(pay(id).await.expect("it is booked"));
    assert!(!pay(id + 1).await.expect("an answer"), "there is no such statement");
    assert_eq!(home.store.statement_paid(id).await.expect("it is summed"), Micros(5_000_000));
    let balances = home.balances(SOURCE).await;
    let of = |name: &str| balances.iter().find(|(found, _)| found == name).map(|(_, balance)| *balance);
    assert_eq!((of("paid"), of("network")), (Some(-5_000_000), Some(-3_000_000)));
    home.prove().await;
    let report = crate::reports::report(home, TODAY).await;
    assert!(report.ties_out, "{:?}", report.faults);
    let roll = &report.receivables[0];
    assert_eq!(
        (roll.settled, roll.closing, roll.settled_in_all),
        (Amount(5_000_000), Amount(3_000_000), Amount(5_000_000))
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
