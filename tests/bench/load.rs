//! The load: signed honest postbacks over keep-alive connections, each sent when the one before is answered, or so
//! many a second.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::postback::signature::Secret;
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::now_ms;
use crate::postback::Postback;
use crate::processes::SECRET;

/// Distinct users.
const USERS: u64 = 100_000;
/// Connections that a steady rate is spread over: enough that a slow answer holds up nobody else.
const STEADY_CONNECTIONS: u32 = 64;

/// What all postbacks of a load have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Distinct, and no rule holds them.
    Credited,
    /// Distinct, and all but the first pay so much that they are held (M1).
    Held,
    /// Of one user, offer and event, so that all but the first are held (V3).
    OfOneTask,
}

/// Makes postbacks that were never made before.
pub(crate) struct Load {
    next: Arc<AtomicU64>,
    maker: Maker,
}

/// Makes the postback of a number.
#[derive(Clone)]
struct Maker {
    kind: Kind,
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
    /// Distinct ones that are credited.
    pub(crate) fn new() -> Self {
        Self::of(Kind::Credited)
    }

    /// Distinct ones that are held, but the first.
    pub(crate) fn held() -> Self {
        Self::of(Kind::Held)
    }

    /// Of one user, offer and event, each under a transaction of its own.
    pub(crate) fn of_one_task() -> Self {
        Self::of(Kind::OfOneTask)
    }

    fn of(kind: Kind) -> Self {
        let now_s = u64::try_from(now_ms()).expect("after 1970") / 1_000;
        let secret = Secret::new(SECRET).expect("not empty");
        Self { next: Arc::default(), maker: Maker { kind, secret, clicked_at_s: now_s - 1_800 } }
    }

    /// Sends on `connections` connections for `duration`.
    pub(crate) async fn run(&mut self, address: SocketAddr, connections: usize, duration: Duration) -> Round {
        let began = Instant::now();
        self.run_while(address, connections, move |_| began.elapsed() < duration).await
    }

    /// Sends exactly `count` on `connections` connections.
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
                let (next, maker, goes_on) = (self.next.clone(), self.maker.clone(), goes_on.clone());
                tokio::spawn(async move {
                    let mut connection = connect(address).await;
                    let mut latency_us = Histogram::<u64>::new(3).expect("a histogram");
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if !goes_on(number) {
                            return latency_us;
                        }
                        let request = maker.request(number);
                        let sent = Instant::now();
                        ask(&mut connection, &request).await;
                        latency_us.record(micros(sent.elapsed())).expect("it grows");
                    }
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
                let (next, maker, ended) = (self.next.clone(), self.maker.clone(), ended.clone());
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
                        ask(&mut connection, &maker.request(number)).await;
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

impl Maker {
    /// An honest postback, as a request.
    fn request(&self, number: u64) -> String {
        let (user, offer) =
            if self.kind == Kind::OfOneTask { (0, 0) } else { (number % USERS, number / USERS) };
        let is_large = self.kind == Kind::Held && number > 0;
        let host = |number: u64| u8::try_from(number % 250).expect("below 250");
        let signed = Postback {
            user,
            tx_id: &format!("8f14e45f-{number:012}"),
            offer,
            event: offer,
            payout: if is_large { "60" } else { "1.5" },
            address: IpAddr::V4(Ipv4Addr::new(8, 8, host(number), host(number / 250))),
            country: "US",
            sub1: "android",
            clicked_at_s: self.clicked_at_s,
        }
        .target(&self.secret);
        format!(
            "GET {signed} HTTP/1.1\r\nhost: gw.example.com\r\nuser-agent: network/1\r\naccept: */*\r\n\r\n"
        )
    }
}
