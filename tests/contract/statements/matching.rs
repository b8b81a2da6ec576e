//! Every line and every booking ends in one state, and all states add up.

use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::format::Format;
use domain::time::{DAY_MS, TimestampMs};

use super::{HEADER, OVERDUE, TERMS, counts, import, import_as, line, of, ten, totals, totals_at};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, TODAY, credit, reversal};

contract! {
    both:
        planted_differences_of_every_state_are_found_and_none_is_invented,
        what_has_no_line_is_pending_until_the_cut_off_and_then_overdue,
        a_postback_that_arrives_late_closes_its_lines,
        what_another_statement_counts_is_no_open_difference,
        a_line_that_a_statement_of_other_days_has_is_a_duplicate,
        the_sum_of_a_day_stands_for_the_bookings_that_no_line_has;
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
