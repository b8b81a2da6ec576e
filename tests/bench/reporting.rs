//! How long the report of a day takes over the books of a million rewards, and what callers notice of it meanwhile.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::time::{DAY_MS, TimestampMs};

use crate::books::{DAYS, fill};
use crate::load::{Load, Round};
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
pub(crate) async fn report(database: &str, postgres: &str, rewards: u64) {
    let rewards = if rewards > 0 { rewards } else { REWARDS };
    let gateway = Gateway::prepare(database, postgres).await;
    // Makes the tables.
    gateway.web().stop();
    #[expect(clippy::disallowed_methods, reason = "a benchmark is an edge")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("not so far ahead");
    let began = Instant::now();
    fill(&gateway, i64::try_from(rewards).expect("not so many"), now).await;
    println!("{} {rewards} rewards in the books after {:.1?}", gateway.database, began.elapsed());

    let date = |days_ago: i64| TimestampMs(now - days_ago * DAY_MS).business_date(chrono_tz::Tz::UTC);
    let mut nights: Vec<_> = (1..=DAYS).rev().map(|days_ago| gateway.report(&date(days_ago))).collect();
    nights.sort_unstable();
    println!(
        "{} report of a night  median {:.2?}  slowest {:.2?} of {}",
        gateway.database,
        nights[nights.len() / 2],
        nights[nights.len() - 1],
        nights.len()
    );
    let today = date(0);
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
