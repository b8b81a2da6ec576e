//! Connections: accepted, limited, ended gracefully.
//!
//! warp's own server has no limits of time and number, so its routes are served by hyper here, with each limit named.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::proxies::Proxies;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use metrics::gauge;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use warp::Filter;
use warp::http::{HeaderMap, HeaderValue, Method, header};
use warp::reply::Response;

use crate::apart;
use crate::body::{Served, ServedBody, TimedBody};
use crate::caller::{self, Peer};
use crate::console::shell::request::SESSION_COOKIE;
use crate::door::{Accepted, Door};
use crate::front;
use crate::ingest::{Ingest, RawLine};
use crate::limits::{Counted, Limits};
use crate::patience::{InHand, Patient};
use crate::room::Place;
use crate::statements::UPLOAD_PATHS;
use crate::tap::Tap;

/// Time for running requests after the process was asked to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the body of a statement: enough for 512 MiB at 10 Mbit/s.
const UPLOAD_TIME: Duration = Duration::from_mins(10);
/// Connections end earlier by up to this share of their life, so that they do not all end at once.
const LIFE_JITTER: f64 = 0.2;

/// Time limit for the body of a request.
fn body_time(method: &Method, path: &str, usual: Duration) -> Duration {
    let is_upload = method == Method::POST && UPLOAD_PATHS.contains(&path);
    if is_upload { usual.max(UPLOAD_TIME) } else { usual }
}

/// Settings of one listener.
#[derive(Clone, Default)]
pub struct Entrance {
    /// Trusted proxies in front of it.
    pub proxies: Proxies,
    /// Host names (with a port, if it is not the default) under which it is called by https.
    pub https_hosts: Vec<String>,
    /// Keeps requests that cannot be parsed; only for the listener that networks call.
    pub ingest: Option<Arc<Ingest>>,
    /// Threads for everything but ingest; `None`: the threads of the listener.
    pub rest: Option<Handle>,
}

impl Entrance {
    /// True if a trusted proxy reports https, or the host is in `https_hosts`. TLS itself is terminated by a proxy.
    fn is_https(&self, peer: SocketAddr, headers: &HeaderMap) -> bool {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        caller::came_by_https(peer, headers, &self.proxies)
            || self.https_hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// Connections that the system queues until they are accepted; Linux limits it by `net.core.somaxconn`, which has the same
/// default. When it is full, callers retry after a second.
const BACKLOG: u32 = 4_096;

/// Listens on `address`.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does: after a restart, old connections must not keep us from listening.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `routes` on `listener` until `stop` is cancelled, then finishes what was begun.
pub async fn serve<F>(
    listener: TcpListener,
    routes: F,
    limits: Limits,
    entrance: Entrance,
    stop: CancellationToken,
) where
    F: Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static,
    F::Future: Send,
{
    let mut door = Door::new(listener, &limits);
    let entrance = Arc::new(entrance);
    let graceful = GracefulShutdown::new();
    // Cancelled after the drain timeout: a caller who never finishes sending must not keep the process alive.
    let given_up = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = door.accept(&entrance.proxies) => accepted,
        };
        let Accepted { stream, peer, place, counted } = accepted;
        let admission = Admission::new(place, counted);
        let service = TowerToHyperService::new(warp::service(routes.clone()));
        let tap = Tap::default();
        let talk = Talk::new(peer, limits, entrance.clone(), admission.place.clone(), tap.clone());
        let stream = Patient::new(stream, limits, talk.in_hand.clone(), tap.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let turn = talk.begin(&mut request);
            let answer = match turn.refused {
                None => {
                    let (time, place) = (turn.body_time, talk.place.clone());
                    // Boxed: it is large, and otherwise every connection would take up room for it, called or not.
                    Ok(Box::pin(service.call(request.map(|body| TimedBody::new(body, time, place)))))
                }
                Some(unfit) => Err(unfit.answer(turn.uri.path())),
            };
            let rest = talk.entrance.rest.clone().filter(|_| !front::is_of_ingest(turn.uri.path()));
            async move {
                let answer = match (answer, rest) {
                    (Ok(answer), None) => answer.await?,
                    (Ok(answer), Some(rest)) => apart::answer(&rest, answer).await,
                    (Err(refusal), _) => refusal,
                };
                Ok::<_, Infallible>(turn.finish(answer))
            }
        });
        let connection = http1::Builder::new()
            // The stream itself loses patience; hyper cannot tell headers from idleness.
            .header_read_timeout(None)
            .max_buf_size(limits.header_bytes)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let (given_up, gone) = (given_up.clone(), admission.place.gone());
        let ingest = entrance.ingest.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(fault) = ended {
                    debug!(%fault, "a connection ended early");
                    if let Some(ingest) = ingest.filter(|_| fault.is_parse()) {
                        ingest.keep_unparsed(tap.line().as_deref(), peer.ip().to_canonical(), &fault.to_string());
                    }
                },
                () = gone.cancelled() => debug!("a connection that waited made room for another"),
                () = given_up.cancelled() => {}
            }
            drop(admission);
        });
    }
    drop(door);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        warn!("some requests were still unfinished at the end of the time for stopping");
        given_up.cancel();
    }
}

/// One connection: what its requests have in common.
struct Talk {
    peer: SocketAddr,
    limits: Limits,
    entrance: Arc<Entrance>,
    place: Arc<Place>,
    in_hand: InHand,
    tap: Tap,
    /// From then on its next answer is its last.
    ends_at: Instant,
}

/// One request of it.
struct Turn {
    method: Method,
    uri: hyper::Uri,
    is_https: bool,
    has_session: bool,
    body_time: Duration,
    refused: Option<front::Unfit>,
    is_last: bool,
    served: Served,
    place: Arc<Place>,
}

impl Talk {
    fn new(peer: SocketAddr, limits: Limits, entrance: Arc<Entrance>, place: Arc<Place>, tap: Tap) -> Self {
        let life_time = limits.life_time.mul_f64(1.0 - LIFE_JITTER * rand::random::<f64>());
        let ends_at = Instant::now() + life_time;
        Self { peer, limits, entrance, place, in_hand: InHand::default(), tap, ends_at }
    }

    /// Looks at a request before it is routed, and puts beside it what routes need to know.
    fn begin(&self, request: &mut hyper::Request<Incoming>) -> Turn {
        let has_body = !request.body().is_end_stream();
        let is_gone = !self.place.begin(has_body);
        let served = Served::new(self.in_hand.begin(), self.place.clone());
        if let Some(line) = self.tap.understood(has_body) {
            request.extensions_mut().insert(RawLine(line));
        }
        let is_https = self.entrance.is_https(self.peer, request.headers());
        request.extensions_mut().insert(Peer { address: self.peer, is_https });
        let refused = front::examine(request.method(), request.uri(), request.headers()).err();
        if let Some(unfit) = refused {
            self.keep(request, unfit);
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        // HEAD is GET without the body, which hyper leaves out; only for networks it is refused.
        if method == Method::HEAD && !front::is_for_networks(uri.path()) {
            *request.method_mut() = Method::GET;
        }
        Turn {
            is_https,
            has_session: has_session(request.headers()),
            body_time: body_time(&method, uri.path(), self.limits.body_time),
            refused,
            is_last: is_gone || Instant::now() >= self.ends_at,
            served,
            place: self.place.clone(),
            method,
            uri,
        }
    }

    /// A network's call that is not even looked at leaves its trace.
    fn keep(&self, request: &hyper::Request<Incoming>, unfit: front::Unfit) {
        if let Some(ingest) = &self.entrance.ingest
            && front::is_for_networks(request.uri().path())
        {
            let line = format!("{} {} HTTP/1.1", request.method(), request.uri());
            let proxies = &self.entrance.proxies;
            let peer = Peer { address: self.peer, is_https: false };
            let caller = caller::address(peer, request.headers(), proxies);
            ingest.keep_unparsed(Some(line.as_bytes()), caller, &unfit.to_string());
        }
    }
}

impl Turn {
    /// Completes the answer; the request is in hand until that is sent.
    fn finish(
        self,
        mut answer: Response,
    ) -> hyper::Response<impl Body<Data = Bytes, Error = warp::Error> + use<>> {
        let path = self.uri.path();
        if front::is_business(&self.method, path, self.has_session, answer.status()) {
            self.place.know();
        }
        front::finish(&mut answer, &self.method, path, self.is_https);
        if self.is_last {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer.map(|body| ServedBody::new(body, self.served))
    }
}

/// True if the request has a session cookie.
fn has_session(headers: &HeaderMap) -> bool {
    let mut cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.any(|cookies| cookies.contains(SESSION_COOKIE))
}

/// The room that a connection takes up until it is dropped.
struct Admission {
    place: Arc<Place>,
    _counted: Option<Counted>,
}

impl Admission {
    fn new(place: Place, counted: Option<Counted>) -> Self {
        gauge!("rewardgate_connections").increment(1);
        Self { place: Arc::new(place), _counted: counted }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        gauge!("rewardgate_connections").decrement(1);
    }
}
