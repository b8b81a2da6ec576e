//! The metrics of this process: the recorder, and gauges that are updated every five seconds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::delivery::Status;
use domain::skew::LEAST_CLICKS;
use domain::time::TimestampMs;
use geo::refresh::Refresh;
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use store::deliveries::backlog::Backlog;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use web::health::Metrics;

use crate::process::Process;

/// Interval between updates of gauges, and between checks of geo files on disk.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Buckets in seconds: from a quick commit to far beyond a network's timeout.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0];
/// Buckets in rows.
const ROWS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Installs the recorder, and returns what renders it. Call it once per process.
pub(crate) fn measure() -> anyhow::Result<Metrics> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_batch".into()), &ROWS))
        .context("invalid histogram buckets")?
        .install_recorder()
        .context("the metrics recorder cannot be installed")?;
    let drained = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // Otherwise every measurement stays in memory until /metrics is read.
            drained.run_upkeep();
        }
    });
    Ok(Arc::new(move || handle.render()))
}

/// Describes the metrics of `process`, and creates their series before the first event.
pub(crate) fn announce(process: &Process) {
    let sources = || process.settings.sources.iter().map(|source| source.name.as_str());
    web::announce_metrics(sources());
    jobs::metrics::announce_metrics(sources());
    let apps = || process.settings.forwards.iter().map(|forward| forward.target.app.as_str());
    jobs::deliveries::announce_metrics(apps());
    describe_gauge!("rewardgate_deliveries", "Unfinished deliveries by app and status");
    describe_gauge!(
        "rewardgate_deliveries_oldest_age_seconds",
        "Age of the oldest delivery that waits to be sent, by app"
    );
    describe_gauge!("rewardgate_app_disabled", "1 while an app is disabled because it answered 410");
    for app in apps() {
        set_backlog(app, &[], false, process.clock.now());
    }
    describe_gauge!("rewardgate_inbox_waiting", "Recorded postbacks that are not processed yet");
    describe_gauge!(
        "rewardgate_inbox_oldest_age_seconds",
        "Age of the oldest recorded postback that is not processed yet"
    );
    describe_gauge!(
        "rewardgate_source_silent_seconds",
        "Since its last postback, of a source that is silent for longer than usual; 0 for all others"
    );
    for source in sources() {
        gauge!("rewardgate_source_silent_seconds", "source" => source.to_owned()).set(0.0);
    }
    describe_gauge!("rewardgate_refused_kept", "Stored refused calls");
    describe_gauge!("rewardgate_refused_dropped", "Refused calls that were dropped for newer ones, in total");
    describe_gauge!(
        "rewardgate_clicks_ahead_ratio",
        "Share of the newest clicks with a time in the future: above 0.5 our clock is probably slow"
    );
    gauge!("rewardgate_clicks_ahead_ratio").set(0.0);
    describe_gauge!("rewardgate_database_up", "1 while the database answers");
    describe_gauge!("rewardgate_database_connections", "Database connections of this process by state");
    gauge!("rewardgate_inbox_waiting").set(0.0);
    gauge!("rewardgate_inbox_oldest_age_seconds").set(0.0);
    gauge!("rewardgate_database_up").set(1.0);
    connections(process);
}

/// Updates the gauges until the process stops.
pub(crate) async fn look(process: &Process) {
    while !process.stop.is_cancelled() {
        inbox(process).await;
        connections(process);
        deliveries(process).await;
        silences(process).await;
        process.stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
    }
}

async fn inbox(process: &Process) {
    let depth = process.store.inbox_depth().await;
    gauge!("rewardgate_database_up").set(f64::from(u8::from(depth.is_ok())));
    let Ok(depth) = depth else { return };
    let now = process.clock.now();
    let age_ms = depth.oldest_received_at.map_or(0, |oldest| (now.0 - oldest.0).max(0));
    if let Ok(refused) = process.store.refused_count().await {
        gauge!("rewardgate_refused_kept").set(float(refused.kept));
        gauge!("rewardgate_refused_dropped").set(float(refused.dropped));
    }
    if let Ok(clicks) = process.store.newest_clicks(now).await {
        // Too few clicks say nothing; the rules have the same bound.
        let enough = clicks.all >= LEAST_CLICKS;
        gauge!("rewardgate_clicks_ahead_ratio").set(if enough {
            float(clicks.ahead) / float(clicks.all)
        } else {
            0.0
        });
    }
    gauge!("rewardgate_inbox_waiting").set(float(depth.waiting));
    gauge!("rewardgate_inbox_oldest_age_seconds").set(float(age_ms) / 1_000.0);
}

async fn silences(process: &Process) {
    let Ok(silent) = process.store.silent_sources().await else { return };
    let now = process.clock.now();
    for source in &process.settings.sources {
        let found = silent.iter().find(|silent| silent.source == source.name);
        let silent_ms = found.map_or(0, |silent| (now.0 - silent.last_at).max(0));
        gauge!("rewardgate_source_silent_seconds", "source" => source.name.clone())
            .set(float(silent_ms) / 1_000.0);
    }
}

async fn deliveries(process: &Process) {
    if process.settings.forwards.is_empty() {
        return;
    }
    let (backlog, disabled) = (process.store.backlog().await, process.store.disabled_apps().await);
    let (Ok(backlog), Ok(disabled)) = (backlog, disabled) else { return };
    for forward in &process.settings.forwards {
        let app = &forward.target.app;
        set_backlog(app, &backlog, disabled.iter().any(|disabled| disabled.app == *app), process.clock.now());
    }
}

fn set_backlog(app: &str, backlog: &[Backlog], is_disabled: bool, now: TimestampMs) {
    let mut oldest = now.0;
    for status in [Status::Waiting, Status::Blocked, Status::Failed] {
        let found = backlog.iter().find(|one| one.app == app && one.status == status.name());
        let count = found.map_or(0, |one| one.deliveries);
        gauge!("rewardgate_deliveries", "app" => app.to_owned(), "status" => status.name()).set(float(count));
        if status != Status::Failed {
            oldest = found
                .and_then(|one| one.oldest_created_at)
                .map_or(oldest, |created_at| created_at.min(oldest));
        }
    }
    gauge!("rewardgate_deliveries_oldest_age_seconds", "app" => app.to_owned())
        .set(float(now.0 - oldest) / 1_000.0);
    gauge!("rewardgate_app_disabled", "app" => app.to_owned()).set(f64::from(u8::from(is_disabled)));
}

fn connections(process: &Process) {
    let connections = process.store.connections();
    let used = connections.open.saturating_sub(connections.idle);
    gauge!("rewardgate_database_connections", "state" => "idle").set(f64::from(connections.idle));
    gauge!("rewardgate_database_connections", "state" => "used").set(f64::from(used));
}

/// Loads geo databases that are replaced on disk, until `stop`.
pub(crate) async fn refresh_geo(geo: geo::Geo, mut refresh: Refresh, stop: &CancellationToken) {
    built(&geo);
    while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        // Blocking: whole files are read.
        let looked = tokio::task::spawn_blocking(move || (refresh.look(), refresh)).await;
        let Ok((refreshed, after)) = looked else {
            error!("geo databases on disk are no longer checked; the loaded ones stay in use");
            gauge!("rewardgate_geo_reload_failed").set(1.0);
            return;
        };
        refresh = after;
        for path in &refreshed.taken_up {
            info!(path = %path.display(), "a replaced geo database was loaded");
        }
        for path in &refreshed.older {
            warn!(path = %path.display(), "this geo database is older than the one that it replaced");
        }
        for fault in &refreshed.faults {
            error!(fault, "a geo database on disk cannot be loaded; the previous one stays in use");
        }
        gauge!("rewardgate_geo_reload_failed").set(f64::from(u8::from(refreshed.failing > 0)));
        built(&geo);
    }
}

fn built(geo: &geo::Geo) {
    for (database, built_at_s) in geo.files() {
        gauge!("rewardgate_geo_database_built_seconds", "database" => database).set(float(built_at_s));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric: far below what a float holds exactly")]
fn float(number: i64) -> f64 {
    number as f64
}
