//! `GET` and `POST /pb/{source}`: verify the signature, record, acknowledge. Nothing is judged here.
//!
//! | case | answer |
//! |---|---|
//! | signed, recorded (new or repeat) | `200`, body exactly `OK` |
//! | signature missing or wrong | `403 bad signature`; the call is kept apart |
//! | unknown source | `404` |
//! | target over 8 KiB, body over 64 KiB | `414`, `413` |
//! | cannot be recorded now | `503` with `Retry-After` |

mod body;
pub mod recorder;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Buf;
use domain::signature::{BadSignature, Secret, SignatureForm, verify};
use domain::time::Clock;
use futures_util::Stream;
use store::inbox::NewPostback;
use store::refused::NewRefused;
use tracing::debug;
use warp::http::{HeaderMap, Method, StatusCode, header};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::caller::{self, Peer};
use recorder::{NotRecorded, Recorder};

/// The longest path and query, in bytes.
pub const MAX_TARGET_LEN: usize = 8 * 1024;
/// The largest body, in bytes. Networks send none; it is kept as evidence all the same.
pub const MAX_BODY_LEN: usize = 64 * 1024;
/// How long a network should wait after a 503, in seconds.
const RETRY_AFTER_S: &str = "10";

/// One endpoint.
#[derive(Debug)]
pub struct SourceEndpoint {
    /// The secrets that are accepted; several while rotating.
    pub secrets: Vec<Secret>,
    /// What of the URL is signed.
    pub form: SignatureForm,
}

/// Everything that ingest needs.
pub struct Ingest {
    /// `public_url` without a slash at the end: what networks sign, whatever proxies make of it.
    pub origin: String,
    /// The endpoints by source name.
    pub sources: BTreeMap<String, SourceEndpoint>,
    /// How many proxies' `X-Forwarded-For` entries are believed.
    pub trusted_proxies: usize,
    /// Where postbacks are recorded.
    pub recorder: Recorder,
    /// What time it is.
    pub clock: Clock,
}

/// The routes of this module.
pub fn routes(ingest: Arc<Ingest>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    warp::path!("pb" / String)
        .and(warp::any().map(move || ingest.clone()))
        .and(warp::method())
        .and(warp::path::full())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Peer>())
        .and(warp::body::stream())
        .then(receive)
}

#[expect(clippy::too_many_arguments, reason = "one for each filter of the route")]
async fn receive(
    source: String,
    ingest: Arc<Ingest>,
    method: Method,
    path: FullPath,
    query: String,
    headers: HeaderMap,
    peer: Peer,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Response {
    if method != Method::GET && method != Method::POST {
        let reply = warp::reply::with_header("method not allowed", header::ALLOW, "GET, POST");
        return warp::reply::with_status(reply, StatusCode::METHOD_NOT_ALLOWED).into_response();
    }
    let path = path.as_str();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    if target.len() > MAX_TARGET_LEN {
        return answer(StatusCode::URI_TOO_LONG, "the URL is longer than 8 KiB");
    }
    if body::announced_len(&headers) > MAX_BODY_LEN {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 64 KiB");
    }
    let Some(endpoint) = ingest.sources.get(&source) else {
        return answer(StatusCode::NOT_FOUND, "unknown source");
    };
    let remote_ip = caller::address(peer, &headers, ingest.trusted_proxies).to_string();
    let signature = verify(&ingest.origin, &target, endpoint.form, &endpoint.secrets);
    let received_at = ingest.clock.now();
    let method = method.to_string();
    let mut postback = NewPostback { source, received_at, method, target, body: None, remote_ip };
    if let Err(why) = signature {
        return refuse(&ingest, postback, why);
    }
    postback.body = match body::read(body).await {
        Ok(body) => body,
        Err(body::BadBody::TooLarge) => {
            return answer(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 64 KiB");
        }
        Err(body::BadBody::Broken) => return answer(StatusCode::BAD_REQUEST, "the body ended early"),
    };
    if let Err(NotRecorded) = ingest.recorder.record(postback).await {
        let reply = warp::reply::with_header("cannot be recorded now", header::RETRY_AFTER, RETRY_AFTER_S);
        return warp::reply::with_status(reply, StatusCode::SERVICE_UNAVAILABLE).into_response();
    }
    answer(StatusCode::OK, "OK")
}

fn refuse(ingest: &Ingest, call: NewPostback, why: BadSignature) -> Response {
    debug!(source = call.source, %why, "refused");
    ingest.recorder.keep_refused(NewRefused { call, reason: why.to_string() });
    answer(StatusCode::FORBIDDEN, "bad signature")
}

fn answer(status: StatusCode, text: &'static str) -> Response {
    warp::reply::with_status(text, status).into_response()
}
