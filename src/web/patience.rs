//! A connection that does not wait for ever: for a request to begin, for its headers to end, for its answer to be
//! read. Whoever takes longer loses the connection; what it held is free again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::limits::Limits;
use crate::tap::Tap;

/// How long a caller may leave an answer unread.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// True while a request is in hand: then the caller waits for us, and not we for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct InHand(Arc<AtomicBool>);

impl InHand {
    /// A request is in hand until the answer is dropped.
    pub(crate) fn begin(&self) -> InHandGuard {
        self.0.store(true, Ordering::Relaxed);
        InHandGuard(self.clone())
    }
}

/// One request in hand.
pub(crate) struct InHandGuard(InHand);

impl Drop for InHandGuard {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

/// What is waited for when nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of its headers.
    Headers,
    /// Its body; that has a time limit of its own.
    InHand,
}

/// A stream that fails with `TimedOut` when the other end takes too long.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    limits: Limits,
    in_hand: InHand,
    tap: Tap,
    phase: Phase,
    read_until: Pin<Box<Sleep>>,
    write_until: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, limits: Limits, in_hand: InHand, tap: Tap) -> Self {
        let read_until = Box::pin(tokio::time::sleep(limits.idle_time));
        Self { stream, limits, in_hand, tap, phase: Phase::Idle, read_until, write_until: None }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        let time = match phase {
            Phase::Idle => self.limits.idle_time,
            Phase::Headers => self.limits.header_time,
            Phase::InHand => return,
        };
        self.read_until.as_mut().reset(Instant::now() + time);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match (this.in_hand.0.load(Ordering::Relaxed), this.phase) {
            (true, Phase::Idle | Phase::Headers) => this.enter(Phase::InHand),
            (false, Phase::InHand) => this.enter(Phase::Idle),
            _ => {}
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                let came = &buffer.filled()[before..];
                if this.phase == Phase::Idle && !came.is_empty() {
                    this.enter(Phase::Headers);
                    this.tap.begin();
                }
                if this.phase == Phase::Headers {
                    this.tap.read(came);
                }
                Poll::Ready(read)
            }
            Poll::Pending if this.phase == Phase::InHand => Poll::Pending,
            Poll::Pending => this.read_until.as_mut().poll(context).map(|()| Err(too_slow())),
        }
    }
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    /// Gives up on an answer that is not read.
    fn written<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(written) => {
                self.write_until = None;
                Poll::Ready(written)
            }
            Poll::Pending => {
                let until = self.write_until.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_TIME)));
                until.as_mut().poll(context).map(|()| Err(too_slow()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.written(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(context, shut)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the caller took too long")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const LIMITS: Limits = Limits {
        connections: 1,
        connections_per_address: 1,
        header_bytes: 1,
        header_time: Duration::from_secs(10),
        body_time: Duration::from_secs(10),
        idle_time: Duration::from_mins(1),
        refused_per_minute: NonZeroU32::MIN,
        body_bytes_per_hour: 0,
    };

    fn connection() -> (DuplexStream, Patient<DuplexStream>, InHand) {
        let (caller, ours) = duplex(16);
        let in_hand = InHand::default();
        (caller, Patient::new(ours, LIMITS, in_hand.clone(), Tap::default()), in_hand)
    }

    /// How long until reading fails, in seconds.
    async fn fails_after_s(connection: &mut Patient<DuplexStream>) -> u64 {
        let start = Instant::now();
        let error = connection.read_u8().await.expect_err("it is given up");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_comes_is_given_up_after_the_idle_time() {
        let (_caller, mut ours, _) = connection();
        assert_eq!(fails_after_s(&mut ours).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_come_byte_by_byte_have_one_time_limit_together() {
        let (mut caller, mut ours, _) = connection();
        let start = Instant::now();
        let dripping = async {
            while caller.write_u8(b'x').await.is_ok() {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        };
        let reading = async {
            while ours.read_u8().await.is_ok() {}
            start.elapsed().as_secs()
        };
        tokio::select! {
            () = dripping => panic!("it is given up before the caller is"),
            after_s = reading => assert_eq!(after_s, 10),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_request_is_in_hand_the_caller_may_be_quiet_and_afterwards_it_is_idle_again() {
        let (mut caller, mut ours, in_hand) = connection();
        caller.write_u8(b'x').await.expect("room");
        ours.read_u8().await.expect("a byte");
        let guard = in_hand.begin();
        let waited = tokio::time::timeout(Duration::from_hours(1), ours.read_u8()).await;
        assert!(waited.is_err(), "nothing was given up");
        drop(guard);
        assert_eq!(fails_after_s(&mut ours).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_given_up() {
        let (_caller, mut ours, _) = connection();
        let start = Instant::now();
        let error = ours.write_all(&[0; 64]).await.expect_err("it is given up");
        assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, WRITE_TIME));
    }
}
