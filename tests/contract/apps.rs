//! What an app's answers do to deliveries: users who are gone, repeats, what an id says, and giving one up.

use domain::delivery::Status;
use domain::delivery::schedule::{Class, Next};
use store::Store;
use store::access::audit::AuditFilter;
use store::deliveries::giving_up::{GiveUp, GivenUp};
use store::deliveries::lease::Leased;
use store::deliveries::resend::Resent;

use crate::deliveries::{
    complete_and_lease, delivered, ended, later, lines, notifying, process, summary, take,
};
use crate::support::database::Home;
use crate::support::postbacks::{NOW, REWARD, SECOND_SOURCE, credit, reversal};

contract! {
    both:
        one_user_who_is_gone_leaves_the_app_on,
        several_users_who_are_gone_in_a_row_switch_the_app_off,
        a_yes_in_between_begins_the_count_anew,
        users_who_are_gone_are_counted_over_all_workers,
        after_it_is_switched_on_the_count_begins_anew_and_others_leave_first,
        a_delivery_says_the_same_at_every_attempt,
        a_delivery_that_is_sent_again_says_what_it_said_first,
        only_what_may_be_booked_makes_an_attempt_a_repeat,
        a_delivery_is_given_up_with_a_reason_and_others_pass,
        the_reversal_of_a_failed_credit_is_sent_if_the_credit_ever_left,
        what_is_being_sent_or_has_ended_is_not_given_up,
        what_was_given_up_can_be_sent_again_until_its_reversal_left;
}

/// A leased credit for each of `users`.
async fn crowd(home: &Home, store: &Store, users: std::ops::Range<usize>) -> Vec<Leased> {
    let calls: Vec<_> = users
        .map(|user| credit(&format!("T{user}")).by(Box::leak(format!("u{user}").into_boxed_str())))
        .collect();
    process(home, store, &calls).await;
    take(store, NOW).await
}

fn gone(leased: &Leased) -> store::deliveries::lease::FinishedAttempt {
    ended(leased, Class::Gone, Next::GiveUp)
}

async fn is_off(store: &Store) -> bool {
    !store.disabled_apps().await.expect("they are read").is_empty()
}

async fn one_user_who_is_gone_leaves_the_app_on(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1"), credit("T2")]).await;
    let mut leased = take(&store, NOW).await;
    // However often it is sent again, and whatever else of the user.
    for _ in 0..5 {
        let next = complete_and_lease(&store, vec![gone(&leased[0])], "main", NOW).await;
        assert!(!is_off(&store).await);
        leased = if next.is_empty() {
            for id in failed(&store).await {
                assert_eq!(store.resend(id, "risk".into(), NOW).await.expect("answered"), Resent::Done);
            }
            take(&store, NOW).await
        } else {
            next
        };
    }
}

async fn failed(store: &Store) -> Vec<i64> {
    let filter =
        store::deliveries::list::DeliveryFilter { status: Some(Status::Failed), ..Default::default() };
    store.deliveries(&filter, 100).await.expect("they are listed").into_iter().map(|row| row.id).collect()
}

async fn several_users_who_are_gone_in_a_row_switch_the_app_off(home: &Home) {
    let store = notifying(home);
    let leased = crowd(home, &store, 1..6).await;
    process(home, &store, &[credit("S1").of_source(SECOND_SOURCE)]).await;
    // Any answer but an acknowledgement or a 410 changes nothing.
    let handed =
        vec![gone(&leased[0]), gone(&leased[1]), ended(&leased[3], Class::Rejected, Next::RetryAt(later(5)))];
    complete_and_lease(&store, handed, "main", NOW).await;
    assert!(!is_off(&store).await);
    complete_and_lease(&store, vec![gone(&leased[2])], "main", NOW).await;
    let off = store.disabled_apps().await.expect("they are read");
    assert_eq!((off.len(), off[0].app.as_str()), (1, "main"));
    assert!(off[0].why.starts_with("it answered 410 for 3 users in a row"), "{}", off[0].why);
    assert_eq!(store.next_due("main").await.expect("it is read"), None);
    assert_eq!(take(&store, later(60_000)).await, [], "the others are kept");
    assert_eq!(summary(&complete_and_lease(&store, Vec::new(), "other", NOW).await), ["S1 credited"]);
    assert_eq!(lines(home, "T1").await, ["credited failed"]);
    assert_eq!(lines(home, "T4").await, ["credited waiting"]);
}

async fn a_yes_in_between_begins_the_count_anew(home: &Home) {
    let store = notifying(home);
    for yes in [Class::Delivered, Class::Duplicate] {
        let from = if yes == Class::Delivered { 10 } else { 20 };
        let leased = crowd(home, &store, from..from + 5).await;
        complete_and_lease(&store, vec![gone(&leased[0]), gone(&leased[1])], "main", NOW).await;
        complete_and_lease(&store, vec![ended(&leased[2], yes, Next::Done)], "main", NOW).await;
        complete_and_lease(&store, vec![gone(&leased[3]), gone(&leased[4])], "main", NOW).await;
        assert!(!is_off(&store).await, "{yes:?}");
        assert!(store.enable_app("main".into(), "risk".into(), NOW).await.is_ok());
    }
    let leased = crowd(home, &store, 30..34).await;
    let batch = vec![gone(&leased[0]), gone(&leased[1]), gone(&leased[2]), delivered(&leased[3])];
    complete_and_lease(&store, batch, "main", NOW).await;
    assert!(!is_off(&store).await, "a yes came last");
}

async fn users_who_are_gone_are_counted_over_all_workers(home: &Home) {
    let store = notifying(home);
    let leased = crowd(home, &store, 1..4).await;
    for one in &leased {
        assert!(!is_off(&store).await);
        let other = notifying_other(home).await;
        complete_and_lease(&other, vec![gone(one)], "main", NOW).await;
    }
    assert!(is_off(&store).await);
}

async fn notifying_other(home: &Home) -> Store {
    crate::deliveries::notifying_with(
        home.another_process().await,
        domain::delivery::Wanted { held: true, rejected: true },
    )
}

async fn after_it_is_switched_on_the_count_begins_anew_and_others_leave_first(home: &Home) {
    let store = notifying(home);
    let leased = crowd(home, &store, 1..5).await;
    complete_and_lease(&store, leased[..3].iter().map(gone).collect(), "main", NOW).await;
    assert!(is_off(&store).await);
    assert!(store.enable_app("main".into(), "risk".into(), NOW).await.expect("switched on"));
    assert!(!store.enable_app("main".into(), "risk".into(), NOW).await.expect("it was on"));
    assert_eq!(summary(&take(&store, later(60_000)).await), ["T4 credited"], "not what the app called gone");
    let resent = store.resend(leased[0].id, "risk".into(), NOW).await.expect("answered");
    assert_eq!(resent, Resent::Done);
    let again = take(&store, NOW).await;
    complete_and_lease(&store, again.iter().map(gone).collect(), "main", NOW).await;
    assert!(!is_off(&store).await, "one user is one user");
}

async fn a_delivery_says_the_same_at_every_attempt(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    assert_eq!(first[0].message.balance.0, REWARD);
    // The user's balance moves on, and the settings change hands.
    process(home, &store, &[credit("T2"), credit("T3")]).await;
    let failed = ended(&first[0], Class::Timeout, Next::RetryAt(later(1)));
    complete_and_lease(&store, vec![failed], "main", NOW).await;
    let second = take(&notifying_other(home).await, later(1)).await;
    assert_eq!(first[0].message, second[0].message);
    let next = complete_and_lease(&store, vec![delivered(&second[0])], "main", later(1)).await;
    assert_eq!((summary(&next), next[0].message.balance.0), (vec!["T2 credited".to_owned()], 3 * REWARD));
}

async fn a_delivery_that_is_sent_again_says_what_it_said_first(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    complete_and_lease(&store, vec![delivered(&first[0])], "main", NOW).await;
    process(home, &store, &[reversal("T1"), credit("T2")]).await;
    store.resend(first[0].id, "risk".into(), later(9)).await.expect("it is sent again");
    let mut again = take(&store, later(9)).await;
    while again.iter().all(|one| one.message.id() != first[0].message.id()) {
        again = complete_and_lease(&store, again.iter().map(delivered).collect(), "main", later(9)).await;
        assert!(!again.is_empty(), "it is sent again");
    }
    assert_eq!(again[0].message, first[0].message);
}

async fn only_what_may_be_booked_makes_an_attempt_a_repeat(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let mut leased = take(&store, NOW).await;
    assert!(!leased[0].may_be_booked, "the first");
    let mut ms = 0;
    for class in Class::ALL.into_iter().filter(|class| class.is_not_booked()) {
        ms += 1;
        let failed = ended(&leased[0], class, Next::RetryAt(later(ms)));
        leased = complete_and_lease(&store, vec![failed], "main", later(ms)).await;
        assert!(!leased[0].may_be_booked, "{class:?}");
    }
    // A worker that died has perhaps sent it.
    let taken_over = take(&store, later(ms + 60_000)).await;
    assert!(taken_over[0].may_be_booked);
    for class in [Class::Timeout, Class::Closed, Class::ServerError, Class::NotAcknowledged] {
        let tx = format!("{class:?}");
        process(home, &store, &[credit(Box::leak(tx.into_boxed_str())).by("u9")]).await;
        let first = take(&store, NOW).await;
        let failed = ended(&first[0], class, Next::RetryAt(NOW));
        let second = complete_and_lease(&store, vec![failed], "main", NOW).await;
        assert!(second[0].may_be_booked, "{class:?}");
        complete_and_lease(&store, vec![delivered(&second[0])], "main", NOW).await;
    }
}

fn give_up(id: i64) -> GiveUp {
    GiveUp { id, actor: "ann".into(), reason: "deleted in the app".into(), now: later(7) }
}

async fn a_delivery_is_given_up_with_a_reason_and_others_pass(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1"), credit("T2")]).await;
    let first = take(&store, NOW).await;
    let paused = ended(&first[0], Class::ServerError, Next::RetryAt(later(900_000)));
    assert_eq!(complete_and_lease(&store, vec![paused], "main", NOW).await, [], "T2 waits behind it");
    assert_eq!(store.give_up(give_up(first[0].id)).await.expect("answered"), GivenUp::Done);
    assert_eq!(summary(&take(&store, NOW).await), ["T2 credited"]);
    assert_eq!(lines(home, "T1").await, ["credited given_up"]);
    let row = store.deliveries_of_reward(home.reward("T1").await.id).await.expect("they are read").remove(0);
    assert_eq!(
        (row.given_up_by.as_deref(), row.given_up_why.as_deref()),
        (Some("ann"), Some("deleted in the app"))
    );
    assert_eq!(row.ended_at, Some(later(7).0));
    let audit = store.audit(&AuditFilter::default(), 9).await.expect("it is read").remove(0);
    assert_eq!(
        (audit.actor.as_str(), audit.action.as_str(), audit.detail.as_str()),
        ("ann", "delivery_given_up", "deleted in the app")
    );
    assert_eq!(audit.subject, format!("delivery {}", first[0].id));
    assert_eq!(
        store.give_up(give_up(first[0].id)).await.expect("answered"),
        GivenUp::NotPossible(Status::GivenUp)
    );
    assert_eq!(store.audit(&AuditFilter::default(), 9).await.expect("it is read").len(), 1);
    assert_eq!(take(&store, later(900_000)).await.len(), 1, "only T2, whose lease has ended");
}

async fn the_reversal_of_a_failed_credit_is_sent_if_the_credit_ever_left(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    process(home, &store, &[reversal("T1"), credit("T2"), credit("T3")]).await;
    complete_and_lease(&store, vec![ended(&first[0], Class::Timeout, Next::GiveUp)], "main", NOW).await;
    assert_eq!(lines(home, "T1").await, ["credited failed", "reversed behind"]);
    // T2 is in hand now; T3, which never left, is given up before its reversal comes.
    store.give_up(give_up(first[0].id)).await.expect("answered");
    let id = store.deliveries_of_reward(home.reward("T3").await.id).await.expect("they are read")[0].id;
    assert_eq!(store.give_up(give_up(id)).await.expect("answered"), GivenUp::Done);
    process(home, &store, &[reversal("T3")]).await;
    assert_eq!(lines(home, "T3").await, ["credited given_up", "reversed withdrawn"]);
    let mut sent = Vec::new();
    let mut leased = take(&store, later(60_000)).await;
    while !leased.is_empty() {
        sent.extend(summary(&leased));
        leased =
            complete_and_lease(&store, leased.iter().map(delivered).collect(), "main", later(60_000)).await;
    }
    assert_eq!(sent, ["T2 credited", "T1 reversed"], "the app may have booked T1");
}

async fn what_is_being_sent_or_has_ended_is_not_given_up(home: &Home) {
    let store = notifying(home);
    assert_eq!(store.give_up(give_up(77)).await.expect("answered"), GivenUp::NotFound);
    process(home, &store, &[credit("T1"), reversal("T2"), credit("T2"), credit("T3"), reversal("T3")]).await;
    let first = take(&store, NOW).await;
    assert_eq!(store.give_up(give_up(first[0].id)).await.expect("answered"), GivenUp::InHand);
    assert_eq!(lines(home, "T1").await, ["credited waiting"]);
    complete_and_lease(&store, vec![delivered(&first[0])], "main", NOW).await;
    let answer = store.give_up(give_up(first[0].id)).await.expect("answered");
    assert_eq!(answer, GivenUp::NotPossible(Status::Delivered));
    let withdrawn =
        store.deliveries_of_reward(home.reward("T3").await.id).await.expect("they are read")[0].id;
    let answer = store.give_up(give_up(withdrawn)).await.expect("answered");
    assert_eq!(answer, GivenUp::NotPossible(Status::Cancelled));
    assert_eq!(store.audit(&AuditFilter::default(), 9).await.expect("it is read"), []);
}

async fn what_was_given_up_can_be_sent_again_until_its_reversal_left(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    complete_and_lease(&store, vec![ended(&first[0], Class::Rejected, Next::GiveUp)], "main", NOW).await;
    store.give_up(give_up(first[0].id)).await.expect("answered");
    assert_eq!(store.resend(first[0].id, "risk".into(), NOW).await.expect("answered"), Resent::Done);
    let again = take(&store, NOW).await;
    assert_eq!((summary(&again), &again[0].message), (vec!["T1 credited".to_owned()], &first[0].message));
    complete_and_lease(&store, vec![ended(&again[0], Class::Rejected, Next::GiveUp)], "main", NOW).await;
    store.give_up(give_up(first[0].id)).await.expect("answered");
    process(home, &store, &[reversal("T1")]).await;
    let reversed = take(&store, NOW).await;
    assert_eq!(summary(&reversed), ["T1 reversed"]);
    let answer = store.resend(first[0].id, "risk".into(), NOW).await.expect("answered");
    assert_eq!(answer, Resent::NotPossible(Status::GivenUp), "the app would credit for good");
}
