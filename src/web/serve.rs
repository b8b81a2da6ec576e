//! Connections: accepted, limited, ended gracefully.
//!
//! warp's own server has no limits of time and number, so its routes are served by hyper here, with each limit named.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body as _;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use metrics::{counter, gauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use warp::Filter;
use warp::reply::Response;

use crate::body::TimedBody;
use crate::caller::Peer;
use crate::ingest::{Ingest, RawLine};
use crate::limits::{Caller, Census, Counted, Limits};
use crate::patience::{InHand, Patient};
use crate::statements::UPLOAD_PATHS;
use crate::tap::Tap;

/// How long requests in hand may take once the process is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the system refused a connection, for want of file handles for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the body of a statement may take: half a gigabyte on a line of ten megabits.
const UPLOAD_TIME: Duration = Duration::from_mins(10);

/// How long the body of a request may take.
fn body_time(method: &hyper::Method, path: &str, usual: Duration) -> Duration {
    let is_upload = method == hyper::Method::POST && UPLOAD_PATHS.contains(&path);
    if is_upload { usual.max(UPLOAD_TIME) } else { usual }
}

/// Serves `routes` on `listener` until `stop` is cancelled, then finishes what was begun. Where networks call, `ingest`
/// keeps what cannot be parsed.
pub async fn serve<F>(
    listener: TcpListener,
    routes: F,
    limits: Limits,
    ingest: Option<Arc<Ingest>>,
    stop: CancellationToken,
) where
    F: Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static,
    F::Future: Send,
{
    let door = Door {
        listener,
        room: Arc::new(Semaphore::new(limits.connections)),
        census: Census::new(limits.connections_per_address),
    };
    let graceful = GracefulShutdown::new();
    // Cancelled when the time for stopping is up: whoever never finishes sending must not keep the process alive.
    let given_up = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = door.accept() => accepted,
        };
        let Some(Accepted { stream, peer, admission }) = accepted else { continue };
        let service = TowerToHyperService::new(warp::service(routes.clone()));
        let in_hand = InHand::default();
        let tap = Tap::default();
        let stream = Patient::new(stream, limits, in_hand.clone(), tap.clone());
        let lines = tap.clone();
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            if let Some(line) = lines.understood(!request.body().is_end_stream()) {
                request.extensions_mut().insert(RawLine(line));
            }
            let time = body_time(request.method(), request.uri().path(), limits.body_time);
            let answer = service.call(request.map(|body| TimedBody::new(body, time)));
            let guard = in_hand.begin();
            async move {
                let answer = answer.await;
                drop(guard);
                answer
            }
        });
        let connection = http1::Builder::new()
            // The stream itself loses patience; hyper cannot tell headers from idleness.
            .header_read_timeout(None)
            .max_buf_size(limits.header_bytes)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let given_up = given_up.clone();
        let ingest = ingest.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(fault) = ended {
                    debug!(%fault, "a connection ended early");
                    if let Some(ingest) = ingest.filter(|_| fault.is_parse()) {
                        ingest.keep_unparsed(tap.line().as_deref(), peer.ip().to_canonical(), &fault.to_string());
                    }
                },
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

/// Where callers come in.
struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
    census: Census,
}

/// A caller who came in.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
}

/// The room that a connection takes up until it is dropped.
struct Admission {
    _room: OwnedSemaphorePermit,
    _counted: Counted,
}

impl Door {
    async fn accept(&self) -> Option<Accepted> {
        let room = self.room.clone().acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, peer)) => {
                let Some(counted) = self.census.admit(Caller::of(peer.ip())) else {
                    counter!("rewardgate_connections_refused_total").increment(1);
                    return None;
                };
                // Answers are one small packet each: waiting to fill it would only cost time.
                if let Err(fault) = stream.set_nodelay(true) {
                    debug!(%fault, "a connection was gone before it was served");
                }
                gauge!("rewardgate_connections").increment(1);
                Some(Accepted { stream, peer, admission: Admission { _room: room, _counted: counted } })
            }
            Err(fault) => {
                warn!(%fault, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        gauge!("rewardgate_connections").decrement(1);
    }
}
