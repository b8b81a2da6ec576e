//! What strangers can do to a gateway that faces the internet: memory under a million hostile requests, and whether
//! signed postbacks are acknowledged all along.
//!
//!     cargo bench --bench hostile
//!     cargo bench --bench hostile -- --requests 100000
//!     cargo bench --bench hostile -- attacks --seconds 10
//!     cargo bench --bench hostile -- attacks --only idle
//!
//! Eight addresses of this machine send malformed, oversized and unsigned requests as fast as they are answered, and
//! hold as many slow connections as they are given. Beside them one caller sends signed postbacks on a fixed
//! schedule. `attacks` tries one way in after the other instead, and compares acknowledgements before and meanwhile.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first unexpected result"
)]

mod attacks;
mod gateway;
mod honest;
mod strangers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gateway::Gateway;
use honest::{KEPT_PER_S, Network};
use strangers::{Kind, Stranger};

/// Requests in all, unless `--requests` says otherwise.
const REQUESTS: u64 = 1_000_000;
/// Addresses that strangers call from: 127.0.1.1 and so on.
const ADDRESSES: u8 = 8;
/// Connections of each address that send as fast as they are answered, and that are slow.
const QUICK: usize = 8;
const SLOW: usize = 240;
/// Seconds of each attack, unless `--seconds` says otherwise.
const ATTACK_S: u64 = 10;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if arguments.iter().any(|argument| argument == "attacks") {
        let at = arguments.iter().position(|argument| argument == "--only");
        let only = at.and_then(|at| arguments.get(at + 1)).map(String::as_str);
        let lasts = Duration::from_secs(number("--seconds").unwrap_or(ATTACK_S));
        runtime.block_on(attacks::run(lasts, only));
    } else {
        runtime.block_on(run(number("--requests").unwrap_or(REQUESTS)));
    }
}

async fn run(requests: u64) {
    let gateway = Gateway::start();
    let before_kib = gateway.resident_kib();
    let over = Arc::new(AtomicBool::new(false));
    let left = Arc::new(AtomicU64::new(requests));
    let mut network = Network::new(gateway.address, KEPT_PER_S, true);
    let honest = tokio::spawn({
        let over = over.clone();
        async move { network.sends(over).await }
    });
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
