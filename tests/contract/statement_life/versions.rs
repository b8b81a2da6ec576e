//! Parts add up, new versions supersede, and what is discarded or restored changes what counts.

use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::format::Format;
use domain::statement::life::State;
use store::access::audit::AuditFilter;
use store::statements::intake::Intake;
use store::statements::{Confirmed, Discarded, NewStatement, Received, Restored, Step, Supersedes, Then};

use super::{file, import_with, lines, stands, theirs, usd, work};
use crate::statements::{HEADER, TERMS, confirm, counts, import, new, of, receive, receive_as, ten, totals};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, TODAY};

contract! {
    both:
        a_reversal_of_another_month_supersedes_no_other_month,
        parts_of_one_period_add_up_and_a_line_counts_once,
        days_that_two_parts_share_count_once_without_ids_too,
        a_one_line_correction_supersedes_nothing,
        a_line_far_off_is_asked_about_before_anything_is_imported,
        a_stated_period_is_kept_whatever_the_lines_say,
        a_person_says_what_a_statement_supersedes,
        discarding_a_new_version_brings_the_old_one_back,
        a_superseded_statement_may_count_beside_the_newer_one,
        what_only_the_discarded_part_counted_counts_in_the_others,
        the_same_file_with_corrected_settings_is_a_new_version;
}

async fn a_reversal_of_another_month_supersedes_no_other_month(home: &Home) {
    ten(home).await;
    let october = file(0..4).replace("2026-11-23T", "2026-10-14T");
    let october = import(home, "october.csv", &october).await;
    // A reversal is dated by its conversion.
    let november = file(4..8)
        + &of(8, "approved", "1.00")
        + &of(8, "reversed", "1.00").replace("2026-11-23T", "2026-10-14T");
    let november = import(home, "november.csv", &november).await;
    assert_eq!((stands(home, october).await, stands(home, november).await), (State::Matched, State::Matched));
    let row = home.store.statement(november).await.expect("it is read").expect("a statement");
    assert_eq!((row.period_from.as_deref(), row.version), (Some(TODAY), 1));
    assert_eq!(theirs(home).await, usd(8));
    assert_eq!(lines(home, november, LineState::Matched).await.len(), 6);
}

async fn parts_of_one_period_add_up_and_a_line_counts_once(home: &Home) {
    ten(home).await;
    // Both files have T4; of T9 the second says something else.
    let android = import(home, "android.csv", &file([0, 1, 2, 3, 4, 9])).await;
    let ios = import(home, "ios.csv", &(file([4, 5, 6, 7]) + &of(9, "approved", "1.50"))).await;
    assert_eq!((stands(home, android).await, stands(home, ios).await), (State::Matched, State::Matched));
    let twice = lines(home, ios, LineState::CountedElsewhere).await;
    let line = twice.iter().find(|row| row.line.is_some()).expect("a line");
    assert_eq!((line.tx_id.as_deref(), line.counted_in, line.theirs_micros), (Some("T4"), Some(android), 0));
    assert_eq!(lines(home, ios, LineState::Duplicate).await[0].tx_id.as_deref(), Some("T9"));
    // Six of the first, three of the second, and what it says of T9.
    assert_eq!(theirs(home).await, Amount(10_500_000));
    // Neither misses what the other one has; T8 and the reversals have no line at all.
    for id in [android, ios] {
        let missing = lines(home, id, LineState::MissingThere).await;
        let missing: Vec<_> = missing.iter().filter_map(|row| row.tx_id.as_deref()).collect();
        assert!(missing.iter().all(|tx| ["T8", "T9"].contains(tx)), "{missing:?}");
    }
}

async fn days_that_two_parts_share_count_once_without_ids_too(home: &Home) {
    ten(home).await;
    let nameless = |numbers: std::ops::Range<usize>| {
        numbers.fold(HEADER.to_owned(), |file, n| {
            file + &of(n, "approved", "1.00").replacen(&format!("T{n}"), "", 1)
        })
    };
    let first = import_with(home, "week-1.csv", &nameless(0..4), Supersedes::Decide).await;
    let second = import_with(home, "week-2.csv", &nameless(3..7), Supersedes::These(vec![])).await;
    let twice = lines(home, second, LineState::CountedElsewhere).await;
    let twice: Vec<_> = twice.iter().filter(|row| row.line.is_some()).collect();
    assert_eq!((twice.len(), twice[0].user_id.as_deref(), twice[0].counted_in), (1, Some("u3"), Some(first)));
    assert_eq!(theirs(home).await, usd(7));
}

async fn a_one_line_correction_supersedes_nothing(home: &Home) {
    ten(home).await;
    let first = import(home, "november.csv", &file(0..7)).await;
    // One that was forgotten, and one that is corrected: a person sees that it is counted twice.
    let forgotten = import(home, "forgotten.csv", &file([7])).await;
    let corrected = import(home, "corrected.csv", &(HEADER.to_owned() + &of(0, "approved", "1.25"))).await;
    for id in [first, forgotten, corrected] {
        assert_eq!(stands(home, id).await, State::Matched);
    }
    assert_eq!(counts(home, forgotten).await[1], ("matched", 1));
    assert_eq!(lines(home, corrected, LineState::Duplicate).await.len(), 1);
    assert_eq!(theirs(home).await, Amount(9_250_000));
}

async fn a_line_far_off_is_asked_about_before_anything_is_imported(home: &Home) {
    ten(home).await;
    let before = import(home, "before.csv", &file(0..4)).await;
    for (n, day) in ["1970-01-01", "0001-01-01", "2062-03-04"].into_iter().enumerate() {
        let strange = of(7, "approved", "1.00").replace("2026-11-23T", &format!("{day}T"));
        let (id, received) = receive(home, "strange.csv", &(file(4..7) + &strange)).await;
        assert_eq!((received, stands(home, id).await), (Received::New, State::Received), "{day}");
        let row = home.store.statement(id).await.expect("it is read").expect("a statement");
        let proposal = row.proposal();
        assert_eq!(proposal.period.as_ref().map(|period| period.from.as_str()), Some(TODAY), "{day}");
        let question = proposal.question().expect("a question");
        assert!(question.contains(day) && question.contains("1 line"), "{question}");
        // Confirming without a period is not enough.
        assert_eq!(confirm(home, id, None).await, Confirmed::Asks(question));
        assert_eq!(stands(home, id).await, State::Received);
        assert_eq!(confirm(home, id, Some((TODAY, TODAY))).await, Confirmed::Done);
        work(home).await;
        let row = home.store.statement(id).await.expect("it is read").expect("a statement");
        assert_eq!(row.period_from.as_deref(), Some(TODAY));
        assert_eq!((stands(home, id).await, stands(home, before).await), (State::Matched, State::Matched));
        assert_eq!(theirs(home).await, usd(8), "{n}");
        assert_eq!(
            home.store.discard_statement(id, "fay".into(), NOW).await.expect("an answer"),
            Discarded::Done
        );
    }
}

async fn a_stated_period_is_kept_whatever_the_lines_say(home: &Home) {
    ten(home).await;
    let stated =
        NewStatement { period: Some(("2026-11-01".into(), "2026-11-30".into())), ..new("november.csv") };
    let strange = of(7, "approved", "1.00").replace("2026-11-23T", "1970-01-01T");
    let (id, _) = receive_as(home, stated, &Format::default(), &(file(0..7) + &strange), Then::Import).await;
    // Only days with bookings are looked through, one in each step.
    let mut steps = 0;
    while home.store.statement_step(id, TERMS).await.expect("a step") == Step::More {
        steps += 1;
    }
    assert!(steps < 8, "{steps} steps for a month with bookings on one day");
    let row = home.store.statement(id).await.expect("it is read").expect("a statement");
    assert_eq!(
        (row.period_from.as_deref(), row.period_to.as_deref()),
        (Some("2026-11-01"), Some("2026-11-30"))
    );
    // Found by its id, whatever its day.
    assert_eq!(lines(home, id, LineState::Matched).await.len(), 8);
}

async fn a_person_says_what_a_statement_supersedes(home: &Home) {
    ten(home).await;
    let week = import(home, "week.csv", &file(0..2)).await;
    let other = import(home, "other.csv", &file(2..4)).await;
    assert_eq!(theirs(home).await, usd(4));
    // Two parts are replaced by a whole with other days.
    let whole = file(0..8).replace("T0,", "X0,").replace("2026-11-23T", "2026-11-22T");
    let whole = import_with(home, "whole.csv", &whole, Supersedes::These(vec![week, other])).await;
    for id in [week, other] {
        assert_eq!(stands(home, id).await, State::Superseded);
    }
    let row = home.store.statement(whole).await.expect("it is read").expect("a statement");
    assert_eq!(row.version, 2);
    assert_eq!((theirs(home).await, lines(home, whole, LineState::Matched).await.len()), (usd(8), 7));
    // Neither a statement that does not count nor an unknown one can be superseded.
    for (id, says) in [(week, "is superseded by statement"), (99, "no other statement 99")] {
        let mut intake = Intake::begin(&home.store, new("x.csv"), Format::default())
            .await
            .expect("it begins")
            .superseding(Supersedes::These(vec![id]));
        intake.push(file([5]).as_bytes()).await.expect("it is taken");
        let fault = intake.finish(Then::Import).await.expect_err("no such statement").to_string();
        assert!(fault.contains(says), "{fault}");
    }
    // The same lines beside it, because a person says so: they count once.
    let beside = import_with(home, "beside.csv", &file(0..8), Supersedes::These(vec![])).await;
    assert_eq!(stands(home, whole).await, State::Matched);
    assert_eq!(lines(home, beside, LineState::Duplicate).await.len(), 7, "their days differ");
}

async fn discarding_a_new_version_brings_the_old_one_back(home: &Home) {
    ten(home).await;
    let old = import(home, "a.csv", &file(0..4)).await;
    let before = (totals(home, old).await, theirs(home).await);
    let newer = import(home, "b.csv", &file(0..6)).await;
    assert_eq!((stands(home, old).await, theirs(home).await), (State::Superseded, usd(6)));
    let discard = async |id| home.store.discard_statement(id, "fay".into(), NOW).await.expect("an answer");
    assert_eq!(discard(old).await, Discarded::NotNow(State::Superseded));
    assert_eq!(discard(newer).await, Discarded::Done);
    work(home).await;
    assert_eq!((stands(home, old).await, stands(home, newer).await), (State::Matched, State::Discarded));
    assert_eq!((totals(home, old).await, theirs(home).await), before);
    let audit = home.store.audit(&AuditFilter::default(), 3).await.expect("it is read");
    let actions: Vec<_> = audit.iter().map(|row| (row.action.as_str(), row.subject.clone())).collect();
    assert_eq!(
        actions,
        [
            ("statement_discarded", format!("statement {newer}")),
            ("statement_restored", format!("statement {old}")),
            ("statement_superseded", format!("statement {old}")),
        ]
    );
    // Its lines are cleared by and by.
    while home.store.clear_discarded_statements().await.expect("they are cleared") {}
    let left = format!("SELECT COUNT(*) FROM statement_lines WHERE statement_id = {newer}");
    assert_eq!(home.raw().await.number(&left).await, 0);
}

async fn a_superseded_statement_may_count_beside_the_newer_one(home: &Home) {
    ten(home).await;
    let old = import(home, "a.csv", &file(0..4)).await;
    let newer = import(home, "b.csv", &file(2..8)).await;
    assert_eq!(stands(home, old).await, State::Superseded);
    let restore = async |id| home.store.restore_statement(id, "fay".into(), NOW).await.expect("an answer");
    assert_eq!(restore(newer).await, Restored::NotNow(State::Matched));
    assert_eq!(restore(old).await, Restored::Beside(newer));
    work(home).await;
    assert_eq!((stands(home, old).await, stands(home, newer).await), (State::Matched, State::Matched));
    assert_eq!(theirs(home).await, usd(8), "T2 and T3 count once");
    let both = lines(home, newer, LineState::CountedElsewhere).await;
    let both: Vec<_> = both.iter().filter(|row| row.line.is_some()).map(|row| row.tx_id.as_deref()).collect();
    assert_eq!(both, [Some("T2"), Some("T3")]);
    assert_eq!(restore(old).await, Restored::NotNow(State::Matched), "once");
}

async fn what_only_the_discarded_part_counted_counts_in_the_others(home: &Home) {
    ten(home).await;
    let first = import(home, "a.csv", &file(0..5)).await;
    let second = import(home, "b.csv", &file(4..8)).await;
    assert_eq!(theirs(home).await, usd(8));
    assert_eq!(
        home.store.discard_statement(first, "fay".into(), NOW).await.expect("an answer"),
        Discarded::Done
    );
    assert_eq!(stands(home, second).await, State::Importing, "it is read again");
    work(home).await;
    assert_eq!((stands(home, second).await, theirs(home).await), (State::Matched, usd(4)));
    assert_eq!(lines(home, second, LineState::Matched).await.len(), 4);
    // What the first one counted is missing now.
    let missing = lines(home, second, LineState::MissingThere).await;
    assert!(missing.iter().any(|row| row.tx_id.as_deref() == Some("T0")), "{missing:?}");
}

async fn the_same_file_with_corrected_settings_is_a_new_version(home: &Home) {
    ten(home).await;
    let text = file(0..4).replace("approved", "good");
    let first = import(home, "a.csv", &text).await;
    assert_eq!(home.store.statement_faults(first, 0, 10).await.expect("listed").len(), 4);
    // The settings of then: it is here already.
    assert_eq!(receive(home, "a.csv", &text).await.1, Received::Before(first));
    let corrected = Format { credits: vec!["good".into()], ..Format::default() };
    let (second, received) = receive_as(home, new("a.csv"), &corrected, &text, Then::Import).await;
    assert_eq!(received, Received::New);
    work(home).await;
    assert_eq!((stands(home, first).await, stands(home, second).await), (State::Superseded, State::Matched));
    assert_eq!(theirs(home).await, usd(4));
}
