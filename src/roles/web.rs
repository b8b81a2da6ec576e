//! The web role: receives postbacks, serves API and pages.

use std::net::SocketAddr;
use std::sync::Arc;

use ::web::api::Api;
use ::web::console::{Choices, Console, Logins, OddSubIds};
use ::web::health::Watch;
use ::web::ingest::recorder::Recorder;
use ::web::ingest::{CalledAgain, Ingest, RecordedLately, Strays};
use ::web::limits::RefusedRate;
use ::web::refusals::Refusals;
use ::web::serve::{Entrance, serve};
use ::web::statements::Readings;
use ::web::stating::Stating;
use anyhow::Context as _;
use domain::proxies::Proxies;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::beat::keep_beating;
use super::{bind, endpoints, stating, watch};
use crate::config::Settings;
use crate::process::Process;
use crate::threads::Threads;

/// Listeners that are bound; nothing is served until [`Web::run`].
pub(crate) struct Web {
    listener: TcpListener,
    admin_listener: Option<TcpListener>,
    /// Where networks call.
    pub(crate) address: SocketAddr,
    /// Where people, programs and monitoring call; `None`: at `address`.
    pub(crate) admin_address: Option<SocketAddr>,
}

impl Web {
    /// Binds `listen` and `admin_listen`.
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

    /// Serves until the process stops; then finishes the open requests and records what was received. `works`: this
    /// process has workers, too.
    pub(crate) async fn run(self, process: &Process, works: bool) -> anyhow::Result<()> {
        let ingest_threads = Threads::for_ingest()?;
        let (recorder, recorded) = ingest_threads.start_recorder(&process.store);
        let watch = watch(process, Some(recorder.clone()), works);
        let ingest = Arc::new(ingest(process, recorder));
        let shared = Shared::new(&process.settings);
        let api = Arc::new(api(process, &shared));
        let console = Arc::new(console(process, &shared, ingest.clone()));
        let served = self.serve(process, &ingest_threads, Served { ingest, api, console, watch });
        // The recorder ends after the last request that could record; if it ends before, the process cannot continue.
        let recorded = async {
            let ended = recorded.await;
            process.stop.cancel();
            ended
        };
        let ((), ended, ()) = tokio::join!(served, recorded, keep_beating(process));
        ended.context("recording stopped because of an error")
    }

    /// Serves at one address or two; whatever receives postbacks runs on `ingest_threads`.
    async fn serve(self, process: &Process, ingest_threads: &Threads, served: Served) {
        let (settings, stop) = (&process.settings, &process.stop);
        let Served { ingest, api, console, watch } = served;
        let entrance = public_entrance(settings, &ingest);
        if let Some(admin_listener) = self.admin_listener {
            let (limits, admin_limits) = settings.limits.shared_out();
            let (outside, inside) =
                (::web::ingest_only(ingest, watch.clone()), ::web::admin_only(api, console, watch));
            tokio::join!(
                ingest_threads.run(serve(self.listener, outside, limits, entrance, stop.clone())),
                serve(admin_listener, inside, admin_limits, admin_entrance(settings), stop.clone()),
            );
        } else {
            let routes = ::web::routes(ingest, api, console, watch);
            let serving = serve(self.listener, routes, settings.limits, entrance, stop.clone());
            ingest_threads.run(serving).await;
        }
    }
}

/// What the listeners serve.
struct Served {
    ingest: Arc<Ingest>,
    api: Arc<Api>,
    console: Arc<Console>,
    watch: Arc<Watch>,
}

/// What API and pages share.
struct Shared {
    statements: Arc<Readings>,
    stating: Arc<Stating>,
    refusals: Arc<Refusals>,
}

impl Shared {
    fn new(settings: &Settings) -> Self {
        let reading = |source: &crate::config::Source| (source.name.clone(), source.statements.clone());
        Self {
            statements: Arc::new(settings.sources.iter().map(reading).collect()),
            stating: Arc::new(stating(settings)),
            refusals: Arc::default(),
        }
    }
}

fn ingest(process: &Process, recorder: Recorder) -> Ingest {
    let settings = &process.settings;
    Ingest {
        origin: settings.public_url.clone(),
        sources: endpoints(settings),
        trusted_proxies: settings.trusted_proxies.clone(),
        refused_rate: RefusedRate::new(settings.limits.refused_per_minute),
        strays: Strays::default(),
        called_again: CalledAgain::default(),
        recorded: RecordedLately::default(),
        store: process.store.for_ingest(),
        recorder,
        clock: process.clock.clone(),
    }
}

fn api(process: &Process, shared: &Shared) -> Api {
    let settings = &process.settings;
    Api {
        store: process.store.clone(),
        apps: settings.apps.clone(),
        timezone: settings.timezone,
        clock: process.clock.clone(),
        statements: shared.statements.clone(),
        stating: shared.stating.clone(),
        trusted_proxies: pages_proxies(settings).clone(),
        refusals: shared.refusals.clone(),
    }
}

fn console(process: &Process, shared: &Shared, ingest: Arc<Ingest>) -> Console {
    let settings = &process.settings;
    Console {
        store: process.store.clone(),
        clock: process.clock.clone(),
        timezone: settings.timezone,
        terms: settings.review.clone(),
        grace_ms: settings.deliveries.grace_ms,
        policy: settings.policy.clone(),
        apps: settings.apps.clone(),
        ingest,
        trusted_proxies: pages_proxies(settings).clone(),
        logins: Logins::default(),
        choices: Choices::default(),
        odd_sub_ids: OddSubIds::default(),
        statements: shared.statements.clone(),
        stating: shared.stating.clone(),
        refusals: shared.refusals.clone(),
    }
}

/// The proxies in front of the pages.
fn pages_proxies(settings: &Settings) -> &Proxies {
    if settings.admin_listen.is_some() { &settings.admin_trusted_proxies } else { &settings.trusted_proxies }
}

/// How callers of `listen` are treated. Requests other than postbacks run on the threads of the caller of this function.
fn public_entrance(settings: &Settings, ingest: &Arc<Ingest>) -> Entrance {
    Entrance {
        proxies: settings.trusted_proxies.clone(),
        https_hosts: https_host(&settings.public_url).into_iter().chain(pages_host(settings)).collect(),
        ingest: Some(ingest.clone()),
        rest: Some(Handle::current()),
    }
}

/// How callers of `admin_listen` are treated.
fn admin_entrance(settings: &Settings) -> Entrance {
    Entrance {
        proxies: settings.admin_trusted_proxies.clone(),
        https_hosts: pages_host(settings).into_iter().collect(),
        ingest: None,
        rest: None,
    }
}

/// The host of the pages in mails, if mails are sent and it is HTTPS.
fn pages_host(settings: &Settings) -> Option<String> {
    settings.mail.as_ref().and_then(|mail| https_host(&mail.pages_url))
}

fn https_host(url: &str) -> Option<String> {
    url.strip_prefix("https://").map(str::to_owned)
}
