//! How many deliveries a second reach an app that answers at once, and how long one takes from its cause.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::postback::signature::Secret;
use hdrhistogram::Histogram;
use sandbox::app::App;

use crate::load::Load;
use crate::processes::{Gateway, SECRET};

/// How long the load lasts that a backlog is made of.
const BACKLOG: Duration = Duration::from_secs(2);
/// How long single postbacks come, one after the other.
const SINGLE: Duration = Duration::from_secs(5);
/// Deliveries that have not arrived by then count as lost.
const DEADLINE: Duration = Duration::from_mins(5);

/// Delivers to an app of its own; the other measurements have none.
pub(crate) async fn measure(database: &str, postgres: &str) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let app = App::start(listener, vec![Secret::new(SECRET).expect("not empty")]).expect("an app");
    let gateway = Gateway::prepare(database, postgres).await.forwarding_to(&app.origin());
    let mut load = Load::new();

    // One process and one caller: from the cause to the app.
    let up = gateway.up();
    let sent = load.run(up.address, 1, SINGLE).await.answers;
    arrived(&app, sent).await;
    up.stop();
    let created_at: HashMap<i64, i64> = gateway.created_at().await.into_iter().collect();
    let mut latency_ms = Histogram::<u64>::new(3).expect("a histogram");
    for arrival in app.arrivals() {
        let took_ms = arrival.at_ms - created_at[&arrival.reward_id];
        latency_ms.record(u64::try_from(took_ms).unwrap_or(0)).expect("it grows");
    }
    let [p50, p99] = [0.5, 0.99].map(|quantile| latency_ms.value_at_quantile(quantile));
    println!(
        "{} delivered singly  p50 {p50} ms  p99 {p99} ms from cause to arrival, {sent} deliveries",
        gateway.database
    );

    // A backlog and one worker. Deliveries are due as soon as they exist, so the worker that decides also delivers.
    let web = gateway.web();
    let backlog = load.run(web.address, crate::CONNECTIONS, BACKLOG).await.answers;
    web.stop();
    let began = Instant::now();
    let worker = gateway.worker();
    arrived(&app, sent + backlog).await;
    let elapsed = began.elapsed();
    worker.stop();
    println!(
        "{} decided, delivered{:>8.0}/s  {backlog} deliveries, 1 worker",
        gateway.database,
        backlog as f64 / elapsed.as_secs_f64()
    );
    gateway.remove().await;
}

async fn arrived(app: &App, wanted: u64) {
    let began = Instant::now();
    while (app.booked() as u64) < wanted {
        assert!(began.elapsed() < DEADLINE, "{} of {wanted} arrived", app.booked());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
