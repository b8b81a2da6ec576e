//! A process before it takes a role: settings, database, clock and the signal to stop.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use anyhow::Context as _;
use domain::delivery::Subscriptions;
use domain::time::Clock;
use geo::Geo;
use store::{OpenOptions, Store};
use tokio_util::sync::CancellationToken;
use tracing::info;
use web::health::Metrics;

use crate::clock;
use crate::config::{BadSettings, Settings};

/// What every role and every command works with.
pub(crate) struct Process {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// Cancelled at SIGTERM and Ctrl-C: accept no new work, finish the current work, end.
    pub(crate) stop: CancellationToken,
    /// Renders the metrics of this process.
    pub(crate) metrics: Metrics,
    /// When a worker of this process last read the inbox, in unix milliseconds; initially the start.
    pub(crate) last_beat_ms: Arc<AtomicI64>,
}

impl Process {
    /// A process on an open `store`; nothing runs yet.
    pub(crate) fn new(settings: Settings, store: Store, metrics: Metrics) -> Self {
        let clock = clock::system();
        let last_beat_ms = Arc::new(AtomicI64::new(clock.now().0));
        Self { settings, store, clock, stop: CancellationToken::new(), metrics, last_beat_ms }
    }

    /// Keeps the log of a SQLite database short until the process stops.
    pub(crate) async fn keep_log_short(&self) {
        self.store.keep_log_short(self.stop.cancelled()).await;
    }
}

/// Opens the database of `settings`; `create`: a missing SQLite file is created.
pub(crate) async fn open_store(settings: &Settings, create: bool) -> anyhow::Result<Store> {
    let options = OpenOptions { max_connections: settings.database_connections, create };
    let store =
        Store::open(&settings.database_url.0, options).await.context("the database cannot be opened")?;
    let store = store.notifying(subscriptions(settings)).with_review_terms(settings.review.clone());
    Ok(store.with_body_limit(settings.limits.body_bytes_per_hour))
}

/// A warning for each database file that every account of this machine may open.
pub(crate) fn open_to_all(settings: &Settings) -> Vec<String> {
    let warning = |path: PathBuf| {
        let shown = path.display();
        format!("the database file {shown} may be opened by every account of this machine: chmod o= {shown}")
    };
    store::db::connect::open_to_all(&settings.database_url.0).into_iter().map(warning).collect()
}

/// Which events each app receives.
fn subscriptions(settings: &Settings) -> Subscriptions {
    let apps = settings.forwards.iter().map(|forward| (forward.target.app.clone(), forward.wanted));
    Subscriptions { apps: apps.collect(), grace_ms: settings.deliveries.grace_ms }
}

/// Opens the geo databases of `settings`.
pub(crate) fn open_geo(settings: &Settings) -> Result<Geo, BadSettings> {
    Geo::open(&settings.geo_databases).map_err(|error| Settings::fault("geo_databases", &error))
}

/// Cancels `stop` at SIGTERM or Ctrl-C.
pub(crate) fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping after the current work");
        stop.cancel();
    });
    Ok(())
}
