//! Deciding while the tables grow: `tests/run with cargo bench --bench throughput -- growth sqlite --rewards 10000000`.
//!
//! Postbacks are recorded through the store, as the web role records them, and decided by workers of the real
//! executable. Of each size the last round is decided alone by fresh workers, and that is what is timed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{OpenOptions, Store};

use crate::crowd::Crowd;
use crate::processes::{Gateway, Running};
use crate::{now_ms, workers};

/// Rewards, unless `--rewards` says otherwise.
pub(crate) const REWARDS: u64 = 1_000_000;
/// Sizes at which something is said, beside the last.
const POINTS: [u64; 4] = [100_000, 1_000_000, 3_000_000, 10_000_000];
/// Postbacks recorded in one transaction, and until workers have caught up.
const BATCH: u64 = 1_000;
const CHUNK: u64 = 100_000;
/// How often the same postbacks are sent.
const TRIES: usize = 5;
/// The most that is decided in the round that is timed.
pub(crate) const LAST_ROUND: u64 = 100_000;
/// The same seed makes the same postbacks, but for the time of day.
pub(crate) const SEED: u64 = 7;

/// What was found at one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) rewards: u64,
    /// In the last round.
    pub(crate) decided_per_second: f64,
    pub(crate) bytes_per_reward: f64,
    /// Of all rewards, in percent.
    held_percent: f64,
    /// Of the worker that holds most, after it has decided everything since the size before.
    pub(crate) resident_mib: f64,
    /// Since the first postback.
    pub(crate) elapsed: Duration,
}

/// Prints every size up to `rewards`.
pub(crate) async fn print(database: &str, postgres: &str, rewards: u64) {
    let gateway = Gateway::prepare(database, postgres).await;
    let workers = workers(gateway.database);
    println!("{} {workers} worker(s), seed {SEED}", gateway.database);
    let mut points: Vec<Point> = Vec::new();
    grow(&gateway, rewards, |point| {
        println!(
            "{} {:>10} rewards  decided {:>7.0}/s  {:>6.0} bytes a reward  {:>4.1} % held  worker {:>6.1} MiB  after {:.0?}",
            gateway.database,
            point.rewards,
            point.decided_per_second,
            point.bytes_per_reward,
            point.held_percent,
            point.resident_mib,
            point.elapsed
        );
        points.push(point);
    })
    .await;
    if let Some(last) = points.last()
        && let Some(million) = points.iter().find(|point| point.rewards == 1_000_000)
        && last.rewards > million.rewards
    {
        let ratio = last.decided_per_second / million.decided_per_second;
        println!(
            "{} decided at {} rewards beside 1 million: {ratio:.2} × (limit ≥ 0.8)",
            gateway.database, last.rewards
        );
    }
    gateway.remove().await;
}

/// Grows the database of `gateway` to `rewards`, and tells `found` of every size on the way.
pub(crate) async fn grow(gateway: &Gateway, rewards: u64, mut found: impl FnMut(Point)) {
    let store = store_of(gateway).await;
    let mut crowd = Crowd::mixed(SEED, rewards);
    let (began, mut present) = (Instant::now(), 0);
    for point in POINTS.into_iter().filter(|point| *point < rewards).chain([rewards]) {
        let round = LAST_ROUND.min((point - present).div_ceil(2));
        let working = start(gateway);
        while present < point - round {
            let chunk = CHUNK.min(point - round - present);
            record(&store, &mut crowd, chunk).await;
            gateway.until_nothing_waits().await;
            present += chunk;
        }
        let resident_mib = working.iter().map(Running::resident_mib).fold(0.0, f64::max);
        stop(working);
        record(&store, &mut crowd, round).await;
        let round_began = Instant::now();
        let working = start(gateway);
        gateway.until_nothing_waits().await;
        let decided_per_second = round as f64 / round_began.elapsed().as_secs_f64();
        stop(working);
        present = point;
        let counted = gateway.rewards().await;
        assert_eq!(u64::try_from(counted), Ok(present), "every postback made a reward");
        found(Point {
            rewards: present,
            decided_per_second,
            held_percent: 100.0 * gateway.held().await as f64 / counted as f64,
            bytes_per_reward: gateway.bytes().await as f64 / counted as f64,
            resident_mib,
            elapsed: began.elapsed(),
        });
    }
    store.close().await;
}

/// The database of `gateway`, with its tables.
pub(crate) async fn store_of(gateway: &Gateway) -> Store {
    let store = Store::open(gateway.url(), OpenOptions { max_connections: 2, create: true }).await;
    let store = store.expect("the database opens").for_ingest();
    store.migrate().await.expect("the schema is made");
    store
}

/// Records the next `count` postbacks.
pub(crate) async fn record(store: &Store, crowd: &mut Crowd, count: u64) {
    let mut left = count;
    while left > 0 {
        let batch = BATCH.min(left);
        let postbacks = Arc::new(crowd.postbacks(batch, now_ms()));
        // A network sends again what was not acknowledged; what was written all the same becomes a repeat.
        let mut tries = 0;
        while let Err(error) = store.record(postbacks.clone()).await {
            tries += 1;
            assert!(tries < TRIES, "not recorded: {error}");
        }
        left -= batch;
    }
}

fn start(gateway: &Gateway) -> Vec<Running> {
    (0..workers(gateway.database)).map(|_| gateway.worker()).collect()
}

fn stop(working: Vec<Running>) {
    for worker in working {
        worker.stop();
    }
}
