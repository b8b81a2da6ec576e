//! The roles of a process: web, worker, or both. What both need from the settings is here.

mod beat;
mod web;
mod worker;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::web::health::{LastBeat, Watch};
use ::web::ingest::SourceEndpoint;
use ::web::ingest::recorder::Recorder;
use ::web::stating::{Mapping, Stating};
use anyhow::Context as _;
use domain::batch::SourceTerms;
use geo::Geo;
use jobs::current::Current;
use jobs::lists::LiveLists;
use jobs::postbacks::process::{Observer, Processor, SourceSettings};
use tokio::net::TcpListener;

use crate::config::{Settings, Source};
use crate::process::Process;

pub(crate) use self::web::Web;
pub(crate) use self::worker::{WorkerWatch, work};

/// Processes postbacks as `settings` and `lists` say; `observer` sees every batch that was saved.
pub(crate) fn processor(
    settings: &Settings,
    geo: Geo,
    lists: LiveLists,
    observer: Option<Observer>,
) -> Processor {
    Processor {
        sources: sources(settings),
        policy: settings.policy.clone(),
        geo,
        baseline: Current::default(),
        lists,
        own_networks: settings.own_networks.clone(),
        timezone: settings.timezone,
        observer,
    }
}

/// The endpoint `/pb/{source}` of each source, by its name.
pub(crate) fn endpoints(settings: &Settings) -> BTreeMap<String, SourceEndpoint> {
    let endpoint = |source: &Source| SourceEndpoint {
        params: source.params.clone(),
        keys: source.keys.clone(),
        callers: source.callers.clone(),
    };
    settings.sources.iter().map(|source| (source.name.clone(), endpoint(source))).collect()
}

/// Completes quarantined postbacks as `settings` say.
pub(crate) fn stating(settings: &Settings) -> Stating {
    let mapping = |source: SourceSettings| Mapping { terms: source.terms, params: source.params };
    Stating {
        sources: sources(settings).into_iter().map(|(name, source)| (name, mapping(source))).collect(),
        policy: settings.policy.clone(),
        terms: settings.review.clone(),
    }
}

fn sources(settings: &Settings) -> BTreeMap<String, SourceSettings> {
    let source_settings = |source: &Source| SourceSettings {
        terms: SourceTerms {
            name: source.name.clone(),
            app: source.app.clone(),
            currency: source.currency.clone(),
            retry_horizon_ms: source.params.definition().retry_horizon_ms(),
            unsigned: source.params.definition().unsigned(),
        },
        params: source.params.clone(),
        callers: source.callers.clone(),
    };
    settings.sources.iter().map(|source| (source.name.clone(), source_settings(source))).collect()
}

/// What monitoring may ask of `process`; `recorder`: of a process that receives postbacks, `works`: of one with workers.
fn watch(process: &Process, recorder: Option<Recorder>, works: bool) -> Arc<Watch> {
    let last_beat_ms = process.last_beat_ms.clone();
    Arc::new(Watch {
        store: process.store.clone(),
        clock: process.clock.clone(),
        recorder,
        last_beat_ms: works.then(|| -> LastBeat { Arc::new(move || last_beat_ms.load(Ordering::Relaxed)) }),
        metrics: process.metrics.clone(),
    })
}

/// Listens at `address`; `key` is its setting. Also returns the address with the port that was bound.
fn bind(address: SocketAddr, key: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener =
        ::web::serve::listen(address).with_context(|| format!("`{key}`: cannot listen on {address}"))?;
    let address = listener.local_addr().context("the listener has no address")?;
    Ok((listener, address))
}
