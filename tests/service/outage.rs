//! The database goes away and comes back: nothing is acknowledged meanwhile, and no process needs a restart.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::json_of;
use crate::support::database::Kind;
use crate::support::effects::assert_one_effect_each;
use crate::support::gate::Gate;
use crate::support::http::{Request, call};
use crate::support::load::Load;
use crate::support::network::{Event, deliver, send};
use crate::support::proxy::Proxy;
use crate::support::wait::until;

/// How soon calls are acknowledged again after the database can be reached again.
const AGAIN_WITHIN: Duration = Duration::from_secs(15);
/// How long any call waits for its answer, whatever the database does; and some time for a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(9);

/// A gate whose way to its database is `Proxy`.
fn gate_behind_a_proxy(more: &str) -> (Gate, Proxy) {
    let gate = Gate::with(Kind::Postgres, |settings| settings.with(more));
    let url = gate.database.url();
    let (server, name) = url.rsplit_once('/').expect("a database");
    let (user, address) = server.rsplit_once('@').expect("a user");
    let proxy = Proxy::new(address.parse().expect("an address"));
    gate.change(|settings| settings.with(&format!("database_url = \"{user}@{}/{name}\"", proxy.address)));
    (gate, proxy)
}

/// Calls that come all the time while `meanwhile` runs, from several callers, so that a commit is always in hand.
fn while_calls_come<T>(address: SocketAddr, events: &[Event], meanwhile: impl FnOnce() -> T) -> T {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let event = &events[next.fetch_add(1, Ordering::SeqCst) % events.len()];
                    let began = Instant::now();
                    let answer = send(address, event.credit());
                    assert!(answer.is_acknowledged() || answer.status == 503, "{answer:?}");
                    assert!(began.elapsed() < ANSWERED_WITHIN, "no answer for {:?}", began.elapsed());
                }
            });
        }
        let done = meanwhile();
        stop.store(true, Ordering::SeqCst);
        done
    })
}

/// Waits until a call is acknowledged, and demands that it is soon.
fn assert_acknowledged_soon(address: SocketAddr, event: &Event) {
    let began = Instant::now();
    deliver(address, &event.credit());
    assert!(began.elapsed() < AGAIN_WITHIN, "acknowledged again after {:?}", began.elapsed());
}

fn readiness(address: SocketAddr) -> (u16, String) {
    let ready = call(address, &Request::get("/readyz"));
    (ready.status, ready.body.clone())
}

fn events(prefix: &str, count: usize) -> Vec<Event> {
    (0..count).map(|number| Event::honest("u-1", &format!("{prefix}-{number}"), 10)).collect()
}

#[test]
fn calls_are_taken_again_soon_after_old_connections_fell_silent() {
    let (gate, proxy) = gate_behind_a_proxy("batch = 5");
    let (mut web, mut worker) = (gate.web(), gate.worker());
    let api = gate.api(web.address);
    let all = events("T", 400);
    deliver(web.address, &all[0].credit());
    api.await_processing();
    for round in 0..2 {
        while_calls_come(web.address, &all[..200], || {
            // Some are committed, and some are in hand.
            let some = Event::honest("u-1", &format!("T-{}", 200 + round), 10);
            deliver(web.address, &some.credit());
            proxy.fall_silent();
            assert_acknowledged_soon(web.address, &all[300 + round]);
        });
        // The worker, which may have been in the middle of a batch, goes on too.
        let began = Instant::now();
        api.await_processing();
        assert!(began.elapsed() < 2 * AGAIN_WITHIN, "settled again after {:?}", began.elapsed());
    }
    for event in &all {
        deliver(web.address, &event.credit());
    }
    api.await_processing();
    assert_one_effect_each(&gate, &api, &all, &BTreeSet::new());
    assert!(web.process.runs() && worker.runs());
    web.process.stop();
    worker.stop();
}

#[test]
fn without_the_database_calls_get_503_and_readiness_says_why() {
    let (gate, proxy) = gate_behind_a_proxy("batch = 5");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let watched = free.local_addr().expect("an address");
    drop(free);
    gate.change(|settings| settings.with(&format!("worker_listen = \"{watched}\"")));
    let (mut web, mut worker) = (gate.web(), gate.start(&["worker"]));
    let api = gate.api(web.address);
    let all = events("T", 200);
    deliver(web.address, &all[0].credit());
    api.await_processing();
    while_calls_come(web.address, &all, || {
        proxy.go_dark();
        let began = Instant::now();
        for address in [web.address, watched] {
            until("red readiness", || (readiness(address).0 == 503).then_some(()));
            assert!(began.elapsed() < AGAIN_WITHIN, "red after {:?}", began.elapsed());
            let said = readiness(address).1;
            assert!(said.contains("no answer") || said.contains("does not answer"), "{said}");
        }
        let answer = send(web.address, all[1].credit());
        assert_eq!((answer.status, answer.header("Retry-After").is_some()), (503, true), "{answer:?}");
        proxy.mend();
        assert_acknowledged_soon(web.address, &all[2]);
        for address in [web.address, watched] {
            until("green readiness", || (readiness(address).0 == 200).then_some(()));
        }
        assert!(began.elapsed() < 4 * AGAIN_WITHIN);
    });
    for event in &all {
        deliver(web.address, &event.credit());
    }
    api.await_processing();
    assert_one_effect_each(&gate, &api, &all, &BTreeSet::new());
    assert!(web.process.runs() && worker.runs());
    web.process.stop();
    worker.stop();
}

#[test]
fn a_read_only_database_is_not_ready_and_recovers() {
    let gate = Gate::new(Kind::Postgres);
    let mut up = gate.up();
    let api = gate.api(up.address);
    let all = events("T", 12);
    deliver(up.address, &all[0].credit());
    for round in 0..2 {
        gate.database.take_writes(false);
        until("red readiness", || (readiness(up.address).0 == 503).then_some(()));
        until("the reason", || readiness(up.address).1.contains("read-only").then_some(()));
        for event in &all[1 + round * 5..][..5] {
            assert_eq!(send(up.address, event.credit()).status, 503);
        }
        gate.database.take_writes(true);
        for event in &all[1 + round * 5..][..5] {
            assert_acknowledged_soon(up.address, event);
        }
        until("green readiness", || (readiness(up.address).0 == 200).then_some(()));
    }
    deliver(up.address, &all[11].credit());
    api.await_processing();
    assert_one_effect_each(&gate, &api, &all, &BTreeSet::new());
    assert!(up.process.runs());
    up.process.stop();
}

#[test]
fn readiness_names_what_the_database_refuses_until_it_recovers() {
    let gate = Gate::new(Kind::Postgres);
    let (role, url) = gate.database.own_role();
    gate.change(|settings| settings.with(&format!("database_url = \"{url}\"")));
    let mut up = gate.up();
    let api = gate.api(up.address);
    let all = events("T", 3);
    deliver(up.address, &all[0].credit());
    let refuses = |reason: &str| {
        until("red readiness", || {
            // Somebody has to come in vain, or the way in is not known to be shut.
            let answer = send(up.address, all[1].credit());
            assert!(answer.is_acknowledged() || answer.status == 503, "{answer:?}");
            let (status, said) = readiness(up.address);
            (status == 503 && said.contains(reason)).then_some(())
        });
    };
    role.may_record(false);
    refuses("lacks a privilege");
    role.may_record(true);
    assert_acknowledged_soon(up.address, &all[1]);
    role.limit_connections(0);
    gate.database.end_sessions();
    refuses("no free connections");
    role.limit_connections(-1);
    assert_acknowledged_soon(up.address, &all[2]);
    until("green readiness", || (readiness(up.address).0 == 200).then_some(()));
    api.await_processing();
    assert_one_effect_each(&gate, &api, &all, &BTreeSet::new());
    up.process.stop();
}

#[test]
fn calls_are_put_off_while_the_database_connection_is_cut() {
    let (gate, proxy) = gate_behind_a_proxy("");
    let mut up = gate.up();
    let api = gate.api(up.address);
    let events: Vec<_> = (0..30).map(|number| Event::honest("u-1", &format!("T-{number}"), 10)).collect();

    let (before, rest) = events.split_at(10);
    let (meanwhile, after) = rest.split_at(10);
    Load::new(before.iter().map(Event::credit).collect()).deliver(up.address, 4);
    for round in 0..2 {
        proxy.cut();
        for (event, method) in meanwhile[round * 5..][..5].iter().zip(["GET", "POST"].into_iter().cycle()) {
            let answer = call(up.address, &Request::new(method, event.credit()));
            assert_eq!(answer.status, 503, "{method}: {answer:?}");
            let seconds = answer.header("Retry-After").and_then(|seconds| seconds.parse::<u32>().ok());
            assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{answer:?}");
        }
        let answer = api.ask("rewards");
        assert_eq!((answer.status, &json_of(&answer)["error"]["code"]), (503, &json!("unavailable")));
        proxy.mend();
        for event in &meanwhile[round * 5..][..5] {
            deliver(up.address, &event.credit());
        }
    }
    Load::new(after.iter().map(Event::credit).collect()).deliver(up.address, 4);
    until("the API after the outage", || (api.ask("rewards").status == 200).then_some(()));
    assert_one_effect_each(&gate, &api, &events, &BTreeSet::new());
    assert!(up.process.runs());
    up.process.stop();
}

/// One by one, so that much still waits whenever the database closes.
#[test]
fn postbacks_wait_while_the_database_is_closed_and_are_then_processed() {
    let gate = Gate::with(Kind::Postgres, |settings| settings.with("batch = 1"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    let mut events = Vec::new();
    for round in 0..5 {
        let new = (0..40).map(|number| Event::honest("u-1", &format!("T-{round}-{number}"), 10));
        let new: Vec<_> = new.collect();
        Load::new(new.iter().map(Event::credit).collect()).deliver(up.address, 16);
        events.extend(new);

        gate.database.close();
        let late = Event::honest("u-1", &format!("T-{round}-late"), 10);
        // So often that the workers, too, have come to a closed door.
        for _ in 0..60 {
            let answer = send(up.address, late.credit());
            assert_eq!((answer.status, answer.header("Retry-After").is_some()), (503, true), "{answer:?}");
        }
        gate.database.reopen();
        deliver(up.address, &late.credit());
        events.push(late);
    }
    until("the API after the outage", || (api.ask("rewards").status == 200).then_some(()));
    api.await_processing();
    let put_aside = api.all("postbacks?outcome=quarantined", 100);
    assert_eq!(put_aside, Vec::<Value>::new(), "the database was closed, the postbacks were in order");
    assert_one_effect_each(&gate, &api, &events, &BTreeSet::new());
    assert!(up.process.runs());
}
