//! A queue of a hundred thousand held rewards. Ignored, because it takes minutes:
//! `tests/run with cargo test --release --test contract -- --ignored --nocapture --test-threads 1 crowded`. It says how
//! long each page and each decision took; two databases at once would slow each other down.

use std::time::{Duration, Instant};

use domain::money::Micros;
use domain::review::decision::Review;
use domain::review::queue::Grouping;
use domain::time::TimestampMs;
use store::review::decisions::Reviewer;
use store::review::decisions::{BulkDecision, Wanted};
use store::review::holds::{Cluster, ClusterKey, ClusterPlace, HoldFilter, HoldPlace, HoldSort};

use crate::support::database::{Home, check};
use crate::support::place::Kind;
use crate::support::story::{NOW, TODAY};

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

/// The fastest tells what a question costs also on a machine that others work on.
fn say(kind: Kind, what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let ms = |place: usize| took[place.min(took.len() - 1)].as_secs_f64() * 1_000.0;
    let (fastest, half, most) = (ms(0), ms(took.len() / 2), ms(took.len() * 95 / 100));
    println!("{kind:?} {what:<52} fastest {fastest:>6.1} ms  p50 {half:>6.1} ms  p95 {most:>6.1} ms");
}

/// What somebody looks at: everything, each filter alone, and searches that find little, much and all.
fn looks() -> Vec<(&'static str, HoldFilter)> {
    let none = HoldFilter::default;
    let of = |text: &str| Some(text.to_owned());
    vec![
        ("everything", none()),
        ("one rule", HoldFilter { rule: of("T1"), ..none() }),
        ("one source", HoldFilter { source: of("targo"), ..none() }),
        ("one offer", HoldFilter { offer_id: of("o7"), ..none() }),
        ("one country", HoldFilter { country: of("DE"), ..none() }),
        ("an amount", HoldFilter { min_payout: Some(Micros(1_000)), ..none() }),
        ("an age", HoldFilter { received_before: Some(TimestampMs(NOW.0 - 3_600_000)), ..none() }),
        ("a search", HoldFilter { text: of("offer 19"), ..none() }),
        ("a search for all", HoldFilter { text: of("offer"), ..none() }),
        ("a search for a user", HoldFilter { text: of("u77"), ..none() }),
        ("a search for a sub1", HoldFilter { text: of("s77"), ..none() }),
        ("a search in vain", HoldFilter { text: of("nobody"), ..none() }),
    ]
}

/// What a page of clusters asks for, as the page asks for it; what its filters offer is asked for once in ten seconds.
async fn page(
    home: &Home,
    filter: &HoldFilter,
    grouping: Grouping,
    sort: HoldSort,
    after: Option<&ClusterPlace>,
) -> Vec<Cluster> {
    let store = &home.store;
    let clusters = async {
        let rows = store.clusters(filter, grouping, sort, after, 50).await.expect("grouped");
        tokio::try_join!(
            store.cluster_parts(filter, grouping, &rows),
            store.cluster_users(filter, grouping, &rows),
        )
        .expect("counted");
        rows
    };
    let totals = async { store.hold_totals(filter, NOW).await.expect("summed") };
    let (rows, _, _) = tokio::join!(clusters, totals, async { store.hold_count().await.expect("counted") });
    rows
}

async fn timed<T>(took: &mut Vec<Duration>, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    took.push(began.elapsed());
    done
}

/// The pages of clusters under `filter` in every grouping; of everything also in every order, and the second page.
async fn clusters(home: &Home, name: &str, filter: &HoldFilter) {
    for grouping in Grouping::ALL {
        let (mut took, mut second) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS / 2 {
            let rows = timed(&mut took, page(home, filter, grouping, HoldSort::Age, None)).await;
            if let Some(last) = rows.get(49).filter(|_| name == "everything") {
                let (first, second_key) = (last.first.clone(), last.second.clone());
                let place = ClusterPlace { sort_value: last.sort_value, first, second: second_key };
                timed(&mut second, page(home, filter, grouping, HoldSort::Age, Some(&place))).await;
            }
        }
        say(home.kind(), &format!("queue page, {name}, by {}", grouping.name()), took);
        if !second.is_empty() {
            say(home.kind(), &format!("second page, {name}, by {}", grouping.name()), second);
        }
        if name != "everything" {
            continue;
        }
        for (sorted, sort) in [("money", HoldSort::Money), ("score", HoldSort::Score)] {
            let mut took = Vec::new();
            for _ in 0..ROUNDS / 2 {
                timed(&mut took, page(home, filter, grouping, sort, None)).await;
            }
            say(home.kind(), &format!("queue page, {name}, by {}, most {sorted}", grouping.name()), took);
        }
    }
}

/// The rewards under `filter`, one by one; of everything also in every order, and the second page.
async fn rewards(home: &Home, name: &str, filter: &HoldFilter) {
    for (sorted, sort) in [("age", HoldSort::Age), ("money", HoldSort::Money), ("score", HoldSort::Score)] {
        if sort != HoldSort::Age && name != "everything" {
            continue;
        }
        let (mut took, mut second) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS / 2 {
            let list = |after: Option<HoldPlace>| async move {
                let rows = home.store.holds(filter, sort, after, NOW, 50);
                let totals = home.store.hold_totals(filter, NOW);
                tokio::try_join!(rows, totals).expect("listed").0
            };
            let rows = timed(&mut took, list(None)).await;
            if let Some(last) = rows.get(49).filter(|_| name == "everything") {
                let place = HoldPlace { sort_value: last.sort_value, reward_id: last.reward_id };
                timed(&mut second, list(Some(place))).await;
            }
        }
        say(home.kind(), &format!("rewards, {name}, by {sorted}"), took);
        if !second.is_empty() {
            say(home.kind(), &format!("second page, rewards, {name}, by {sorted}"), second);
        }
    }
}

async fn measure(home: &Home) {
    fill(home).await;
    let store = &home.store;
    assert_eq!(store.hold_count().await.expect("counted"), HOLDS);
    let kind = home.kind();
    let none = HoldFilter::default;
    let mut took = Vec::new();
    for _ in 0..ROUNDS / 4 {
        timed(&mut took, store.hold_choices()).await.expect("listed");
    }
    say(kind, "what the filters offer", took);
    for (name, filter) in looks() {
        clusters(home, name, &filter).await;
        rewards(home, name, &filter).await;
    }
    for grouping in Grouping::ALL {
        let rows = store.clusters(&none(), grouping, HoldSort::Age, None, 1).await.expect("grouped");
        let key = ClusterKey { grouping, first: rows[0].first.clone(), second: rows[0].second.clone() };
        let inside = HoldFilter { cluster: Some(key), ..none() };
        rewards(home, &format!("an opened cluster, by {}", grouping.name()), &inside).await;
    }
    let ids = store.hold_ids(&none(), HOLDS).await.expect("listed");
    let mut wanted = ids.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps });
    let decide = |wanted: Vec<Wanted>| BulkDecision {
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
