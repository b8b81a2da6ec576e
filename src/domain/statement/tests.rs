//! Reading lines, and matching them: examples, and the identity that always holds.

use std::collections::{BTreeSet, HashMap};
use std::slice::from_ref;

use proptest::prelude::*;

use super::controls::Control;
use super::format::Format;
use super::matching::{Booking, Bookings, Match, OtherLine, Tolerance, by_day, by_facts, by_id};
use super::{LineState, StatementLine, signed};
use crate::postback::event::Kind;
use crate::report::amount::{Amount, Sum};

fn read(format: &Format, header: &[&str], fields: &[&str]) -> Result<StatementLine, String> {
    format.reader(Some(header)).map_err(|refused| refused.to_string())?.line(2, fields)
}

#[test]
fn a_line_is_read_as_the_settings_say() {
    let columns = [("tx_id", "Transaction"), ("amount", "Betrag"), ("time", "3"), ("user_id", "Kunde")];
    let format = Format {
        delimiter: ';',
        decimal_comma: true,
        time: "%d.%m.%Y %H:%M".into(),
        zone: "Europe/Berlin".into(),
        columns: columns.map(|(field, column)| (field.into(), column.into())).into(),
        ..Format::default()
    };
    let header = ["transaction", "betrag", "zeit", "kunde"];
    let line = read(&format, &header, &["T1", "-1.234,50", "25.10.2026 00:30", ""]).expect("a line");
    assert_eq!((line.kind, line.amount), (Kind::Reversal, Amount(1_234_500_000)));
    assert_eq!(line.day.as_deref(), Some("2026-10-25"));
    assert_eq!(line.at.expect("a time").rfc3339(), "2026-10-24T22:30:00.000Z");
    assert_eq!((line.user_id, line.currency.as_str()), (None, "USD"));
}

#[test]
fn what_cannot_be_read_is_named_and_never_guessed() {
    let header = ["tx_id", "status", "amount", "time"];
    let says = |fields: &[&str], words: &str| {
        let fault = read(&Format::default(), &header, fields).expect_err("faulty");
        assert!(fault.contains(words), "{fault}");
    };
    let time = "2026-11-23T00:00:00Z";
    says(&["T1", "1", "1,5", time], "not an amount");
    says(&["T1", "1", "1e3", time], "not an amount");
    says(&["T1", "1", "0.0000001", time], "six decimals");
    says(&["T1", "1", "", time], "`amount` is empty");
    says(&["T1", "maybe", "1", time], "do not map");
    says(&["T1", "", "1", time], "`status` is empty");
    says(&["T1", "1", "-1", time], "below zero");
    says(&["", "1", "1", time], "neither");
    says(&["T1", "1", "1", "yesterday"], "cannot be read as");
    says(&["T1", "1"], "it has 2 fields");
    assert!(read(&Format::default(), &["a", "b"], &["1", "2"]).expect_err("faulty").contains("found: a, b"));
    assert!(read(&Format::default(), &header, &["T1", "1", "1,234.5", time]).is_ok());
}

fn booking(reward_id: i64, payout: i64, reversed: bool) -> Booking {
    Booking {
        reward_id,
        tx_id: format!("T{reward_id}"),
        user_id: "u".into(),
        offer_id: Some("o".into()),
        event_id: None,
        payout: Amount(payout),
        received_at: 0,
        approved: true,
        reversed,
        taken_back: Amount(if reversed { payout } else { 0 }),
    }
}

fn line(number: i64, tx_id: &str, kind: Kind, amount: i64) -> StatementLine {
    StatementLine {
        number,
        tx_id: (!tx_id.is_empty()).then(|| tx_id.to_owned()),
        kind,
        user_id: Some("u".into()),
        offer_id: Some("o".into()),
        event_id: None,
        amount: Amount(amount),
        currency: "USD".into(),
        at: None,
        day: None,
        count: None,
    }
}

const TOLERANCE: Tolerance = Tolerance { absolute: Amount(2), relative_ppm: 0 };

fn known(bookings: &[Booking]) -> Bookings {
    Bookings {
        by_tx: bookings.iter().map(|booking| (booking.tx_id.clone(), booking.clone())).collect(),
        by_user: HashMap::from([("u".to_owned(), bookings.to_vec())]),
        ..Bookings::default()
    }
}

/// Both rules, the second only for what the first left open; in the order of the lines.
fn matched(lines: &[StatementLine], bookings: &[Booking]) -> Vec<Match> {
    let mut known = known(bookings);
    let mut matches = by_id(lines, &mut known, TOLERANCE);
    let open: Vec<_> = lines
        .iter()
        .zip(&matches)
        .filter(|(_, found)| found.state == LineState::Open)
        .map(|(line, _)| line.clone())
        .collect();
    for found in by_facts(&open, &mut known, TOLERANCE, 1_000) {
        if let Some(place) = matches.iter_mut().find(|it| it.number == found.number) {
            *place = found;
        }
    }
    matches
}

#[test]
fn every_state_is_found() {
    let foreign = StatementLine { currency: "EUR".into(), ..line(5, "T5", Kind::Credit, 10) };
    let lines = [
        line(1, "T1", Kind::Credit, 10),
        line(2, "T2", Kind::Credit, 12),
        line(3, "T3", Kind::Credit, 13),
        line(4, "T4", Kind::Reversal, 10),
        foreign,
        line(6, "T1", Kind::Credit, 10),
        line(7, "X7", Kind::Reversal, 99),
        line(8, "X8", Kind::Credit, 99),
        line(9, "", Kind::Credit, 70),
        line(10, "", Kind::Credit, 80),
    ];
    let mut bookings: Vec<_> = (1..=5).map(|id| booking(id, 10, false)).collect();
    bookings.extend([booking(9, 70, false), booking(10, 80, false), booking(11, 80, false)]);
    let states: Vec<_> = matched(&lines, &bookings).iter().map(|found| found.state).collect();
    assert_eq!(
        states,
        [
            LineState::Matched,
            LineState::MatchedInTolerance,
            LineState::AmountDiffers,
            LineState::StatusDiffers,
            LineState::CurrencyDiffers,
            LineState::Duplicate,
            LineState::OrphanReversal,
            LineState::MissingHere,
            LineState::Matched,
            LineState::Ambiguous,
        ]
    );
}

#[test]
fn the_sum_of_a_day_is_matched_with_what_was_booked_on_it() {
    let sum = |amount, count| StatementLine {
        user_id: None,
        day: Some("2026-11-20".into()),
        count,
        ..line(1, "", Kind::Credit, amount)
    };
    assert!(sum(1, None).is_daily_sum());
    for (line, count, amount, state) in [
        (sum(30, None), 3, 30, LineState::Matched),
        (sum(30, Some(3)), 3, 30, LineState::Matched),
        (sum(32, Some(3)), 3, 30, LineState::MatchedInTolerance),
        (sum(33, None), 3, 30, LineState::AmountDiffers),
        (sum(30, Some(2)), 3, 30, LineState::AmountDiffers),
        (sum(30, None), 0, 0, LineState::MissingHere),
        (StatementLine { kind: Kind::Reversal, ..sum(30, None) }, 0, 0, LineState::OrphanReversal),
        (StatementLine { currency: "EUR".into(), ..sum(30, None) }, 3, 30, LineState::CurrencyDiffers),
    ] {
        let found = by_day(&line, Sum::new(count, amount), TOLERANCE);
        assert_eq!((found.state, found.rule), (state, "day"), "{line:?}");
        let ours = if state.has_booking() { signed(line.kind, Amount(amount)) } else { Amount(0) };
        assert_eq!(found.ours, ours);
    }
}

#[test]
fn a_line_counts_once_in_all_statements_that_add_up() {
    let day = |day: &str| Some(day.to_owned());
    let other =
        OtherLine { statement_id: 7, amount: Amount(10), currency: "USD".into(), day: day("2026-11-30") };
    let known = || Bookings {
        lines_elsewhere: HashMap::from([(("T1".to_owned(), Kind::Credit), vec![other.clone()])]),
        elsewhere: HashMap::from([((1, Kind::Credit), 7)]),
        ..known(&[booking(1, 10, true)])
    };
    let same = StatementLine { day: day("2026-11-30"), ..line(1, "T1", Kind::Credit, 10) };
    let found = by_id(from_ref(&same), &mut known(), TOLERANCE).remove(0);
    assert_eq!(
        (found.state, found.counted_in, found.reward_id),
        (LineState::CountedElsewhere, Some(7), Some(1))
    );
    assert_eq!((found.theirs, found.ours), (Amount(0), Amount(0)));
    // The same transaction with any other fact is counted twice.
    for otherwise in [
        StatementLine { day: day("2026-12-01"), ..same.clone() },
        StatementLine { day: None, ..same.clone() },
        StatementLine { amount: Amount(11), ..same.clone() },
        StatementLine { currency: "EUR".into(), ..same.clone() },
    ] {
        let found = by_id(&[otherwise], &mut known(), TOLERANCE).remove(0);
        assert_eq!((found.state, found.reward_id), (LineState::Duplicate, Some(1)));
    }
    // Its reversal is another line, and so is what was never heard of here.
    let reversal = StatementLine { kind: Kind::Reversal, ..same.clone() };
    assert_eq!(by_id(&[reversal], &mut known(), TOLERANCE)[0].state, LineState::Matched);
    let mut unknown = Bookings { by_tx: HashMap::new(), ..known() };
    assert_eq!(by_id(from_ref(&same), &mut unknown, TOLERANCE)[0].state, LineState::CountedElsewhere);
    // Another statement has the booking by its facts: the same money is the same line.
    let by_facts_only = || Bookings { lines_elsewhere: HashMap::new(), ..known() };
    let state = |line: StatementLine| by_id(&[line], &mut by_facts_only(), TOLERANCE)[0].state;
    assert_eq!(state(same.clone()), LineState::CountedElsewhere);
    assert_eq!(state(StatementLine { amount: Amount(11), ..same.clone() }), LineState::Duplicate);
    let nameless = StatementLine { tx_id: None, ..same.clone() };
    let twice = by_facts(&[nameless.clone(), nameless], &mut by_facts_only(), TOLERANCE, 1_000);
    assert_eq!((twice[0].state, twice[0].counted_in), (LineState::CountedElsewhere, Some(7)));
    assert_eq!(twice[1].state, LineState::MissingHere, "one booking stands for one line");
    // A line with an id of its own is never taken for a booking of another id that is counted elsewhere.
    let named = StatementLine { tx_id: Some("NEW".into()), ..same };
    assert_eq!(by_facts(&[named], &mut by_facts_only(), TOLERANCE, 1_000)[0].state, LineState::MissingHere);
}

#[test]
fn figures_of_the_whole_file_are_no_lines() {
    let format = Format {
        controls: [("closing", "Closing balance"), ("lines", "Rows"), ("total", "Sum")]
            .map(|(name, label)| (name.into(), label.into()))
            .into(),
        ..Format::default()
    };
    let reader = format.reader(Some(&["tx_id", "amount"])).expect("columns");
    let control = |fields: &[&str]| reader.control(fields);
    assert_eq!(control(&["closing balance:", "", "-1,234.5"]), Some(Ok((Control::Closing, -1_234_500_000))));
    assert_eq!(control(&["", "ROWS", "12"]), Some(Ok((Control::Lines, 12))));
    assert_eq!(control(&["T1", "12"]), None);
    assert!(control(&["Sum", "many"]).expect("a control").is_err());
    assert!(control(&["Sum", ""]).expect("a control").expect_err("no figure").contains("has no figure"));
    let faulty = Format { controls: [("balance".to_owned(), "x".to_owned())].into(), ..Format::default() };
    assert!(faulty.faults()[0].to_string().contains("no name `balance`"));
}

#[test]
fn a_line_without_ids_is_a_daily_sum_only_if_the_settings_allow_it() {
    let header = ["tx_id", "amount", "time", "count"];
    let fields = ["", "12.5", "2026-11-23T00:00:00Z", "4"];
    let sums = Format { daily_sums: true, ..Format::default() };
    let line = read(&sums, &header, &fields).expect("a sum");
    assert!(line.is_daily_sum());
    assert_eq!((line.day.as_deref(), line.count), (Some("2026-11-23"), Some(4)));
    assert!(read(&Format::default(), &header, &fields).is_err());
    assert!(read(&sums, &header, &["", "12.5", "", "4"]).expect_err("no day").contains("no `time`"));
    assert!(read(&sums, &["amount", "time"], &["1", "2026-11-23T00:00:00Z"]).is_ok());
}

fn any_line() -> impl Strategy<Value = (u8, bool, i64)> {
    (0_u8..12, any::<bool>(), 0_i64..6)
}

proptest! {
    #[test]
    fn the_differences_are_the_difference_and_no_booking_is_taken_twice(
        lines in proptest::collection::vec(any_line(), 0..40),
        bookings in proptest::collection::vec((0_i64..6, any::<bool>()), 0..8),
    ) {
        let bookings: Vec<_> = (0..).zip(&bookings).map(|(id, (payout, reversed))| booking(id, *payout, *reversed)).collect();
        let lines: Vec<_> = (1..).zip(&lines).map(|(number, (tx, reversal, amount))| {
            let kind = if *reversal { Kind::Reversal } else { Kind::Credit };
            let tx = if *tx < 10 { format!("T{tx}") } else { String::new() };
            line(number, &tx, kind, *amount)
        }).collect();
        let matches = matched(&lines, &bookings);
        prop_assert_eq!(matches.len(), lines.len());
        let mut taken = BTreeSet::new();
        let mut ours = Amount(0);
        for (found, line) in matches.iter().zip(&lines) {
            prop_assert_ne!(found.state, LineState::Open);
            prop_assert_eq!(found.theirs, signed(line.kind, line.amount));
            if found.state.has_booking() {
                let id = found.reward_id.expect("a booking");
                prop_assert!(taken.insert((id, line.kind == Kind::Credit)), "taken twice");
                let payout = bookings.iter().find(|it| it.reward_id == id).expect("it exists").payout;
                ours += signed(line.kind, payout);
            }
            if found.state == LineState::Matched {
                prop_assert_eq!(found.difference(), Amount(0));
            }
        }
        let theirs: Amount = lines.iter().map(|line| signed(line.kind, line.amount)).sum();
        let differences: Amount = matches.iter().map(Match::difference).sum();
        prop_assert_eq!(differences, theirs - ours);
    }
}
