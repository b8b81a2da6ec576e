//! Days are closed in order: a closed report is final, is signed off once, and goes on from the day before it.

use domain::report::State;
use domain::time::{DAY_MS, TimestampMs};
use store::reports::{Kept, SignOff, Signed};

use super::{close, day, later, process_later, report, report_at};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, TODAY, credit};
use crate::support::processing::ALL;

contract! {
    both:
        a_preliminary_report_is_rewritten_and_a_final_one_never_is,
        a_closed_report_is_signed_off_once,
        the_span_of_the_books_is_known,
        a_new_installation_reports_nothing_before_its_first_day,
        an_empty_day_that_has_a_report_is_closed_before_the_first_booking,
        a_day_is_closed_only_while_what_it_goes_on_from_stands,
        a_day_is_not_closed_while_the_day_before_it_is_open,
        a_day_shortly_before_the_first_is_kept_when_it_is_asked_for,
        a_day_before_the_first_closed_one_is_not_kept,
        two_workers_that_report_at_once_make_one_chain,
        a_report_of_a_later_day_makes_the_days_before_it,
        a_hole_in_the_chain_of_closed_days_is_found;
}

async fn a_preliminary_report_is_rewritten_and_a_final_one_never_is(home: &Home) {
    home.process(&[credit("T1")]).await;
    let first = report(home, TODAY).await;
    assert_eq!(first.state, State::Preliminary);
    assert_eq!(home.store.keep_report(&first, NOW).await.expect("it is kept"), Kept::Now);
    home.process(&[credit("T2").by("u2")]).await;
    let last = close(home, TODAY, later(2)).await;
    let kept = home.store.report(TODAY).await.expect("it is read").expect("a report");
    assert_eq!((kept.report().expect("it reads back"), kept.state.as_str()), (last.clone(), "final"));
    assert_eq!(kept.content_hash, domain::text::sha256(kept.content.as_bytes()));
    for report in [&first, &last] {
        let again = home.store.keep_report(report, later(3)).await.expect("an answer");
        assert_eq!(again, Kept::ClosedBefore);
    }
    assert_eq!(home.store.report(TODAY).await.expect("it is read"), Some(kept.clone()));
    assert_eq!(home.store.reports("9999-01-01", 5).await.expect("they are listed"), [kept]);
    for tampering in ["UPDATE reports SET content = ''", "DELETE FROM reports"] {
        assert!(home.raw().await.attempt(tampering).await.is_err(), "{tampering}");
    }
}

async fn a_closed_report_is_signed_off_once(home: &Home) {
    let sign = |actor: &str| SignOff { actor: actor.into(), note: "seen".into(), now: later(3) };
    let signed = async |actor: &str| home.store.sign_off(TODAY, sign(actor)).await.expect("an answer");
    assert_eq!(signed("fay").await, Signed::Missing);
    home.process(&[credit("T1")]).await;
    let preliminary = report(home, TODAY).await;
    home.store.keep_report(&preliminary, NOW).await.expect("it is kept");
    assert_eq!(signed("fay").await, Signed::NotClosed);
    close(home, TODAY, later(2)).await;
    assert_eq!(signed("fay").await, Signed::Done);
    assert_eq!(signed("eve").await, Signed::Before("fay".into()));
    let row = home.store.report(TODAY).await.expect("it is read").expect("a report");
    assert_eq!((row.signed_by.as_deref(), row.sign_note.as_deref()), (Some("fay"), Some("seen")));
    assert!(home.raw().await.attempt("UPDATE sign_offs SET actor = 'eve'").await.is_err());
}

async fn the_span_of_the_books_is_known(home: &Home) {
    let span = async || home.store.report_span().await.expect("it is read");
    assert_eq!(span().await, store::reports::ReportSpan::default());
    home.process(&[credit("T1")]).await;
    close(home, TODAY, later(2)).await;
    assert_eq!(span().await.first_booked.as_deref(), Some(TODAY));
    assert_eq!(span().await.last_closed.as_deref(), Some(TODAY));
}

fn terms() -> jobs::reports::ReportConfig {
    jobs::reports::ReportConfig {
        timezone: chrono_tz::Europe::Berlin,
        time: "02:00".parse().expect("a time"),
        cut_off_hours: 24,
        retry_horizon_ms: 3_600_000,
    }
}

/// Makes every report up to `date`, as a worker does at `now`.
async fn make_up_to(home: &Home, date: &str, now: TimestampMs) {
    let clock = domain::time::Clock::new(move || now);
    let stop = tokio_util::sync::CancellationToken::new();
    jobs::reports::make_up_to(&home.store, &terms(), date, &clock, &stop).await.expect("they are made");
}

/// The dates of closed reports with what each goes on from, first day first; the proof that it is a chain.
async fn chain(home: &Home) -> Vec<(String, Option<String>)> {
    let found = home.store.report_chain().await.expect("it is read");
    assert_eq!(found.faults(), [] as [String; 0]);
    let mut rows = home.store.reports("9999-01-01", 100).await.expect("they are listed");
    rows.retain(|row| row.state == "final");
    rows.reverse();
    let of = |row: &store::reports::ReportRow| row.report().expect("it reads back").inputs.previous;
    rows.iter().map(|row| (row.business_date.clone(), of(row).map(|previous| previous.date))).collect()
}

fn dates(dates: &[&str]) -> Vec<(String, Option<String>)> {
    let before = |at: usize| at.checked_sub(1).map(|before| dates[before].to_owned());
    dates.iter().enumerate().map(|(at, date)| ((*date).to_owned(), before(at))).collect()
}

async fn a_new_installation_reports_nothing_before_its_first_day(home: &Home) {
    make_up_to(home, "2026-11-22", NOW).await;
    home.store.note_listening("web".into(), NOW, NOW).await.expect("it is noted");
    make_up_to(home, "2026-11-22", NOW).await;
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM reports").await, 0);
    make_up_to(home, TODAY, later(2)).await;
    assert_eq!(home.raw().await.texts("SELECT business_date FROM reports").await, [TODAY]);
}

async fn an_empty_day_that_has_a_report_is_closed_before_the_first_booking(home: &Home) {
    // Somebody listened, and nothing was booked yet when the night's report was made.
    let listened = TimestampMs(NOW.0 - DAY_MS);
    home.store.note_listening("web".into(), listened, listened).await.expect("it is noted");
    make_up_to(home, "2026-11-22", NOW).await;
    home.process(&[credit("T1")]).await;
    make_up_to(home, "2026-11-24", later(5)).await;
    assert_eq!(chain(home).await, dates(&["2026-11-22", TODAY, "2026-11-24"]));
}

async fn a_day_is_closed_only_while_what_it_goes_on_from_stands(home: &Home) {
    home.process(&[credit("T1")]).await;
    process_later(home, 1, &[credit("T2").by("u2")]).await;
    // Read before the first day is closed, and kept after it.
    let early = report_at(home, "2026-11-24", later(5)).await;
    assert_eq!(early.state, State::Preliminary);
    close(home, TODAY, later(5)).await;
    let kept = home.store.keep_report(&early, later(5)).await;
    assert!(matches!(kept, Err(store::Error::Contended(_))), "{kept:?}");
    // Nor with the hash of another report.
    let mut other = report_at(home, "2026-11-24", later(5)).await;
    other.inputs.previous.as_mut().expect("a day before").hash = "0".repeat(64);
    let kept = home.store.keep_report(&other, later(5)).await;
    assert!(matches!(kept, Err(store::Error::Contended(_))), "{kept:?}");
    close(home, "2026-11-24", later(5)).await;
    assert_eq!(chain(home).await, dates(&[TODAY, "2026-11-24"]));
}

async fn a_day_is_not_closed_while_the_day_before_it_is_open(home: &Home) {
    home.process(&[credit("T1")]).await;
    // Received on the first day, and still waiting at the end of the second.
    home.record(&[credit("T2").by("u2").received(NOW.0)]).await;
    make_up_to(home, "2026-11-25", later(9)).await;
    assert_eq!(chain(home).await, dates(&[]));
    let states = home.raw().await.texts("SELECT state FROM reports").await;
    assert_eq!(states, ["preliminary"; 3]);
    home.process_waiting(ALL).await;
    make_up_to(home, "2026-11-25", later(9)).await;
    assert_eq!(chain(home).await, dates(&[TODAY, "2026-11-24", "2026-11-25"]));
}

async fn a_day_shortly_before_the_first_is_kept_when_it_is_asked_for(home: &Home) {
    let made = async |date: &str| {
        jobs::reports::make(&home.store, &terms(), day(date), later(5)).await.expect("it is made").kept
    };
    home.process(&[credit("T1")]).await;
    assert_eq!(made("2026-10-22").await, Kept::BeforeTheFirst, "too far back");
    assert_eq!(made("2026-11-20").await, Kept::Now);
    make_up_to(home, TODAY, later(5)).await;
    assert_eq!(chain(home).await, dates(&["2026-11-20", "2026-11-21", "2026-11-22", TODAY]));
    assert_eq!(made("2026-11-19").await, Kept::BeforeTheFirst, "a day is closed");
}

async fn a_day_before_the_first_closed_one_is_not_kept(home: &Home) {
    let made = async |date: &str| {
        jobs::reports::make(&home.store, &terms(), day(date), later(5)).await.expect("it is made").kept
    };
    assert_eq!(made("2020-01-01").await, Kept::BeforeTheFirst, "nothing is known at all");
    home.process(&[credit("T1")]).await;
    close(home, TODAY, later(5)).await;
    assert_eq!(made("2026-11-22").await, Kept::BeforeTheFirst);
    let early = report_at(home, "2026-11-22", later(5)).await;
    let kept = home.store.keep_report(&early, later(5)).await.expect("an answer");
    assert_eq!(kept, Kept::BeforeTheFirst);
    assert_eq!(chain(home).await, dates(&[TODAY]));
}

async fn two_workers_that_report_at_once_make_one_chain(home: &Home) {
    for days in 0..4 {
        process_later(home, days, &[credit(&format!("T{days}")).by("u2")]).await;
    }
    let all = [TODAY, "2026-11-24", "2026-11-25", "2026-11-26"];
    tokio::join!(
        make_up_to(home, all[3], later(9)),
        make_up_to(home, all[3], later(9)),
        make_up_to(home, all[1], later(9)),
    );
    assert_eq!(chain(home).await, dates(&all));
}

async fn a_report_of_a_later_day_makes_the_days_before_it(home: &Home) {
    home.process(&[credit("T1")]).await;
    let made = jobs::reports::make(&home.store, &terms(), day("2026-11-25"), later(9)).await;
    let made = made.expect("it is made");
    assert_eq!((made.kept, made.report.state), (Kept::Now, State::Final));
    assert_eq!(chain(home).await, dates(&[TODAY, "2026-11-24", "2026-11-25"]));
}

async fn a_hole_in_the_chain_of_closed_days_is_found(home: &Home) {
    home.process(&[credit("T1")]).await;
    make_up_to(home, "2026-11-26", later(9)).await;
    let mut raw = home.raw().await;
    raw.lift("reports").await;
    let faults = async || home.store.report_chain().await.expect("it is read").faults().to_vec();
    raw.execute("UPDATE reports SET content = content || ' ' WHERE business_date = '2026-11-24'").await;
    assert_eq!(faults().await, ["the report of 2026-11-24 was changed: its content does not match its hash"]);
    let hash = "UPDATE reports SET content_hash = 'ff' WHERE business_date = '2026-11-24'";
    raw.execute(hash).await;
    let found = faults().await;
    assert_eq!(found[1..], ["the report of 2026-11-25 does not continue that of 2026-11-24"], "{found:?}");
    raw.execute("DELETE FROM reports WHERE business_date = '2026-11-24'").await;
    assert_eq!(
        faults().await,
        [format!("there are days without a closed report between {TODAY} and 2026-11-25")]
    );
    raw.execute(&format!("DELETE FROM reports WHERE business_date = '{TODAY}'")).await;
    assert_eq!(faults().await, ["the report of 2026-11-25 continues that of 2026-11-24, which is missing"]);
}
