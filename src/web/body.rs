//! Bodies of requests, limited in time and length; and bodies of answers, which keep the request active until they end.

use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt as _};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;
use warp::http::{HeaderMap, header};

use crate::patience::InHandGuard;
use crate::room::Place;

/// Fails when it is not whole in time, counted from when it is first waited for.
pub(crate) struct TimedBody<B> {
    body: B,
    time: Duration,
    until: Option<Pin<Box<Sleep>>>,
    place: Arc<Place>,
}

/// The body did not arrive completely.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError<E: std::error::Error + 'static> {
    /// The time limit passed.
    #[error("the body took too long")]
    TooSlow,
    /// The connection failed.
    #[error(transparent)]
    Broken(E),
}

impl<B> TimedBody<B> {
    pub(crate) fn new(body: B, time: Duration, place: Arc<Place>) -> Self {
        Self { body, time, until: None, place }
    }
}

impl<B: Body<Error: std::error::Error + 'static> + Unpin> Body for TimedBody<B> {
    type Data = B::Data;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if frame.is_none() || this.body.is_end_stream() {
                this.place.body_ended();
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        let time = this.time;
        let until = this.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        until.as_mut().poll(context).map(|()| Some(Err(BodyError::TooSlow)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request in hand: until it is dropped, the caller waits for us.
pub(crate) struct Served {
    _in_hand: InHandGuard,
    place: Arc<Place>,
}

impl Served {
    pub(crate) fn new(in_hand: InHandGuard, place: Arc<Place>) -> Self {
        Self { _in_hand: in_hand, place }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.place.end();
    }
}

/// The body of an answer: the request is in hand until it is sent.
pub(crate) struct ServedBody<B> {
    body: B,
    _served: Served,
}

impl<B> ServedBody<B> {
    pub(crate) fn new(body: B, served: Served) -> Self {
        Self { body, _served: served }
    }
}

impl<B: Body + Unpin> Body for ServedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadBody {
    TooLarge,
    TooSlow,
    Broken,
}

/// The announced `Content-Length`; 0 if there is none.
pub(crate) fn announced_len(headers: &HeaderMap) -> usize {
    let text = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    // A number too large for memory is also too large for us.
    text.map_or(0, |text| text.trim().parse().unwrap_or(usize::MAX))
}

/// Reads the whole body, up to `most` bytes. A body that announces more is not read at all.
pub(crate) async fn whole(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    most: usize,
) -> Result<Vec<u8>, BadBody> {
    if announced_len(headers) > most {
        return Err(BadBody::TooLarge);
    }
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        let mut part =
            part.map_err(|error| if is_too_slow(&error) { BadBody::TooSlow } else { BadBody::Broken })?;
        if bytes.len() + part.remaining() > most {
            return Err(BadBody::TooLarge);
        }
        while part.has_remaining() {
            bytes.extend_from_slice(part.chunk());
            part.advance(part.chunk().len());
        }
    }
    Ok(bytes)
}

/// True if a timeout is among the causes.
pub(crate) fn is_too_slow(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|error| matches!(error.downcast_ref(), Some(BodyError::<hyper::Error>::TooSlow)))
}

/// The `Content-Type` of a request in lower case, without parameters; `None` if there is none.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("?");
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
