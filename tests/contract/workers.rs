//! Several workers at once, over postbacks in any order: the end is the same as if one had done it all in turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::money::MICROS_PER_UNIT;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use store::Store;
use store::postbacks::inbox::{Claim, NewPostback};

use crate::support::database::{DEADLINE, Home, eventually};
use crate::support::postbacks::{Call, NOW, credit, processed, processor, reversal, suspicious, unmappable};

contract! {
    both:
        several_workers_of_one_process_end_with_exactly_the_right_books,
        several_processes_end_with_exactly_the_right_books,
        workers_that_meet_on_one_key_of_two_users_credit_one_of_them,
        workers_settle_while_others_record;
    postgres:
        a_batch_reads_what_it_touches_and_not_the_tables;
}

/// One event, however often and in which order the network sends it.
struct Event {
    call: Call,
    user: String,
    /// Reward and payout, in units.
    amounts: (i64, i64),
    held: bool,
    reversed: bool,
}

const HOT: i64 = 150;
const OTHERS: i64 = 120;
const UNMAPPABLE: i64 = 20;
/// How often the network sends each postback.
const TIMES: i64 = 3;

/// Events of one user whom every worker meets all the time, and of many others. Every fourth is held, every fifth is
/// reversed.
fn events() -> Vec<Event> {
    (0..HOT + OTHERS)
        .map(|number| {
            let tx = format!("T{number}");
            let user = if number < HOT { "hot".to_owned() } else { format!("u{}", number % 40) };
            let held = number % 4 == 1;
            let amounts = (1 + number, 1 + number % 9);
            let call = if held { suspicious(&tx) } else { credit(&tx) };
            let call = call.by(&user).with("reward", amounts.0).with("payout", amounts.1);
            Event { call, user, amounts, held, reversed: number % 5 == 2 }
        })
        .collect()
}

/// Every event three times, and so its reversal, and some that cannot be mapped; shuffled.
fn shuffled(events: &[Event], seed: u64) -> Vec<NewPostback> {
    let reversals = events.iter().zip(0..).filter(|(event, _)| event.reversed);
    let reversals = reversals.map(|(event, number)| reversal(&format!("T{number}")).by(&event.user));
    let once = events.iter().map(|event| event.call.clone()).chain(reversals);
    let once: Vec<_> = once.chain((0..UNMAPPABLE).map(|_| unmappable())).collect();
    let mut postbacks: Vec<_> = (0..TIMES).flat_map(|_| once.iter().map(Call::postback)).collect();
    postbacks.shuffle(&mut StdRng::seed_from_u64(seed));
    postbacks
}

/// Processes until nothing waits, and retries transient errors.
async fn work(store: Store, limit: i64) -> usize {
    let mut settled = 0;
    loop {
        match processed(&store, Claim::First(limit), processor(), NOW).await {
            Ok(settlement) if settlement.postbacks.is_empty() => {
                // Others may hold what waits, and may yet fail with it.
                match store.inbox_depth().await {
                    Ok(depth) if depth.waiting == 0 => return settled,
                    Ok(_) => tokio::task::yield_now().await,
                    Err(why) => assert!(why.is_transient(), "{why}"),
                }
            }
            Ok(settlement) => settled += settlement.postbacks.len(),
            Err(why) => assert!(why.is_transient(), "{why}"),
        }
    }
}

/// Lets each of `stores` work; the number of postbacks that they processed together.
async fn all_work(stores: Vec<(Store, i64)>) -> usize {
    let workers: Vec<_> = stores.into_iter().map(|(store, limit)| tokio::spawn(work(store, limit))).collect();
    let together = async {
        let mut settled = 0;
        for worker in workers {
            settled += worker.await.expect("the worker ends");
        }
        settled
    };
    tokio::time::timeout(DEADLINE, together).await.expect("the workers get through")
}

async fn several_workers_of_one_process_end_with_exactly_the_right_books(home: &Home) {
    let events = events();
    let postbacks = shuffled(&events, 1);
    assert!(postbacks.len() >= 1_000, "{}", postbacks.len());
    home.store.record(Arc::new(postbacks.clone())).await.expect("they are recorded");
    let settled = all_work(vec![(home.store.clone(), 50); 4]).await;
    assert_eq!(settled, postbacks.len());
    assert_right(home, &events).await;
}

async fn several_processes_end_with_exactly_the_right_books(home: &Home) {
    let events = events();
    let postbacks = shuffled(&events, 2);
    home.store.record(Arc::new(postbacks.clone())).await.expect("they are recorded");
    let (two, three) = (home.another_process().await, home.another_process().await);
    // Batches of different sizes end at different places.
    let settled = all_work(vec![(home.store.clone(), 50), (two.clone(), 7), (three, 23), (two, 64)]).await;
    assert_eq!(settled, postbacks.len());
    assert_right(home, &events).await;
}

async fn assert_right(home: &Home, events: &[Event]) {
    home.prove().await;
    for (event, number) in events.iter().zip(0..) {
        let reward = home.reward(&format!("T{number}")).await;
        let status = match event {
            Event { reversed: true, .. } => "reversed",
            Event { held: true, .. } => "held",
            _ => "credited",
        };
        let kinds = if event.reversed { 2 } else { 1 };
        let said_again = kinds * (TIMES - 1);
        assert_eq!(
            (reward.status.as_str(), reward.user_id.as_str(), reward.repeats, reward.conflict),
            (status, event.user.as_str(), said_again, 0),
            "T{number}"
        );
    }
    let kept = home.balances("targo").await.into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(kept, balances(events));

    let sql = "SELECT outcome, COUNT(*) FROM postbacks GROUP BY outcome ORDER BY outcome";
    let outcomes: Vec<(String, i64)> = home.raw().await.rows(sql).await;
    let postbacks = events.iter().fold(0, |sum, event| sum + if event.reversed { 2 } else { 1 });
    let expected =
        [("processed", postbacks), ("quarantined", UNMAPPABLE * TIMES), ("repeat", postbacks * (TIMES - 1))];
    assert_eq!(outcomes, expected.map(|(outcome, number)| (outcome.to_owned(), number)));
}

/// The balances after all events, in whatever order they arrive.
fn balances(events: &[Event]) -> BTreeMap<String, i64> {
    let mut balances = BTreeMap::new();
    for event in events.iter().filter(|event| !event.reversed) {
        let (reward, payout) = event.amounts;
        let to = if event.held { "held".to_owned() } else { format!("user {}", event.user) };
        for (account, units) in [
            (to, reward),
            ("granted".to_owned(), -reward),
            ("earned".to_owned(), payout),
            ("network".to_owned(), -payout),
        ] {
            *balances.entry(account).or_default() += units * MICROS_PER_UNIT;
        }
    }
    balances
}

async fn workers_that_meet_on_one_key_of_two_users_credit_one_of_them(home: &Home) {
    // Every key is claimed by two users at once, and every user does one task under two keys.
    let task = |tx: &str, user: &str| credit(tx).by(user).with("offer_id", tx);
    let mut postbacks = Vec::new();
    for number in 0..60 {
        let tx = format!("T{number}");
        postbacks.extend([task(&tx, "a"), task(&tx, "b")].map(|call| call.postback()));
        let again = task(&format!("again{number}"), "c").with("offer_id", number);
        let first = task(&format!("first{number}"), "c").with("offer_id", number);
        postbacks.extend([again, first].map(|call| call.postback()));
    }
    postbacks.shuffle(&mut StdRng::seed_from_u64(3));
    home.store.record(Arc::new(postbacks)).await.expect("they are recorded");
    let other = home.another_process().await;
    all_work(vec![(home.store.clone(), 3), (other.clone(), 2), (home.store.clone(), 5), (other, 3)]).await;

    home.prove().await;
    for number in 0..60 {
        let contested = home.reward(&format!("T{number}")).await;
        assert_eq!((contested.status.as_str(), contested.conflict), ("credited", 1), "T{number}");
        let mut statuses = Vec::new();
        for tx in [format!("again{number}"), format!("first{number}")] {
            statuses.push(home.reward(&tx).await.status);
        }
        statuses.sort();
        assert_eq!(statuses, ["credited", "held"], "task {number}");
    }
    let balances = home.balances("targo").await.into_iter().collect::<BTreeMap<_, _>>();
    let of = |user: &str| balances.get(&format!("user {user}")).copied().unwrap_or_default();
    assert_eq!(of("a") + of("b"), 60 * 500 * MICROS_PER_UNIT);
    assert_eq!((of("c"), balances["held"]), (60 * 500 * MICROS_PER_UNIT, 60 * 500 * MICROS_PER_UNIT));
}

async fn workers_settle_while_others_record(home: &Home) {
    let events = events();
    let postbacks = shuffled(&events, 4);
    let other = home.another_process().await;
    let recording = {
        let (store, postbacks) = (home.store.clone(), postbacks.clone());
        tokio::spawn(async move {
            for batch in postbacks.chunks(40) {
                while let Err(why) = store.record(Arc::new(batch.to_vec())).await {
                    assert!(why.is_transient(), "{why}");
                }
            }
        })
    };
    let mut settled = 0;
    while !recording.is_finished() {
        settled += all_work(vec![(other.clone(), 30), (home.store.clone(), 30)]).await;
    }
    recording.await.expect("everything is recorded");
    settled += all_work(vec![(other, 30)]).await;
    assert_eq!(settled, postbacks.len());
    assert_right(home, &events).await;
}

/// A planner that is kept from sorting, or from scanning, may walk a whole index instead.
async fn a_batch_reads_what_it_touches_and_not_the_tables(home: &Home) {
    const USERS: i64 = 20_000;
    const BATCH: i64 = 100;
    let calls: Vec<_> =
        (0..1_000).map(|number| credit(&format!("T{number}")).by(&format!("u{}", number * 20))).collect();
    home.record(&calls).await;
    let fill = format!(
        "INSERT INTO users (app, user_id, first_seen_at) SELECT 'main', 'u' || n, 0 FROM generate_series(1, {USERS}) AS n;
         ANALYZE"
    );
    home.raw().await.execute(&fill).await;
    let read =
        "SELECT CAST(MAX(seq_tup_read + COALESCE(idx_tup_fetch, 0)) AS BIGINT) FROM pg_stat_user_tables";
    let processed_until_now =
        "SELECT CAST(n_tup_upd AS BIGINT) FROM pg_stat_user_tables WHERE relname = 'postbacks'";
    home.raw().await.execute("SELECT pg_stat_reset()").await;
    let worker = home.another_process().await;
    processed(&worker, Claim::First(BATCH), processor(), NOW).await.expect("they are processed");
    // What a connection read is told when it ends.
    worker.close().await;
    eventually("the statistics of the batch", async || {
        (home.raw().await.number(processed_until_now).await >= BATCH).then_some(())
    })
    .await;
    let most = home.raw().await.number(read).await;
    assert!(most < 40 * BATCH, "{most} rows of one table for {BATCH} postbacks");
}
