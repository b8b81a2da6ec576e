//! Undoing a decision before it is sent, listing deliveries, and resending those that failed.

use domain::delivery::Status;
use domain::delivery::schedule::{Class, Next};
use domain::review::decision::{NotUndoable, Review};
use domain::time::TimestampMs;
use store::Store;
use store::access::audit::AuditFilter;
use store::deliveries::list::DeliveryFilter;
use store::deliveries::resend::{ResendFilter, Resendable, Resent, STEP_ROWS};
use store::review::decisions::{Reviewer, Undone};
use store::rewards::list::Place;

use crate::deliveries::{
    complete_and_lease, delivered, ended, later, lines, notifying, process, summary, take,
};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, SECOND_SOURCE, credit, reversal, suspicious};
use crate::support::processing::{CREDITED, HELD, ann, plain};

contract! {
    both:
        a_decision_leaves_after_its_grace,
        a_decision_can_be_undone_while_its_grace_lasts,
        an_undone_decision_can_be_made_again,
        only_a_decision_that_was_not_sent_can_be_undone,
        of_an_undo_and_a_worker_at_the_same_time_exactly_one_wins,
        deliveries_are_listed_newest_first_page_by_page,
        only_what_has_ended_is_sent_again,
        a_filter_sends_again_what_it_names_however_often_it_is_run,
        sending_again_goes_on_where_it_stopped,
        an_order_to_resend_leaves_one_line_with_its_count;
}

const GRACE_MS: i64 = 10_000;

fn at(ms: i64) -> Reviewer {
    Reviewer { now: later(ms), ..ann() }
}

async fn held(home: &Home, store: &Store, tx: &str) -> i64 {
    process(home, store, &[suspicious(tx)]).await;
    let id = home.reward(tx).await.id;
    let leased = take(store, NOW).await;
    complete_and_lease(store, leased.iter().map(delivered).collect(), "main", NOW).await;
    id
}

async fn a_decision_leaves_after_its_grace(home: &Home) {
    let store = notifying(home);
    let id = held(home, &store, "T1").await;
    store.review(id, Review::Release, ann()).await.expect("decided");
    assert_eq!(take(&store, later(GRACE_MS - 1)).await, []);
    let leased = take(&store, later(GRACE_MS)).await;
    assert_eq!(summary(&leased), ["T1 credited"]);
    assert_eq!(leased[0].message.reason.name(), "reviewed");
}

async fn a_decision_can_be_undone_while_its_grace_lasts(home: &Home) {
    let store = notifying(home);
    let id = held(home, &store, "T1").await;
    for (decision, delivery) in
        [(Review::Release, "credited withdrawn"), (Review::Reject, "rejected withdrawn")]
    {
        store.review(id, decision, ann()).await.expect("decided");
        assert_eq!(store.undo(id, at(GRACE_MS - 1)).await.expect("answered"), Undone::Done);
        assert_eq!(home.reward("T1").await.status, "held");
        assert_eq!(plain(&home.balances("targo").await), HELD);
        assert_eq!(lines(home, "T1").await.last().map(String::as_str), Some(delivery));
    }
    // A reject that is overturned, and that taken back.
    store.review(id, Review::Reject, ann()).await.expect("decided");
    store.review(id, Review::Release, at(1)).await.expect("decided");
    assert_eq!(store.undo(id, at(2)).await.expect("answered"), Undone::Done);
    assert_eq!(home.reward("T1").await.status, "rejected");
    let steps = store.steps(id).await.expect("steps are read");
    let steps: Vec<_> = steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(
        steps,
        ["hold", "release", "undo_release", "reject", "undo_reject", "reject", "overturn", "undo_overturn"]
    );
    assert_eq!(summary(&take(&store, later(GRACE_MS)).await), ["T1 rejected"], "only what stands is sent");
    home.prove().await;
}

async fn an_undone_decision_can_be_made_again(home: &Home) {
    let store = notifying(home);
    let id = held(home, &store, "T1").await;
    store.review(id, Review::Release, ann()).await.expect("decided");
    store.undo(id, at(1)).await.expect("answered");
    store.review(id, Review::Release, at(2)).await.expect("decided");
    assert_eq!(plain(&home.balances("targo").await), CREDITED);
    let leased = take(&store, later(GRACE_MS + 2)).await;
    assert_eq!(summary(&leased), ["T1 credited"]);
    // Its reversal is sent, as that of any credit.
    process(home, &store, &[reversal("T1")]).await;
    let next =
        complete_and_lease(&store, leased.iter().map(delivered).collect(), "main", later(GRACE_MS + 2)).await;
    assert_eq!(summary(&next), ["T1 reversed"]);
    home.prove().await;
}

async fn only_a_decision_that_was_not_sent_can_be_undone(home: &Home) {
    let store = notifying(home);
    let undo = async |id, ms| store.undo(id, at(ms)).await.expect("answered");
    assert_eq!(undo(1, 0).await, Undone::NotFound);
    let id = held(home, &store, "T1").await;
    assert_eq!(undo(id, 0).await, Undone::NotUndoable(NotUndoable::NoDecision));
    store.review(id, Review::Release, ann()).await.expect("decided");
    assert_eq!(undo(id, GRACE_MS).await, Undone::NotUndoable(NotUndoable::TooLate));
    assert_eq!(take(&store, later(GRACE_MS)).await.len(), 1);
    assert_eq!(undo(id, 1).await, Undone::NotUndoable(NotUndoable::TooLate), "a worker has it in hand");
    process(home, &store, &[reversal("T1")]).await;
    assert_eq!(undo(id, 1).await, Undone::NotUndoable(NotUndoable::NoDecision));
    home.prove().await;
}

async fn of_an_undo_and_a_worker_at_the_same_time_exactly_one_wins(home: &Home) {
    let store = notifying(home);
    let other = home.another_process().await;
    for round in 0..12 {
        let tx = format!("T{round}");
        let id = held(home, &store, &tx).await;
        store.review(id, Review::Release, ann()).await.expect("decided");
        let undoing = tokio::spawn({
            let store = store.clone();
            // The worker's clock is ahead.
            async move { store.undo(id, at(GRACE_MS - 1)).await }
        });
        let taking = tokio::spawn({
            let other = other.clone();
            async move { take(&other, later(GRACE_MS)).await }
        });
        let (undone, taken) = (undoing.await.expect("it ends"), taking.await.expect("it ends"));
        let undone = undone.expect("answered") == Undone::Done;
        assert_ne!(undone, taken.len() == 1, "{tx}: undone {undone}, taken {:?}", summary(&taken));
        assert_eq!(home.reward(&tx).await.status, if undone { "held" } else { "credited" });
        complete_and_lease(&store, taken.iter().map(delivered).collect(), "main", NOW).await;
    }
    home.prove().await;
}

async fn deliveries_are_listed_newest_first_page_by_page(home: &Home) {
    let store = notifying(home);
    let calls: Vec<_> =
        (0..5).map(|number| credit(&format!("T{number}")).by(&format!("u{number}"))).collect();
    process(home, &store, &calls).await;
    process(home, &store, &[credit("S1").of_source(SECOND_SOURCE)]).await;
    let leased = take(&store, NOW).await;
    complete_and_lease(&store, vec![delivered(&leased[0])], "main", NOW).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let filter = DeliveryFilter { app: Some("main".into()), after, ..DeliveryFilter::default() };
        let page = store.deliveries(&filter, 2).await.expect("they are listed");
        let Some(last) = page.last() else { break };
        after = Some(Place { received_at: TimestampMs(last.born_at), id: last.id });
        seen.extend(page.into_iter().map(|row| row.user_id));
    }
    assert_eq!(seen, ["u4", "u3", "u2", "u1", "u0"]);
    let count = async |filter| store.deliveries(&filter, 100).await.expect("they are listed").len();
    for (status, expected) in [
        (Status::Waiting, 5),
        (Status::Delivered, 1),
        (Status::Blocked, 0),
        (Status::Failed, 0),
        (Status::Cancelled, 0),
    ] {
        let filter = DeliveryFilter { status: Some(status), ..DeliveryFilter::default() };
        assert_eq!(count(filter).await, expected, "{status:?}");
    }
    assert_eq!(count(DeliveryFilter { from: Some(later(1)), ..DeliveryFilter::default() }).await, 0);
    assert_eq!(count(DeliveryFilter { to: Some(later(1)), ..DeliveryFilter::default() }).await, 6);
}

async fn only_what_has_ended_is_sent_again(home: &Home) {
    let store = notifying(home);
    let resend = async |id| store.resend(id, "risk".into(), NOW).await.expect("answered");
    process(home, &store, &[credit("T1"), credit("T2"), credit("T3"), reversal("T3")]).await;
    let leased = take(&store, NOW).await;
    let id = leased[0].id;
    assert_eq!(resend(id + 1_000).await, Resent::NotFound);
    assert_eq!(resend(id).await, Resent::NotPossible(Status::Waiting));
    let of = async |tx: &str| {
        let id = home.reward(tx).await.id;
        store.deliveries_of_reward(id).await.expect("they are read")[0].id
    };
    assert_eq!(resend(of("T2").await).await, Resent::NotPossible(Status::Blocked));
    assert_eq!(resend(of("T3").await).await, Resent::NotPossible(Status::Cancelled));
    complete_and_lease(&store, vec![delivered(&leased[0])], "main", NOW).await;
    assert_eq!(resend(id).await, Resent::Done, "the app has lost it");
    assert_eq!(lines(home, "T1").await, ["credited behind"], "the one on its way comes first");
}

/// `count` deliveries that have failed, each of a user of its own.
async fn failed(home: &Home, store: &Store, count: usize) {
    let calls: Vec<_> =
        (0..count).map(|number| credit(&format!("T{number}")).by(&format!("u{number}"))).collect();
    process(home, store, &calls).await;
    let leased = take(store, NOW).await;
    let ended = leased.iter().map(|one| ended(one, Class::Rejected, Next::GiveUp)).collect();
    complete_and_lease(store, ended, "main", NOW).await;
}

fn everything() -> ResendFilter {
    ResendFilter { app: None, status: Resendable::Failed, from: None, to: None, ended_by: NOW }
}

async fn a_filter_sends_again_what_it_names_however_often_it_is_run(home: &Home) {
    let store = notifying(home);
    failed(home, &store, 6).await;
    let step = async |filter| {
        store.resend_many(filter, None, None, "risk".into(), later(1)).await.expect("sent again").deliveries
    };
    assert_eq!(step(ResendFilter { app: Some("other".into()), ..everything() }).await, 0);
    assert_eq!(step(ResendFilter { from: Some(later(1)), ..everything() }).await, 0);
    assert_eq!(step(ResendFilter { to: Some(NOW), ..everything() }).await, 0);
    assert_eq!(step(ResendFilter { status: Resendable::Delivered, ..everything() }).await, 0);
    assert_eq!(step(everything()).await, 6);
    assert_eq!(step(everything()).await, 0);
    let again = take(&store, later(1)).await;
    assert_eq!(again.len(), 6);
    assert!(again.iter().all(|one| one.counted_attempts == 0 && one.number == 2), "{again:?}");
    // A delivery that fails again after the order needs another order.
    let failed_again = again.iter().map(|one| ended(one, Class::Rejected, Next::GiveUp)).collect();
    complete_and_lease(&store, failed_again, "main", later(2)).await;
    assert_eq!(step(everything()).await, 0);
    assert_eq!(step(ResendFilter { ended_by: later(2), ..everything() }).await, 6);
}

async fn sending_again_goes_on_where_it_stopped(home: &Home) {
    let store = notifying(home);
    let step_rows = usize::try_from(STEP_ROWS).expect("a number");
    failed(home, &store, step_rows + 3).await;
    let first =
        store.resend_many(everything(), None, Some(STEP_ROWS), "risk".into(), NOW).await.expect("a step");
    assert_eq!((first.deliveries, first.next.is_some()), (500, true));
    // Starting again from the beginning duplicates nothing.
    let anew =
        store.resend_many(everything(), None, Some(STEP_ROWS), "risk".into(), NOW).await.expect("a step");
    assert_eq!((anew.deliveries, anew.next), (3, None));
    let second = store
        .resend_many(everything(), first.next, Some(STEP_ROWS), "risk".into(), NOW)
        .await
        .expect("a step");
    assert_eq!((second.deliveries, second.next), (0, None));
    assert_eq!(take(&store, NOW).await.len(), step_rows + 3);
}

async fn an_order_to_resend_leaves_one_line_with_its_count(home: &Home) {
    let store = notifying(home);
    let many = 2 * usize::try_from(STEP_ROWS).expect("a number") + 3;
    failed(home, &store, many).await;
    let resend = async |filter: ResendFilter, most| {
        store.resend_many(filter, None, most, "risk".into(), later(1)).await.expect("sent again").deliveries
    };
    let lines = async || {
        let filter = AuditFilter { action: Some("deliveries_resent".into()), ..AuditFilter::default() };
        let rows = home.store.audit(&filter, 99).await.expect("listed");
        rows.into_iter().rev().map(|row| (row.actor, row.subject, row.detail)).collect::<Vec<_>>()
    };
    let line = |subject: &str, detail: &str| ("risk".to_owned(), subject.to_owned(), detail.to_owned());
    assert_eq!(resend(ResendFilter { to: Some(NOW), ..everything() }, None).await, 0);
    assert_eq!(lines().await, [], "nothing was sent again");
    // An order of at most one step, then everything that is left, in two steps.
    assert_eq!(resend(everything(), Some(STEP_ROWS)).await, 500);
    assert_eq!(lines().await, [line("500 failed deliveries", "")]);
    let of_main = ResendFilter { app: Some("main".into()), from: Some(NOW), ..everything() };
    assert_eq!(resend(of_main.clone(), Some(9 * STEP_ROWS)).await, 503);
    let from = format!("of the app main, from {}", NOW.rfc3339());
    assert_eq!(lines().await[1..], [line("503 failed deliveries", &from)]);
    assert_eq!(resend(of_main, None).await, 0);
    assert_eq!(lines().await.len(), 2);
    // The same ones, all at once, when they have failed again.
    let leased = take(&store, later(1)).await;
    assert_eq!(leased.len(), many);
    let ended = leased.iter().map(|one| ended(one, Class::Rejected, Next::GiveUp)).collect();
    complete_and_lease(&store, ended, "main", later(1)).await;
    assert_eq!(resend(ResendFilter { ended_by: later(1), ..everything() }, None).await, 1_003);
    assert_eq!(lines().await[2..], [line("1003 failed deliveries", "")]);
}
