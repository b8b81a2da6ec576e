//! A request's body with a time limit: one that trickles in for ever is an error, whoever reads it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Fails when it is not whole in time, counted from when it is first waited for.
pub(crate) struct TimedBody<B> {
    body: B,
    time: Duration,
    until: Option<Pin<Box<Sleep>>>,
}

/// The body did not come whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError<E: std::error::Error + 'static> {
    /// Not in time.
    #[error("the body took too long")]
    TooSlow,
    /// The connection failed.
    #[error(transparent)]
    Broken(E),
}

impl<B> TimedBody<B> {
    pub(crate) fn new(body: B, time: Duration) -> Self {
        Self { body, time, until: None }
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
