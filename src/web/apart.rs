//! Separate threads: pages and API are answered on other threads than postbacks, so that they never slow down
//! acknowledgements.

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

/// `nice` value of threads that do not acknowledge postbacks.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Lowers the priority of the current thread; for all threads that do not acknowledge postbacks. A failure is ignored.
pub fn yield_to_ingest() {
    #[cfg(target_os = "linux")]
    yield_by(NICENESS);
}

/// Sets the `nice` value of the current thread.
#[cfg(target_os = "linux")]
pub(crate) fn yield_by(niceness: i32) {
    if let Err(fault) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness) {
        tracing::debug!(%fault, "a thread keeps its priority");
    }
}

/// Runs `answering` on the threads of `rest`. It is cancelled when the caller hangs up.
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

/// Moves a streamed body to the threads of `rest`; other answers are unchanged.
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
