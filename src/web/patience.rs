//! A connection with timeouts: for the start of a request, for the end of its headers, and for a stalled answer. A slow
//! caller loses the connection. An answer may take any time as long as the caller accepts bytes.
//!
//! Answers that hyper gives by itself, because a head cannot be parsed, pass here and get our headers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::front;
use crate::limits::Limits;
use crate::tap::Tap;

/// Shows whether a request is being processed: then the caller waits for us, and no timeout for reading applies.
#[derive(Clone, Debug, Default)]
pub(crate) struct InHand(Arc<Hand>);

#[derive(Debug, Default)]
struct Hand {
    is_full: AtomicBool,
    /// A request was processed since the last check, perhaps completely.
    was_full: AtomicBool,
}

impl InHand {
    /// Marks a request as being processed until the guard is dropped.
    pub(crate) fn begin(&self) -> InHandGuard {
        self.0.is_full.store(true, Ordering::Relaxed);
        self.0.was_full.store(true, Ordering::Relaxed);
        InHandGuard(self.clone())
    }

    fn is_full(&self) -> bool {
        self.0.is_full.load(Ordering::Relaxed)
    }
}

/// One request that is being processed.
pub(crate) struct InHandGuard(InHand);

impl Drop for InHandGuard {
    fn drop(&mut self) {
        self.0.0.is_full.store(false, Ordering::Relaxed);
    }
}

/// The part of a request that is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of its headers.
    Headers,
    /// Its body, which has a separate timeout.
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
    /// An answer by hyper with our headers added, while it is being written.
    patched: Option<Patched>,
}

/// Replacement for `instead_of` bytes that hyper writes.
#[derive(Debug)]
struct Patched {
    bytes: Vec<u8>,
    written: usize,
    instead_of: usize,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, limits: Limits, in_hand: InHand, tap: Tap) -> Self {
        let read_until = Box::pin(tokio::time::sleep(limits.idle_time));
        Self {
            stream,
            limits,
            in_hand,
            tap,
            phase: Phase::Idle,
            read_until,
            write_until: None,
            patched: None,
        }
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
        let is_in_hand = this.in_hand.is_full();
        if is_in_hand && this.phase != Phase::InHand {
            this.enter(Phase::InHand);
        } else if !is_in_hand && this.in_hand.0.was_full.swap(false, Ordering::Relaxed) {
            this.enter(Phase::Idle);
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
    /// Fails if the caller accepts nothing of an answer for the idle time.
    fn written<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(written) => {
                self.write_until = None;
                // The caller is still receiving the answer, so the time until the next request starts anew.
                if self.phase == Phase::Idle {
                    self.enter(Phase::Idle);
                }
                Poll::Ready(written)
            }
            Poll::Pending => {
                let time = self.limits.idle_time;
                let until = self.write_until.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
                until.as_mut().poll(context).map(|()| Err(too_slow()))
            }
        }
    }

    /// Adds our headers to `bytes`, if they are an answer that hyper gives by itself.
    fn patch(&mut self, bytes: &[u8]) {
        let is_own = self.phase == Phase::Headers && !self.in_hand.is_full();
        if is_own && self.patched.is_none() && bytes.starts_with(b"HTTP/1.1 4") {
            let end = bytes.windows(2).position(|line_end| line_end == b"\r\n").map_or(0, |at| at + 2);
            let (line, rest) = bytes.split_at(end);
            let patched = [line, front::bare_headers().as_bytes(), rest].concat();
            self.patched = Some(Patched { bytes: patched, written: 0, instead_of: bytes.len() });
        }
    }

    /// Writes the replaced answer; `None` if there is none.
    fn write_patched(&mut self, context: &mut Context<'_>) -> Option<Poll<io::Result<usize>>> {
        let patched = self.patched.as_mut()?;
        while patched.written < patched.bytes.len() {
            let rest = &patched.bytes[patched.written..];
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(written)) => patched.written += written,
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        let instead_of = patched.instead_of;
        self.patched = None;
        Some(Poll::Ready(Ok(instead_of)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.patch(bytes);
        let written = match self.write_patched(context) {
            Some(written) => written,
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        };
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
        if let Some(first) = parts.first() {
            self.patch(first);
        }
        let written = match self.write_patched(context) {
            Some(written) => written,
            None => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        };
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
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const LIMITS: Limits = Limits {
        connections: 1,
        connections_per_address: 1,
        header_bytes: 1,
        header_time: Duration::from_secs(10),
        body_time: Duration::from_secs(10),
        idle_time: Duration::from_mins(1),
        life_time: Duration::from_hours(1),
        refused_per_minute: NonZeroU32::MIN,
        body_bytes_per_hour: 0,
    };

    fn connection() -> (DuplexStream, Patient<DuplexStream>, InHand) {
        let (caller, ours) = duplex(16);
        let in_hand = InHand::default();
        (caller, Patient::new(ours, LIMITS, in_hand.clone(), Tap::default()), in_hand)
    }

    /// Seconds until reading fails.
    async fn fails_after_s(connection: &mut Patient<DuplexStream>) -> u64 {
        let start = Instant::now();
        let error = connection.read_u8().await.expect_err("it is given up");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_closed_after_the_idle_time() {
        let (_caller, mut ours, _) = connection();
        assert_eq!(fails_after_s(&mut ours).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn headers_sent_byte_by_byte_share_one_timeout() {
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
    async fn a_caller_may_be_quiet_while_its_request_is_processed() {
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
    async fn an_answer_that_nobody_reads_times_out() {
        let (_caller, mut ours, _) = connection();
        let start = Instant::now();
        let error = ours.write_all(&[0; 64]).await.expect_err("it is given up");
        assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, LIMITS.idle_time));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_slowly_does_not_time_out() {
        let (mut caller, mut ours, in_hand) = connection();
        caller.write_u8(b'x').await.expect("room");
        ours.read_u8().await.expect("a byte");
        drop(in_hand.begin());
        let reading = async {
            for _ in 0..20 {
                tokio::time::sleep(LIMITS.idle_time * 9 / 10).await;
                let mut taken = [0; 16];
                caller.read_exact(&mut taken).await.expect("the next bytes");
            }
        };
        // hyper keeps reading meanwhile.
        let (mut read, mut write) = tokio::io::split(ours);
        let nothing_comes = async {
            let gone = read.read_u8().await;
            panic!("it was given up: {gone:?}");
        };
        tokio::select! {
            ((), written) = async { tokio::join!(reading, write.write_all(&[0; 320])) } => {
                written.expect("everything is written");
            }
            () = nothing_comes => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_by_hyper_gets_our_headers() {
        let (mut caller, ours) = duplex(4_096);
        let mut ours = Patient::new(ours, LIMITS, InHand::default(), Tap::default());
        caller.write_u8(b'x').await.expect("room");
        ours.read_u8().await.expect("a byte");
        ours.write_all(b"HTTP/1.1 431 Too Large\r\ncontent-length: 0\r\n\r\n").await.expect("room");
        drop(ours);
        let mut said = String::new();
        caller.read_to_string(&mut said).await.expect("text");
        let ours = front::bare_headers();
        assert_eq!(said, format!("HTTP/1.1 431 Too Large\r\n{ours}content-length: 0\r\n\r\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_quick_answer_the_connection_is_idle() {
        let (mut caller, mut ours, in_hand) = connection();
        caller.write_u8(b'x').await.expect("room");
        ours.read_u8().await.expect("a byte");
        drop(in_hand.begin());
        assert_eq!(fails_after_s(&mut ours).await, 60);
    }
}
