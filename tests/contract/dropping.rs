//! Callers that go away in the middle: a client hangs up, a timeout fires. What was begun is finished, and the next
//! caller finds the store as if nothing had happened.

use std::sync::Arc;
use std::time::Duration;

use domain::access::Role;
use domain::review::decision::Review;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use store::access::tokens::NewToken;
use store::postbacks::inbox::Claim;
use store::postbacks::refused::NewRefused;
use store::rewards::list::RewardFilter;
use store::{OpenOptions, Store};

use crate::support::database::{Home, eventually, within};
use crate::support::postbacks::{NOW, credit, processed, processor, suspicious};
use crate::support::processing::{ALL, ann};
use crate::support::proxy::{Proxy, Slow};
use crate::support::raw::Raw;

contract! {
    both:
        a_write_is_finished_even_if_its_caller_is_dropped,
        a_write_survives_callers_that_are_dropped_at_any_moment;
    postgres:
        a_write_survives_callers_that_are_dropped_behind_a_slow_proxy;
}

/// Starts `work`, and drops it at the first moment at which it has to wait.
async fn start_and_drop<T>(work: impl Future<Output = T>) {
    tokio::select! {
        biased;
        // On a busy machine its task may be done before anybody waits for it.
        _ = work => {}
        () = std::future::ready(()) => {}
    }
}

async fn a_write_is_finished_even_if_its_caller_is_dropped(home: &Home) {
    let (store, mut raw) = (&home.store, home.raw().await);
    home.process(&[suspicious("T0")]).await;
    let id = home.reward("T0").await.id;

    start_and_drop(store.review(id, Review::Release, ann())).await;
    let released = "SELECT COUNT(*) FROM rewards WHERE status = 'credited'";
    arrives(&mut raw, released, 1).await;

    start_and_drop(store.record(Arc::new(vec![credit("T1").postback()]))).await;
    arrives(&mut raw, "SELECT COUNT(*) FROM postbacks", 2).await;

    start_and_drop(processed(store, Claim::First(ALL), processor(), NOW)).await;
    arrives(&mut raw, released, 2).await;

    start_and_drop(store.add_token(owner("ann"), "hash".into(), "admin".into(), NOW)).await;
    arrives(&mut raw, "SELECT COUNT(*) FROM tokens", 1).await;

    start_and_drop(store.keep_policy("v".into(), "{}".into(), NOW)).await;
    arrives(&mut raw, "SELECT COUNT(*) FROM policies WHERE version = 'v'", 1).await;

    start_and_drop(store.keep_refused(vec![refused()])).await;
    arrives(&mut raw, "SELECT COUNT(*) FROM refused", 1).await;

    home.record(&[credit("T2")]).await;
    let first = store.first_waiting(1).await.expect("it is listed")[0];
    start_and_drop(store.quarantine(first, "poison".into(), NOW)).await;
    arrives(&mut raw, "SELECT COUNT(*) FROM postbacks WHERE outcome = 'quarantined'", 1).await;
    home.prove().await;
}

async fn arrives(raw: &mut Raw, question: &str, number: i64) {
    eventually(question, async || (raw.number(question).await == number).then_some(())).await;
}

async fn a_write_survives_callers_that_are_dropped_at_any_moment(home: &Home) {
    let patience = Duration::from_millis(4);
    dropped_again_and_again(home, &home.store, 12, patience).await;
}

/// Postgres is a round trip away from its callers, and sqlx 0.9.0 gives a connection back with an open transaction if
/// its caller is dropped while the BEGIN is on its way.
async fn a_write_survives_callers_that_are_dropped_behind_a_slow_proxy(home: &Home) {
    let delay = Duration::from_millis(100);
    let proxy = Proxy::before(&home.url, Slow::Answers, delay).await;
    let store =
        Store::open(&proxy.url, OpenOptions { max_connections: 2, create: true }).await.expect("it opens");

    dropped_again_and_again(home, &store, 4, 3 * delay).await;
    store.close().await;
}

/// In each round many callers of `store` are dropped, after at most `patience`; then nothing may be left half done,
/// and what is written next must be there for everybody.
async fn dropped_again_and_again(home: &Home, store: &Store, rounds: usize, patience: Duration) {
    let mut random = StdRng::seed_from_u64(20_261_123);
    for round in 0..rounds {
        home.process(&[suspicious(&format!("held{round}"))]).await;
        let held = home.reward(&format!("held{round}")).await.id;
        let mut callers = Vec::new();
        for number in 0..14 {
            let patience = patience.mul_f64(random.random());
            let caller = caller(store.clone(), number, round, held);
            callers.push(tokio::spawn(async move {
                // Whether it was in time is not the point.
                let _ = tokio::time::timeout(patience, caller).await;
            }));
        }
        for caller in callers {
            caller.await.expect("it ends or is dropped");
        }
        if home.url.starts_with("postgres") {
            assert_nobody_stays_in_a_transaction(home).await;
        }
        assert_what_is_written_next_is_there(home, store, round).await;
    }
    // Every pair was recorded whole or not at all.
    let sql = "SELECT COUNT(*) FROM postbacks WHERE target LIKE '%pair%' GROUP BY target";
    let of_each: Vec<(i64,)> = home.raw().await.rows(sql).await;
    assert!(of_each.iter().all(|(times,)| *times == 2), "{of_each:?}");
    eventually("everything is settled", async || {
        let settled = processed(store, Claim::First(ALL), processor(), NOW).await;
        settled.is_ok_and(|settlement| settlement.postbacks.is_empty()).then_some(())
    })
    .await;
    home.prove().await;
}

/// One of nine calls, by `number`; its result does not matter.
async fn caller(store: Store, number: usize, round: usize, held: i64) {
    let name = format!("{round}-{number}");
    match number % 9 {
        0 | 1 => {
            let pair = vec![credit(&format!("pair{name}")).postback(); 2];
            let _ = store.record(Arc::new(pair)).await;
        }
        2 => drop(processed(&store, Claim::First(2), processor(), NOW).await),
        3 => drop(store.review(held, Review::Release, ann()).await),
        4 => drop(store.add_token(owner(&name), name.clone(), "admin".into(), NOW).await),
        5 => drop(store.prove().await),
        6 => drop(store.rewards(&RewardFilter::default(), ALL).await),
        7 => drop(store.wake_other_processes().await),
        _ => drop(store.inbox_depth().await),
    }
}

/// An abandoned session keeps its locks, and loses what the next user of its connection writes.
/// Looks until the store's sessions were idle many times in a row; ends long before the server would end such a session
/// by itself.
async fn assert_nobody_stays_in_a_transaction(home: &Home) {
    let mut raw = home.raw().await;
    let busy = "SELECT COUNT(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    let mut at_rest = 0;
    within(Duration::from_secs(15), "every session of the store comes to rest", async || {
        at_rest = if raw.number(busy).await == 0 { at_rest + 1 } else { 0 };
        (at_rest == 20).then_some(())
    })
    .await;
}

async fn assert_what_is_written_next_is_there(home: &Home, store: &Store, round: usize) {
    let (name, last) = (format!("last {round}"), credit(&format!("last{round}")));
    eventually("a postback is recorded", async || {
        match store.record(Arc::new(vec![last.postback()])).await {
            Ok(()) => Some(()),
            Err(why) if why.is_transient() => None,
            Err(why) => panic!("{why}"),
        }
    })
    .await;
    let add = || store.add_token(owner(&name), name.clone(), "admin".into(), NOW);
    eventually("a token is added", async || match add().await {
        Ok(added) => Some(added),
        Err(why) if why.is_transient() => None,
        Err(why) => panic!("{why}"),
    })
    .await;

    let mut direct = home.raw().await;
    let recorded = format!("SELECT COUNT(*) FROM postbacks WHERE target = '{}'", last.target());
    assert_eq!(direct.number(&recorded).await, 1, "round {round}");
    let tokens = format!("SELECT COUNT(*) FROM tokens WHERE name = '{name}'");
    assert_eq!(direct.number(&tokens).await, 1, "round {round}");
}

fn owner(name: &str) -> NewToken {
    NewToken { name: name.into(), owner: None, role: Role::Risk, expires_at: None }
}

fn refused() -> NewRefused {
    NewRefused { call: credit("T9").postback(), reason: "`hash` is missing".into() }
}
