//! A queue of a hundred thousand held rewards. Ignored, because it takes minutes:
//! `tests/run with cargo test --release --test contract -- --ignored --nocapture crowded`. It says how long each
//! question of a page took.

use std::time::{Duration, Instant};

use domain::queue::Grouping;
use domain::review::Review;
use store::decisions::{Decide, Wanted};
use store::holds::{HoldFilter, HoldSort};
use store::reviews::Reviewer;

use crate::database::{Home, check};
use crate::ground::Kind;
use crate::story::{NOW, TODAY};

#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_holds_on_sqlite() {
    check(Kind::Sqlite, measure);
}

#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_holds_on_postgres() {
    check(Kind::Postgres, measure);
}

const HOLDS: i64 = 100_000;
const ROUNDS: usize = 40;

/// Held rewards of 20,000 users and 200 offers, held by five rules, made by the database through its own triggers.
async fn fill(home: &Home) {
    let overriding = if home.kind() == Kind::Postgres { "OVERRIDING SYSTEM VALUE" } else { "" };
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {HOLDS})"
    );
    let text = |expression: &str| format!("CAST({expression} AS TEXT)");
    let rule = "CASE n % 5 WHEN 0 THEN 'T1' WHEN 1 THEN 'T2' WHEN 2 THEN 'G1' WHEN 3 THEN 'N1' ELSE 'V3' END";
    home.raw()
        .await
        .execute(&format!(
            "INSERT INTO users (app, user_id, first_seen_at) {numbers}
             SELECT 'main', 'u' || {user}, {now} FROM numbers WHERE n <= 20000;
             INSERT INTO accounts (id, name, currency, balance_micros) {overriding} VALUES
                 (1000001, 'granted:targo', 'coins', -500000000 * CAST({HOLDS} AS BIGINT)),
                 (1000002, 'held:targo', 'coins', 500000000 * CAST({HOLDS} AS BIGINT)),
                 (1000003, 'network:targo', 'USD', -1000000 * CAST({HOLDS} AS BIGINT)),
                 (1000004, 'earned:targo', 'USD', 1000000 * CAST({HOLDS} AS BIGINT));
             INSERT INTO rewards (id, source, event_key, app, user_id, tx_id, status, currency, reward_micros,
                                  payout_micros, offer_id, offer_name, country_code, sub1, received_at, business_date,
                                  steps, repeats, conflict, credit_seen, address_group)
             {overriding} {numbers}
             SELECT n, 'targo', 'T' || {n}, 'main', 'u' || {user}, 'T' || {n}, 'held', 'coins', 500000000, 1000000,
                    'o' || {offer}, 'Offer ' || {offer}, CASE WHEN n % 3 = 0 THEN 'DE' ELSE 'US' END, 's' || {sub1},
                    {now} - n * 1000, '{TODAY}', 1, 0, 0, 1,
                    '203.0.' || {third} || '.' || {fourth} FROM numbers;
             INSERT INTO steps (reward_id, seq, step, actor, taken_at, business_date) {numbers}
             SELECT n, 1, 'hold', 'rules', {now} - n * 1000, '{TODAY}' FROM numbers;
             INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at,
                                    business_date) {numbers}
             SELECT n, 1, 1000001, 1000002, 500000000, 'coins', {now}, '{TODAY}' FROM numbers;
             INSERT INTO transfers (reward_id, step_seq, debit_id, credit_id, amount_micros, currency, booked_at,
                                    business_date) {numbers}
             SELECT n, 1, 1000003, 1000004, 1000000, 'USD', {now}, '{TODAY}' FROM numbers;
             INSERT INTO verdicts (reward_id, decision, score, hard, policy, decided_at, geo_result, location, signals,
                                   leading_rule, fired)
             {numbers} SELECT n, 'hold', 50 + n % 50, n % 2, 'p', {now}, 'match', '{{}}', '[]', {rule},
                              {rule} || ' T2' FROM numbers;",
            n = text("n"),
            user = text("n % 20000 + 1"),
            offer = text("n % 200"),
            sub1 = text("n % 1000"),
            third = text("n % 100"),
            fourth = text("n % 250"),
            now = NOW.0,
        ))
        .await;
    if home.kind() == Kind::Postgres {
        home.raw().await.execute("VACUUM ANALYZE holds").await;
    }
}

fn say(kind: Kind, what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)].as_secs_f64() * 1_000.0;
    println!("{kind:?} {what:<44} p50 {:>7.1} ms  p95 {:>7.1} ms", at(50), at(95));
}

async fn measure(home: &Home) {
    fill(home).await;
    let store = &home.store;
    assert_eq!(store.hold_count().await.expect("counted"), HOLDS);
    let kind = home.kind();
    let none = HoldFilter::default;
    let of = |text: &str| Some(text.to_owned());
    let began = Instant::now();
    store.hold_choices().await.expect("listed");
    say(kind, "what the filters offer", vec![began.elapsed()]);
    for (name, filter) in [
        ("everything", none()),
        ("one rule", HoldFilter { rule: of("T1"), ..none() }),
        ("one offer", HoldFilter { offer_id: of("o7"), ..none() }),
        ("one country", HoldFilter { country: of("DE"), ..none() }),
        ("a search", HoldFilter { text: of("offer 19"), ..none() }),
    ] {
        for grouping in Grouping::ALL {
            let mut took = Vec::new();
            for _ in 0..ROUNDS / 4 {
                let began = Instant::now();
                let clusters = async {
                    let rows =
                        store.clusters(&filter, grouping, HoldSort::Age, None, 50).await.expect("grouped");
                    tokio::try_join!(
                        store.cluster_parts(&filter, grouping, &rows),
                        store.cluster_users(&filter, grouping, &rows),
                    )
                    .expect("counted")
                };
                // As the page asks for them; what its filters offer is asked for once in ten seconds.
                tokio::join!(clusters, async { store.hold_totals(&filter, NOW).await.expect("summed") });
                took.push(began.elapsed());
            }
            say(kind, &format!("queue page, {name}, by {}", grouping.name()), took);
        }
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            store.holds(&filter, HoldSort::Age, None, NOW, 50).await.expect("listed");
            took.push(began.elapsed());
        }
        say(kind, &format!("rewards, {name}"), took);
    }
    let ids = store.hold_ids(&none(), HOLDS).await.expect("listed");
    let mut wanted = ids.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps });
    let decide = |wanted: Vec<Wanted>| Decide {
        wanted,
        decision: Review::Release,
        overturn: false,
        reviewer: Reviewer { actor: "ann".into(), note: None, now: NOW, business_date: TODAY.into() },
    };
    for (name, many, rounds) in [("a decision on one", 1, ROUNDS), ("a decision on 1,000", 1_000, 8)] {
        let mut took = Vec::new();
        for _ in 0..rounds {
            let click = decide(wanted.by_ref().take(many).collect());
            let began = Instant::now();
            let done = store.decide(click).await.expect("decided");
            took.push(began.elapsed());
            assert_eq!(done.taken.len(), many);
        }
        say(kind, name, took);
    }
    let proof = store.prove().await.expect("the books are read");
    assert!(proof.is_proven(), "{proof:?}");
}
