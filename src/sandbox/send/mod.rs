//! Carries a plan out over keep-alive connections, in an open or a closed loop.
//!
//! **Open loop** (`rate_per_s` above 0): every call has an instant on a fixed schedule, and its latency counts from
//! that instant, not from when a connection was free for it. A gateway that stops for a second is charged with every
//! call that was due in that second. **Closed loop** (`rate_per_s` 0): each connection sends its next call as soon as
//! it has its answer; that measures throughput, and its latencies are flattering by nature.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::postback::network::targo::is_acknowledged;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::clock_ms;
use super::http::{Get, Http, NoReply, client};
use super::pace::{Due, Feed, Retries};
use super::report::Report;
use super::template::{Signer, Template};

/// The most connections at a time.
pub const MAX_CONNECTIONS: usize = 1_024;

/// The fastest schedule.
pub const MAX_RATE_PER_S: u32 = 1_000_000;

/// The longest delay before a retry: the network's own.
pub const MAX_RETRY_DELAY: Duration = Duration::from_hours(6);

/// More of an answer than this is not read: a gateway says `OK`.
pub(super) const MAX_ANSWER_BYTES: usize = 64 * 1_024;

/// As much of an answer is kept for a person.
const SHOWN_CHARS: usize = 120;

/// The timer ticks in milliseconds and never early, so a connection wakes one tick before its call is due. A call
/// that leaves early counts from when it left.
const TIMER_TICK: Duration = Duration::from_millis(1);

/// In a closed loop a gateway that is down would use up the whole plan at once.
const PAUSE_WHEN_UNREACHABLE: Duration = Duration::from_millis(100);

/// Answers that wait to be counted, before the connections have to wait too.
const WAITING_ANSWERS: usize = 4_096;

/// How a plan is carried out.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// The publisher's URL.
    pub template: Template,
    /// Signs it.
    pub signer: Signer,
    /// Connections, and so calls under way at a time: 1 to [`MAX_CONNECTIONS`].
    pub connections: usize,
    /// Calls per second, at most [`MAX_RATE_PER_S`]; 0: as fast as the connections allow.
    pub rate_per_s: u32,
    /// What is done about calls that are not acknowledged.
    pub retries: Retries,
    /// Whether the report remembers every event for `check`: some 500 bytes each, so not in an endless demo.
    pub remember: bool,
}

/// What became of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 1, or more for a retry.
    pub attempt: u32,
    /// The HTTP status; `None` if no answer came.
    pub status: Option<u16>,
    /// True if the network takes it for a yes.
    pub acknowledged: bool,
    /// The beginning of the body, or why no answer came.
    pub text: String,
    /// When it was sent, unix milliseconds.
    pub sent_at_ms: i64,
    /// When the answer was there, or given up on.
    pub answered_at_ms: i64,
    /// From the scheduled instant to the answer, or until it was given up on.
    pub latency_us: u64,
}

/// Why a plan could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Too few or too many connections.
    #[error("connections must be from 1 to {MAX_CONNECTIONS}, not {0}")]
    Connections(usize),
    /// Too fast.
    #[error("the rate must be at most {MAX_RATE_PER_S} calls a second, not {0}")]
    Rate(u32),
    /// Too many retries, or too far apart.
    #[error("there can be at most {} retries, {} s apart", Retries::MAX, MAX_RETRY_DELAY.as_secs())]
    Retries,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
    /// A connection's task ended by a panic, or the histogram refused its bounds: a fault of the sandbox.
    #[error("the sandbox itself failed: {0}")]
    Fault(String),
}

/// Carries out `plan`, tells `on_answer` about every call, and answers with the report.
///
/// When `cancel` is cancelled nothing more is sent; calls that are under way are waited for.
pub async fn run<P>(
    options: &SendOptions,
    plan: P,
    on_answer: impl FnMut(&Call, &Answer),
    cancel: &CancellationToken,
) -> Result<Report, RunError>
where
    P: Iterator<Item = Call> + Send + 'static,
{
    options.validate()?;
    let http = client(options.connections).map_err(|error| RunError::Client(error.reason))?;
    run_over(http, options, plan, on_answer, cancel).await
}

impl SendOptions {
    fn validate(&self) -> Result<(), RunError> {
        if !(1..=MAX_CONNECTIONS).contains(&self.connections) {
            return Err(RunError::Connections(self.connections));
        }
        if self.rate_per_s > MAX_RATE_PER_S {
            return Err(RunError::Rate(self.rate_per_s));
        }
        if self.retries.count > Retries::MAX || self.retries.delay > MAX_RETRY_DELAY {
            return Err(RunError::Retries);
        }
        Ok(())
    }
}

pub(super) async fn run_over<H: Http, P>(
    http: H,
    options: &SendOptions,
    plan: P,
    mut on_answer: impl FnMut(&Call, &Answer),
    cancel: &CancellationToken,
) -> Result<Report, RunError>
where
    P: Iterator<Item = Call> + Send + 'static,
{
    let start = Instant::now();
    let mut report = Report::new(options).map_err(|error| RunError::Fault(error.to_string()))?;
    let feed = Feed::new(plan, options.rate_per_s, options.retries, start);
    let (answers, mut answered) = mpsc::channel(WAITING_ANSWERS);
    let connection = Connection {
        http,
        template: Arc::new(options.template.clone()),
        signer: Arc::new(options.signer.clone()),
        feed: Arc::new(Mutex::new(feed)),
        is_closed_loop: options.rate_per_s == 0,
        cancel: cancel.clone(),
        answers,
    };
    // Dropping the set ends the connections, should this future be dropped.
    let mut connections = JoinSet::new();
    for _ in 0..options.connections {
        connections.spawn(connection.clone().carry_out());
    }
    drop(connection);
    while let Some((call, answer)) = answered.recv().await {
        report.add(&call, &answer);
        on_answer(&call, &answer);
    }
    report.elapsed = start.elapsed();
    while let Some(ended) = connections.join_next().await {
        ended.map_err(|error| RunError::Fault(error.to_string()))?;
    }
    Ok(report)
}

/// One keep-alive connection: one call at a time.
struct Connection<H, P> {
    http: H,
    template: Arc<Template>,
    signer: Arc<Signer>,
    feed: Arc<Mutex<Feed<P>>>,
    is_closed_loop: bool,
    cancel: CancellationToken,
    answers: mpsc::Sender<(Call, Answer)>,
}

// Derived, it would ask the plan to be `Clone`.
impl<H: Clone, P> Clone for Connection<H, P> {
    fn clone(&self) -> Self {
        Self {
            http: self.http.clone(),
            template: Arc::clone(&self.template),
            signer: Arc::clone(&self.signer),
            feed: Arc::clone(&self.feed),
            is_closed_loop: self.is_closed_loop,
            cancel: self.cancel.clone(),
            answers: self.answers.clone(),
        }
    }
}

impl<H: Http, P: Iterator<Item = Call>> Connection<H, P> {
    async fn carry_out(self) {
        while let Some(due) = self.feed(|feed| feed.take(Instant::now())) {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return,
                () = until(due.at) => {}
            }
            let (answer, unreachable) = self.send(&due).await;
            if due.call.is_genuine() && !answer.acknowledged {
                self.feed(|feed| feed.put_back(&due.call, due.attempt, Instant::now()));
            }
            if self.answers.send((due.call, answer)).await.is_err() {
                return;
            }
            if unreachable && self.is_closed_loop {
                self.cancel.run_until_cancelled(sleep(PAUSE_WHEN_UNREACHABLE)).await;
            }
        }
    }

    async fn send(&self, due: &Due) -> (Answer, bool) {
        let (sent_at, sent_at_ms) = (Instant::now(), clock_ms());
        let target = due.call.signed_target(&self.template, &self.signer, sent_at_ms);
        let url = format!("{}{target}", self.template.origin());
        let get = Get { url: &url, bearer: None, max_body_bytes: MAX_ANSWER_BYTES };
        let reply = self.http.get(get).await;
        let latency = Instant::now().duration_since(due.at.min(sent_at));
        let (status, body, unreachable) = match reply {
            Ok(reply) => (Some(reply.status), String::from_utf8_lossy(&reply.body).into_owned(), false),
            Err(NoReply { reason, unreachable }) => (None, reason, unreachable),
        };
        let answer = Answer {
            attempt: due.attempt,
            status,
            acknowledged: status.is_some_and(|status| is_acknowledged(status, &body)),
            text: body.chars().take(SHOWN_CHARS).collect(),
            sent_at_ms,
            answered_at_ms: clock_ms(),
            latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
        };
        (answer, unreachable)
    }

    fn feed<T>(&self, ask: impl FnOnce(&mut Feed<P>) -> T) -> T {
        // A panic inside the plan ends the run by way of the join; until then its state is as good as any.
        ask(&mut self.feed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns at once for what is due already: a timer would cost a late call another tick.
async fn until(at: Instant) {
    let wake_at = at - TIMER_TICK;
    if Instant::now() < wake_at {
        sleep_until(wake_at).await;
    }
}

#[cfg(test)]
mod tests;
