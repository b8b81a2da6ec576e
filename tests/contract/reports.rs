//! The reconciliation of a business day: what is counted, what is frozen, what comes late.

use domain::report::amount::{Amount, Sum};
use domain::report::day::BusinessDay;
use domain::report::{Report, State};
use domain::review::decision::Review;
use domain::time::{DAY_MS, TimestampMs};
use store::postbacks::inbox::Claim;
use store::postbacks::refused::NewRefused;
use store::postbacks::replay::Replayer;
use store::reports::{Kept, ReportTerms, SignOff, Signed};

use crate::support::database::Home;
use crate::support::story::{
    Call, NOW, PAYOUT, REWARD, TODAY, credit, processed, processor, reversal, suspicious, unmappable,
};
use crate::support::telling::ALL;

contract! {
    both:
        a_report_counts_what_was_booked_on_its_day,
        every_postback_has_one_fate,
        a_replayed_call_is_counted_once_on_the_day_on_which_it_was_taken,
        many_replayed_calls_hide_nothing_from_the_figures_of_any_day,
        what_happens_after_the_day_does_not_change_its_report,
        holds_are_counted_as_they_stood_at_the_end_of_the_day,
        a_debt_that_arises_and_is_earned_back_rolls_forward,
        a_preliminary_report_is_rewritten_and_a_final_one_never_is,
        what_is_booked_into_a_closed_day_is_a_late_entry_of_the_next,
        a_balance_that_was_tampered_with_does_not_tie_out,
        a_closed_report_is_signed_off_once,
        silence_of_every_process_is_a_loss_window,
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

fn day(date: &str) -> BusinessDay {
    BusinessDay::parse(date, chrono_tz::Europe::Berlin).expect("a date")
}

/// The same instant, days later.
fn later(days: i64) -> TimestampMs {
    TimestampMs(NOW.0 + days * DAY_MS)
}

/// The report of `date` as of `now`; its day is closed a day after its end.
async fn report_at(home: &Home, date: &str, now: TimestampMs) -> Report {
    let terms = ReportTerms { now, closed_at: day(date).closed_at(24), retry_horizon_ms: 3_600_000 };
    Report::of(&home.store.report_facts(day(date), terms).await.expect("the facts are read"))
}

pub(crate) async fn report(home: &Home, date: &str) -> Report {
    report_at(home, date, NOW).await
}

/// Tells `calls` so many days later: received and settled then.
async fn tell_later(home: &Home, days: i64, calls: &[Call]) {
    let at = later(days);
    let calls: Vec<_> = calls.iter().map(|call| call.clone().received(at.0 - 60_000)).collect();
    home.record(&calls).await;
    processed(&home.store, Claim::First(ALL), processor(), at).await.expect("they are settled");
}

#[track_caller]
fn assert_ties_out(report: &Report) {
    assert!(report.ties_out, "{}: {:#?}", report.date, report.faults);
}

async fn close(home: &Home, date: &str, now: TimestampMs) -> Report {
    let report = report_at(home, date, now).await;
    assert_eq!(report.state, State::Final);
    assert_eq!(home.store.keep_report(&report, now).await.expect("it is kept"), Kept::Now);
    report
}

const fn rewards(count: i64) -> Sum {
    Sum { count, amount: Amount(count * REWARD) }
}

const fn payouts(count: i64) -> Sum {
    Sum { count, amount: Amount(count * PAYOUT) }
}

async fn a_report_counts_what_was_booked_on_its_day(home: &Home) {
    let third = credit("T3").by("u2").with("offer_id", "o1").with("country_code", "DE").with("sub1", "s");
    home.tell(&[credit("T1"), suspicious("T2"), third, suspicious("T4").by("u4")]).await;
    home.tell(&[reversal("T3").by("u2")]).await;
    let id = home.reward("T2").await.id;
    home.decide(id, Review::Release).await.expect("it is released");
    let report = report(home, TODAY).await;
    assert_ties_out(&report);
    let figures = report.sources[0].figures;
    assert_eq!(
        (figures.approved, figures.reversed, figures.net),
        (payouts(4), payouts(1), Amount(3 * PAYOUT))
    );
    assert_eq!((figures.credited, figures.held, figures.released), (rewards(2), rewards(2), rewards(1)));
    assert_eq!((figures.reversed_credited, figures.rejected), (rewards(1), rewards(0)));
    assert_eq!((report.holds[0].reward, report.holds[0].days.as_str()), (rewards(1), "0-1"));
    assert_eq!(report.receivables[0].closing, Amount(3 * PAYOUT));
    assert_eq!(report.users[0].closing, Amount(2 * REWARD));
    let top: Vec<_> = report.top.iter().map(|top| (top.of.as_str(), top.key.as_str())).collect();
    assert_eq!(top, [("offer", "o1"), ("country", "DE"), ("sub1", "s")]);
    assert_eq!(report.inputs.policies.len(), 1);
    assert_eq!(report.cohorts[0].rows[0].approved, payouts(4));
}

async fn every_postback_has_one_fate(home: &Home) {
    home.tell(&[credit("T1"), credit("T1"), credit("T1").with("reward", "7"), suspicious("T2").by("u2")])
        .await;
    home.tell(&[reversal("T3"), credit("T3"), reversal("T1"), reversal("T1"), unmappable()]).await;
    home.record(&[credit("T9").received(NOW.0)]).await;
    home.record(&[credit("T8").received(NOW.0 - 3 * DAY_MS)]).await;
    let refused = NewRefused { call: credit("T5").postback(), reason: "wrong".into() };
    home.store.keep_refused(vec![refused]).await.expect("it is kept");
    let mut fates = report(home, TODAY).await.postbacks.remove(0);
    assert_eq!((fates.acknowledged, fates.refused, fates.waiting, fates.unexplained), (10, 1, 1, 0));
    assert_eq!((fates.credits, fates.holds, fates.reversals, fates.reversals_first), (1, 1, 1, 1));
    assert_eq!((fates.repeats, fates.conflicts, fates.quarantined, fates.reversed_before), (2, 1, 1, 1));
    home.settle(ALL).await;
    let report = report(home, TODAY).await;
    assert_ties_out(&report);
    fates = report.postbacks[0].clone();
    assert_eq!((fates.acknowledged, fates.credits, fates.waiting), (10, 2, 0));
}

/// How many postbacks the report of the day so many days after today counts, and how many refused calls.
async fn counted(home: &Home, days: i64) -> (i64, i64) {
    let at = later(days);
    let date = at.business_date(chrono_tz::Europe::Berlin);
    let postbacks = report_at(home, &date, at).await.postbacks;
    postbacks.iter().fold((0, 0), |(taken, refused), of| (taken + of.acknowledged, refused + of.refused))
}

async fn refuse(home: &Home, days: i64, tx_ids: std::ops::Range<i64>) {
    let at = later(days).0 - 60_000;
    let refused =
        |n: i64| NewRefused { call: credit(&format!("R{n}")).received(at).postback(), reason: "no".into() };
    home.store.keep_refused(tx_ids.map(refused).collect()).await.expect("they are kept");
}

async fn replay_all(home: &Home, days: i64) {
    let calls = home.store.refused_calls(None, 0).await.expect("they are read");
    let by = Replayer { actor: "ann".into(), now: later(days) };
    let ids = calls.into_iter().map(|call| call.id).collect();
    home.store.replay_refused(ids, by).await.expect("they are taken");
    processed(&home.store, Claim::First(ALL), processor(), later(days)).await.expect("they are settled");
}

async fn a_replayed_call_is_counted_once_on_the_day_on_which_it_was_taken(home: &Home) {
    tell_later(home, 0, &[credit("T0")]).await;
    refuse(home, 0, 0..3).await;
    assert_eq!(counted(home, 0).await, (1, 3));
    tell_later(home, 1, &[credit("T1")]).await;
    tell_later(home, 5, &[credit("T5")]).await;
    replay_all(home, 5).await;
    tell_later(home, 6, &[credit("T6")]).await;
    let counts =
        [counted(home, 0).await, counted(home, 1).await, counted(home, 5).await, counted(home, 6).await];
    assert_eq!(counts, [(1, 0), (1, 0), (4, 0), (1, 0)]);
}

async fn many_replayed_calls_hide_nothing_from_the_figures_of_any_day(home: &Home) {
    refuse(home, -20, 0..40).await;
    for day in 0..3 {
        let calls: Vec<_> = (0..7).map(|n| credit(&format!("T{day}-{n}"))).collect();
        tell_later(home, day, &calls).await;
        if day == 1 {
            // In the middle of the ids, and more than all the others.
            replay_all(home, 1).await;
        }
    }
    let counts = [counted(home, 0).await, counted(home, 1).await, counted(home, 2).await];
    assert_eq!(counts, [(7, 0), (47, 0), (7, 0)]);
}

async fn what_happens_after_the_day_does_not_change_its_report(home: &Home) {
    home.tell(&[credit("T1"), suspicious("T2")]).await;
    let before = report(home, TODAY).await;
    tell_later(home, 1, &[credit("T5").by("u5")]).await;
    tell_later(home, 2, &[reversal("T1"), reversal("T2"), credit("T6").by("u6")]).await;
    let mut after = report(home, TODAY).await;
    assert_ties_out(&after);
    after.inputs = before.inputs.clone();
    // The proof is of all books, as they stand.
    after.proof = before.proof;
    assert_eq!(after, before);
    let third = report_at(home, "2026-11-25", later(2)).await;
    assert_ties_out(&third);
    assert_eq!(third.receivables[0].opening, Amount(3 * PAYOUT));
    let prior: Vec<_> =
        third.prior_periods.iter().map(|line| (line.belongs_to.as_str(), line.step.as_str())).collect();
    assert_eq!(prior, [(TODAY, "reverse_credited"), (TODAY, "reverse_held")]);
    let of_today = third.cohorts[0].rows.last().expect("a row");
    assert_eq!(of_today.converted, TODAY);
    assert_eq!(of_today.cells[1].expect("it is closed").reversed, Sum::default());
    assert_eq!(of_today.cells[2], None);
}

async fn holds_are_counted_as_they_stood_at_the_end_of_the_day(home: &Home) {
    home.tell(&[suspicious("T1"), suspicious("T2").by("u2"), suspicious("T3").by("u3")]).await;
    tell_later(home, 1, &[reversal("T1")]).await;
    let reject = home.reward("T2").await.id;
    let mut reviewer = crate::support::telling::ann();
    (reviewer.now, reviewer.business_date) = (later(9), "2026-12-02".into());
    home.store.review(reject, Review::Reject, reviewer).await.expect("it is rejected");
    for (date, held, days) in [(TODAY, 3, "0-1"), ("2026-11-25", 2, "2-7"), ("2026-12-02", 1, "8-30")] {
        let report = report_at(home, date, later(20)).await;
        assert_ties_out(&report);
        let holds: Vec<_> = report.holds.iter().map(|age| (age.reward, age.days.as_str())).collect();
        assert_eq!(holds, [(rewards(held), days)], "{date}");
        let account = report.accounts.iter().find(|roll| roll.account == "held:targo").expect("an account");
        assert_eq!(account.closing, rewards(held).amount);
    }
}

async fn a_debt_that_arises_and_is_earned_back_rolls_forward(home: &Home) {
    home.tell(&[credit("T1"), credit("T2").by("u2")]).await;
    // Both spent it: seen from here, their balance is below zero after a reversal of what they no longer have.
    let spend = "UPDATE accounts SET balance_micros = balance_micros - 500000000 WHERE name LIKE 'user:%'";
    home.raw().await.execute(spend).await;
    tell_later(home, 1, &[reversal("T1"), reversal("T2").by("u2")]).await;
    tell_later(home, 2, &[credit("T3").with("reward", "200")]).await;
    let second = report_at(home, "2026-11-24", later(2)).await;
    let debt = &second.debts[0];
    assert_eq!((debt.opening, debt.arisen, debt.closing), (Sum::default(), Amount(2 * REWARD), rewards(2)));
    assert_eq!(second.negative.len(), 2);
    let third = report_at(home, "2026-11-25", later(2)).await;
    let debt = &third.debts[0];
    let recovered = Amount(200_000_000);
    assert_eq!(
        (debt.opening, debt.recovered, debt.closing.amount),
        (rewards(2), recovered, Amount(2 * REWARD) - recovered)
    );
    assert_eq!(third.negative[0].account, "user:main/u2");
}

async fn a_preliminary_report_is_rewritten_and_a_final_one_never_is(home: &Home) {
    home.tell(&[credit("T1")]).await;
    let first = report(home, TODAY).await;
    assert_eq!(first.state, State::Preliminary);
    assert_eq!(home.store.keep_report(&first, NOW).await.expect("it is kept"), Kept::Now);
    home.tell(&[credit("T2").by("u2")]).await;
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

async fn what_is_booked_into_a_closed_day_is_a_late_entry_of_the_next(home: &Home) {
    home.tell(&[credit("T1")]).await;
    let closed = close(home, TODAY, later(2)).await;
    // A worker with a clock of its own still books into it.
    home.tell(&[credit("T2").by("u2"), suspicious("T3").by("u3")]).await;
    tell_later(home, 1, &[credit("T4").by("u4")]).await;
    let next = close(home, "2026-11-24", later(3)).await;
    assert_ties_out(&next);
    assert_eq!(next.sources[0].figures.approved, payouts(3));
    let late: Vec<_> =
        next.late.iter().map(|line| (line.belongs_to.as_str(), line.step.as_str(), line.reward)).collect();
    assert_eq!(late, [(TODAY, "credit", rewards(1)), (TODAY, "hold", rewards(1))]);
    assert_eq!(next.receivables[0].opening, closed.receivables[0].closing);
    assert_eq!(next.receivables[0].closing, Amount(4 * PAYOUT));
    // And the one after goes on from there.
    let third = close(home, "2026-11-25", later(4)).await;
    assert_ties_out(&third);
    assert_eq!((third.late, third.sources), (vec![], vec![]));
}

async fn a_balance_that_was_tampered_with_does_not_tie_out(home: &Home) {
    home.tell(&[credit("T1")]).await;
    close(home, TODAY, later(2)).await;
    tell_later(home, 1, &[credit("T2").by("u2")]).await;
    let tamper = "UPDATE accounts SET balance_micros = balance_micros + 5 WHERE name = 'network:targo'";
    home.raw().await.execute(tamper).await;
    let report = report_at(home, "2026-11-24", later(1)).await;
    assert!(!report.ties_out);
    for words in ["network:targo USD: opening and movements", "not proven", "receivable from targo"] {
        assert!(report.faults.iter().any(|fault| fault.contains(words)), "{words}: {:#?}", report.faults);
    }
}

async fn a_closed_report_is_signed_off_once(home: &Home) {
    let sign = |actor: &str| SignOff { actor: actor.into(), note: "seen".into(), now: later(3) };
    let signed = async |actor: &str| home.store.sign_off(TODAY, sign(actor)).await.expect("an answer");
    assert_eq!(signed("fay").await, Signed::Missing);
    home.tell(&[credit("T1")]).await;
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

async fn silence_of_every_process_is_a_loss_window(home: &Home) {
    let at = |minutes: i64| TimestampMs(NOW.0 + minutes * 60_000);
    let note = async |process: &str, from: i64, to: i64| {
        home.store.note_listening(process.into(), at(from), at(from)).await.expect("it is noted");
        home.store.note_listening(process.into(), at(from), at(to)).await.expect("it is noted");
    };
    assert_eq!(report(home, TODAY).await.losses, []);
    note("a", -90, -60).await;
    note("b", -80, -50).await;
    note("c", -10, 0).await;
    let losses = report_at(home, TODAY, at(0)).await.losses;
    assert_eq!(losses.len(), 1);
    assert_eq!((losses[0].seconds, losses[0].beyond_retries), (40 * 60, false));
    assert_eq!(losses[0].from, at(-50).rfc3339());
    assert_eq!(report_at(home, "2026-11-22", at(0)).await.losses, []);
}

async fn the_span_of_the_books_is_known(home: &Home) {
    let span = async || home.store.report_span().await.expect("it is read");
    assert_eq!(span().await, store::reports::ReportSpan::default());
    home.tell(&[credit("T1")]).await;
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
    home.tell(&[credit("T1")]).await;
    make_up_to(home, "2026-11-24", later(5)).await;
    assert_eq!(chain(home).await, dates(&["2026-11-22", TODAY, "2026-11-24"]));
}

async fn a_day_is_closed_only_while_what_it_goes_on_from_stands(home: &Home) {
    home.tell(&[credit("T1")]).await;
    tell_later(home, 1, &[credit("T2").by("u2")]).await;
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
    home.tell(&[credit("T1")]).await;
    // Received on the first day, and still waiting at the end of the second.
    home.record(&[credit("T2").by("u2").received(NOW.0)]).await;
    make_up_to(home, "2026-11-25", later(9)).await;
    assert_eq!(chain(home).await, dates(&[]));
    let states = home.raw().await.texts("SELECT state FROM reports").await;
    assert_eq!(states, ["preliminary"; 3]);
    home.settle(ALL).await;
    make_up_to(home, "2026-11-25", later(9)).await;
    assert_eq!(chain(home).await, dates(&[TODAY, "2026-11-24", "2026-11-25"]));
}

async fn a_day_shortly_before_the_first_is_kept_when_it_is_asked_for(home: &Home) {
    let made = async |date: &str| {
        jobs::reports::make(&home.store, &terms(), day(date), later(5)).await.expect("it is made").kept
    };
    home.tell(&[credit("T1")]).await;
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
    home.tell(&[credit("T1")]).await;
    close(home, TODAY, later(5)).await;
    assert_eq!(made("2026-11-22").await, Kept::BeforeTheFirst);
    let early = report_at(home, "2026-11-22", later(5)).await;
    let kept = home.store.keep_report(&early, later(5)).await.expect("an answer");
    assert_eq!(kept, Kept::BeforeTheFirst);
    assert_eq!(chain(home).await, dates(&[TODAY]));
}

async fn two_workers_that_report_at_once_make_one_chain(home: &Home) {
    for days in 0..4 {
        tell_later(home, days, &[credit(&format!("T{days}")).by("u2")]).await;
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
    home.tell(&[credit("T1")]).await;
    let made = jobs::reports::make(&home.store, &terms(), day("2026-11-25"), later(9)).await;
    let made = made.expect("it is made");
    assert_eq!((made.kept, made.report.state), (Kept::Now, State::Final));
    assert_eq!(chain(home).await, dates(&[TODAY, "2026-11-24", "2026-11-25"]));
}

async fn a_hole_in_the_chain_of_closed_days_is_found(home: &Home) {
    home.tell(&[credit("T1")]).await;
    make_up_to(home, "2026-11-26", later(9)).await;
    let mut raw = home.raw().await;
    raw.lift("reports").await;
    let faults = async || home.store.report_chain().await.expect("it is read").faults().to_vec();
    raw.execute("UPDATE reports SET content = content || ' ' WHERE business_date = '2026-11-24'").await;
    assert_eq!(faults().await, ["the report of 2026-11-24 was changed: its content does not match its hash"]);
    let hash = "UPDATE reports SET content_hash = 'ff' WHERE business_date = '2026-11-24'";
    raw.execute(hash).await;
    let found = faults().await;
    assert_eq!(found[1..], ["the report of 2026-11-25 does not go on from that of 2026-11-24"], "{found:?}");
    raw.execute("DELETE FROM reports WHERE business_date = '2026-11-24'").await;
    assert_eq!(
        faults().await,
        [format!("there are days without a closed report between {TODAY} and 2026-11-25")]
    );
    raw.execute(&format!("DELETE FROM reports WHERE business_date = '{TODAY}'")).await;
    assert_eq!(faults().await, ["the report of 2026-11-25 continues that of 2026-11-24, which is missing"]);
}
