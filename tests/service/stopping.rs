//! SIGTERM: work in progress is finished, nothing acknowledged is lost, and the exit code is 0.

use std::collections::BTreeSet;

use crate::support::database::Kind;
use crate::support::effects::assert_one_effect_each;
use crate::support::gate::{Gate, Listening};
use crate::support::http::Connection;
use crate::support::load::Load;
use crate::support::network::Event;
use crate::support::wait::until;

on_both_databases!(
    a_web_process_that_is_stopped_under_load_keeps_what_it_acknowledged,
    a_gate_stopped_under_load_keeps_what_it_acknowledged,
    a_worker_that_is_stopped_with_work_waiting_leaves_it_to_the_next,
    a_request_in_hand_is_answered_before_the_end,
);

const CONNECTIONS: usize = 16;

fn a_web_process_that_is_stopped_under_load_keeps_what_it_acknowledged(on: Kind) {
    stop_under_load(on, Gate::web);
}

fn a_gate_stopped_under_load_keeps_what_it_acknowledged(on: Kind) {
    stop_under_load(on, Gate::up);
}

fn stop_under_load(on: Kind, start: fn(&Gate) -> Listening) {
    let gate = Gate::new(on);
    let mut stopped = start(&gate);
    let (events, load) = a_load(1_500);
    load.send_while(stopped.address, CONNECTIONS, || {
        load.wait_for(150);
        stopped.process.stop();
    });
    let left = load.into_left();
    assert!(!left.is_empty(), "it was stopped under load");

    // Only unacknowledged calls are sent again: any other missing one was lost.
    let up = gate.up();
    Load::new(left).deliver(up.address, CONNECTIONS);
    assert_one_effect_each(&gate, &gate.api(up.address), &events, &BTreeSet::new());
}

fn a_worker_that_is_stopped_with_work_waiting_leaves_it_to_the_next(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with("batch = 4"));
    let web = gate.web();
    let (events, load) = a_load(300);
    load.deliver(web.address, CONNECTIONS);
    for _ in 0..3 {
        gate.worker().stop();
    }
    let _worker = gate.worker();
    assert_one_effect_each(&gate, &gate.api(web.address), &events, &BTreeSet::new());
}

fn a_request_in_hand_is_answered_before_the_end(on: Kind) {
    let gate = Gate::new(on);
    let mut web = gate.web();
    let event = Event::honest("u-1", "T-1", 500);
    let mut connection = Connection::open(web.address).expect("a connection");
    begin(&mut connection, &event.credit());

    web.process.terminate();
    until("the end of listening", || Connection::open(web.address).err());
    assert!(web.process.runs(), "it ended with a request in hand");
    connection.send(b"12345").expect("a connection that is still open");
    let answer = connection.answer(false).expect("an answer");
    assert!(answer.is_acknowledged(), "{answer:?}");
    assert_eq!(web.process.exit().code(), Some(0));

    let up = gate.up();
    assert_one_effect_each(&gate, &gate.api(up.address), &[event], &BTreeSet::new());
}

/// Does not depend on the database, so one is enough.
#[test]
fn callers_who_never_finish_do_not_keep_the_process_from_ending() {
    let gate = Gate::new(Kind::Sqlite);
    let mut up = gate.up();
    let connect = || Connection::open(up.address).expect("a connection");
    let mut silent = [connect(), connect(), connect(), connect()];
    let [_nothing, half_a_head, postback, decision] = &mut silent;
    half_a_head.send(b"GET /pb/targo?uid=u-1 HTTP/1.1\r\nHo").expect("a connection");
    begin(postback, &Event::honest("u-1", "T-1", 500).credit());
    begin(decision, "/api/v1/rewards/1/release");
    up.process.stop();
}

/// Sends the head of a POST with a body of five bytes, and waits until the body is asked for.
fn begin(connection: &mut Connection, target: &str) {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    );
    connection.send(head.as_bytes()).expect("a connection");
    assert_eq!(connection.answer(false).expect("an answer").status, 100);
}

/// So many events, and the load that sends each once.
fn a_load(number: usize) -> (Vec<Event>, Load) {
    let event = |number: usize| Event::honest(&format!("u-{}", number % 7), &format!("T-{number}"), 100);
    let events: Vec<_> = (0..number).map(event).collect();
    let load = Load::new(events.iter().map(Event::credit).collect());
    (events, load)
}
