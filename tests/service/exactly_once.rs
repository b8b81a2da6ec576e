//! One effect for each event, however often and in whatever order it is sent, and with any number of workers.

use std::collections::BTreeSet;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::support::database::Kind;
use crate::support::effects::assert_one_effect_each;
use crate::support::gate::{Gate, listening, ready};
use crate::support::load::Load;
use crate::support::network::{Event, send_at_once};

on_both_databases!(
    two_hundred_sends_at_once_credit_once,
    a_thousand_events_sent_thrice_count_once_with_one_worker,
    a_thousand_events_sent_thrice_count_once_with_three_workers,
    processes_that_start_at_once_on_an_empty_database_all_get_ready,
);

fn two_hundred_sends_at_once_credit_once(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let event = Event::honest("u-1", "T-1", 500);
    for answer in send_at_once(up.address, &vec![event.credit(); 200]) {
        assert_eq!(answer.status_and_body(), (200, "OK"));
    }
    let reward = api.reward("T-1");
    assert_eq!((&reward["repeats"], reward["steps"].as_array().map(Vec::len)), (&199.into(), Some(1)));
    assert_eq!(reward["postbacks"].as_array().map(Vec::len), Some(200));
    assert_one_effect_each(&gate, &api, &[event], &BTreeSet::new());
}

fn a_thousand_events_sent_thrice_count_once_with_one_worker(on: Kind) {
    a_thousand_events_sent_thrice(on, 1);
}

fn a_thousand_events_sent_thrice_count_once_with_three_workers(on: Kind) {
    a_thousand_events_sent_thrice(on, 3);
}

/// Every fifth event is reversed, and its reversal is sent three times too; all in random order.
fn a_thousand_events_sent_thrice(on: Kind, workers: usize) {
    let gate = Gate::new(on);
    let web = gate.web();
    let _workers: Vec<_> = (0..workers).map(|_| gate.worker()).collect();
    let events: Vec<_> = (0..1_000)
        .map(|number| Event::honest(&format!("u-{}", number % 40), &format!("T-{number}"), 100 + number))
        .collect();
    let reversed: Vec<_> = events.iter().step_by(5).collect();
    let targets = events.iter().map(Event::credit).chain(reversed.iter().map(|event| event.reversal()));
    let mut targets: Vec<_> = targets.flat_map(|target| vec![target; 3]).collect();
    targets.shuffle(&mut StdRng::seed_from_u64(1_000));

    Load::new(targets).deliver(web.address, 64);
    let reversed = reversed.into_iter().map(|event| event.tx.clone()).collect();
    assert_one_effect_each(&gate, &gate.api(web.address), &events, &reversed);
}

fn processes_that_start_at_once_on_an_empty_database_all_get_ready(on: Kind) {
    let gate = Gate::new(on);
    let starting: Vec<_> =
        ["web", "worker", "web", "worker", "worker"].map(|role| (role, gate.start(&[role]))).into();
    let mut addresses = Vec::new();
    let mut running = Vec::new();
    for (role, process) in starting {
        if role == "web" {
            let web = listening(process);
            addresses.push(web.address);
            running.push(web.process);
        } else {
            running.push(ready(process));
        }
    }
    let api = gate.api(addresses[0]);
    let events: Vec<_> = (0..20).map(|number| Event::honest("u-1", &format!("T-{number}"), 10)).collect();
    for (address, events) in addresses.iter().zip(events.chunks(10)) {
        Load::new(events.iter().map(Event::credit).collect()).deliver(*address, 4);
    }
    assert_one_effect_each(&gate, &api, &events, &BTreeSet::new());
}

/// Small batches, so that both processes are at it all the time. SQLite has one writer, so they could not meet there.
#[test]
fn two_worker_processes_share_one_busy_user_without_losing_a_coin() {
    let gate = Gate::with(Kind::Postgres, |settings| settings.with("batch = 8"));
    let web = gate.web();
    let events: Vec<_> =
        (0..600).map(|number| Event::honest("busy", &format!("T-{number}"), 1 + number)).collect();
    let reversed: Vec<_> = events.iter().step_by(3).collect();
    let targets = events.iter().map(Event::credit).chain(reversed.iter().map(|event| event.reversal()));
    let mut targets: Vec<_> = targets.collect();
    targets.shuffle(&mut StdRng::seed_from_u64(600));

    // Half of it waits when they start, half of it comes while they work.
    let later = targets.split_off(targets.len() / 2);
    Load::new(targets).deliver(web.address, 16);
    let _workers = [gate.start(&["worker"]), gate.start(&["worker"])].map(ready);
    Load::new(later).deliver(web.address, 16);
    let reversed = reversed.into_iter().map(|event| event.tx.clone()).collect();
    assert_one_effect_each(&gate, &gate.api(web.address), &events, &reversed);
}
