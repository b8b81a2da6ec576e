//! The database goes away and comes back: nothing is acknowledged meanwhile, and nothing has to be started again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::json_of;
use crate::database::Kind;
use crate::effects::assert_one_effect_each;
use crate::gate::Gate;
use crate::http::{Request, call};
use crate::load::Load;
use crate::network::{Event, deliver, send};
use crate::proxy::Proxy;
use crate::wait::until;

#[test]
fn while_the_line_to_the_database_is_cut_calls_are_put_off_and_afterwards_taken() {
    let gate = Gate::new(Kind::Postgres);
    let url = gate.database.url();
    let (server, name) = url.rsplit_once('/').expect("a database");
    let (user, address) = server.rsplit_once('@').expect("a user");
    let proxy = Proxy::new(address.parse().expect("an address"));
    gate.change(|settings| settings.with(&format!("database_url = \"{user}@{}/{name}\"", proxy.address)));
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
fn what_waits_while_the_database_is_closed_is_processed_when_it_opens_again() {
    let gate = Gate::with(Kind::Postgres, |settings| settings.with("batch = 1"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    let mut events = Vec::new();
    for round in 0..5 {
        let new = (0..100).map(|number| Event::honest("u-1", &format!("T-{round}-{number}"), 10));
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
    api.settle();
    let put_aside = api.all("postbacks?outcome=quarantined", 100);
    assert_eq!(put_aside, Vec::<Value>::new(), "the database was closed, the postbacks were in order");
    assert_one_effect_each(&gate, &api, &events, &BTreeSet::new());
    assert!(up.process.runs());
}
