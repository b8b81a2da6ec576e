//! The load: signed honest postbacks over keep-alive connections, each sent when the one before is answered.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::signature::{Secret, SignatureForm, sign};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::processes::{ORIGIN, SECRET};

/// Distinct users.
const USERS: u64 = 100_000;

/// Makes postbacks that were never made before.
pub(crate) struct Load {
    next: Arc<AtomicU64>,
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
            secret: Secret::new(SECRET).expect("not empty"),
            clicked_at_s: now.as_secs() - 1_800,
        }
    }

    /// Sends on `connections` connections for `duration`.
    pub(crate) async fn run(&mut self, address: SocketAddr, connections: usize, duration: Duration) -> Round {
        let began = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (next, secret, clicked_at_s) =
                    (self.next.clone(), self.secret.clone(), self.clicked_at_s);
                tokio::spawn(async move {
                    let mut connection = TcpStream::connect(address).await.expect("connects");
                    connection.set_nodelay(true).expect("a socket");
                    let mut latency_us = Histogram::<u64>::new(3).expect("a histogram");
                    let mut answer = [0; 1_024];
                    while began.elapsed() < duration {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let request = request(number, &secret, clicked_at_s);
                        let sent = Instant::now();
                        connection.write_all(request.as_bytes()).await.expect("writes");
                        let length = connection.read(&mut answer).await.expect("reads");
                        assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "{:?}", &answer[..length]);
                        let elapsed_us = u64::try_from(sent.elapsed().as_micros()).expect("hours at most");
                        latency_us.record(elapsed_us).expect("it grows");
                    }
                    latency_us
                })
            })
            .collect();
        let mut latency_us = Histogram::<u64>::new(3).expect("a histogram");
        for task in tasks {
            latency_us.add(task.await.expect("ends")).expect("the same kind");
        }
        Round { answers: latency_us.len(), elapsed: began.elapsed(), latency_us }
    }
}

/// An honest postback with every field that the network sends.
fn request(number: u64, secret: &Secret, clicked_at_s: u64) -> String {
    let (user, offer) = (number % USERS, number / USERS);
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
