//! What a report counts, and on which day.

use domain::report::amount::{Amount, Sum};
use domain::review::decision::Review;
use domain::time::{DAY_MS, TimestampMs};
use store::postbacks::inbox::Claim;
use store::postbacks::refused::NewRefused;
use store::postbacks::replay::Replayer;

use super::{assert_ties_out, close, later, process_later, report, report_at, rewards};
use crate::support::database::Home;
use crate::support::postbacks::{
    NOW, PAYOUT, REWARD, TODAY, credit, processed, processor, reversal, suspicious, unmappable,
};
use crate::support::processing::ALL;

contract! {
    both:
        a_report_counts_what_was_booked_on_its_day,
        every_postback_has_one_outcome,
        a_replayed_call_is_counted_once_on_the_day_on_which_it_was_taken,
        many_replayed_calls_hide_nothing_from_the_figures_of_any_day,
        what_happens_after_the_day_does_not_change_its_report,
        holds_are_counted_as_they_stood_at_the_end_of_the_day,
        a_debt_that_arises_and_is_earned_back_rolls_forward,
        what_is_booked_into_a_closed_day_is_a_late_entry_of_the_next,
        a_balance_that_was_tampered_with_does_not_tie_out,
        silence_of_every_process_is_a_loss_window;
}

const fn payouts(count: i64) -> Sum {
    Sum { count, amount: Amount(count * PAYOUT) }
}

async fn a_report_counts_what_was_booked_on_its_day(home: &Home) {
    let third = credit("T3").by("u2").with("offer_id", "o1").with("country_code", "DE").with("sub1", "s");
    home.process(&[credit("T1"), suspicious("T2"), third, suspicious("T4").by("u4")]).await;
    home.process(&[reversal("T3").by("u2")]).await;
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

async fn every_postback_has_one_outcome(home: &Home) {
    home.process(&[credit("T1"), credit("T1"), credit("T1").with("reward", "7"), suspicious("T2").by("u2")])
        .await;
    home.process(&[reversal("T3"), credit("T3"), reversal("T1"), reversal("T1"), unmappable()]).await;
    home.record(&[credit("T9").received(NOW.0)]).await;
    home.record(&[credit("T8").received(NOW.0 - 3 * DAY_MS)]).await;
    let refused = NewRefused { call: credit("T5").postback(), reason: "wrong".into() };
    home.store.keep_refused(vec![refused]).await.expect("it is kept");
    let mut counts = report(home, TODAY).await.postbacks.remove(0);
    assert_eq!((counts.acknowledged, counts.refused, counts.waiting, counts.unexplained), (10, 1, 1, 0));
    assert_eq!((counts.credits, counts.holds, counts.reversals, counts.reversals_first), (1, 1, 1, 1));
    assert_eq!((counts.repeats, counts.conflicts, counts.quarantined, counts.reversed_before), (2, 1, 1, 1));
    home.process_waiting(ALL).await;
    let report = report(home, TODAY).await;
    assert_ties_out(&report);
    counts = report.postbacks[0].clone();
    assert_eq!((counts.acknowledged, counts.credits, counts.waiting), (10, 2, 0));
}

/// Acknowledged postbacks and refused calls in the report of a day; `days` count from today.
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
    processed(&home.store, Claim::First(ALL), processor(), later(days)).await.expect("they are processed");
}

async fn a_replayed_call_is_counted_once_on_the_day_on_which_it_was_taken(home: &Home) {
    process_later(home, 0, &[credit("T0")]).await;
    refuse(home, 0, 0..3).await;
    assert_eq!(counted(home, 0).await, (1, 3));
    process_later(home, 1, &[credit("T1")]).await;
    process_later(home, 5, &[credit("T5")]).await;
    replay_all(home, 5).await;
    process_later(home, 6, &[credit("T6")]).await;
    let counts =
        [counted(home, 0).await, counted(home, 1).await, counted(home, 5).await, counted(home, 6).await];
    assert_eq!(counts, [(1, 0), (1, 0), (4, 0), (1, 0)]);
}

async fn many_replayed_calls_hide_nothing_from_the_figures_of_any_day(home: &Home) {
    refuse(home, -20, 0..40).await;
    for day in 0..3 {
        let calls: Vec<_> = (0..7).map(|n| credit(&format!("T{day}-{n}"))).collect();
        process_later(home, day, &calls).await;
        if day == 1 {
            // In the middle of the ids, and more than all the others.
            replay_all(home, 1).await;
        }
    }
    let counts = [counted(home, 0).await, counted(home, 1).await, counted(home, 2).await];
    assert_eq!(counts, [(7, 0), (47, 0), (7, 0)]);
}

async fn what_happens_after_the_day_does_not_change_its_report(home: &Home) {
    home.process(&[credit("T1"), suspicious("T2")]).await;
    let before = report(home, TODAY).await;
    process_later(home, 1, &[credit("T5").by("u5")]).await;
    process_later(home, 2, &[reversal("T1"), reversal("T2"), credit("T6").by("u6")]).await;
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
    home.process(&[suspicious("T1"), suspicious("T2").by("u2"), suspicious("T3").by("u3")]).await;
    process_later(home, 1, &[reversal("T1")]).await;
    let reject = home.reward("T2").await.id;
    let mut reviewer = crate::support::processing::ann();
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
    home.process(&[credit("T1"), credit("T2").by("u2")]).await;
    // Both spent it: seen from here, their balance is below zero after a reversal of what they no longer have.
    let spend = "UPDATE accounts SET balance_micros = balance_micros - 500000000 WHERE name LIKE 'user:%'";
    home.raw().await.execute(spend).await;
    process_later(home, 1, &[reversal("T1"), reversal("T2").by("u2")]).await;
    process_later(home, 2, &[credit("T3").with("reward", "200")]).await;
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

async fn what_is_booked_into_a_closed_day_is_a_late_entry_of_the_next(home: &Home) {
    home.process(&[credit("T1")]).await;
    let closed = close(home, TODAY, later(2)).await;
    // A worker with a clock of its own still books into it.
    home.process(&[credit("T2").by("u2"), suspicious("T3").by("u3")]).await;
    process_later(home, 1, &[credit("T4").by("u4")]).await;
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
    home.process(&[credit("T1")]).await;
    close(home, TODAY, later(2)).await;
    process_later(home, 1, &[credit("T2").by("u2")]).await;
    let tamper = "UPDATE accounts SET balance_micros = balance_micros + 5 WHERE name = 'network:targo'";
    home.raw().await.execute(tamper).await;
    let report = report_at(home, "2026-11-24", later(1)).await;
    assert!(!report.ties_out);
    for words in ["network:targo USD: opening and movements", "not proven", "receivable from targo"] {
        assert!(report.faults.iter().any(|fault| fault.contains(words)), "{words}: {:#?}", report.faults);
    }
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
