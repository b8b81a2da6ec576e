//! How long each page of a long review queue takes, and each decision on it.

use std::time::{Duration, Instant};

use domain::money::Micros;
use domain::review::decision::Review;
use domain::review::queue::Grouping;
use domain::time::TimestampMs;
use store::review::decisions::Reviewer;
use store::review::decisions::{BulkDecision, Wanted};
use store::review::holds::{Cluster, ClusterKey, ClusterPlace, HoldFilter, HoldPlace, HoldSort};

use crate::support::bulk::holds::fill;
use crate::support::database::Home;
use crate::support::place::Kind;
use crate::support::postbacks::{NOW, TODAY};

/// How often each question is asked.
const ROUNDS: usize = 40;

/// Prints the times of one question. On a busy machine the fastest still shows what the question costs.
fn print_times(kind: Kind, what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let ms = |place: usize| took[place.min(took.len() - 1)].as_secs_f64() * 1_000.0;
    let (fastest, half, most) = (ms(0), ms(took.len() / 2), ms(took.len() * 95 / 100));
    println!("{kind:?} {what:<52} fastest {fastest:>6.1} ms  p50 {half:>6.1} ms  p95 {most:>6.1} ms");
}

/// No filter, each filter alone, and searches that match few, many and all rewards.
fn filters() -> Vec<(&'static str, HoldFilter)> {
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

/// The queries of a page of clusters, run as the page runs them. The choices of its filters are not among them: the page
/// caches those for ten seconds.
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

/// Pages of clusters under `filter` in every grouping; without a filter also in every order, and the second page.
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
        print_times(home.kind(), &format!("queue page, {name}, by {}", grouping.name()), took);
        if !second.is_empty() {
            print_times(home.kind(), &format!("second page, {name}, by {}", grouping.name()), second);
        }
        if name != "everything" {
            continue;
        }
        for (sorted, sort) in [("money", HoldSort::Money), ("score", HoldSort::Score)] {
            let mut took = Vec::new();
            for _ in 0..ROUNDS / 2 {
                timed(&mut took, page(home, filter, grouping, sort, None)).await;
            }
            print_times(
                home.kind(),
                &format!("queue page, {name}, by {}, most {sorted}", grouping.name()),
                took,
            );
        }
    }
}

/// Pages of rewards under `filter`; without a filter also in every order, and the second page.
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
        print_times(home.kind(), &format!("rewards, {name}, by {sorted}"), took);
        if !second.is_empty() {
            print_times(home.kind(), &format!("second page, rewards, {name}, by {sorted}"), second);
        }
    }
}

/// Fills the queue with `holds` rewards, then measures.
pub(crate) async fn measure(home: &Home, holds: i64) {
    fill(home, holds).await;
    let store = &home.store;
    assert_eq!(store.hold_count().await.expect("counted"), holds);
    let kind = home.kind();
    let none = HoldFilter::default;
    let mut took = Vec::new();
    for _ in 0..ROUNDS / 4 {
        timed(&mut took, store.hold_choices()).await.expect("listed");
    }
    print_times(kind, "what the filters offer", took);
    for (name, filter) in filters() {
        clusters(home, name, &filter).await;
        rewards(home, name, &filter).await;
    }
    for grouping in Grouping::ALL {
        let rows = store.clusters(&none(), grouping, HoldSort::Age, None, 1).await.expect("grouped");
        let key = ClusterKey { grouping, first: rows[0].first.clone(), second: rows[0].second.clone() };
        let inside = HoldFilter { cluster: Some(key), ..none() };
        rewards(home, &format!("an opened cluster, by {}", grouping.name()), &inside).await;
    }
    let ids = store.hold_ids(&none(), holds).await.expect("listed");
    let mut wanted = ids.into_iter().map(|(reward_id, steps)| Wanted { reward_id, steps });
    let decide = |wanted: Vec<Wanted>| BulkDecision {
        wanted,
        decision: Review::Release,
        overturn: false,
        reviewer: Reviewer { actor: "ann".into(), note: None, now: NOW, business_date: TODAY.into() },
    };
    for (name, many, rounds) in [("a decision on one", 1, ROUNDS), ("a decision on 1,000", 1_000, 8)] {
        let mut took = Vec::new();
        for _ in 0..rounds.min(wanted.len() / many) {
            let click = decide(wanted.by_ref().take(many).collect());
            let began = Instant::now();
            let done = store.decide(click).await.expect("decided");
            took.push(began.elapsed());
            assert_eq!(done.taken.len(), many);
        }
        print_times(kind, name, took);
    }
    let proof = store.prove().await.expect("the books are read");
    assert!(proof.is_proven(), "{proof:?}");
}
