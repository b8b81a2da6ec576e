//! Connections: accepted, limited, ended gracefully.
//!
//! warp's own server has no limits of time and number, so its routes are served by hyper here, with each limit named.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use warp::Filter;
use warp::reply::Response;

use crate::caller::Peer;

/// How many connections are open at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4_096;
/// How long a caller may take to send its headers, also between two requests of one connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most that request line and headers may fill. Above the 64 KiB from which hyper itself answers 414.
const MAX_HEADER_BYTES: usize = 128 * 1024;
/// How long requests in hand may take once the process is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the system refused a connection, for want of file handles for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `routes` on `listener` until `stop` is cancelled, then finishes what was begun.
pub async fn serve<F>(listener: TcpListener, routes: F, stop: CancellationToken)
where
    F: Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static,
    F::Future: Send,
{
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    // Cancelled when the time for stopping is up: whoever never finishes sending must not keep the process alive.
    let given_up = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let service = TowerToHyperService::new(warp::service(routes.clone()));
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            service.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let given_up = given_up.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(fault) = ended {
                    debug!(%fault, "a connection ended early");
                },
                () = given_up.cancelled() => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        warn!("some requests were still unfinished at the end of the time for stopping");
        given_up.cancel();
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are one small packet each: waiting to fill it would only cost time.
            if let Err(fault) = stream.set_nodelay(true) {
                debug!(%fault, "a connection was gone before it was served");
            }
            Some((stream, Peer(peer), permit))
        }
        Err(fault) => {
            warn!(%fault, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
