//! Threads apart: whoever is no network is answered on those of the rest of the process, so that nothing that pages, the
//! API or a long list cost is taken from those that acknowledge postbacks.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream;
use hyper::body::Body;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::error;
use warp::Reply;
use warp::http::StatusCode;
use warp::reply::Response;

/// How far threads that do not acknowledge postbacks yield to those that do, as `nice` counts.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Lowers the priority of the thread that calls it: for all that do not acknowledge postbacks. Where that is refused,
/// it goes on as it is.
pub fn yield_to_ingest() {
    #[cfg(target_os = "linux")]
    yield_by(NICENESS);
}

/// The same, by as much as is said.
#[cfg(target_os = "linux")]
pub(crate) fn yield_by(niceness: i32) {
    if let Err(fault) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness) {
        tracing::debug!(%fault, "a thread keeps its priority");
    }
}

/// What `answering` answers, made on the threads of `rest`. It ends when its caller goes away.
pub(crate) async fn answer(
    rest: &Handle,
    answering: impl Future<Output = Result<Response, Infallible>> + Send + 'static,
) -> Response {
    let answered = AbortOnDropHandle::new(rest.spawn(answering)).await;
    match answered {
        Ok(Ok(answer)) => made_by(rest, answer),
        Err(fault) => {
            error!(%fault, "a request was not answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The same answer; if its body is made while it is sent, that happens on the threads of `rest`.
fn made_by(rest: &Handle, answer: Response) -> Response {
    if answer.body().size_hint().exact().is_some() {
        return answer;
    }
    let (head, mut body) = answer.into_parts();
    let (parts, mut taken) = mpsc::channel::<Result<Bytes, warp::Error>>(1);
    let making = AbortOnDropHandle::new(rest.spawn(async move {
        while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            // Nothing here has trailers.
            let part = frame.map(|frame| frame.into_data().unwrap_or_default());
            if parts.send(part).await.is_err() {
                return;
            }
        }
    }));
    let body = stream::poll_fn(move |context| {
        let _making = &making;
        taken.poll_recv(context)
    });
    let mut made = warp::reply::stream(body).into_response();
    (*made.status_mut(), *made.version_mut()) = (head.status, head.version);
    (*made.headers_mut(), *made.extensions_mut()) = (head.headers, head.extensions);
    made
}
