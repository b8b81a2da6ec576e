//! # web: listens to networks and answers people
//!
//! The only crate with warp. It judges nothing and holds no rule and no SQL; a handler parses, makes one call, and
//! answers. It never writes in a request's future: the recorder is a task of its own, and what else writes does so
//! inside `store`, in a task of its own too.
//!
//! | module | what stands there |
//! |---|---|
//! | [`serve`] | connections: accepted, limited, ended gracefully |
//! | [`ingest`] | `GET` and `POST /pb/{source}`: verify, record, acknowledge |
//! | [`api`] | `/api/v1`: rewards, balances, postbacks, reviews, proof |
//! | [`caller`] | who called, behind how many proxies |
//!
//! The pages of the review console will stand in `pages`, one file a page.

pub mod api;
pub mod caller;
pub mod ingest;
pub mod serve;

use std::convert::Infallible;
use std::sync::Arc;

use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

/// Everything on one address.
pub fn routes(
    ingest: Arc<ingest::Ingest>,
    api: Arc<api::Api>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    ingest::routes(ingest).or(api::routes(api)).unify().recover(not_found).unify()
}

/// What networks call, and nothing else.
pub fn ingest_only(
    ingest: Arc<ingest::Ingest>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    ingest::routes(ingest).recover(not_found).unify()
}

/// What people and programs of the publisher call, and nothing else.
pub fn api_only(api: Arc<api::Api>) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    api::routes(api).recover(not_found).unify()
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
