//! Endpoints for monitoring: `/healthz` (alive), `/readyz` (able to do its work, and if not why), `/metrics`.
//!
//! On an address of its own all three are open. On the address that networks call, `/metrics` requires a bearer token:
//! it names sources and volumes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::time::Clock;
use serde::Serialize;
use store::Store;
use warp::http::{StatusCode, header};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::api::{Api, Call, call};
use crate::ingest::recorder::Recorder;

/// Time limit for a database check.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);
/// Further time to find out why the database did not answer. With [`DATABASE_TIMEOUT`] less than the timeout of callers.
const REASON_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Percent of the recorder's queue in use from which it counts as not ready: it would soon answer 503.
const FULL_PERCENT: usize = 90;
/// A worker that has not checked the inbox for this long is stuck.
const BEAT_TIMEOUT_MS: i64 = 60_000;
/// A postback that waits longer than this needs more workers, or a person.
const LAG_LIMIT_MS: i64 = 5 * 60_000;

/// Everything that the checks read.
pub struct Watch {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// `None` unless this process listens to networks.
    pub recorder: Option<Recorder>,
    /// When a worker of this process last checked the inbox, in unix milliseconds; `None` without workers.
    pub last_beat_ms: Option<LastBeat>,
    /// All metrics, in the text format of Prometheus.
    pub metrics: Metrics,
}

/// Answers with all metrics.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;
/// Returns the time of the last event of a kind.
pub type LastBeat = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    checks: Vec<Check>,
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    /// A check that fails makes the process unready, unless it is advisory: to take a process that listens out of
    /// service because work is late would only lose postbacks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    advisory: bool,
    detail: String,
}

/// `/healthz`, `/readyz`, and `/metrics` for everybody: on an address that only monitoring reaches.
pub fn open_routes(watch: Arc<Watch>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let metrics = {
        let watch = watch.clone();
        warp::path!("metrics").and(warp::get()).map(move || metrics_text(&watch))
    };
    health_routes(watch).or(metrics).unify()
}

/// The same for an address that others can reach, too: `/metrics` requires a token.
pub fn guarded_routes(
    watch: Arc<Watch>,
    api: Arc<Api>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let metrics = {
        let watch = watch.clone();
        warp::path!("metrics").and(warp::get()).and(call(api)).map(move |call| (watch.clone(), call)).then(
            |(watch, call): (Arc<Watch>, Call)| async move {
                match call.reader().await {
                    Ok(_) => metrics_text(&watch),
                    Err(error) => error.into_response(),
                }
            },
        )
    };
    health_routes(watch).or(metrics).unify()
}

/// `/healthz` and `/readyz`.
pub fn health_routes(watch: Arc<Watch>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let alive = warp::path!("healthz").and(warp::get()).map(|| "OK".into_response());
    let ready = warp::path!("readyz").and(warp::get()).map(move || watch.clone()).then(
        |watch: Arc<Watch>| async move {
            let readiness = watch.look().await;
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let mut response =
                warp::reply::with_status(warp::reply::json(&readiness), status).into_response();
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
            response
        },
    );
    alive.or(ready).unify()
}

fn metrics_text(watch: &Watch) -> Response {
    warp::reply::with_header(
        (watch.metrics)(),
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    .into_response()
}

impl Watch {
    async fn look(&self) -> Readiness {
        let mut checks = vec![self.database().await];
        checks.push(self.commits());
        checks.extend(self.recorder.as_ref().map(recorder));
        checks.extend(self.last_beat_ms.as_ref().map(|beat| self.worker(beat())));
        if checks.iter().all(|check| check.ok) {
            checks.push(self.inbox().await);
            checks.push(self.clock().await);
        }
        let ready = checks.iter().all(|check| check.ok || check.advisory);
        Readiness { ready, checks }
    }

    async fn database(&self) -> Check {
        let began = Instant::now();
        let asked = async {
            self.store.assert_migrated().await?;
            self.store.assert_writable().await
        };
        let asked = tokio::time::timeout(DATABASE_TIMEOUT, asked).await;
        let (ok, detail) = match asked {
            Ok(Ok(())) => {
                let took_ms = began.elapsed().as_millis();
                (
                    true,
                    format!(
                        "{} answers in {took_ms} ms, the schema is up to date",
                        self.store.database_name()
                    ),
                )
            }
            Ok(Err(store::Error::Unfit(what))) => (false, what),
            // The database's own words may name hosts and users.
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready");
                (false, format!("{} cannot be queried: {}", self.store.database_name(), error.reason()))
            }
            Err(_) => {
                let limit_s = DATABASE_TIMEOUT.as_secs();
                let why = tokio::time::timeout(REASON_TIMEOUT, self.store.why_not()).await;
                let why = why.unwrap_or("it does not answer");
                (false, format!("{} does not answer within {limit_s} s: {why}", self.store.database_name()))
            }
        };
        Check { name: "database", ok, advisory: false, detail }
    }

    /// Checks that commits succeed: reading alone does not acknowledge postbacks.
    fn commits(&self) -> Check {
        let stuck = self.recorder.as_ref().and_then(Recorder::stuck_for);
        let (ok, detail) = match (self.store.failing(), stuck) {
            (Some(failing), _) => {
                let since_s = failing.since.elapsed().as_secs();
                let name = self.store.database_name();
                (false, format!("writes have failed for {since_s} s: {name}: {}", failing.reason))
            }
            (None, Some(taken)) => {
                (false, format!("no answer to the current commit for {} s", taken.as_secs()))
            }
            (None, None) => (true, "the last write was committed".into()),
        };
        Check { name: "commits", ok, advisory: false, detail }
    }

    fn worker(&self, last_beat_ms: i64) -> Check {
        let silent_ms = self.clock.now().0.saturating_sub(last_beat_ms);
        let ok = silent_ms < BEAT_TIMEOUT_MS;
        let detail = format!("last checked the inbox {} ago", domain::text::duration(silent_ms.max(0)));
        Check { name: "worker", ok, advisory: false, detail }
    }

    /// A clock that is wrong takes nobody out of service: what is acknowledged is not lost.
    async fn clock(&self) -> Check {
        let clicks = tokio::time::timeout(DATABASE_TIMEOUT, self.store.newest_clicks(self.clock.now())).await;
        let (ok, detail) = match clicks {
            Ok(Ok(clicks)) => match clicks.sentence() {
                Some(sentence) => (false, sentence),
                None => (
                    true,
                    format!("{} of the {} newest clicks are ahead of this clock", clicks.ahead, clicks.all),
                ),
            },
            _ => (false, "click times cannot be queried".into()),
        };
        Check { name: "clock", ok, advisory: true, detail }
    }

    async fn inbox(&self) -> Check {
        let depth = tokio::time::timeout(DATABASE_TIMEOUT, self.store.inbox_depth()).await;
        let (ok, detail) = match depth {
            Ok(Ok(depth)) => {
                let now = self.clock.now();
                let age_ms = depth.oldest_received_at.map_or(0, |oldest| (now.0 - oldest.0).max(0));
                let age = domain::text::duration(age_ms);
                (age_ms < LAG_LIMIT_MS, format!("{} waiting, the oldest for {age}", depth.waiting))
            }
            _ => (false, "cannot be queried".into()),
        };
        Check { name: "inbox", ok, advisory: true, detail }
    }
}

fn recorder(recorder: &Recorder) -> Check {
    let (waiting, room) = recorder.waiting();
    let ok = waiting * 100 < room * FULL_PERCENT;
    Check { name: "recorder", ok, advisory: false, detail: format!("{waiting} of {room} places taken") }
}
