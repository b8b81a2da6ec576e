//! The API's document and its lists: every item is listed once, and an invalid query is refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::http::{Request, call};
use crate::support::network::{Event, deliver, send, send_at_once, sign};
use crate::support::wait::until;

on_both_databases!(
    the_document_lists_every_path_and_every_path_answers,
    pages_together_hold_everything_exactly_once,
    what_arrives_between_two_pages_shifts_nothing,
    filters_narrow_the_lists,
    a_parameter_that_does_not_exist_or_makes_no_sense_is_named,
);

fn the_document_lists_every_path_and_every_path_answers(on: Kind) {
    let (_gate, up, api) = busy(on);
    // The document is for anyone who writes a client.
    let answer = call(up.address, &Request::get("/api/v1/openapi.json"));
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
    let document = json_of(&answer);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().expect("methods").keys().map(|method| (method.clone(), path.clone()))
        })
        .collect();
    for (method, path) in [
        ("get", "/api/v1/rewards"),
        ("get", "/api/v1/rewards/{id}"),
        ("post", "/api/v1/rewards/{id}/release"),
        ("post", "/api/v1/rewards/{id}/reject"),
        ("get", "/api/v1/users/{id}/balance"),
        ("get", "/api/v1/postbacks"),
        ("get", "/api/v1/deliveries"),
        ("get", "/api/v1/reports/{date}"),
        ("get", "/api/v1/ledger/proof"),
    ] {
        assert!(documented.contains(&(method.into(), path.into())), "{method} {path} is not documented");
    }
    let id = api.reward("T-1")["id"].to_string();
    for (method, path) in documented {
        let path = path.strip_prefix("/api/v1/").expect("a path of the API");
        let path = path.replace("{id}", &id).replace("{date}", "2020-01-01").replace("{app}", "main");
        let answer = if method == "get" { api.ask(&path) } else { api.post(&path, "{\"note\":\"x\"}") };
        // What nobody serves is answered with plain text. There is no report of that day, and no delivery at all.
        json_of(&answer);
        match (method.as_str(), path.as_str()) {
            ("get", path) if path.starts_with("lists/") => assert_eq!(answer.status, 404, "{path}"),
            ("get", path) if path.starts_with("reports/") => assert_eq!(answer.status, 404, "{path}"),
            // Nobody sent a statement.
            ("get", path) if path.starts_with("statements/") => {
                // Of lines it is first asked which.
                assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
            }
            ("get", _) => assert_eq!(answer.status, 200, "{path}"),
            // A credited reward has nothing to decide: the decision exists and is refused.
            (_, path) if path.starts_with("rewards/") => assert_eq!(answer.status, 409, "{path}"),
            _ => assert!(matches!(answer.status, 200 | 400 | 404 | 409), "{path}: {answer:?}"),
        }
    }
    assert_every_reference_leads_somewhere(&document, &document);
}

fn pages_together_hold_everything_exactly_once(on: Kind) {
    let (_gate, _up, api) = busy(on);
    until("the refused calls", || (api.all("postbacks?outcome=refused", 1_000).len() == 5).then_some(()));
    for (path, expected) in [
        ("rewards", 25),
        ("rewards?status=held", 5),
        ("rewards?user_id=u-1", 10),
        ("postbacks", 33),
        ("postbacks?outcome=processed", 25),
        ("postbacks?outcome=repeat", 5),
        ("postbacks?outcome=quarantined", 3),
        ("postbacks?outcome=refused", 5),
    ] {
        let whole = api.all(path, 1_000);
        assert_eq!(whole.len(), expected, "{path}");
        let ids: BTreeSet<_> = whole.iter().map(|item| item["id"].as_i64().expect("an id")).collect();
        assert_eq!(ids.len(), expected, "{path}: something stands there twice");
        // The last page may be full, or hold one, or be the only one.
        for limit in [1, 4, 5, 25, 33, 34] {
            assert_eq!(api.all(path, limit), whole, "{path} by {limit}");
        }
        let times: Vec<_> = whole.iter().map(|item| item["received_at"].as_str().expect("a time")).collect();
        assert!(
            path.starts_with("postbacks") || times.is_sorted_by(|newer, older| newer >= older),
            "{path}: {times:?}"
        );
    }
}

fn what_arrives_between_two_pages_shifts_nothing(on: Kind) {
    let (_gate, up, api) = busy(on);
    for path in ["rewards", "postbacks"] {
        let before = api.all(path, 1_000);
        let first = api.get(&format!("{path}?limit=10"));
        deliver(up.address, &Event::honest("u-9", path, 1).credit());
        api.await_processing();
        let cursor = first["next"].as_str().expect("there is more");
        let rest = api.get(&format!("{path}?limit=1000&cursor={cursor}"));
        let together = [&first, &rest].map(|page| page["items"].as_array().expect("items").clone()).concat();
        assert_eq!(together, before, "{path}");
        assert_eq!(api.all(path, 1_000).len(), before.len() + 1, "{path}");
    }
}

fn filters_narrow_the_lists(on: Kind) {
    let (_gate, _up, api) = busy(on);
    let all = api.all("rewards", 1_000);
    let oldest = all.last().expect("rewards")["received_at"].as_str().expect("a time").to_owned();
    for (query, expected) in [
        ("source=targo".to_owned(), 25),
        ("source=other".into(), 0),
        ("tx_id=T-3".into(), 1),
        ("user_id=u-1&status=credited&source=targo&tx_id=T-1".into(), 1),
        ("user_id=u-2&tx_id=T-2".into(), 0),
        // An empty field of a form asks for nothing.
        ("status=&source=&user_id=&tx_id=&from=&to=&cursor=&limit=".into(), 25),
        (format!("from={oldest}"), 25),
        (format!("to={oldest}"), 0),
        ("from=2000-01-01&to=2001-01-01".into(), 0),
        ("from=2000-01-01".into(), 25),
        ("status=reversed".into(), 0),
    ] {
        let found = api.get(&format!("rewards?{query}"));
        assert_eq!(found["items"].as_array().map(Vec::len), Some(expected), "{query}");
    }
    assert_eq!(api.all("postbacks?source=other", 10), Vec::<Value>::new());
}

fn a_parameter_that_does_not_exist_or_makes_no_sense_is_named(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for (path, named) in [
        ("rewards?colour=red", "colour"),
        ("rewards?status=held&Status=held", "Status"),
        ("postbacks?colour=red", "colour"),
        ("users/u-1/balance?colour=red", "colour"),
        ("rewards?status=lost", "status"),
        ("rewards?from=yesterday", "from"),
        ("rewards?to=tomorrow", "to"),
        ("rewards?cursor=second", "cursor"),
        ("rewards?limit=0", "limit"),
        ("rewards?limit=1001", "limit"),
        ("postbacks?limit=-1", "limit"),
        ("postbacks?outcome=lost", "outcome"),
        ("rewards?status=held&status=held", "status"),
    ] {
        let answer = api.ask(path);
        let error = &json_of(&answer)["error"];
        assert_eq!((answer.status, &error["code"]), (400, &json!("invalid_request")), "{path}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(named)), "{path}: {error}");
    }
}

#[test]
fn a_value_that_is_no_number_is_refused_with_its_parameter_named() {
    let gate = Gate::new(Kind::Sqlite);
    let up = gate.up();
    let api = gate.api(up.address);
    for (path, named) in
        [("rewards?limit=many", "limit"), ("postbacks?limit=many", "limit"), ("postbacks?cursor=x", "cursor")]
    {
        let answer = api.ask(path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.body.contains(named), "{path}: {}", answer.body);
    }
}

/// A gate with 25 rewards (5 of them held, 10 of one user, many in one instant), 5 repeats, 3 quarantined postbacks
/// and 5 refused calls.
fn busy(on: Kind) -> (Gate, Listening, Api) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let credit = |number: usize| {
        let (user, tx) = (format!("u-{}", if number < 10 { 1 } else { 2 }), format!("T-{number}"));
        if number < 20 { Event::honest(&user, &tx, 10) } else { Event::large(&user, &tx, 10) }.credit()
    };
    let targets: Vec<_> = (0..25).map(credit).collect();
    for answer in send_at_once(up.address, &targets) {
        assert!(answer.is_acknowledged());
    }
    for target in &targets[..5] {
        deliver(up.address, target);
        assert_eq!(send(up.address, format!("{target}0")).status, 403);
    }
    for number in 0..3 {
        deliver(up.address, &sign(&format!("/pb/targo?uid=u-1&sub1={number}")));
    }
    api.await_processing();
    (gate, up, api)
}

/// Every `$ref` in `part` names something in `document`.
fn assert_every_reference_leads_somewhere(part: &Value, document: &Value) {
    let inner: Vec<&Value> = match part {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    if let Some(reference) = part.get("$ref").and_then(Value::as_str) {
        let pointer = reference.strip_prefix('#').expect("a reference into the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for value in inner {
        assert_every_reference_leads_somewhere(value, document);
    }
}
