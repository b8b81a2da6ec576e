//! Trouble: the database's server, the disk, the clock, and work that piles up. Whatever happens, what was
//! acknowledged has one effect, nothing else is acknowledged, and nobody has to start anything again.
//!
//! `SERVICE_OUTAGE_SECONDS` sets how long the database is away, and `SERVICE_BACKLOG` how much piles up; both are
//! small by default.

pub(crate) mod machine;
mod server;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::api::json_of;
use crate::support::database::{Database, Kind};
use crate::support::effects::assert_one_effect_each;
use crate::support::gate::Gate;
use crate::support::http::{Request, call};
use crate::support::load::Load;
use crate::support::network::{Event, deliver, send};
use crate::support::scale::scale;
use crate::support::settings::Settings;
use crate::support::wait::{DEADLINE, until};
use machine::Machine;
use server::Server;

/// Seconds that the server is away.
const OUTAGE_S: usize = 3;
/// Postbacks that arrive while nobody works.
const BACKLOG: usize = 5_000;
const CONNECTIONS: usize = 16;
/// Postbacks a second while the server goes and comes back.
const RATE: u32 = 500;
/// How far the clock is set back: further than any lease, grace or schedule is long.
const SET_BACK_S: i64 = 26 * 60 * 60;

fn events(prefix: &str, count: usize) -> Vec<Event> {
    let users = 7.max(count / 20);
    (0..count)
        .map(|number| Event::honest(&format!("u-{}", number % users), &format!("{prefix}-{number}"), 10))
        .collect()
}

fn credits(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::credit).collect()
}

#[test]
fn a_database_restart_puts_calls_off_and_needs_no_restart_of_ours() {
    let seconds = scale("SERVICE_OUTAGE_SECONDS", OUTAGE_S);
    let server = Server::start();
    let gate = Gate::on(Database::on_server(&server.url()), |settings| settings);
    let (mut web, mut worker) = (gate.web(), gate.worker());
    let events = events("T", RATE as usize * (seconds + 3));
    let load = Load::paced(credits(&events), RATE);
    let put_off = load.send_while(web.address, CONNECTIONS, || {
        load.wait_for(200);
        server.crash();
        let down = Instant::now();
        let mut put_off = 0;
        while down.elapsed() < Duration::from_secs(seconds as u64) {
            let answer = send(web.address, Event::honest("nobody", "never", 1).credit());
            assert_eq!((answer.status, answer.header("Retry-After").is_some()), (503, true), "{answer:?}");
            put_off += 1;
        }
        server.go_on();
        put_off
    });
    assert!(put_off > 0);
    assert_eq!(load.into_left().len(), 0, "calls that were never acknowledged");
    let api = gate.api(web.address);
    until("the API after the outage", || (api.ask("rewards").status == 200).then_some(()));
    assert_one_effect_each(&gate, &api, &events, &BTreeSet::new());
    assert!(web.process.runs() && worker.runs());
    web.process.stop();
    worker.stop();
}

#[test]
fn connections_that_are_terminated_all_the_time_cost_nothing_but_time() {
    let gate = Gate::with(Kind::Postgres, |settings| settings.with("batch = 16"));
    let (mut web, mut worker) = (gate.web(), gate.worker());
    let events = events("T", 1_000);
    let load = Load::new(credits(&events));
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                gate.database.terminate_one();
            }
        });
        load.send_while(web.address, CONNECTIONS, || {});
        ended.store(true, Ordering::SeqCst);
    });
    assert_eq!(load.into_left().len(), 0, "calls that were never acknowledged");
    let api = gate.api(web.address);
    assert_one_effect_each(&gate, &api, &events, &BTreeSet::new());
    assert!(web.process.runs() && worker.runs());
    web.process.stop();
    worker.stop();
}

/// Fills the disk under a running gate until it answers 503, clears it, and demands that all goes on.
fn run_out_of_room(gate: &Gate, machine: &Machine) {
    let mut up = gate.up();
    let api = gate.api(up.address);
    let mut taken = events("before", 100);
    Load::new(credits(&taken)).deliver(up.address, CONNECTIONS);
    api.await_processing();

    machine.fill_disk();
    // What has been allocated is used up first.
    let start = Instant::now();
    let mut put_off = Vec::new();
    for number in 0.. {
        assert!(start.elapsed() < DEADLINE, "the disk is full and everything is acknowledged");
        let event = Event::honest("u-1", &format!("full-{number}"), 10);
        let answer = send(up.address, event.credit());
        match answer.status {
            200 => taken.push(event),
            503 => put_off.push(event),
            _ => panic!("{answer:?}"),
        }
        if put_off.len() == 5 {
            break;
        }
    }
    assert_eq!(call(up.address, &Request::get("/healthz")).status, 200);
    machine.clear_disk();

    put_off.extend(events("after", 100));
    for event in &put_off {
        deliver(up.address, &event.credit());
    }
    taken.extend(put_off);
    until("the API with room", || (api.ask("rewards").status == 200).then_some(()));
    assert_one_effect_each(gate, &api, &taken, &BTreeSet::new());
    assert!(up.process.runs(), "it had to be started again");
    up.process.stop();
}

pub(crate) fn on_machine(settings: Settings, machine: &Machine) -> Settings {
    machine
        .environment()
        .into_iter()
        .fold(settings, |settings, (name, value)| settings.with_variable(name, &value))
}

#[test]
fn a_full_disk_under_sqlite_puts_calls_off_until_there_is_room() {
    let gate = Gate::new(Kind::Sqlite);
    let machine = Machine::new(&gate.path(""));
    gate.change(|settings| on_machine(settings, &machine));
    run_out_of_room(&gate, &machine);
}

#[test]
fn a_full_disk_under_postgres_puts_calls_off_until_there_is_room() {
    let mut machine = None;
    let server = Server::start_with(|folder| machine.insert(Machine::new(folder)).environment().into());
    let gate = Gate::on(Database::on_server(&server.url()), |settings| settings);
    run_out_of_room(&gate, &machine.expect("it was prepared"));
}

fn a_clock_that_is_set_back_neither_loses_nor_doubles_anything(on: Kind) {
    let gate = Gate::new(on);
    let machine = Machine::new(&gate.path(""));
    gate.change(|settings| on_machine(settings, &machine));
    let mut up = gate.up();
    let api = gate.api(up.address);
    let mut all = events("before", 50);
    Load::new(credits(&all)).deliver(up.address, CONNECTIONS);
    // They are decided on by the right clock.
    api.await_processing();
    machine.set_clock(-SET_BACK_S);
    // To this clock the clicks are in the future: the network has the right time. People look at such rewards, so
    // these are of users whose clicks are as old as the clock believes.
    let after: Vec<_> = (0..50)
        .map(|number| Event::honest("u-1", &format!("after-{number}"), 10).clicked_earlier(SET_BACK_S))
        .collect();
    Load::new(credits(&after)).deliver(up.address, CONNECTIONS);
    // Repeats of both sides of the change.
    Load::new(credits(&all)).deliver(up.address, CONNECTIONS);
    Load::new(credits(&after)).deliver(up.address, CONNECTIONS);
    all.extend(after);
    assert_one_effect_each(&gate, &api, &all, &BTreeSet::new());
    let checked = gate.run(&["check", "--offline"]);
    assert!(crate::support::gate::text(&checked.stdout).contains("this clock was set back"), "{checked:?}");
    machine.set_clock(0);
    // Once more the worker's last look lies a day back, until the next one.
    until("readiness by the right clock", || {
        (json_of(&call(up.address, &Request::get("/readyz")))["ready"] == true).then_some(())
    });
    up.process.stop();
}

fn what_piles_up_while_nobody_works_is_caught_up(on: Kind) {
    let gate = Gate::new(on);
    let mut web = gate.web();
    let events = events("T", scale("SERVICE_BACKLOG", BACKLOG));
    Load::new(credits(&events)).deliver(web.address, CONNECTIONS * 4);
    let api = gate.api(web.address);
    assert_eq!(api.all("rewards", 10).len(), 0, "nobody works");
    let mut worker = gate.worker();
    until("the worker catches up", || (api.waiting() == 0).then_some(()));
    assert_one_effect_each(&gate, &api, &events, &BTreeSet::new());
    web.process.stop();
    worker.stop();
}

fn several_processes_bring_the_schema_up_to_date_at_once(on: Kind) {
    let gate = Gate::new(on);
    let mut migrating: Vec<_> = (0..4).map(|_| gate.start(&["migrate"])).collect();
    for process in &mut migrating {
        assert_eq!(process.exit().code(), Some(0), "{}", process.log());
    }
    gate.assert_proven();
}

on_both_databases!(
    several_processes_bring_the_schema_up_to_date_at_once,
    a_clock_that_is_set_back_neither_loses_nor_doubles_anything,
    what_piles_up_while_nobody_works_is_caught_up,
);
