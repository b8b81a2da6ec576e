//! # web: listens to networks and answers people
//!
//! The only crate with warp. It judges nothing and holds no rule and no SQL; a handler parses, makes one call, and
//! answers. It never writes in a request's future: the recorder is a task of its own, and what else writes does so
//! inside `store`, in a task of its own too.
//!
//! | module | what stands there |
//! |---|---|
//! | [`serve`] | connections: accepted, ended gracefully |
//! | [`apart`] | the threads of whoever is no network |
//! | `door`, `room`, [`limits`], `patience`, `body` | what a caller may take up: connections, bytes, time |
//! | `front` | what holds for every request before it is routed, and for every answer before it is sent |
//! | `texts` | where text of callers comes in: what no database keeps is named |
//! | `tap` | the request line as it came, for what hyper refuses by itself |
//! | [`ingest`] | `GET` and `POST /pb/{source}`: verify, record, acknowledge |
//! | [`api`] | `/api/v1`: rewards, balances, postbacks, reviews, proof |
//! | [`statements`], [`export`], `files` | statements taken in as they come; tables and lists as files |
//! | [`health`] | `/healthz`, `/readyz`, `/metrics` |
//! | [`console`] | the pages, for people who sign in |
//! | [`stating`] | finishing what is quarantined, for pages, the API and the command line |
//! | [`caller`] | who called, behind how many proxies |

pub mod apart;
pub mod api;
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

/// Everything on one address.
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

/// What networks and load balancers call, and nothing else.
pub fn ingest_only(
    ingest: Arc<Ingest>,
    watch: Arc<Watch>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    ingest::routes(ingest).or(health::health_routes(watch)).unify().recover(not_found).unify()
}

/// What people, programs and monitoring of the publisher call, and nothing else.
pub fn admin_only(
    api: Arc<api::Api>,
    console: Arc<Console>,
    watch: Arc<Watch>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let pages = console::routes(console.clone()).or(console::elsewhere(console)).unify();
    let routes = api::routes(api).or(health::open_routes(watch)).unify().or(pages).unify();
    routes.recover(not_found).unify()
}

/// What monitoring asks of a process that only works.
pub fn watch_only(watch: Arc<Watch>) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    health::open_routes(watch).recover(not_found).unify()
}

/// Says what this crate measures, and makes every series exist from the start.
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
        "Calls of which X-Forwarded-For does not say who made them, although proxies are trusted"
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

/// What no route wanted.
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
