//! `/api/v1`: rewards, balances, postbacks, reviews, deliveries, ledger proof. JSON, bearer token, a role for each.
//!
//! Money is a decimal string without trailing zeros, times are RFC 3339 in UTC, lists are
//! `{"items":[…],"next":cursor}`, errors are `{"error":{"code","message"}}`. The document at `openapi.json` is made
//! from the types and handlers here.

pub(crate) mod access;
mod answers;
mod deliveries;
pub(crate) mod error;
mod known;
mod ledger;
mod lists;
mod openapi;
mod page;
mod postbacks;
mod quarantine;
mod reports;
mod request;
mod reversals;
mod reviews;
mod rewards;
mod shape;
pub(crate) mod statements;
mod terms;
mod users;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use chrono_tz::Tz;
use domain::proxies::Proxies;
use domain::time::Clock;
use serde::Serialize;
use store::Store;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::refusals::Refusals;
use crate::statements::Readings;
use crate::stating::Stating;
use error::ApiError;
pub(crate) use known::allowed;
pub(crate) use request::{Call, call};

/// Built once, because callers without a token may request it.
static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(openapi::document);

/// The largest JSON body of a request: the longest words and the longest key, each character escaped as two of six.
const MAX_REQUEST_BODY_LEN: usize = 64 * 1024;

/// State shared by all handlers of the API.
#[derive(Debug)]
pub struct Api {
    /// The store, shared by the process.
    pub store: Store,
    /// Names of the apps in the settings.
    pub apps: BTreeSet<String>,
    /// The zone of plain dates and of the business day.
    pub timezone: Tz,
    /// Source of the current time; replaced in tests.
    pub clock: Clock,
    /// Settings for reading statements, by source.
    pub statements: Arc<Readings>,
    /// Settings for finishing quarantined postbacks.
    pub stating: Arc<Stating>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Proxies,
    /// Limits how many refusals the audit records.
    pub refusals: Arc<Refusals>,
}

/// All routes of the API. Each area defines its own above its handlers.
#[expect(clippy::needless_pass_by_value, reason = "the routes of every module take their share of the state")]
pub fn routes(api: Arc<Api>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let document = warp::path!("openapi.json").and(warp::get()).map(|| json(StatusCode::OK, &*DOCUMENT));
    let known = document
        .or(rewards::routes(&api))
        .unify()
        .or(reviews::routes(&api))
        .unify()
        .or(users::routes(&api))
        .unify()
        .or(postbacks::routes(&api))
        .unify()
        .or(deliveries::routes(&api))
        .unify()
        .or(ledger::routes(&api))
        .unify()
        .or(lists::routes(&api))
        .unify()
        .or(reports::routes(&api))
        .unify()
        .or(statements::routes(&api))
        .unify()
        .or(reversals::routes(&api))
        .unify()
        .or(quarantine::routes(&api))
        .unify()
        .boxed();
    warp::path!("api" / "v1" / ..).and(request::clean().and(known).recover(request::refuse).unify())
}

/// The answer to a request that is refused before routing.
pub(crate) fn unfit(status: StatusCode, why: String) -> Response {
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::NotFound(why),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::MethodNotAllowed,
        _ => ApiError::Invalid(why),
    };
    error.into_response()
}

async fn answer<T: Serialize>(handled: impl Future<Output = Result<T, ApiError>>) -> Response {
    match handled.await {
        Ok(value) => json(StatusCode::OK, &value),
        Err(error) => error.into_response(),
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let mut response = warp::reply::with_status(warp::reply::json(value), status).into_response();
    // Answers hold balances and personal data: no cache may store them.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
