//! # web: receives postbacks, serves the API and the pages
//!
//! The only crate with warp. It has no rules and no SQL: a handler parses, makes one call and answers. A request's future
//! never writes: the recorder is a separate task, and other writes run in tasks of `store`, so a caller who goes away
//! interrupts none.
//!
//! | module | contents |
//! |---|---|
//! | [`serve`] | connections: accepted, ended gracefully |
//! | [`apart`] | separate threads for everything but postbacks |
//! | `door`, `room`, [`limits`], `patience`, `body` | limits for a caller: connections, bytes, time |
//! | `front` | checks of every request before routing, and headers of every answer |
//! | `texts` | rejects text that no database can store |
//! | `tap` | the raw request line, for requests that hyper refuses |
//! | [`ingest`] | `GET` and `POST /pb/{source}`: verify, record, acknowledge |
//! | [`api`] | `/api/v1`: rewards, balances, postbacks, reviews, proof |
//! | [`statements`], [`export`], `files` | upload of statements; tables and lists as files |
//! | [`health`] | `/healthz`, `/readyz`, `/metrics` |
//! | [`console`] | the pages, for staff |
//! | [`assessment`] | the summary of `rewardgate assess`, a page that stands alone |
//! | `listing` | adding to the lists of people, for pages and the API |
//! | [`stating`] | finishing quarantined postbacks, for pages, the API and the command line |
//! | [`caller`] | the caller's address behind trusted proxies |

pub mod apart;
pub mod api;
pub mod assessment;
pub mod audit_file;
mod body;
pub mod caller;
pub mod console;
mod door;
pub mod export;
mod files;
mod front;
pub mod health;
pub mod ingest;
pub mod limits;
mod listing;
mod patience;
pub mod refusals;
mod room;
pub mod serve;
pub mod statements;
pub mod stating;
mod tap;
mod texts;

use std::convert::Infallible;
use std::sync::Arc;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use console::Console;
use health::Watch;
use ingest::Ingest;

/// All routes, for a process with one listener.
pub fn routes(
    ingest: Arc<Ingest>,
    api: Arc<api::Api>,
    console: Arc<Console>,
    watch: Arc<Watch>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let guarded = health::guarded_routes(watch, api.clone());
    let routes = ingest::routes(ingest).or(api::routes(api)).unify().or(guarded).unify();
    let pages = console::routes(console.clone()).or(console::elsewhere(console)).unify();
    routes.or(pages).unify().recover(not_found).unify()
}

/// Only what networks and load balancers call.
pub fn ingest_only(
    ingest: Arc<Ingest>,
    watch: Arc<Watch>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    ingest::routes(ingest).or(health::health_routes(watch)).unify().recover(not_found).unify()
}

/// Only what staff, programs and monitoring of the publisher call.
pub fn admin_only(
    api: Arc<api::Api>,
    console: Arc<Console>,
    watch: Arc<Watch>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let pages = console::routes(console.clone()).or(console::elsewhere(console)).unify();
    let routes = api::routes(api).or(health::open_routes(watch)).unify().or(pages).unify();
    routes.recover(not_found).unify()
}

/// Only monitoring, for a process that only runs workers.
pub fn watch_only(watch: Arc<Watch>) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    health::open_routes(watch).recover(not_found).unify()
}

/// Describes the metrics of this crate and creates every series, so that rates start at 0.
pub fn announce_metrics<'a>(sources: impl Iterator<Item = &'a str>) {
    describe_counter!(
        "rewardgate_calls_total",
        "Calls of /pb/{source} by answer: recorded, bad_signature, caller_not_listed, unknown_source, wrong_path, unparsable, not_recorded, …"
    );
    describe_histogram!(
        "rewardgate_acknowledge_seconds",
        "From the end of the headers to the acknowledgement, commit included"
    );
    describe_histogram!("rewardgate_recorder_batch", "Postbacks recorded in one transaction");
    describe_counter!(
        "rewardgate_refused_not_kept_total",
        "Refused and unparsable calls beyond what is kept of one caller, or of all"
    );
    describe_gauge!("rewardgate_connections", "Connections open");
    describe_counter!(
        "rewardgate_connections_refused_total",
        "Connections closed at once, because their address had too many"
    );
    describe_counter!(
        "rewardgate_callers_untold_total",
        "Calls through a trusted proxy whose X-Forwarded-For does not name the caller"
    );
    counter!("rewardgate_callers_untold_total").absolute(0);
    counter!("rewardgate_refused_not_kept_total").absolute(0);
    describe_counter!(
        "rewardgate_connections_sent_away_total",
        "Connections that waited, closed because room was short"
    );
    counter!("rewardgate_connections_refused_total").absolute(0);
    counter!("rewardgate_connections_sent_away_total").absolute(0);
    gauge!("rewardgate_connections").set(0.0);
    sources.for_each(ingest::announce_metrics);
}

/// The answer when no route matches.
async fn not_found(rejection: Rejection) -> Result<Response, Infallible> {
    let (status, text) = if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
        (StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
    } else if rejection.is_not_found() {
        (StatusCode::NOT_FOUND, "not found")
    } else {
        (StatusCode::BAD_REQUEST, "bad request")
    };
    Ok(warp::reply::with_status(text, status).into_response())
}
