//! Other sessions of the database: they hold locks, end sessions, and die while they process postbacks.

use std::sync::Arc;

use store::Error;
use store::postbacks::inbox::Claim;

use crate::support::database::{Home, eventually};
use crate::support::postbacks::{NOW, credit, processed, processor, suspicious};
use crate::support::processing::ALL;
use crate::support::raw::Raw;
use crate::waking::end_sessions;

contract! {
    both:
        reading_goes_on_while_somebody_writes_and_sees_nothing_of_it,
        a_lock_that_somebody_keeps_is_a_matter_of_trying_again;
    postgres:
        what_another_worker_holds_is_skipped_and_settled_when_it_lets_go,
        a_worker_whose_session_ends_saves_nothing_and_can_try_again,
        a_store_goes_on_after_the_server_ended_its_sessions;
}

async fn reading_goes_on_while_somebody_writes_and_sees_nothing_of_it(home: &Home) {
    home.process(&[credit("T1")]).await;
    let (before, mut somebody) = (home.reward("T1").await, home.raw().await);
    somebody.execute("BEGIN; UPDATE rewards SET status = 'reversed'; DELETE FROM tokens").await;
    assert_eq!(home.reward("T1").await, before);
    home.prove().await;
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 0);
    assert_eq!(home.store.token_owner("hash", NOW).await.expect("it is looked for"), None);
    somebody.execute("ROLLBACK").await;
}

async fn a_lock_that_somebody_keeps_is_a_matter_of_trying_again(home: &Home) {
    let mut somebody = home.raw().await;
    let lock = match &somebody {
        Raw::Sqlite(_) => "BEGIN IMMEDIATE",
        Raw::Postgres(_) => "BEGIN; LOCK TABLE postbacks",
    };
    somebody.execute(lock).await;
    let refused = home.store.record(Arc::new(vec![credit("T1").postback()])).await.expect_err("it is locked");
    assert!(refused.is_transient(), "{refused}");
    somebody.execute("ROLLBACK").await;

    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 0);
    home.record(&[credit("T1")]).await;
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 1);
}

async fn what_another_worker_holds_is_skipped_and_settled_when_it_lets_go(home: &Home) {
    home.record(&[credit("T1"), credit("T2"), credit("T3")]).await;
    let mut another_worker = home.raw().await;
    another_worker.execute("BEGIN; SELECT id FROM postbacks ORDER BY id LIMIT 2 FOR UPDATE").await;
    let keys = async || {
        let settlement = home.process_waiting(ALL).await;
        settlement.rewards.into_iter().map(|settled| settled.reward.key).collect::<Vec<_>>()
    };
    assert_eq!(keys().await, ["T3"]);
    assert_eq!(home.store.inbox_depth().await.expect("a depth").waiting, 2);
    // It dies without a rollback.
    drop(another_worker);
    eventually("what it held waits again", async || {
        let settled = keys().await;
        (!settled.is_empty()).then(|| assert_eq!(settled, ["T1", "T2"]))
    })
    .await;
    home.prove().await;
}

async fn a_worker_whose_session_ends_saves_nothing_and_can_try_again(home: &Home) {
    home.process(&[suspicious("T1")]).await;
    home.record(&[credit("T0"), credit("T1")]).await;
    let (before, mut somebody) = (home.raw().await.census().await, home.raw().await);
    // The worker comes as far as its own statements on the user, and waits there.
    somebody.execute("BEGIN; SELECT 1 FROM users FOR UPDATE").await;
    let store = home.store.clone();
    let settling = tokio::spawn(async move { processed(&store, Claim::First(ALL), processor(), NOW).await });
    let waiting = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut operator = home.raw().await;
    eventually("the worker waits and is ended", async || (operator.number(waiting).await == 1).then_some(()))
        .await;
    let refused = settling.await.expect("it ends").expect_err("its session was ended");
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    somebody.execute("ROLLBACK").await;

    assert_eq!(operator.census().await, before);
    assert_eq!(home.process_waiting(ALL).await.postbacks.len(), 2);
    home.prove().await;
}

async fn a_store_goes_on_after_the_server_ended_its_sessions(home: &Home) {
    for round in 0..5 {
        let calls = Arc::new(vec![credit(&format!("T{round}")).postback()]);
        // Each connection that was there may fail once.
        eventually("it records", async || match home.store.record(calls.clone()).await {
            Ok(()) => Some(()),
            Err(why) if why.is_transient() => None,
            Err(why) => panic!("{why}"),
        })
        .await;
        eventually("everything is settled", async || {
            let settled = processed(&home.store, Claim::First(ALL), processor(), NOW).await;
            settled.is_ok_and(|settlement| settlement.postbacks.is_empty()).then_some(())
        })
        .await;
        end_sessions(home).await;
    }
    let proof = eventually("the books are read", async || home.store.prove().await.ok()).await;
    assert!(proof.is_proven(), "{proof:?}");
}
