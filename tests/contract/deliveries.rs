//! Deliveries: saved with their cause, ordered by user, leased, and completed once.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::schedule::{Class, Next};
use domain::delivery::{Subscriptions, Wanted};
use domain::review::decision::Review;
use domain::time::TimestampMs;
use store::Store;
use store::deliveries::lease::{FinishedAttempt, Leased, Take};
use store::postbacks::inbox::Claim;

use crate::support::database::Home;
use crate::support::postbacks::{
    Call, NOW, REWARD, SECOND_SOURCE, credit, processed, processor, reversal, suspicious,
};
use crate::support::processing::{ALL, ann};

contract! {
    both:
        an_app_without_deliveries_gets_none_enqueued,
        a_credit_is_due_at_once_with_everything_the_app_may_know,
        holds_and_rejects_are_sent_to_apps_that_subscribe,
        a_reversal_leaves_behind_its_credit,
        a_credit_that_never_left_ends_as_one_with_its_reversal,
        a_reversal_of_an_unsent_credit_is_not_sent,
        a_delivery_is_saved_with_its_cause_or_neither_is,
        deliveries_of_one_user_are_leased_one_by_one_in_causal_order,
        deliveries_of_several_users_and_apps_do_not_wait_for_each_other,
        a_delivery_in_hand_is_taken_again_when_its_lease_has_ended,
        a_worker_that_comes_too_late_leaves_an_attempt_and_decides_nothing,
        an_attempt_that_does_not_count_is_not_counted,
        a_failed_delivery_blocks_only_its_own_reversal,
        what_is_not_done_is_counted_by_app,
        in_a_crowd_of_workers_each_is_delivered_once_and_in_order;
}

const LEASE_MS: i64 = 60_000;

/// The store of `home`, with every kind of delivery to both apps.
pub(crate) fn notifying(home: &Home) -> Store {
    notifying_with(home.store.clone(), Wanted { held: true, rejected: true })
}

pub(crate) fn notifying_with(store: Store, wanted: Wanted) -> Store {
    let apps = ["main", "other"].map(|app| (app.to_owned(), wanted)).into();
    store.notifying(Subscriptions { apps, grace_ms: 10_000 })
}

/// Records `calls` and processes them in one batch.
pub(crate) async fn process(home: &Home, store: &Store, calls: &[Call]) {
    home.record(calls).await;
    processed(store, Claim::First(ALL), processor(), NOW).await.expect("they are settled");
}

pub(crate) fn later(ms: i64) -> TimestampMs {
    TimestampMs(NOW.0 + ms)
}

/// Completes `ended` and leases everything of `app` that is due at `now`.
pub(crate) async fn complete_and_lease(
    store: &Store,
    ended: Vec<FinishedAttempt>,
    app: &str,
    now: TimestampMs,
) -> Vec<Leased> {
    let take = Take { app: app.into(), limit: ALL, lease_ms: LEASE_MS };
    store.complete_and_lease(ended, take, now).await.expect("it is handed over")
}

/// Leases everything of the app `main` that is due at `now`.
pub(crate) async fn take(store: &Store, now: TimestampMs) -> Vec<Leased> {
    complete_and_lease(store, Vec::new(), "main", now).await
}

/// A finished attempt at `leased`.
pub(crate) fn ended(leased: &Leased, class: Class, next: Next) -> FinishedAttempt {
    FinishedAttempt {
        id: leased.id,
        app: "main".into(),
        user_id: leased.message.user_id.clone(),
        number: leased.number,
        counted_attempts: leased.counted_attempts,
        began_at: NOW,
        duration_ms: 12,
        class,
        http_status: Some(200),
        detail: None,
        answer: Some("OK".into()),
        next,
    }
}

pub(crate) fn delivered(leased: &Leased) -> FinishedAttempt {
    ended(leased, Class::Delivered, Next::Done)
}

/// Completes all of `leased` as delivered, and leases what is due then.
async fn deliver(store: &Store, leased: &[Leased]) -> Vec<Leased> {
    complete_and_lease(store, leased.iter().map(delivered).collect(), "main", NOW).await
}

/// `T1 credited`, in the order leased.
pub(crate) fn summary(leased: &[Leased]) -> Vec<String> {
    leased.iter().map(|one| format!("{} {}", one.message.tx_id, one.message.event.name())).collect()
}

/// `credited waiting` for each delivery of the reward of `tx_id`.
pub(crate) async fn lines(home: &Home, tx_id: &str) -> Vec<String> {
    let id = home.reward(tx_id).await.id;
    let rows = home.store.deliveries_of_reward(id).await.expect("they are read");
    rows.into_iter().map(|row| format!("{} {}", row.event, row.status)).collect()
}

async fn an_app_without_deliveries_gets_none_enqueued(home: &Home) {
    process(home, &home.store, &[credit("T1"), suspicious("T2"), reversal("T1")]).await;
    home.store.review(home.reward("T2").await.id, Review::Release, ann()).await.expect("decided");
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM deliveries").await, 0);
}

async fn a_credit_is_due_at_once_with_everything_the_app_may_know(home: &Home) {
    let store = notifying(home);
    let call = credit("T1").with("offer_name", "Caf%C3%A9").with("sub1", "a");
    process(home, &store, &[call, credit("T2").by("u2").of_source(SECOND_SOURCE)]).await;
    assert_eq!(store.next_due("main").await.expect("it is read"), Some(NOW));
    let leased = take(&store, NOW).await;
    assert_eq!(summary(&leased), ["T1 credited"]);
    let message = &leased[0].message;
    assert_eq!((message.user_id.as_str(), message.source.as_str()), ("u1", "targo"));
    assert_eq!(
        (message.reward.0, message.balance.0, message.payout.map(|it| it.0)),
        (REWARD, REWARD, Some(1_000_000))
    );
    assert_eq!((message.offer_name.as_deref(), message.sub1.as_deref()), (Some("Café"), Some("a")));
    assert_eq!((message.sequence, message.reason.name()), (1, "completed"));
    assert_eq!(store.next_due("main").await.expect("it is read"), Some(later(LEASE_MS)));
    assert_eq!(summary(&complete_and_lease(&store, Vec::new(), "other", NOW).await), ["T2 credited"]);
}

async fn holds_and_rejects_are_sent_to_apps_that_subscribe(home: &Home) {
    let quiet = notifying_with(home.store.clone(), Wanted::default());
    process(home, &quiet, &[suspicious("T1"), reversal("T1")]).await;
    assert_eq!(lines(home, "T1").await, Vec::<String>::new());
    let store = notifying(home);
    process(home, &store, &[suspicious("T2"), suspicious("T3")]).await;
    store.review(home.reward("T2").await.id, Review::Reject, ann()).await.expect("decided");
    process(home, &store, &[reversal("T3")]).await;
    assert_eq!(lines(home, "T2").await, ["held waiting", "rejected behind"]);
    assert_eq!(lines(home, "T3").await, ["held behind", "rejected behind"]);
}

async fn a_reversal_leaves_behind_its_credit(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    process(home, &store, &[reversal("T1")]).await;
    assert_eq!(lines(home, "T1").await, ["credited waiting", "reversed behind"]);
    assert_eq!(summary(&take(&store, NOW).await), Vec::<String>::new(), "the credit is still on its way");
    let second = deliver(&store, &first).await;
    assert_eq!(summary(&second), ["T1 reversed"]);
    assert_eq!((second[0].message.sequence, second[0].message.balance.0), (2, 0));
    assert_eq!(deliver(&store, &second).await, []);
    assert_eq!(lines(home, "T1").await, ["credited delivered", "reversed delivered"]);
}

async fn a_credit_that_never_left_ends_as_one_with_its_reversal(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1"), reversal("T1"), credit("T2"), credit("T3")]).await;
    process(home, &store, &[reversal("T2")]).await;
    for tx in ["T1", "T2"] {
        assert_eq!(lines(home, tx).await, ["credited withdrawn", "reversed withdrawn"], "{tx}");
    }
    // What stood behind the withdrawn one has moved up.
    assert_eq!(summary(&take(&store, NOW).await), ["T3 credited"]);
}

async fn a_reversal_of_an_unsent_credit_is_not_sent(home: &Home) {
    process(home, &home.store, &[credit("T1"), suspicious("T2")]).await;
    let store = notifying_with(home.store.clone(), Wanted::default());
    process(home, &store, &[reversal("T1"), reversal("T2"), reversal("T3")]).await;
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM deliveries").await, 0);
}

async fn a_delivery_is_saved_with_its_cause_or_neither_is(home: &Home) {
    let store = notifying(home);
    home.record(&[credit("T1")]).await;
    let before = home.raw().await.census().await;
    home.raw().await.forbid("INSERT", "deliveries", "NEW.seq = 1").await;
    processed(&store, Claim::First(ALL), processor(), NOW).await.expect_err("it cannot be enqueued");
    assert_eq!(home.raw().await.census().await, before);
    home.raw().await.allow("deliveries").await;
    processed(&store, Claim::First(ALL), processor(), NOW).await.expect("settled");
    assert_eq!(lines(home, "T1").await, ["credited waiting"]);
    home.prove().await;
}

async fn deliveries_of_one_user_are_leased_one_by_one_in_causal_order(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T0")]).await;
    let mut leased = take(&store, NOW).await;
    // T0 is known before the batch, and its reversal comes in the middle of it.
    process(home, &store, &[credit("T1"), credit("T2"), reversal("T0"), credit("T3")]).await;
    process(home, &store, &[credit("T4")]).await;
    let mut order = Vec::new();
    while !leased.is_empty() {
        assert_eq!(leased.len(), 1, "one at a time: {:?}", summary(&leased));
        order.extend(summary(&leased));
        leased = deliver(&store, &leased).await;
    }
    assert_eq!(
        order,
        ["T0 credited", "T1 credited", "T2 credited", "T0 reversed", "T3 credited", "T4 credited"]
    );
}

async fn deliveries_of_several_users_and_apps_do_not_wait_for_each_other(home: &Home) {
    let store = notifying(home);
    // The same user id in two apps is two users.
    let calls =
        [credit("T1"), credit("T2").by("u2"), credit("T3").of_source(SECOND_SOURCE), credit("T4").by("u3")];
    process(home, &store, &calls).await;
    assert_eq!(summary(&take(&store, NOW).await), ["T1 credited", "T2 credited", "T4 credited"]);
    assert_eq!(summary(&complete_and_lease(&store, Vec::new(), "other", NOW).await), ["T3 credited"]);
}

async fn a_delivery_in_hand_is_taken_again_when_its_lease_has_ended(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    assert_eq!(take(&store, later(LEASE_MS - 1)).await, []);
    let second = take(&store, later(LEASE_MS)).await;
    assert_eq!((first[0].number, second[0].number), (1, 2));
    assert_eq!(first[0].message.id(), second[0].message.id(), "the app knows it for the same");
}

async fn a_worker_that_comes_too_late_leaves_an_attempt_and_decides_nothing(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    let second = take(&store, later(LEASE_MS)).await;
    let late = ended(&first[0], Class::Timeout, Next::GiveUp);
    complete_and_lease(&store, vec![late.clone(), late], "main", NOW).await;
    assert_eq!(lines(home, "T1").await, ["credited waiting"]);
    deliver(&store, &second).await;
    // Nor does anything change what has ended.
    complete_and_lease(&store, vec![ended(&second[0], Class::Timeout, Next::GiveUp)], "main", NOW).await;
    assert_eq!(lines(home, "T1").await, ["credited delivered"]);
    let attempts = store.attempts_of_reward(home.reward("T1").await.id).await.expect("they are read");
    let results: Vec<_> = attempts.iter().map(|one| (one.number, one.result.as_str())).collect();
    assert_eq!(results, [(1, "timeout"), (2, "delivered")]);
}

async fn an_attempt_that_does_not_count_is_not_counted(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    let kept = ended(&first[0], Class::Timeout, Next::KeepUntil(later(100)));
    assert_eq!(complete_and_lease(&store, vec![kept], "main", NOW).await, []);
    let second = take(&store, later(100)).await;
    assert_eq!((second[0].counted_attempts, second[0].number), (0, 2));
    let spent = ended(&second[0], Class::Timeout, Next::RetryAt(later(200)));
    complete_and_lease(&store, vec![spent], "main", later(100)).await;
    assert_eq!(take(&store, later(200)).await[0].counted_attempts, 1);
}

async fn a_failed_delivery_blocks_only_its_own_reversal(home: &Home) {
    let store = notifying(home);
    process(home, &store, &[credit("T1")]).await;
    let first = take(&store, NOW).await;
    process(home, &store, &[reversal("T1"), credit("T2")]).await;
    let failed = ended(&first[0], Class::Rejected, Next::GiveUp);
    let next = complete_and_lease(&store, vec![failed], "main", NOW).await;
    assert_eq!(summary(&next), ["T2 credited"]);
    assert_eq!(lines(home, "T1").await, ["credited failed", "reversed behind"]);
    // Later deliveries do not wait for the stuck one either.
    assert_eq!(deliver(&store, &next).await, []);
    process(home, &store, &[credit("T3")]).await;
    let next = take(&store, NOW).await;
    assert_eq!(summary(&next), ["T3 credited"]);
    deliver(&store, &next).await;
    // A person sends it again: the pair leaves in order.
    store.resend(first[0].id, "risk".into(), NOW).await.expect("it is sent again");
    let again = take(&store, NOW).await;
    assert_eq!(summary(&again), ["T1 credited"]);
    assert_eq!(summary(&deliver(&store, &again).await), ["T1 reversed"]);
}

async fn what_is_not_done_is_counted_by_app(home: &Home) {
    let store = notifying(home);
    process(
        home,
        &store,
        &[credit("T1"), credit("T2"), credit("T3").by("u2"), credit("T4").of_source(SECOND_SOURCE)],
    )
    .await;
    let leased = take(&store, NOW).await;
    complete_and_lease(&store, vec![ended(&leased[1], Class::Rejected, Next::GiveUp)], "main", NOW).await;
    let backlog = store.backlog().await.expect("it is counted");
    let mut counted: Vec<_> = backlog
        .iter()
        .map(|one| (one.app.as_str(), one.status.as_str(), one.deliveries, one.oldest_created_at))
        .collect();
    counted.sort_unstable();
    let created_at = Some(NOW.0);
    assert_eq!(
        counted,
        [
            ("main", "behind", 1, created_at),
            ("main", "failed", 1, created_at),
            ("main", "waiting", 1, created_at),
            ("other", "waiting", 1, created_at)
        ]
    );
}

async fn in_a_crowd_of_workers_each_is_delivered_once_and_in_order(home: &Home) {
    const USERS: usize = 9;
    const REWARDS: usize = 120;
    let calls: Vec<_> = (0..REWARDS)
        .flat_map(|number| {
            let (tx, user) = (format!("T{number}"), format!("u{}", number % USERS));
            // Every third is taken back, some calls later.
            let back = (number % 3 == 0 && number >= 30).then(|| {
                let number = number - 30;
                reversal(&format!("T{number}")).by(&format!("u{}", number % USERS))
            });
            [Some(credit(&tx).by(&user)), back].into_iter().flatten()
        })
        .collect();
    home.record(&calls).await;
    let mut workers = Vec::new();
    for number in 0..4 {
        let process = if number % 2 == 0 { home.store.clone() } else { home.another_process().await };
        let store = notifying_with(process, Wanted::default());
        workers.push(tokio::spawn(async move {
            let mut sent: Vec<(i64, String)> = Vec::new();
            let mut idle = 0;
            let mut hand: Vec<FinishedAttempt> = Vec::new();
            while idle < 30 {
                let settled = processed(&store, Claim::First(7), processor(), NOW).await;
                let take = Take { app: "main".into(), limit: 5, lease_ms: LEASE_MS };
                match store.complete_and_lease(hand.clone(), take, NOW).await {
                    Ok(leased) => {
                        sent.extend(leased.iter().map(|one| (one.id, one.message.id())));
                        hand = leased.iter().map(delivered).collect();
                        let quiet = hand.is_empty() && settled.is_ok_and(|done| done.postbacks.is_empty());
                        idle = if quiet { idle + 1 } else { 0 };
                    }
                    Err(why) => assert!(why.is_transient(), "{why}"),
                }
            }
            sent
        }));
    }
    let mut sent = Vec::new();
    for worker in workers {
        sent.extend(worker.await.expect("it ends"));
    }
    let ids: BTreeSet<_> = sent.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(sent.len(), ids.len(), "none is taken twice while its lease lasts");
    let mut raw = home.raw().await;
    let left = "SELECT COUNT(*) FROM deliveries WHERE status NOT IN ('delivered', 'withdrawn')";
    assert_eq!(raw.number(left).await, 0, "none is stuck");
    assert_eq!(raw.number("SELECT COUNT(*) FROM deliveries WHERE event = 'credited'").await, 120);
    // FinishedAttempt in the order of their ids, user by user: each was taken only when the one before it was done.
    let rows: Vec<(String, i64, i64)> = raw
        .rows("SELECT user_id, deliveries.id, tries FROM deliveries WHERE status = 'delivered' ORDER BY user_id, deliveries.id")
        .await;
    let mut by_user: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (user, id, tries) in rows {
        assert_eq!(tries, 1);
        by_user.entry(user).or_default().push(id);
    }
    assert_eq!(by_user.len(), USERS);
    home.prove().await;
}
