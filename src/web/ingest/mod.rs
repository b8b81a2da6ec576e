//! `GET` and `POST /pb/{source}`: verify the signature, record, acknowledge. Nothing is judged here.
//!
//! | case | answer, unless the network's definition says otherwise |
//! |---|---|
//! | signed, recorded (new or repeat) | `200`, body exactly `OK` |
//! | signature missing or wrong | `403 bad signature`; the call is kept apart |
//! | not from an address that the source enforces | `403 address not allowed`; kept apart too |
//! | a body that the network cannot have sent | `400 cannot be read`; kept apart too |
//! | `HEAD` | `200` without a body: dashboards save a URL only if it answers |
//! | unknown source, another path | `404`; the call is kept apart |
//! | target over 8 KiB, body over 64 KiB | `414` (`431` beyond `limits.header_kib`), `413` |
//! | body not whole in time | `408` |
//! | a request line that cannot be parsed | `400`, by hyper; kept apart |
//! | cannot be recorded now | `503` with `Retry-After` |
//!
//! Every call has a request id: in the answer as `X-Request-Id`, in the logs, and beside the postback, so that a
//! worker's lines name the same call.

mod again;
mod answer;
mod body;
mod endpoint;
mod known;
mod lanes;
pub mod recorder;
mod stray;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Buf;
use domain::location::shortened;
use domain::postback::carried::Carried;
use domain::postback::networks::kept::{kept_body, kept_headers};
use domain::postback::networks::signature;
use domain::postback::networks::{Call, Definition, Method as CallMethod};
use domain::proxies::Proxies;
use domain::time::Clock;
use futures_util::Stream;
use metrics::{counter, histogram};
use store::Store;
use store::postbacks::bodies::left_out;
use store::postbacks::inbox::NewPostback;
use store::postbacks::refused::NewRefused;
use tracing::debug;
use warp::http::{HeaderMap, HeaderValue, Method};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::body::{BadBody, announced_len};
use crate::caller::{self, Peer};
use crate::limits::{Caller, RefusedRate};
pub use again::CalledAgain;
pub(crate) use answer::announce_metrics;
use answer::{Answer, Said};
pub use endpoint::{Refusal, SourceEndpoint};
pub use known::RecordedLately;
use recorder::{NotRecorded, Recorder};
pub use stray::Strays;

/// The longest path and query, in bytes.
pub const MAX_TARGET_LEN: usize = 8 * 1024;
/// The largest body, in bytes. Networks send none; it is kept as evidence all the same.
pub const MAX_BODY_LEN: usize = 64 * 1024;
/// Bytes of the body of a refused call that are kept; anyone can send one.
const MAX_REFUSED_BODY_LEN: usize = 8 * 1024;
/// Names the call in the logs.
const REQUEST_ID: &str = "x-request-id";

/// State shared by all calls of networks.
pub struct Ingest {
    /// `public_url` without a slash at the end: what networks sign, whatever proxies make of it.
    pub origin: String,
    /// The endpoints by source name.
    pub sources: BTreeMap<String, SourceEndpoint>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Proxies,
    /// Limits how many refused calls of each caller are stored.
    pub refused_rate: RefusedRate,
    /// Counts calls that are no postbacks, for a log line per minute.
    pub strays: Strays,
    /// Limits how many bodies of the same URL are stored.
    pub called_again: CalledAgain,
    /// What was recorded lately, for networks that want to hear of a repeat.
    pub recorded: RecordedLately,
    /// Knows what was recorded before.
    pub store: Store,
    /// Writes postbacks in batches.
    pub recorder: Recorder,
    /// The clock.
    pub clock: Clock,
}

/// The raw request line; the server attaches it to requests whose parsed URL lost a part of it.
#[derive(Clone, Debug)]
pub(crate) struct RawLine(pub(crate) Vec<u8>);

/// The routes of this module.
pub fn routes(ingest: Arc<Ingest>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let strays =
        {
            let ingest = ingest.clone();
            warp::path::full()
                .and_then(async |path: FullPath| {
                    if stray::means_us(path.as_str()) { Ok(path) } else { Err(warp::reject::not_found()) }
                })
                .and(warp::any().map(move || ingest.clone()))
                .and(warp::method())
                .and(warp::query::raw().or(warp::any().map(String::new)).unify())
                .and(warp::header::headers_cloned())
                .and(warp::ext::get::<Peer>())
                .map(stray_path)
        };
    source_in_path(ingest.clone())
        .and(warp::any().map(move || ingest.clone()))
        .and(warp::method())
        .and(warp::path::full())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Peer>())
        .and(warp::ext::optional::<RawLine>())
        .and(warp::body::stream())
        .then(receive)
        .or(strays)
        .unify()
}

/// The source of `/pb/NAME`, and of `/pb/NAME/SECRET` where its network sends its secret there.
fn source_in_path(ingest: Arc<Ingest>) -> impl Filter<Extract = (String,), Error = Rejection> + Clone {
    let with_secret = warp::path!("pb" / String / String).and_then(move |source: String, _secret: String| {
        let takes = ingest.sources.get(&source).is_some_and(SourceEndpoint::takes_secret_in_path);
        std::future::ready(if takes { Ok(source) } else { Err(warp::reject::not_found()) })
    });
    warp::path!("pb" / String).or(with_secret).unify()
}

/// `/pb`, `/PB/x`, `/pb/x/y`: not an endpoint, but probably meant as one.
#[expect(clippy::needless_pass_by_value, reason = "warp hands over what it extracts")]
fn stray_path(
    path: FullPath,
    ingest: Arc<Ingest>,
    method: Method,
    query: String,
    headers: HeaderMap,
    peer: Peer,
) -> Response {
    let answer = Answer::WrongPath;
    counter!("rewardgate_calls_total", "source" => "unknown", "answer" => answer.name()).increment(1);
    let target = whole_target(path.as_str(), &query);
    let caller = caller::find(peer, &headers, &ingest.trusted_proxies);
    let remote_ip = caller.address;
    let request_id = format!("{:016x}", rand::random::<u64>());
    let source = stray::source_in(&target);
    // What asks from outside whether a call would be understood leaves nothing, here neither.
    if method != Method::OPTIONS {
        let call = NewCall { source, request_id, method, target, caller };
        ingest.keep_answered(remote_ip, call.into_row(&ingest.clock, None), answer);
    }
    answer.into_response(None)
}

fn whole_target(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
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
    line: Option<RawLine>,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Response {
    let began = Instant::now();
    let request_id = format!("{:016x}", rand::random::<u64>());
    let endpoint = ingest.sources.get(&source);
    // A name that is not in the settings is anybody's text: it must not become a label.
    let label = if endpoint.is_some() { source.clone() } else { "unknown".to_owned() };
    // Exactly the bytes that came are signed, also those that no URL may hold.
    let target = line
        .and_then(|line| stray::target_of(&line.0))
        .unwrap_or_else(|| whole_target(path.as_str(), &query));
    let caller = caller::find(peer, &headers, &ingest.trusted_proxies);
    let call = NewCall { source, request_id: request_id.clone(), method, target, caller };
    let (answer, said) = take(&ingest, endpoint, call, &headers, body).await;
    counter!("rewardgate_calls_total", "source" => label.clone(), "answer" => answer.name()).increment(1);
    if matches!(answer, Answer::Recorded | Answer::Repeated) {
        histogram!("rewardgate_acknowledge_seconds", "source" => label).record(began.elapsed());
    }
    let mut response = answer.into_response(said);
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A call as received.
struct NewCall {
    source: String,
    request_id: String,
    method: Method,
    target: String,
    caller: caller::Found,
}

impl NewCall {
    fn into_row(self, clock: &Clock, body: Option<String>) -> NewPostback {
        let NewCall { source, request_id, method, target, caller } = self;
        NewPostback {
            source,
            received_at: clock.now(),
            method: stray::method_name(&method),
            target,
            body,
            body_counts: false,
            headers: None,
            body_left_out: None,
            remote_ip: caller.address.to_string(),
            request_id,
        }
    }
}

async fn take(
    ingest: &Ingest,
    endpoint: Option<&SourceEndpoint>,
    call: NewCall,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> (Answer, Option<Said>) {
    if call.method == Method::OPTIONS || call.method == Method::HEAD {
        return (look(ingest, endpoint, &call), None);
    }
    let caller = call.caller;
    let stray = |postback: NewPostback, answer: Answer| {
        ingest.keep_answered(caller.address, postback, answer);
        (answer, None)
    };
    let unusual = if call.method != Method::GET && call.method != Method::POST {
        Some(Answer::MethodNotAllowed)
    } else if call.target.len() > MAX_TARGET_LEN {
        Some(Answer::TargetTooLong)
    } else if announced_len(headers) > MAX_BODY_LEN {
        Some(Answer::BodyTooLarge)
    } else {
        endpoint.is_none().then_some(Answer::UnknownSource)
    };
    let is_post = call.method == Method::POST;
    let mut postback = call.into_row(&ingest.clock, None);
    let (None, Some(endpoint)) = (unusual, endpoint) else {
        return stray(postback, unusual.unwrap_or(Answer::UnknownSource));
    };
    let definition = endpoint.definition();
    let counting: Vec<_> = counting_headers(definition, headers);
    postback.headers = kept_headers(&counting);
    postback.body_counts = is_post && definition.reads_bodies();
    let mut body = Some(body);
    // Read before the signature is checked only if it is a part of it: anyone can send one.
    let read = match body.take_if(|_| postback.body_counts) {
        Some(body) => body::read(headers, body).await,
        None => Ok(Vec::new()),
    };
    let mut bytes = match read {
        Ok(bytes) => bytes,
        Err(bad) => return stray(postback, of_body(bad)),
    };
    let method = if is_post { CallMethod::Post } else { CallMethod::Get };
    let target = std::mem::take(&mut postback.target);
    let received = Call { origin: &ingest.origin, method, target: &target, headers: &counting, body: &bytes };
    let checked = endpoint.check(&received, Some(caller.address), postback.received_at);
    let said = |answer: Answer| Said::of(definition, answer, &received);
    if let Err(refusal) = checked {
        let refusal = match refusal {
            // Not listed is the proxy, and nobody knows who called it: the call is kept, and can be replayed.
            Refusal::CallerNotListed if !caller.is_reported => Refusal::CallerNotReported,
            other => other,
        };
        let answer = Answer::refusal(&refusal);
        let said = said(answer);
        postback.target = target;
        refuse(ingest, caller.address, postback, refusal, bytes, body).await;
        return (answer, said);
    }
    let is_repeat = known::is_repeat(ingest, endpoint, &received, &postback.source).await;
    let (recorded, not_recorded) =
        (if is_repeat { Answer::Repeated } else { Answer::Recorded }, Answer::NotRecorded);
    let (said_recorded, said_later) = (said(recorded), said(not_recorded));
    postback.target = target;
    if let Some(body) = body {
        bytes = match body::read(headers, body).await {
            Ok(bytes) => bytes,
            Err(bad) => return stray(postback, of_body(bad)),
        };
    }
    if bytes.is_empty()
        || postback.body_counts
        || ingest.called_again.admits(&postback.source, &postback.target, postback.received_at)
    {
        postback.body = kept_body(&bytes);
    } else {
        postback.body_left_out = Some(left_out(bytes.len(), again::WHY));
    }
    drop(bytes);
    debug!(
        request_id = postback.request_id,
        source = postback.source,
        remote_net = %shortened(caller.address),
        "recording a postback"
    );
    match ingest.recorder.record(postback).await {
        Ok(()) => (recorded, said_recorded),
        Err(NotRecorded) => (not_recorded, said_later),
    }
}

fn of_body(bad: BadBody) -> Answer {
    match bad {
        BadBody::TooLarge => Answer::BodyTooLarge,
        BadBody::TooSlow => Answer::BodyTooSlow,
        BadBody::Broken => Answer::BodyBroken,
    }
}

/// The headers that a network's signature or body depends on.
fn counting_headers<'h>(definition: &'h Definition, headers: &'h HeaderMap) -> Vec<(&'h str, &'h [u8])> {
    let of_name = |name: &'h str| headers.get_all(name).iter().map(move |value| (name, value.as_bytes()));
    definition.headers_that_count().into_iter().flat_map(of_name).collect()
}

/// A look from outside, of which nothing is kept, whoever asks; so it may come from an address that postbacks may not.
/// `HEAD` asks whether there is an endpoint, as dashboards do before they save a URL; `OPTIONS` whether a call of this URL
/// would be understood.
fn look(ingest: &Ingest, endpoint: Option<&SourceEndpoint>, call: &NewCall) -> Answer {
    let Some(endpoint) = endpoint else { return Answer::UnknownSource };
    if call.method == Method::HEAD || endpoint.definition().reads_bodies() {
        return Answer::Understood;
    }
    match endpoint.check(&Call::get(&ingest.origin, &call.target), None, ingest.clock.now()) {
        Ok(()) => Answer::Understood,
        Err(_) => Answer::BadSignature,
    }
}

/// Keeps a call that is refused; `bytes` of its body were read before, or `body` was not.
async fn refuse(
    ingest: &Ingest,
    remote_ip: IpAddr,
    mut call: NewPostback,
    refusal: Refusal,
    mut bytes: Vec<u8>,
    body: Option<impl Stream<Item = Result<impl Buf, warp::Error>> + Send>,
) {
    let (remote_net, mut reason) = (shortened(remote_ip), refusal.to_string());
    debug!(request_id = call.request_id, source = call.source, %remote_net, reason, "refused");
    // Beyond what is kept of a caller, nothing of a body is even read.
    if !ingest.refused_rate.admits(Caller::of(remote_ip)) {
        return count_not_kept();
    }
    if let Some(body) = body {
        bytes = body::begin(body, MAX_REFUSED_BODY_LEN).await;
    }
    if call.body_counts && bytes.len() > MAX_REFUSED_BODY_LEN {
        reason = format!("{reason}; the body is larger than 8 KiB, and only its beginning is kept");
    }
    bytes.truncate(MAX_REFUSED_BODY_LEN);
    call.body = kept_body(&bytes);
    // Somebody who reads the list of refused calls sees at once what to change.
    let is_unsigned = matches!(refusal, Refusal::BadSignature(signature::Refusal::Missing(_)));
    if let Some(carried) = Carried::of(&bytes).filter(|_| is_unsigned && !call.body_counts) {
        reason = format!("{reason}: {carried}");
    }
    ingest.keep_admitted(NewRefused { call, reason });
}

impl Ingest {
    /// Keeps a refused call of `remote_ip`, unless more of its come than are kept.
    fn keep(&self, remote_ip: IpAddr, refused: NewRefused) {
        if self.refused_rate.admits(Caller::of(remote_ip)) {
            self.keep_admitted(refused);
        } else {
            count_not_kept();
        }
    }

    fn keep_admitted(&self, refused: NewRefused) {
        if !self.recorder.keep_refused(refused) {
            count_not_kept();
        }
    }
}

fn count_not_kept() {
    counter!("rewardgate_refused_not_kept_total").increment(1);
}
