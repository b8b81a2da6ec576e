//! The roles of a process: listening, working, or both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use domain::batch::SourceTerms;
use domain::delivery::Subscriptions;
use domain::proxies::Proxies;
use domain::report::losses::BEAT_MS;
use domain::time::{Clock, TimestampMs};
use geo::Geo;
use geo::refresh::Refresh;
use jobs::deliveries::Forwarding;
use jobs::deliveries::outgoing::Outgoing;
use jobs::postbacks::process::{Observer, Processing, Processor, SourceSettings};
use jobs::scheduler::Scheduled;
use store::{OpenOptions, Store};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use web::api::Api;
use web::console::{Choices, Console, Logins};
use web::health::{LastBeat, Metrics, Watch};
use web::ingest::recorder::Recorder;
use web::ingest::{CalledAgain, Ingest, SourceEndpoint, Strays};
use web::limits::RefusedRate;
use web::refusals::Refusals;
use web::serve::{Entrance, serve};
use web::stating::{Mapping, Stating};

use crate::config::{BadSettings, Settings};
use crate::threads::IngestThreads;
use crate::{clock, metrics};

/// A process that is about to run: settings read, database open and up to date.
pub(crate) struct Process {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// Cancelled at SIGTERM and Ctrl-C: stop taking, finish what was taken, end.
    pub(crate) stop: CancellationToken,
    /// Renders what is measured.
    pub(crate) metrics: Metrics,
    /// When a worker of this process last looked into the inbox, in unix milliseconds.
    pub(crate) last_beat_ms: Arc<AtomicI64>,
}

impl Process {
    /// A process on `store` that does nothing yet.
    pub(crate) fn new(settings: Settings, store: Store, metrics: Metrics) -> Self {
        let clock = clock::system();
        let last_beat_ms = Arc::new(AtomicI64::new(clock.now().0));
        Self { settings, store, clock, stop: CancellationToken::new(), metrics, last_beat_ms }
    }

    /// What monitoring may ask of it.
    fn watch(&self, recorder: Option<Recorder>, works: bool) -> Arc<Watch> {
        let last_beat_ms = self.last_beat_ms.clone();
        Arc::new(Watch {
            store: self.store.clone(),
            clock: self.clock.clone(),
            recorder,
            last_beat_ms: works
                .then(|| -> LastBeat { Arc::new(move || last_beat_ms.load(Ordering::Relaxed)) }),
            metrics: self.metrics.clone(),
        })
    }
}

/// Opens the database that the settings name; `create` says whether a SQLite file that does not exist is made.
pub(crate) async fn open(settings: &Settings, create: bool) -> anyhow::Result<Store> {
    let options = OpenOptions { max_connections: settings.database_connections, create };
    let store =
        Store::open(&settings.database_url.0, options).await.context("the database cannot be opened")?;
    let store = store.notifying(subscriptions(settings)).with_review_terms(settings.review.clone());
    Ok(store.with_body_limit(settings.limits.body_bytes_per_hour))
}

/// Files of the database that every account of this machine may open, a sentence each.
pub(crate) fn open_to_all(settings: &Settings) -> Vec<String> {
    let sentence = |path: std::path::PathBuf| {
        let shown = path.display();
        format!("the database file {shown} may be opened by every account of this machine: chmod o= {shown}")
    };
    store::db::connect::open_to_all(&settings.database_url.0).into_iter().map(sentence).collect()
}

/// Who is told what.
fn subscriptions(settings: &Settings) -> Subscriptions {
    let apps = settings.forwards.iter().map(|forward| (forward.target.app.clone(), forward.wanted));
    Subscriptions { apps: apps.collect(), grace_ms: settings.deliveries.grace_ms }
}

/// Opens the geo databases that the settings name.
pub(crate) fn locate(settings: &Settings) -> Result<Geo, BadSettings> {
    Geo::open(&settings.geo_databases).map_err(|error| Settings::fault("geo_databases", &error))
}

/// Listeners that are bound, and what they serve when they run.
pub(crate) struct Web {
    listener: TcpListener,
    admin_listener: Option<TcpListener>,
    /// Where networks call.
    pub(crate) address: SocketAddr,
    /// Where people and monitoring call, if that is elsewhere.
    pub(crate) admin_address: Option<SocketAddr>,
}

fn bind(address: SocketAddr, key: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener =
        web::serve::listen(address).with_context(|| format!("`{key}`: {address} cannot be listened on"))?;
    let address = listener.local_addr().context("the address of the listener")?;
    Ok((listener, address))
}

impl Web {
    /// Binds what the settings name.
    pub(crate) fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let (listener, address) = bind(settings.listen, "listen")?;
        let (admin_listener, admin_address) = match settings.admin_listen {
            Some(address) => {
                let (listener, address) = bind(address, "admin_listen")?;
                (Some(listener), Some(address))
            }
            None => (None, None),
        };
        Ok(Self { listener, admin_listener, address, admin_address })
    }

    /// Serves until the process stops; then finishes what was begun and records what was taken. `works` says whether
    /// there are workers in this process, too.
    pub(crate) async fn run(self, process: &Process, works: bool) -> anyhow::Result<()> {
        let Process { settings, store, clock, stop, .. } = process;
        let ingest_threads = IngestThreads::start()?;
        let (recorder, recorded) = ingest_threads.start_recorder(store);
        let watch = process.watch(Some(recorder.clone()), works);
        let ingest = Arc::new(Ingest {
            origin: settings.public_url.clone(),
            sources: endpoints(settings),
            trusted_proxies: settings.trusted_proxies.clone(),
            refused_rate: RefusedRate::new(settings.limits.refused_per_minute),
            strays: Strays::default(),
            called_again: CalledAgain::default(),
            recorder,
            clock: clock.clone(),
        });
        let statements: Arc<web::statements::Readings> =
            Arc::new(settings.sources.iter().map(|it| (it.name.clone(), it.statements.clone())).collect());
        let stating = Arc::new(stating(settings));
        let refusals = Arc::new(Refusals::default());
        let api = Arc::new(Api {
            store: store.clone(),
            apps: settings.apps.clone(),
            timezone: settings.timezone,
            clock: clock.clone(),
            statements: statements.clone(),
            stating: stating.clone(),
            trusted_proxies: pages_proxies(settings).clone(),
            refusals: refusals.clone(),
        });
        let console = Arc::new(Console {
            store: store.clone(),
            clock: clock.clone(),
            timezone: settings.timezone,
            terms: settings.review.clone(),
            grace_ms: settings.deliveries.grace_ms,
            policy: settings.policy.clone(),
            apps: settings.apps.clone(),
            ingest: ingest.clone(),
            trusted_proxies: pages_proxies(settings).clone(),
            logins: Logins::default(),
            choices: Choices::default(),
            statements,
            stating,
            refusals,
        });
        let (mut entrance, admin_entrance) = entrances(settings, &ingest);
        entrance.rest = Some(Handle::current());
        let served = async {
            if let Some(admin_listener) = self.admin_listener {
                let (limits, admin_limits) = settings.limits.shared_out();
                let (outside, inside) =
                    (web::ingest_only(ingest, watch.clone()), web::admin_only(api, console, watch));
                tokio::join!(
                    ingest_threads.run(serve(self.listener, outside, limits, entrance, stop.clone())),
                    serve(admin_listener, inside, admin_limits, admin_entrance, stop.clone()),
                );
            } else {
                let routes = web::routes(ingest, api, console, watch);
                let serving = serve(self.listener, routes, settings.limits, entrance, stop.clone());
                ingest_threads.run(serving).await;
            }
        };
        // The recorder ends after the last request that could record; if it ends before, the process cannot go on.
        let recorded = async {
            let ended = recorded.await;
            stop.cancel();
            ended
        };
        let ((), ended, ()) = tokio::join!(served, recorded, say_that_it_listens(process));
        ended.context("recording had to end")
    }
}

/// The proxies in front of the pages.
pub(crate) fn pages_proxies(settings: &Settings) -> &Proxies {
    if settings.admin_listen.is_some() { &settings.admin_trusted_proxies } else { &settings.trusted_proxies }
}

/// What `listen` and `admin_listen` hold of whoever calls.
fn entrances(settings: &Settings, ingest: &Arc<Ingest>) -> (Entrance, Entrance) {
    let host = |url: &str| url.strip_prefix("https://").map(str::to_owned);
    let pages_url = settings.mail.as_ref().and_then(|mail| host(&mail.pages_url));
    let public = Entrance {
        proxies: settings.trusted_proxies.clone(),
        https_hosts: host(&settings.public_url).into_iter().chain(pages_url.clone()).collect(),
        ingest: Some(ingest.clone()),
        rest: None,
    };
    let admin = Entrance {
        proxies: settings.admin_trusted_proxies.clone(),
        https_hosts: pages_url.into_iter().collect(),
        ingest: None,
        rest: None,
    };
    (public, admin)
}

/// The pause after a beat that could not be noted.
const BEAT_RETRY: Duration = Duration::from_secs(2);

/// Notes again and again that this process can acknowledge. After a silence, in which the database could not be
/// written, it is noted as a new one: what lies in between is a loss window.
async fn say_that_it_listens(process: &Process) {
    let Process { store, clock, stop, .. } = process;
    let mut since: Option<(String, TimestampMs)> = None;
    while !stop.is_cancelled() {
        let now = clock.now();
        let (name, began_at) = since
            .take()
            .unwrap_or_else(|| (format!("web-{}-{:016x}", std::process::id(), rand::random::<u64>()), now));
        match store.note_listening(name.clone(), began_at, now).await {
            Ok(()) => since = Some((name, began_at)),
            Err(error) => warn!(%error, "it cannot be noted that this process listens"),
        }
        // After a failure soon again: readiness rests on the last write, and nobody may send us another.
        let pause = if since.is_some() { Duration::from_millis(BEAT_MS.unsigned_abs()) } else { BEAT_RETRY };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Where a process that only works answers monitoring.
pub(crate) struct WorkerWatch {
    listener: TcpListener,
    /// The address.
    pub(crate) address: SocketAddr,
}

impl WorkerWatch {
    /// Binds `worker_listen`, if the settings name it.
    pub(crate) fn bind(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(address) = settings.worker_listen else { return Ok(None) };
        let (listener, address) = bind(address, "worker_listen")?;
        Ok(Some(Self { listener, address }))
    }

    /// Serves until the process stops.
    pub(crate) async fn run(self, process: &Process) {
        let watch = web::watch_only(process.watch(None, true));
        serve(self.listener, watch, process.settings.limits, Entrance::default(), process.stop.clone()).await;
    }
}

/// Works until the process stops; each worker finishes the batch in hand.
pub(crate) async fn work(process: &Process, geo: Geo, observer: Option<Observer>) -> anyhow::Result<()> {
    let Process { settings, store, clock, stop, .. } = process;
    let policy = &settings.policy;
    store
        .keep_policy(policy.version().to_owned(), policy.content().to_owned(), clock.now())
        .await
        .context("the policy cannot be kept")?;
    info!(policy = policy.version(), geo = ?geo.databases(), "working");
    let refresh = Refresh::new(geo.clone(), &settings.geo_databases);
    let refreshed = metrics::refresh_geo(geo.clone(), refresh, stop);
    let processing = Processing {
        store: store.clone(),
        processor: Arc::new(processor(settings, geo, observer)),
        clock: clock.clone(),
        batch: settings.batch,
        stop: stop.clone(),
        last_beat_ms: process.last_beat_ms.clone(),
    };
    let scheduled = Scheduled {
        store: store.clone(),
        clock: clock.clone(),
        timezone: settings.timezone,
        terms: settings.retention,
        reports: settings.reports,
        mail: settings.mail.clone(),
        statements: settings.sources.iter().map(|it| (it.name.clone(), it.statements.terms)).collect(),
        stop: stop.clone(),
    };
    let forwarding = Forwarding {
        store: store.clone(),
        clock: clock.clone(),
        targets: settings.forwards.iter().map(|forward| forward.target.clone()).collect(),
        outgoing: Outgoing::new(settings.deliveries.allow_networks.clone())?,
        stop: stop.clone(),
    };
    let worked = async {
        let worked = jobs::postbacks::worker::run(processing, settings.workers).await;
        stop.cancel();
        worked
    };
    let forwarded = async {
        let forwarded = jobs::deliveries::run(forwarding).await;
        if forwarded.is_err() {
            stop.cancel();
        }
        forwarded
    };
    let (worked, forwarded, (), ()) =
        tokio::join!(worked, forwarded, refreshed, jobs::scheduler::run(scheduled));
    worked.and(forwarded).inspect_err(|error| error!(%error, "working had to end"))?;
    Ok(())
}

/// What judges.
pub(crate) fn processor(settings: &Settings, geo: Geo, observer: Option<Observer>) -> Processor {
    Processor {
        sources: sources(settings),
        policy: settings.policy.clone(),
        geo,
        timezone: settings.timezone,
        observer,
    }
}

pub(crate) fn endpoints(settings: &Settings) -> BTreeMap<String, SourceEndpoint> {
    let endpoint = |source: &crate::config::Source| SourceEndpoint {
        secrets: source.secrets.clone(),
        form: source.signature_form,
        callers: source.callers.clone(),
    };
    settings.sources.iter().map(|source| (source.name.clone(), endpoint(source))).collect()
}

/// How quarantined postbacks are finished.
pub(crate) fn stating(settings: &Settings) -> Stating {
    let mapping = |source: SourceSettings| Mapping { terms: source.terms, params: source.params };
    Stating {
        sources: sources(settings).into_iter().map(|(name, source)| (name, mapping(source))).collect(),
        policy: settings.policy.clone(),
        terms: settings.review.clone(),
    }
}

fn sources(settings: &Settings) -> BTreeMap<String, SourceSettings> {
    let source_settings = |source: &crate::config::Source| SourceSettings {
        terms: SourceTerms {
            name: source.name.clone(),
            app: source.app.clone(),
            currency: source.currency.clone(),
            retry_horizon_ms: source.params.network().retry_horizon_ms(),
        },
        params: source.params.clone(),
        callers: source.callers.clone(),
    };
    settings.sources.iter().map(|source| (source.name.clone(), source_settings(source))).collect()
}

/// Cancels `stop` at SIGTERM or Ctrl-C.
pub(crate) fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be heard")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping: finishing what was taken");
        stop.cancel();
    });
    Ok(())
}
