//! The load: signed honest postbacks over keep-alive connections, each sent when the one before is answered, or so
//! many a second.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::postback::signature::{Secret, SignatureForm, sign};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::processes::{ORIGIN, SECRET};

/// Distinct users.
const USERS: u64 = 100_000;
/// Connections that a steady rate is spread over: enough that a slow answer holds up nobody else.
const STEADY_CONNECTIONS: u32 = 64;

/// Makes postbacks that were never made before.
pub(crate) struct Load {
    next: Arc<AtomicU64>,
    /// True if all are of one user, offer and event.
    of_one_task: bool,
    secret: Secret,
    clicked_at_s: u64,
}

/// What came of one round.
pub(crate) struct Round {
    pub(crate) answers: u64,
    elapsed: Duration,
    latency_us: Histogram<u64>,
}

impl Round {
    pub(crate) fn p99_ms(&self) -> f64 {
        self.latency_us.value_at_quantile(0.99) as f64 / 1_000.0
    }

    pub(crate) fn answers_per_second(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }
}

impl fmt::Display for Round {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |quantile| self.latency_us.value_at_quantile(quantile) as f64 / 1_000.0;
        let rate = self.answers_per_second();
        write!(out, "{rate:>8.0}/s  p50 {:.1} ms  p99 {:.1} ms  max {:.1} ms", ms(0.5), ms(0.99), ms(1.0))
    }
}

impl Load {
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a benchmark is an edge")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Self {
            next: Arc::default(),
            of_one_task: false,
            secret: Secret::new(SECRET).expect("not empty"),
            clicked_at_s: now.as_secs() - 1_800,
        }
    }

    /// The same, of one user, offer and event, each under a transaction of its own.
    pub(crate) fn of_one_task() -> Self {
        Self { of_one_task: true, ..Self::new() }
    }

    /// Sends on `connections` connections for `duration`.
    pub(crate) async fn run(&mut self, address: SocketAddr, connections: usize, duration: Duration) -> Round {
        let began = Instant::now();
        self.run_while(address, connections, move |_| began.elapsed() < duration).await
    }

    /// Sends `count` on `connections` connections.
    pub(crate) async fn send(&mut self, address: SocketAddr, connections: usize, count: u64) -> Round {
        let end = self.next.load(Ordering::Relaxed) + count;
        self.run_while(address, connections, move |next| next < end).await
    }

    /// Sends as long as `goes_on`, which is given the number of the next.
    async fn run_while(
        &mut self,
        address: SocketAddr,
        connections: usize,
        goes_on: impl Fn(u64) -> bool + Clone + Send + 'static,
    ) -> Round {
        let began = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (next, secret, clicked_at_s, of_one_task, goes_on) = (
                    self.next.clone(),
                    self.secret.clone(),
                    self.clicked_at_s,
                    self.of_one_task,
                    goes_on.clone(),
                );
                tokio::spawn(async move {
                    let mut connection = connect(address).await;
                    let mut latency_us = Histogram::<u64>::new(3).expect("a histogram");
                    while goes_on(next.load(Ordering::Relaxed)) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let request = request(number, of_one_task, &secret, clicked_at_s);
                        let sent = Instant::now();
                        ask(&mut connection, &request).await;
                        latency_us.record(micros(sent.elapsed())).expect("it grows");
                    }
                    latency_us
                })
            })
            .collect();
        together(tasks, began).await
    }

    /// Sends `per_second` until `end` comes, whether or not answers come. Latencies count from when a postback was due
    /// to be sent: one that had to wait for its turn behind a slow answer has waited.
    pub(crate) async fn steady(
        &mut self,
        address: SocketAddr,
        per_second: u32,
        end: impl Future<Output = ()>,
    ) -> Round {
        let (began, ended) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let interval = Duration::from_secs(1) / per_second;
        let tasks: Vec<_> = (0..STEADY_CONNECTIONS)
            .map(|place| {
                let (next, secret, clicked_at_s, ended) =
                    (self.next.clone(), self.secret.clone(), self.clicked_at_s, ended.clone());
                tokio::spawn(async move {
                    let mut connection = connect(address).await;
                    let mut latency_us = Histogram::<u64>::new(3).expect("a histogram");
                    let mut due = began + interval * place;
                    loop {
                        tokio::time::sleep_until(due.into()).await;
                        if ended.load(Ordering::Relaxed) {
                            return latency_us;
                        }
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        ask(&mut connection, &request(number, false, &secret, clicked_at_s)).await;
                        latency_us.record(micros(due.elapsed())).expect("it grows");
                        due += interval * STEADY_CONNECTIONS;
                    }
                })
            })
            .collect();
        end.await;
        ended.store(true, Ordering::Relaxed);
        together(tasks, began).await
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).await.expect("connects");
    connection.set_nodelay(true).expect("a socket");
    connection
}

/// Sends a request and waits for its answer, which must be yes.
async fn ask(connection: &mut TcpStream, request: &str) {
    let mut answer = [0; 1_024];
    connection.write_all(request.as_bytes()).await.expect("writes");
    let length = connection.read(&mut answer).await.expect("reads");
    assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "{:?}", &answer[..length]);
}

fn micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).expect("hours at most")
}

/// What all connections came to.
async fn together(tasks: Vec<JoinHandle<Histogram<u64>>>, began: Instant) -> Round {
    let mut latency_us = Histogram::<u64>::new(3).expect("a histogram");
    for task in tasks {
        latency_us.add(task.await.expect("ends")).expect("the same kind");
    }
    Round { answers: latency_us.len(), elapsed: began.elapsed(), latency_us }
}

/// An honest postback with every field that the network sends.
fn request(number: u64, of_one_task: bool, secret: &Secret, clicked_at_s: u64) -> String {
    let (user, offer) = if of_one_task { (0, 0) } else { (number % USERS, number / USERS) };
    let target = format!(
        "/pb/bench?user_id=user-{user:06}&tx_id=8f14e45f-{number:012}&reward=750&payout=1.5&status=1\
         &offer_id=offer-{offer}&offer_name=Great%20Game&event_id={offer}&event_name=Finish%20the%20tutorial\
         &ip=8.8.{}.{}&country_code=US&timestamp={clicked_at_s}&sub1=android&sub2=campaign-7",
        number % 250,
        number / 250 % 250,
    );
    let signed = sign(ORIGIN, &target, SignatureForm::Empty, secret);
    format!("GET {signed} HTTP/1.1\r\nhost: gw.example.com\r\nuser-agent: network/1\r\naccept: */*\r\n\r\n")
}
