//! The worker: processes postbacks, delivers to apps, runs scheduled jobs.

use std::net::SocketAddr;
use std::sync::Arc;

use ::web::serve::{Entrance, serve};
use anyhow::Context as _;
use geo::Geo;
use geo::refresh::Refresh;
use jobs::baselines::{follow, take_up};
use jobs::deliveries::Forwarding;
use jobs::deliveries::outgoing::Outgoing;
use jobs::lists::LiveLists;
use jobs::postbacks::process::{Observer, Processing};
use jobs::scheduler::Scheduled;
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use super::{bind, processor, watch};
use crate::config::Settings;
use crate::metrics;
use crate::process::Process;
use crate::threads::Threads;

/// Works until the process stops; each worker finishes its current batch. If one part fails, all stop.
pub(crate) async fn work(process: &Process, geo: Geo, observer: Option<Observer>) -> anyhow::Result<()> {
    let Process { settings, store, clock, stop, .. } = process;
    let policy = &settings.policy;
    store
        .keep_policy(policy.version().to_owned(), policy.content().to_owned(), clock.now())
        .await
        .context("the policy cannot be saved")?;
    info!(policy = policy.version(), geo = ?geo.databases(), "working");
    let refresh = Refresh::new(geo.clone(), &settings.geo_databases);
    let refreshed = metrics::refresh_geo(geo.clone(), refresh, stop);
    let workers = store.useful_workers(settings.workers);
    let lists = LiveLists::default();
    // Before the first decision: a reward that is blocked must not slip through at the start.
    let version = lists.read(store, clock, None).await.context("the lists cannot be read")?;
    let kept = lists.clone().keep(store.clone(), clock.clone(), version, stop.clone());
    let (processing, threads) =
        (processing(process, geo, lists, observer), Threads::for_processing(workers)?);
    let forwarding = forwarding(process)?;
    let baseline = processing.processor.baseline.clone();
    // Before anything is decided, so that no reward of a restart is judged without it.
    if let Err(error) = take_up(store, &baseline, clock.now()).await {
        warn!(%error, "the newest baseline cannot be loaded; trying again");
    }
    let followed = follow(store, &baseline, clock, stop);
    let worked = async {
        let worked = threads.run(jobs::postbacks::worker::run(processing, workers)).await;
        stop.cancel();
        worked.unwrap_or(Ok(()))
    };
    let forwarded = async {
        let forwarded = jobs::deliveries::run(forwarding).await;
        if forwarded.is_err() {
            stop.cancel();
        }
        forwarded
    };
    let (worked, forwarded, (), (), (), ()) =
        tokio::join!(worked, forwarded, refreshed, followed, kept, jobs::scheduler::run(scheduled(process)));
    worked.and(forwarded).inspect_err(|error| error!(%error, "the worker stopped because of an error"))?;
    Ok(())
}

fn processing(process: &Process, geo: Geo, lists: LiveLists, observer: Option<Observer>) -> Processing {
    Processing {
        store: process.store.clone(),
        processor: Arc::new(processor(&process.settings, geo, lists, observer)),
        clock: process.clock.clone(),
        batch: process.settings.batch,
        stop: process.stop.clone(),
        last_beat_ms: process.last_beat_ms.clone(),
    }
}

fn scheduled(process: &Process) -> Scheduled {
    let settings = &process.settings;
    Scheduled {
        store: process.store.clone(),
        clock: process.clock.clone(),
        timezone: settings.timezone,
        terms: settings.retention,
        reports: settings.reports,
        mail: settings.mail.clone(),
        statements: settings.sources.iter().map(|it| (it.name.clone(), it.statements.terms)).collect(),
        baseline: settings.policy.baseline,
        stop: process.stop.clone(),
    }
}

fn forwarding(process: &Process) -> anyhow::Result<Forwarding> {
    let settings = &process.settings;
    Ok(Forwarding {
        store: process.store.clone(),
        clock: process.clock.clone(),
        targets: settings.forwards.iter().map(|forward| forward.target.clone()).collect(),
        outgoing: Outgoing::new(settings.deliveries.allow_networks.clone())?,
        stop: process.stop.clone(),
    })
}

/// The listener of a process without the web role, for health and metrics.
pub(crate) struct WorkerWatch {
    listener: TcpListener,
    /// With the port that was bound.
    pub(crate) address: SocketAddr,
}

impl WorkerWatch {
    /// Binds `worker_listen`; `None` if it is not set.
    pub(crate) fn bind(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(address) = settings.worker_listen else { return Ok(None) };
        let (listener, address) = bind(address, "worker_listen")?;
        Ok(Some(Self { listener, address }))
    }

    /// Serves until the process stops.
    pub(crate) async fn run(self, process: &Process) {
        let routes = ::web::watch_only(watch(process, None, true));
        serve(self.listener, routes, process.settings.limits, Entrance::default(), process.stop.clone())
            .await;
    }
}
