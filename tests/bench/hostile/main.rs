//! What strangers can do to a gateway that faces the internet: memory under a million hostile requests, and whether
//! signed postbacks are acknowledged all along.
//!
//!     cargo bench --bench hostile
//!     cargo bench --bench hostile -- --requests 100000
//!
//! Eight addresses of this machine send malformed, oversized and unsigned requests as fast as they are answered, and
//! hold as many slow connections as they are given. Beside them one caller sends signed postbacks on a fixed
//! schedule.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends at the first thing that is not as it should be"
)]

mod gateway;
mod strangers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::signature::{Secret, SignatureForm, sign};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use gateway::{Gateway, ORIGIN, SECRET};
use strangers::{Kind, Stranger};

/// Requests in all, unless told.
const REQUESTS: u64 = 1_000_000;
/// Addresses that strangers call from: 127.0.1.1 and so on.
const ADDRESSES: u8 = 8;
/// Connections of each address that send as fast as they are answered, and that are slow.
const QUICK: usize = 8;
const SLOW: usize = 240;
/// Signed postbacks a second.
const SIGNED_PER_S: u64 = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let requests = arguments.iter().position(|argument| argument == "--requests");
    let requests = requests.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(REQUESTS);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(run(requests));
}

async fn run(requests: u64) {
    let gateway = Gateway::start();
    let before_kib = gateway.resident_kib();
    let over = Arc::new(AtomicBool::new(false));
    let left = Arc::new(AtomicU64::new(requests));
    let honest = tokio::spawn(honest(gateway.address, over.clone()));
    let mut strangers = Vec::new();
    let mut slow = Vec::new();
    for address in 1..=ADDRESSES {
        let stranger = Stranger { from: [127, 0, 1, address].into(), to: gateway.address };
        for number in 0..QUICK {
            strangers.push(tokio::spawn(stranger.quick(Kind::ALL[number % Kind::ALL.len()], left.clone())));
        }
        for number in 0..SLOW {
            slow.push(tokio::spawn(stranger.slow(number % 3, over.clone())));
        }
    }
    let began = Instant::now();
    let mut most_kib = 0;
    while left.load(Ordering::Relaxed) > 0 {
        most_kib = gateway.resident_kib().max(most_kib);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let elapsed_s = began.elapsed().as_secs_f64();
    let mut answers = std::collections::BTreeMap::<String, u64>::new();
    for stranger in strangers {
        for (answer, count) in stranger.await.expect("ends") {
            *answers.entry(answer).or_default() += count;
        }
    }
    over.store(true, Ordering::Relaxed);
    let honest = honest.await.expect("ends");
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    println!(
        "{requests} hostile requests in {elapsed_s:.1} s, {} slow connections held",
        usize::from(ADDRESSES) * SLOW
    );
    for (answer, count) in answers {
        println!("  {answer:<40} {count:>9}");
    }
    let mib = |kib: u64| kib / 1_024;
    println!("resident memory: {} MiB before, {} MiB at most", mib(before_kib), mib(most_kib));
    println!("{honest}");
    gateway.stop();
}

/// Signed postbacks on a fixed schedule; what became of them.
async fn honest(to: std::net::SocketAddr, over: Arc<AtomicBool>) -> String {
    let secret = Secret::new(SECRET).expect("not empty");
    let began = Instant::now();
    let (mut acknowledged, mut failed) = (0_u64, 0_u64);
    let mut latency_us = Histogram::<u64>::new(3).expect("a histogram");
    let mut connection: Option<TcpStream> = None;
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        let due = began + Duration::from_micros(1_000_000 / SIGNED_PER_S * number);
        tokio::time::sleep_until(due.into()).await;
        let target = format!(
            "/pb/bench?user_id=u{}&tx_id=T{number}&reward=5&payout=0.01&status=1&timestamp=1795000000",
            number % 1_000
        );
        let signed = sign(ORIGIN, &target, SignatureForm::Empty, &secret);
        if ask(&mut connection, to, &signed).await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            acknowledged += 1;
        } else {
            failed += 1;
            connection = None;
        }
        let elapsed_us = u64::try_from(due.elapsed().as_micros()).expect("hours at most");
        latency_us.record(elapsed_us).expect("it grows");
        number += 1;
    }
    let ms = |quantile| latency_us.value_at_quantile(quantile) / 1_000;
    format!(
        "signed postbacks at {SIGNED_PER_S}/s: {acknowledged} acknowledged, {failed} not; ms from the scheduled \
         instant: p50 {} p99 {} max {}",
        ms(0.5),
        ms(0.99),
        ms(1.0)
    )
}

async fn ask(connection: &mut Option<TcpStream>, to: std::net::SocketAddr, target: &str) -> Option<String> {
    let stream = match connection {
        Some(stream) => stream,
        None => connection.insert(TcpStream::connect(to).await.ok()?),
    };
    let request = format!("GET {target} HTTP/1.1\r\nhost: gw.example.com\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = [0; 1_024];
    let length = stream.read(&mut answer).await.ok()?;
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}
