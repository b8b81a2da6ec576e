//! How long the report of a day takes over the books of a million rewards, and what callers notice of it meanwhile.

use std::time::{Duration, Instant};

use domain::time::{DAY_MS, TimestampMs};

use crate::books::{DAYS, fill};
use crate::load::{Load, Round};
use crate::now_ms;
use crate::processes::{Gateway, Running, timed};

/// Rewards in the books, unless `--rewards` says otherwise.
const REWARDS: u64 = 1_000_000;
/// How long the report of a day may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Postbacks a second while reports are made.
const RATE: u32 = 300;
/// How long they come when none is made.
const QUIET: Duration = Duration::from_secs(15);
/// How often the same report is made.
const ROUNDS: usize = 3;

/// Fills the books, closes every day before today as it happens night by night, and measures the report of today: it
/// is never closed, so it is made anew each time.
pub(crate) async fn report(database: &str, postgres: &str, rewards: Option<u64>) {
    let rewards = rewards.unwrap_or(REWARDS);
    let gateway = Gateway::prepare(database, postgres).await;
    let now = fill_books(&gateway, rewards).await;
    let nights = close_nights(&gateway, now);
    println!(
        "{} report of a night  median {:.2?}  slowest {:.2?} of {}",
        gateway.database,
        nights[nights.len() / 2],
        nights[nights.len() - 1],
        nights.len()
    );
    let today = date(now, 0);
    let mut took: Vec<_> = (0..ROUNDS).map(|_| gateway.report(&today)).collect();
    took.sort_unstable();
    let median = took[ROUNDS / 2];
    let verdict = if median < LIMIT { "within" } else { "BEYOND" };
    println!("{} report of today    {median:.2?}, {verdict} the limit of {LIMIT:?}", gateway.database);

    let web = gateway.web();
    let mut load = Load::new();
    let quiet = load.steady(web.address, RATE, tokio::time::sleep(QUIET)).await;
    println!("{} acknowledged without a report  {quiet}", gateway.database);
    let (busy, took) = while_reporting(&gateway, &web, &mut load, &today).await;
    println!("{} acknowledged beside reports    {busy}", gateway.database);
    println!("{} report beside {RATE} postbacks a second  {took:.2?}", gateway.database);
    web.stop();
    gateway.remove().await;
}

/// Fills the fresh database of `gateway` with the books of `rewards`, the last of them received now: when that is, in unix
/// milliseconds.
pub(crate) async fn fill_books(gateway: &Gateway, rewards: u64) -> i64 {
    // Makes the tables.
    gateway.web().stop();
    let (now_ms, began) = (now_ms(), Instant::now());
    fill(gateway, i64::try_from(rewards).expect("not so many"), now_ms).await;
    println!("{} {rewards} rewards in the books after {:.1?}", gateway.database, began.elapsed());
    now_ms
}

/// Closes every day before today, one after the other: how long each took, the quickest first.
pub(crate) fn close_nights(gateway: &Gateway, now_ms: i64) -> Vec<Duration> {
    let mut nights: Vec<_> =
        (1..=DAYS).rev().map(|days_ago| gateway.report(&date(now_ms, days_ago))).collect();
    nights.sort_unstable();
    nights
}

/// The day so many days before `now_ms`.
fn date(now_ms: i64, days_ago: i64) -> String {
    TimestampMs(now_ms - days_ago * DAY_MS).business_date(chrono_tz::Tz::UTC)
}

/// Postbacks at the same rate for as long as reports take; also how long the slowest of them took.
async fn while_reporting(gateway: &Gateway, web: &Running, load: &mut Load, date: &str) -> (Round, Duration) {
    let mut command = gateway.report_command(date);
    let (done, is_done) = tokio::sync::oneshot::channel();
    let reporting = std::thread::spawn(move || {
        // It does not tie out while postbacks wait, and nobody decides them here.
        let slowest = (0..ROUNDS).map(|_| timed(&mut command, &[0, 1])).max();
        let _ = done.send(());
        slowest.expect("some rounds")
    });
    let busy = load
        .steady(web.address, RATE, async {
            let _ = is_done.await;
        })
        .await;
    (busy, reporting.join().expect("reports are made"))
}
