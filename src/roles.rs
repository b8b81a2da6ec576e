//! The roles of a process: listening, working, or both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use domain::settlement::SourceTerms;
use domain::time::Clock;
use geo::Geo;
use jobs::process::{Observer, Processing, Processor, SourceSettings};
use store::{OpenOptions, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use web::api::Api;
use web::ingest::recorder::Recorder;
use web::ingest::{Ingest, SourceEndpoint};

use crate::config::{BadSettings, Settings};

/// A process that is about to run: settings read, database open and up to date.
pub(crate) struct Process {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// Cancelled at SIGTERM and Ctrl-C: stop taking, finish what was taken, end.
    pub(crate) stop: CancellationToken,
}

/// Opens the database that the settings name.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Store> {
    let options = OpenOptions { max_connections: settings.database_connections };
    Store::open(&settings.database_url.0, options).await.context("the database cannot be opened")
}

/// Opens the geo databases that the settings name.
pub(crate) fn locate(settings: &Settings) -> Result<Geo, BadSettings> {
    Geo::open(&settings.geo_databases).map_err(|error| Settings::fault("geo_databases", &error))
}

/// A listener that is bound, and what it serves when it runs.
pub(crate) struct Web {
    listener: TcpListener,
    admin_listener: Option<TcpListener>,
    /// Where networks call.
    pub(crate) address: SocketAddr,
}

impl Web {
    /// Binds what the settings name.
    pub(crate) async fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let bind = async |address: SocketAddr, key: &str| {
            TcpListener::bind(address)
                .await
                .with_context(|| format!("`{key}`: {address} cannot be listened on"))
        };
        let listener = bind(settings.listen, "listen").await?;
        let admin_listener = match settings.admin_listen {
            Some(address) => Some(bind(address, "admin_listen").await?),
            None => None,
        };
        let address = listener.local_addr().context("the address of the listener")?;
        Ok(Self { listener, admin_listener, address })
    }

    /// Serves until the process stops; then finishes what was begun and records what was taken.
    pub(crate) async fn run(self, process: &Process) -> anyhow::Result<()> {
        let Process { settings, store, clock, stop } = process;
        let (recorder, recorded) = Recorder::start(store.clone());
        let ingest = Arc::new(Ingest {
            origin: settings.public_url.clone(),
            sources: endpoints(settings),
            trusted_proxies: settings.trusted_proxies,
            recorder,
            clock: clock.clone(),
        });
        let api = Arc::new(Api {
            store: store.clone(),
            apps: settings.apps.clone(),
            timezone: settings.timezone,
            clock: clock.clone(),
        });
        let served = async {
            match self.admin_listener {
                Some(admin_listener) => {
                    tokio::join!(
                        web::serve::serve(self.listener, web::ingest_only(ingest), stop.clone()),
                        web::serve::serve(admin_listener, web::api_only(api), stop.clone()),
                    );
                }
                None => web::serve::serve(self.listener, web::routes(ingest, api), stop.clone()).await,
            }
        };
        // The recorder ends after the last request that could record; if it ends before, the process cannot go on.
        let recorded = async {
            let ended = recorded.await;
            stop.cancel();
            ended
        };
        let ((), ended) = tokio::join!(served, recorded);
        ended.context("recording had to end")
    }
}

/// Works until the process stops; each worker finishes the batch in hand.
pub(crate) async fn work(process: &Process, geo: Geo, observer: Option<Observer>) -> anyhow::Result<()> {
    let Process { settings, store, clock, stop } = process;
    let policy = settings.policy.clone();
    store
        .keep_policy(policy.version().to_owned(), policy.content().to_owned(), clock.now())
        .await
        .context("the policy cannot be kept")?;
    info!(policy = policy.version(), geo = ?geo.databases(), "working");
    let processing = Processing {
        store: store.clone(),
        processor: Arc::new(Processor {
            sources: sources(settings),
            policy,
            geo,
            timezone: settings.timezone,
        }),
        clock: clock.clone(),
        batch: settings.batch,
        stop: stop.clone(),
        observer,
    };
    jobs::worker::run(processing, settings.workers)
        .await
        .inspect_err(|error| error!(%error, "working had to end"))?;
    Ok(())
}

fn endpoints(settings: &Settings) -> BTreeMap<String, SourceEndpoint> {
    let endpoint = |source: &crate::config::Source| SourceEndpoint {
        secrets: source.secrets.clone(),
        form: source.signature_form,
    };
    settings.sources.iter().map(|source| (source.name.clone(), endpoint(source))).collect()
}

fn sources(settings: &Settings) -> BTreeMap<String, SourceSettings> {
    let source_settings = |source: &crate::config::Source| SourceSettings {
        terms: SourceTerms {
            name: source.name.clone(),
            app: source.app.clone(),
            currency: source.currency.clone(),
        },
        params: source.params.clone(),
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
