//! The network's own statement: received once, read and matched in steps that survive being killed, adding up exactly.

use chrono_tz::Tz;
use domain::money::{Micros, Positive};
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::controls;
use domain::statement::format::Format;
use domain::statement::life::State;
use domain::statement::matching::Tolerance;
use domain::statement::totals::Totals;
use domain::time::{DAY_MS, TimestampMs};
use jobs::statements::work_off;
use store::access::audit::AuditFilter;
use store::statements::intake::Intake;
use store::statements::{
    Accepted, Confirm, Confirmed, Discarded, MatchTerms, NewStatement, Paid, Payment, Received, Resolution,
    StateTotal, Step, Supersedes, Then,
};

use crate::support::database::Home;
use crate::support::postbacks::{NOW, SOURCE, TODAY, credit, reversal};

contract! {
    both:
        planted_differences_of_every_state_are_found_and_none_is_invented,
        an_import_that_is_cut_short_goes_on_where_it_was,
        the_same_file_twice_is_refused_with_a_pointer_to_the_first,
        faulty_lines_are_kept_with_their_reason,
        another_file_for_the_same_days_is_a_new_version_with_its_differences,
        what_has_no_line_is_pending_until_the_cut_off_and_then_overdue,
        a_postback_that_arrives_late_closes_its_lines,
        what_another_statement_counts_is_no_open_difference,
        a_line_that_a_statement_of_other_days_has_is_a_duplicate,
        the_sum_of_a_day_stands_for_the_bookings_that_no_line_has,
        what_a_file_says_of_itself_is_held_against_its_lines,
        a_file_waits_for_a_person_and_is_discarded_or_imported,
        every_difference_of_a_state_is_accepted_with_one_reason,
        a_difference_is_accepted_once_and_counted_apart,
        what_the_network_paid_is_booked_from_paid_to_network,
        a_file_that_was_not_received_to_its_end_is_forgotten;
}

pub(crate) const TERMS: MatchTerms = MatchTerms {
    tolerance: Tolerance { absolute: Amount(10_000), relative_ppm: 0 },
    window_ms: 3_600_000,
    cut_off_days: 3,
    timezone: Tz::UTC,
};
/// No booking is pending any more.
pub(crate) const OVERDUE: &str = "9999-12-31";

pub(crate) const HEADER: &str = "tx_id,status,user_id,offer_id,event_id,amount,currency,time\n";

/// One line as the network writes it, at the time of the stories.
pub(crate) fn line(tx: &str, status: &str, user: &str, offer: &str, amount: &str) -> String {
    format!("{tx},{status},{user},{offer},,{amount},USD,2026-11-23T10:00:00Z\n")
}

pub(crate) fn new(file_name: &str) -> NewStatement {
    NewStatement {
        source: SOURCE.into(),
        file_name: file_name.into(),
        format: serde_json::to_string(&Format::default()).expect("JSON"),
        period: None,
        actor: "fay".into(),
        now: NOW,
    }
}

pub(crate) async fn receive(home: &Home, file_name: &str, file: &str) -> (i64, Received) {
    receive_as(home, new(file_name), &Format::default(), file, Then::Import).await
}

pub(crate) async fn receive_as(
    home: &Home,
    new: NewStatement,
    format: &Format,
    file: &str,
    then: Then,
) -> (i64, Received) {
    let new = NewStatement { format: serde_json::to_string(format).expect("JSON"), ..new };
    let mut intake = Intake::begin(&home.store, new, format.clone()).await.expect("it begins");
    for bytes in file.as_bytes().chunks(10_000) {
        intake.push(bytes).await.expect("it is taken");
    }
    intake.finish(then).await.expect("it is received")
}

async fn import_as(home: &Home, file_name: &str, format: &Format, file: &str) -> i64 {
    let (id, received) = receive_as(home, new(file_name), format, file, Then::Import).await;
    assert_eq!(received, Received::New);
    work_off(&home.store, id, TERMS, || true).await.expect("it is matched");
    id
}

pub(crate) async fn import(home: &Home, file_name: &str, file: &str) -> i64 {
    import_as(home, file_name, &Format::default(), file).await
}

pub(crate) async fn totals(home: &Home, id: i64) -> Totals {
    totals_at(home, id, OVERDUE).await
}

async fn totals_at(home: &Home, id: i64, pending_from: &str) -> Totals {
    let rows: Vec<StateTotal> = home.store.statement_totals(id, pending_from).await.expect("they are summed");
    let totals = store::statements::totals(rows).expect("known states");
    assert!(totals.ties_out(), "{totals:?}");
    totals
}

pub(crate) async fn counts(home: &Home, id: i64) -> Vec<(&'static str, i64)> {
    let mut counts: Vec<_> =
        totals(home, id).await.states.iter().map(|of| (of.state.name(), of.count)).collect();
    counts.sort_unstable();
    counts
}

/// Lets a statement be read that waits.
pub(crate) async fn confirm(home: &Home, id: i64, period: Option<(&str, &str)>) -> Confirmed {
    let confirm = Confirm {
        format: Format::default(),
        period: period.map(|(from, to)| (from.to_owned(), to.to_owned())),
        supersedes: Supersedes::Decide,
        actor: "fay".into(),
        now: NOW,
    };
    home.store.confirm_statement(id, confirm).await.expect("an answer")
}

pub(crate) fn word(reason: &str) -> Resolution {
    Resolution { actor: "fay".into(), reason: reason.into(), now: NOW }
}

/// Honest credits `T0` to `T9` of a dollar each, of a user and an offer each, with `T8` and `T9` taken back.
pub(crate) async fn ten(home: &Home) {
    let call = |n: usize| credit(&format!("T{n}")).by(&format!("u{n}")).with("offer_id", format!("o{n}"));
    home.process(&(0..10).map(call).collect::<Vec<_>>()).await;
    home.process(&[reversal("T8").by("u8"), reversal("T9").by("u9")]).await;
}

pub(crate) fn of(n: usize, status: &str, amount: &str) -> String {
    line(&format!("T{n}"), status, &format!("u{n}"), &format!("o{n}"), amount)
}

async fn planted_differences_of_every_state_are_found_and_none_is_invented(home: &Home) {
    ten(home).await;
    // Two bookings that nobody can tell apart.
    home.process(&[
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
    let missing = home
        .store
        .statement_breaks(id, OVERDUE, LineState::MissingHere, 0, 10)
        .await
        .expect("they are listed");
    assert_eq!((missing.len(), missing[0].tx_id.as_deref()), (1, Some("NEVER")));
    let by_facts =
        home.store.statement_breaks(id, OVERDUE, LineState::Matched, 0, 100).await.expect("they are listed");
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

async fn what_has_no_line_is_pending_until_the_cut_off_and_then_overdue(home: &Home) {
    ten(home).await;
    let id = import(home, "a.csv", &(HEADER.to_owned() + &of(0, "approved", "1.00"))).await;
    let at = |days: i64| TERMS.pending_from(TimestampMs(NOW.0 + days * DAY_MS));
    assert_eq!(at(0), "2026-11-20");
    let pending = totals_at(home, id, &at(3)).await;
    // Nine credits and two reversals of a dollar each.
    assert_eq!((pending.pending, pending.open, pending.open_count), (Amount(-7_000_000), Amount(0), 0));
    let overdue = totals_at(home, id, &at(4)).await;
    assert_eq!((overdue.pending, overdue.open, overdue.open_count), (Amount(0), Amount(-7_000_000), 11));
    let listed = home.store.statement_breaks(id, &at(3), LineState::PendingThere, 0, 100).await;
    assert_eq!(listed.expect("they are listed").len(), 11);
}

async fn a_postback_that_arrives_late_closes_its_lines(home: &Home) {
    ten(home).await;
    let mut file = HEADER.to_owned();
    file += &line("LATE", "approved", "u", "o", "1.00");
    file += &line("LATE", "reversed", "u", "o", "1.00");
    file += &line("NEVER", "approved", "u", "o", "1.00");
    file += &of(3, "reversed", "1.00");
    let id = import(home, "a.csv", &file).await;
    let close = async || home.store.close_late_lines(id, TERMS, NOW).await.expect("they are looked at");
    assert_eq!(close().await, 0);
    let open = totals(home, id).await.open_count;
    home.process(&[credit("LATE").by("u").with("offer_id", "o")]).await;
    assert_eq!(close().await, 1);
    home.process(&[reversal("LATE").by("u"), reversal("T3").by("u3")]).await;
    assert_eq!(close().await, 2);
    assert_eq!(close().await, 0, "each is closed once");
    let rows = home.store.statement_breaks(id, OVERDUE, LineState::Matched, 0, 10).await.expect("listed");
    assert_eq!(
        rows.iter().map(|row| (row.line, row.closed_at)).collect::<Vec<_>>(),
        [(Some(2), Some(NOW.0)), (Some(3), Some(NOW.0)), (Some(5), Some(NOW.0)),]
    );
    assert_eq!(totals(home, id).await.open_count, open - 3);
    let never =
        home.store.statement_breaks(id, OVERDUE, LineState::MissingHere, 0, 10).await.expect("listed");
    assert_eq!(never[0].tx_id.as_deref(), Some("NEVER"));
}

/// The same lines as a file about the day before.
fn of_the_day_before(file: &str) -> String {
    file.replace("2026-11-23T", "2026-11-22T")
}

async fn what_another_statement_counts_is_no_open_difference(home: &Home) {
    ten(home).await;
    let today = import(home, "today.csv", &(HEADER.to_owned() + &of(0, "approved", "1.00"))).await;
    let before = totals(home, today).await;
    // Booked today here, and the day before there.
    let yesterday = of_the_day_before(&(HEADER.to_owned() + &of(1, "approved", "1.00")));
    let yesterday = import(home, "yesterday.csv", &yesterday).await;
    let after = totals(home, today).await;
    assert_eq!(after.open_count, before.open_count - 1);
    assert_eq!((after.elsewhere, after.open - before.open), (Amount(-1_000_000), Amount(1_000_000)));
    let rows = home.store.statement_breaks(today, OVERDUE, LineState::CountedElsewhere, 0, 10).await;
    let rows = rows.expect("they are listed");
    assert_eq!((rows.len(), rows[0].tx_id.as_deref(), rows[0].counted_in), (1, Some("T1"), Some(yesterday)));
    // The other way round: the statement that comes later knows what an earlier one of other days counts.
    let third = import(home, "again.csv", &(HEADER.to_owned() + &of(2, "approved", "1.00"))).await;
    // T0 stands in the first, T1 in the second: three parts of one list.
    assert_eq!(totals(home, third).await.elsewhere, Amount(-2_000_000));
}

async fn a_line_that_a_statement_of_other_days_has_is_a_duplicate(home: &Home) {
    ten(home).await;
    let file = HEADER.to_owned() + &of(0, "approved", "1.00");
    import(home, "yesterday.csv", &of_the_day_before(&file)).await;
    let id = import(home, "today.csv", &file).await;
    let duplicates = home.store.statement_breaks(id, OVERDUE, LineState::Duplicate, 0, 10).await;
    assert_eq!(duplicates.expect("they are listed").len(), 1);
    assert_eq!(totals(home, id).await.theirs, Amount(1_000_000));
}

async fn the_sum_of_a_day_stands_for_the_bookings_that_no_line_has(home: &Home) {
    ten(home).await;
    let format = Format { daily_sums: true, ..Format::default() };
    let mut file = HEADER.replace("time", "time,count");
    let mut add = |line: &str, count: &str| {
        file += line.trim_end();
        file += ",";
        file += count;
        file += "\n";
    };
    add(&of(0, "approved", "1.00"), "");
    add(&of(8, "reversed", "1.00"), "");
    add(",approved,,o1,,1.00,USD,2026-11-23T00:00:00Z", "1");
    add(",approved,,,,7.99,USD,2026-11-23T00:00:00Z", "8");
    add(",reversed,,,,1.00,USD,2026-11-23T00:00:00Z", "2");
    add(",approved,,,,5.00,USD,2026-11-21T00:00:00Z", "");
    let id = import_as(home, "sums.csv", &format, &file).await;
    // The reversal of T9 is one and not two.
    assert_eq!(
        counts(home, id).await,
        [("amount_differs", 1), ("matched", 3), ("matched_in_tolerance", 1), ("missing_here", 1)]
    );
    let totals = totals(home, id).await;
    assert_eq!((totals.ours, totals.in_tolerance), (Amount(8_000_000), Amount(-10_000)));
    let sums = home.raw().await.number("SELECT COUNT(*) FROM statement_sums").await;
    assert_eq!(sums, 10, "o1, eight others, and a reversal");
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

async fn every_difference_of_a_state_is_accepted_with_one_reason(home: &Home) {
    ten(home).await;
    let file = HEADER.to_owned() + &of(0, "approved", "1.50") + &of(1, "approved", "1.70");
    let id = import(home, "a.csv", &file).await;
    let accept = async |state| {
        home.store.accept_differences(id, OVERDUE.into(), state, word("a bonus")).await.expect("an answer")
    };
    assert_eq!(accept(LineState::AmountDiffers).await, 2);
    assert_eq!(accept(LineState::AmountDiffers).await, 0, "each once");
    assert_eq!(accept(LineState::Matched).await, 0, "what matches is no difference");
    let of_amounts = totals(home, id).await;
    assert_eq!((of_amounts.accepted, of_amounts.open_count), (Amount(1_200_000), 10));
    // Bookings that no line has, too: eight credits and two reversals.
    assert_eq!(accept(LineState::MissingThere).await, 10);
    let all = totals(home, id).await;
    assert_eq!((all.accepted, all.open, all.open_count), (Amount(-4_800_000), Amount(0), 0));
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
    let row = &home
        .store
        .statement_breaks(id, OVERDUE, LineState::AmountDiffers, 0, 10)
        .await
        .expect("they are listed")[0];
    assert_eq!((row.accepted_by.as_deref(), row.accepted_reason.as_deref()), (Some("fay"), Some("a bonus")));
}

async fn what_the_network_paid_is_booked_from_paid_to_network(home: &Home) {
    ten(home).await;
    let id = import(home, "a.csv", &(HEADER.to_owned() + &of(0, "approved", "1.00"))).await;
    let amount = Positive::new(Micros(5_000_000)).expect("above zero");
    let pay = async |id| {
        let payment = Payment { amount, key: None, confirmed: true };
        home.store.pay_statement(id, payment, word("wire 17"), TODAY.into()).await.expect("an answer")
    };
    assert_eq!(pay(id).await, Paid::Booked);
    assert_eq!(pay(id + 1).await, Paid::Missing, "there is no such statement");
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
