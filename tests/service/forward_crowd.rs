//! Thousands of events to an app that fails, hangs up and goes down, sent by a worker that is killed: everything
//! arrives, in order, and the app's books are ours.
//!
//! `SERVICE_FORWARD_EVENTS` sets how many credits there are, a fifth of them taken back; by default a few.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use domain::time::TimestampMs;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::app::{App, Reply};

use crate::support::api::Api;
use crate::support::app::app;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::load::Load;
use crate::support::network::Event;
use crate::support::scale::scale;
use crate::support::wait::until;

on_both_databases!(
    deliveries_arrive_in_order_despite_a_failing_app_and_killed_workers,
    an_app_that_answers_at_once_gets_deliveries_at_once,
);

const CREDITS: usize = 1_500;
const USERS: usize = 150;
const CONNECTIONS: usize = 16;
/// How long all of it may take: retries and leases are waited out.
const ALL_DEADLINE: Duration = Duration::from_mins(8);

fn credits() -> usize {
    scale("SERVICE_FORWARD_EVENTS", CREDITS)
}

fn events(count: usize) -> Vec<Event> {
    let event = |number: usize| {
        let units = i64::try_from(number % 900).expect("small") + 1;
        Event::honest(&format!("u-{}", number % USERS), &format!("T-{number}"), units)
    };
    (0..count).map(event).collect()
}

/// Waits until nothing is to be sent any more.
fn all_sent(api: &Api) {
    let began = Instant::now();
    api.await_processing();
    for status in ["waiting", "behind"] {
        while api.get(&format!("deliveries?status={status}&limit=1"))["items"].get(0).is_some() {
            assert!(
                began.elapsed() < ALL_DEADLINE,
                "waited in vain for the last delivery to be {status} no more"
            );
            thread::sleep(Duration::from_millis(200));
        }
    }
    // Blocked deliveries may have become due meanwhile.
    let done = ["waiting", "behind"]
        .iter()
        .all(|status| api.get(&format!("deliveries?status={status}&limit=1"))["items"].get(0).is_none());
    if !done {
        all_sent(api);
    }
}

fn deliveries_arrive_in_order_despite_a_failing_app_and_killed_workers(on: Kind) {
    let app = app();
    let down = Arc::new(AtomicBool::new(false));
    let mut rng = StdRng::seed_from_u64(7);
    let is_down = down.clone();
    app.answer_with(move |_| match rng.random_range(0..200) {
        _ if is_down.load(Ordering::Relaxed) => Reply::Close,
        0..20 => Reply::Refuse(500),
        20..25 => Reply::Close,
        25..30 => Reply::BookAndClose,
        _ => Reply::Acknowledge,
    });
    let pauses = ["0.1"; 40].join(", ");
    let gate = Gate::with(on, |settings| {
        settings.forwarding_to(&app, &format!("schedule = [{pauses}]\ntimeout_seconds = 1\nconcurrency = 32"))
    });
    let web = gate.web();
    let mut worker = gate.worker();
    let api = gate.api(web.address);

    let events = events(credits());
    let (first, second) = events.split_at(events.len() / 2);
    let reversed: Vec<_> = events[..events.len() / 5].to_vec();
    Load::new(first.iter().map(Event::credit).collect()).deliver(web.address, CONNECTIONS);
    until("the app hears something", || (app.calls() > 50).then_some(()));
    worker.kill();
    worker = gate.worker();
    // The app goes down while more comes in, also reversals of credits that it has received.
    until("the app hears more", || (app.booked() >= reversed.len() / 2).then_some(()));
    down.store(true, Ordering::Relaxed);
    let rest = second.iter().map(Event::credit).chain(reversed.iter().map(Event::reversal)).collect();
    Load::new(rest).deliver(web.address, CONNECTIONS);
    until("the breaker opens", || worker.log().contains("the app is down").then_some(()));
    worker.kill();
    worker = gate.worker();
    down.store(false, Ordering::Relaxed);
    let before = app.calls();
    until("the app hears again", || (app.calls() > before + 50).then_some(()));
    worker.kill();
    worker = gate.worker();
    all_sent(&api);
    worker.stop();

    assert_delivered(&api, &app, events.len(), reversed.len());
    for (user, balance) in app.balances() {
        assert_eq!(api.balance(&user), balance.to_string(), "{user}");
    }
    gate.assert_proven();
}

/// Everything that is delivered arrived, under one id each, and user by user in the order of its causes.
fn assert_delivered(api: &Api, app: &App, credits: usize, reversals: usize) {
    let deliveries = api.all("deliveries", 1_000);
    let arrivals = app.arrivals();
    assert!(arrivals.iter().all(|arrival| arrival.verified), "every signature verifies");
    let mut count: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut number: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for one in &deliveries {
        let text = |name: &str| one[name].as_str().expect("a text").to_owned();
        *count.entry((text("event"), text("status"))).or_default() += 1;
        let int = |name: &str| one[name].as_i64().expect("a number");
        number.insert((int("reward_id"), int("sequence")), int("id"));
    }
    println!("{} calls, {count:?}", arrivals.len());
    let of =
        |event: &str, status: &str| count.get(&(event.to_owned(), status.to_owned())).copied().unwrap_or(0);
    assert_eq!(of("credited", "delivered") + of("credited", "withdrawn"), credits);
    assert_eq!(of("reversed", "delivered") + of("reversed", "withdrawn"), reversals);
    assert_eq!(of("credited", "withdrawn"), of("reversed", "withdrawn"), "they end as pairs");
    assert_eq!(count.values().sum::<usize>(), credits + reversals, "nothing is left, and nothing failed");

    let arrived: BTreeSet<(i64, i64)> = arrivals.iter().map(|one| (one.reward_id, one.sequence)).collect();
    for one in deliveries.iter().filter(|one| one["status"] == "delivered") {
        let key = (one["reward_id"].as_i64().expect("an id"), one["sequence"].as_i64().expect("a number"));
        assert!(arrived.contains(&key), "{one} never arrived");
    }
    let mut ids: BTreeMap<(&str, u8), &str> = BTreeMap::new();
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for arrival in &arrivals {
        let id = ids.entry((&arrival.tx_id, arrival.status)).or_insert(&arrival.id);
        assert_eq!(*id, arrival.id, "one event, one id");
        let place = number[&(arrival.reward_id, arrival.sequence)];
        let before = last.insert(&arrival.user_id, place).unwrap_or(0);
        assert!(before <= place, "{} came after what was caused later", arrival.content);
    }
}

fn an_app_that_answers_at_once_gets_deliveries_at_once(on: Kind) {
    let app = app();
    let gate = Gate::with(on, |settings| settings.forwarding_to(&app, "concurrency = 32"));
    // In one process, one after the other: what it takes from the cause to the app.
    let mut up = gate.up();
    let api = gate.api(up.address);
    let paced = events(300);
    Load::new(paced.iter().map(Event::credit).collect()).deliver(up.address, 1);
    until("all of them arrive", || (app.booked() == paced.len()).then_some(()));
    let created_at: BTreeMap<i64, i64> = api
        .all("deliveries", 1_000)
        .iter()
        .map(|one| {
            let at = TimestampMs::parse(one["born_at"].as_str().expect("a time"), chrono_tz::Tz::UTC);
            (one["reward_id"].as_i64().expect("an id"), at.expect("a time").0)
        })
        .collect();
    let mut took_ms: Vec<_> =
        app.arrivals().iter().map(|one| one.at_ms - created_at[&one.reward_id]).collect();
    took_ms.sort_unstable();
    let (p50, p99) = (took_ms[took_ms.len() / 2], took_ms[took_ms.len() * 99 / 100]);
    up.process.stop();

    // A backlog: decided already, and no worker to deliver it.
    let web = gate.web();
    let api = api.at(web.address);
    let backlog = events(credits() + paced.len()).split_off(paced.len());
    gate.change(|settings| {
        settings.replace_in_tail("concurrency = 32", "concurrency = 32\nrate_per_second = 1")
    });
    let mut slow = gate.worker();
    Load::new(backlog.iter().map(Event::credit).collect()).deliver(web.address, CONNECTIONS);
    api.await_processing();
    slow.stop();
    gate.change(|settings| settings.replace_in_tail("\nrate_per_second = 1", ""));
    let before = app.booked();
    let mut worker = gate.worker();
    until("the backlog arrives", || (app.booked() == paced.len() + backlog.len()).then_some(()));
    let arrivals = app.arrivals();
    let (from, to) = (arrivals[before].at_ms, arrivals[arrivals.len() - 1].at_ms);
    let deliveries = arrivals.len() - before;
    println!(
        "{on:?}: p50 {p50} ms, p99 {p99} ms from cause to arrival; {deliveries} deliveries in {} ms",
        to - from
    );
    worker.stop();
}
