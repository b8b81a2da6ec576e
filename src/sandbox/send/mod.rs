//! Sends the calls of a plan over keep-alive connections, in an open or a closed loop.
//!
//! **Open loop** (`rate_per_s` above 0): every call has an instant on a fixed schedule, and its latency counts from
//! that instant, not from when a connection was free. A gateway that stops for a second is charged with every call that
//! was due in that second. **Closed loop** (`rate_per_s` 0): each connection sends its next call as soon as it has an
//! answer; that measures throughput, and its latencies are too good.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Heard, MAX_ANSWER_BYTES};
use super::call::Call;
use super::clock_ms;
use super::http::{Http, NoReply, Request, client};
use super::pace::{Due, Feed, Retries};
use super::report::Report;
use super::signer::Signer;
use super::template::Template;

/// Maximum number of connections.
pub const MAX_CONNECTIONS: usize = 1_024;

/// Maximum rate, in calls per second.
pub const MAX_RATE_PER_S: u32 = 1_000_000;

/// Maximum delay before a retry: that of the real network.
pub const MAX_RETRY_DELAY: Duration = Duration::from_hours(6);

/// Characters of an answer that are kept for reports.
const SHOWN_CHARS: usize = 120;

/// The timer ticks in milliseconds and never early, so a connection wakes one tick before its call is due. A call
/// that leaves early counts from when it left.
const TIMER_TICK: Duration = Duration::from_millis(1);

/// Without a pause, a closed loop would use up the plan while the gateway is down.
const PAUSE_WHEN_UNREACHABLE: Duration = Duration::from_millis(100);

/// Answers that may wait to be counted before connections wait, too.
const WAITING_ANSWERS: usize = 4_096;

/// How the calls of a plan are sent.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// The publisher's URL.
    pub template: Template,
    /// Signs the calls.
    pub signer: Signer,
    /// Connections, and so calls under way at a time: 1 to [`MAX_CONNECTIONS`].
    pub connections: usize,
    /// Calls per second, at most [`MAX_RATE_PER_S`]; 0: as fast as the connections allow.
    pub rate_per_s: u32,
    /// Retries of calls that are not acknowledged.
    pub retries: Retries,
    /// True: the report keeps every event for `check`, about 500 bytes each.
    pub remember: bool,
}

/// Why the calls of a plan could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// 0, or more than [`MAX_CONNECTIONS`].
    #[error("connections must be between 1 and {MAX_CONNECTIONS}, not {0}")]
    Connections(usize),
    /// Above [`MAX_RATE_PER_S`].
    #[error("the rate must be at most {MAX_RATE_PER_S} calls per second, not {0}")]
    Rate(u32),
    /// Above [`Retries::MAX`] or [`MAX_RETRY_DELAY`].
    #[error("retries must be at most {}, and at most {} s apart", Retries::MAX, MAX_RETRY_DELAY.as_secs())]
    Retries,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
    /// A task panicked, or the histogram refused its bounds: a bug in the sandbox.
    #[error("the sandbox itself failed: {0}")]
    Fault(String),
}

/// Sends the calls of `plan`, hands each answer to `on_answer`, and returns the report.
///
/// When `cancel` is cancelled, no further call is sent; the answers to open calls are awaited.
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
    let mut report = Report::new(options.connections, options.rate_per_s, options.remember)
        .map_err(|error| RunError::Fault(error.to_string()))?;
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
    // If this future is dropped, the set ends the connections.
    let mut connections = JoinSet::new();
    for _ in 0..options.connections {
        connections.spawn(connection.clone().send_all());
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

// Derived, it would require `P: Clone`.
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
    async fn send_all(self) {
        while let Some(due) = self.feed(|feed| feed.take(Instant::now())) {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return,
                () = until(due.at) => {}
            }
            let (answer, unreachable) = self.send(&due).await;
            if due.call.is_genuine() && !answer.is_acknowledged() {
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
        let (heard, status, text, unreachable) = self.exchange(&due.call, sent_at_ms).await;
        let latency = Instant::now().duration_since(due.at.min(sent_at));
        let answer = Answer {
            attempt: due.attempt,
            status,
            heard,
            text: text.chars().take(SHOWN_CHARS).collect(),
            sent_at_ms,
            answered_at_ms: clock_ms(),
            latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
        };
        (answer, unreachable)
    }

    /// How the network takes the answer, its status and body or why there is none, and whether nobody was there.
    async fn exchange(&self, call: &Call, sent_at_ms: i64) -> (Heard, Option<u16>, String, bool) {
        let postback = match call.postback(&self.template, &self.signer, sent_at_ms) {
            Ok(postback) => postback,
            Err(refusal) => return (Heard::Nothing, None, format!("it cannot be signed: {refusal}"), false),
        };
        let url = format!("{}{}", self.template.origin(), postback.target);
        let request = Request {
            method: postback.method,
            url: &url,
            headers: &postback.headers,
            body: &postback.body,
            bearer: None,
            max_body_bytes: MAX_ANSWER_BYTES,
        };
        match self.http.send(request).await {
            Ok(reply) => {
                let body = String::from_utf8_lossy(&reply.body).into_owned();
                let heard = self.template.network().hears(&postback, reply.status, &body);
                (heard, Some(reply.status), body, false)
            }
            Err(NoReply { reason, unreachable }) => (Heard::Nothing, None, reason, unreachable),
        }
    }

    fn feed<T>(&self, ask: impl FnOnce(&mut Feed<P>) -> T) -> T {
        // A panic inside the plan ends the run when the tasks are joined; until then its state is usable.
        ask(&mut self.feed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns immediately if `at` has passed: a timer would cost a late call another tick.
async fn until(at: Instant) {
    let wake_at = at - TIMER_TICK;
    if Instant::now() < wake_at {
        sleep_until(wake_at).await;
    }
}

#[cfg(test)]
mod tests;
