//! Honest callers: signed postbacks on a fixed schedule, whatever strangers do meanwhile.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::postback::signature::{Secret, SignatureForm, sign};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::gateway::{ORIGIN, SECRET};

/// Signed postbacks a second of a network that keeps its connection, and of one that does not.
pub(crate) const KEPT_PER_S: u64 = 200;
pub(crate) const ANEW_PER_S: u64 = 50;

/// No transaction is sent twice.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// How the honest caller's postbacks were answered.
pub(crate) struct Honest {
    per_s: u64,
    pub(crate) acknowledged: u64,
    pub(crate) failed: u64,
    latency_us: Histogram<u64>,
}

impl Honest {
    /// Milliseconds from the scheduled instant to the answer.
    pub(crate) fn ms(&self, quantile: f64) -> f64 {
        let us = u32::try_from(self.latency_us.value_at_quantile(quantile)).unwrap_or(u32::MAX);
        f64::from(us) / 1_000.0
    }
}

impl fmt::Display for Honest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "signed postbacks at {}/s: {} acknowledged, {} not; ms from the scheduled instant: p50 {:.1} \
             p99 {:.1} max {:.1}",
            self.per_s,
            self.acknowledged,
            self.failed,
            self.ms(0.5),
            self.ms(0.99),
            self.ms(1.0)
        )
    }
}

/// A postback of ours, signed; `number` makes the transaction.
pub(crate) fn signed(number: u64) -> String {
    let secret = Secret::new(SECRET).expect("not empty");
    let target = format!(
        "/pb/bench?user_id=u{}&tx_id=T{number}&reward=5&payout=0.01&status=1&timestamp=1795000000",
        number % 1_000
    );
    sign(ORIGIN, &target, SignatureForm::Empty, &secret)
}

/// A network that calls on a fixed schedule.
pub(crate) struct Network {
    to: SocketAddr,
    per_s: u64,
    /// One connection for all its calls, or a new one for each.
    keeps: bool,
    connection: Option<TcpStream>,
}

impl Network {
    pub(crate) fn new(to: SocketAddr, per_s: u64, keeps: bool) -> Self {
        Self { to, per_s, keeps, connection: None }
    }

    /// Sends until it is over.
    pub(crate) async fn sends(&mut self, over: Arc<AtomicBool>) -> Honest {
        let began = Instant::now();
        let latency_us = Histogram::<u64>::new(3).expect("a histogram");
        let mut honest = Honest { per_s: self.per_s, acknowledged: 0, failed: 0, latency_us };
        let mut number = 0;
        while !over.load(Ordering::Relaxed) {
            let due = began + Duration::from_micros(1_000_000 / self.per_s * number);
            tokio::time::sleep_until(due.into()).await;
            let answer = self.ask(&signed(NEXT.fetch_add(1, Ordering::Relaxed))).await;
            let is_acknowledged = answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"));
            if is_acknowledged {
                honest.acknowledged += 1;
            } else {
                honest.failed += 1;
            }
            if !is_acknowledged || !self.keeps {
                self.connection = None;
            }
            let elapsed_us = u64::try_from(due.elapsed().as_micros()).expect("hours at most");
            honest.latency_us.record(elapsed_us).expect("it grows");
            number += 1;
        }
        honest
    }

    async fn ask(&mut self, target: &str) -> Option<String> {
        let stream = match &mut self.connection {
            Some(stream) => stream,
            None => self.connection.insert(TcpStream::connect(self.to).await.ok()?),
        };
        let request = format!("GET {target} HTTP/1.1\r\nhost: gw.example.com\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = [0; 1_024];
        let length = stream.read(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer[..length]).into_owned())
    }
}
