//! The API's document is the truth: every call is asked with values on both sides of each bound, and in every wrong way,
//! and each answer is one that the document names, with its headers, its content type and its schema.

mod asking;

use serde_json::{Value, json};

use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::{self, Connection, Request, call};
use crate::support::schema::{faults, invalid, object, resolved, valid};
use asking::{Asked, Asking, Documented, RIGHT, asked, encoded, text};

on_both_databases!(
    what_is_wrong_with_a_request_is_answered_as_the_document_says,
    values_within_their_bounds_are_taken_and_others_refused,
);

/// The statuses of a call with a wrong part in its path.
const WRONG_PATH: [u16; 2] = [400, 404];

fn what_is_wrong_with_a_request_is_answered_as_the_document_says(on: Kind) {
    let asked = asked(on);
    for call in asked.calls() {
        let right = Asking::of(&call);
        asked.ask(&call, &right, &RIGHT, "rightly");
        for token in ["", "rwg_unknown", "\u{fc}"] {
            asked.send(&call, &right.request(&call, token), &[401], "without a right token");
        }
        if call.is_documented(403) {
            let refused = asked.weak.iter().filter(|token| {
                let request = right.request(&call, token);
                let status = http::call(asked.up.address, &request).status;
                if status == 403 {
                    asked.send(&call, &request, &[403], "by a weak role");
                }
                status == 403
            });
            assert_eq!(refused.count(), 1, "{} {} is refused to one of two roles", call.method, call.path);
        }
        for method in ["DELETE", "PUT", "PATCH", "TRACE"] {
            asked.send(&call, &right.request_by(method, &asked.admin), &[405], method);
        }
        asked.ask(&call, &right.with_query("no_such", "x"), &[400], "with an unknown parameter");
        asked.ask(&call, &right.with_query("a\0b", "x"), &[400], "with a name that is no text");
        let two_hosts = right.request(&call, &asked.admin).header("Host", "other.example");
        asked.send(&call, &two_hosts, &[400], "with two hosts");
        let elsewhere = Asking { path: call.path.replace("/api/", "/api/..%2f..%2fx/"), ..right.clone() };
        if call.is_documented(404) {
            asked.ask(&call, &elsewhere, &[404], "by a path that leads elsewhere");
        }
        // Of these, nothing but the beginning is read.
        let large =
            Asking { headers: vec![("X-Large".into(), "x".repeat(60_000))], body: None, ..right.clone() };
        asked.ask(&call, &large, &[431], "with large headers");
        let Some((kind, _)) = call.body() else { continue };
        asked.ask(
            &call,
            &right.with_body("multipart/form-data; boundary=x", "--x--"),
            &[415],
            "in an envelope",
        );
        if kind != "application/json" {
            continue;
        }
        for body in ["x", "{", "[]", "[{}]", "7", "null", "\"x\"", "{\"note\": \"\\ud800\"}"] {
            asked.ask(&call, &right.with_body(kind, body), &[400], body);
        }
        asked.ask(&call, &right.with_body(kind, b"{\"note\": \"\xff\"}"), &[400], "not in UTF-8");
        asked.ask(&call, &right.with_body("text/plain", "{}"), &[415], "of another type");
        let long = format!("{{\"note\": \"{}\"}}", "x".repeat(70_000));
        asked.ask(&call, &right.with_body(kind, long), &[413], "too large");
        let is_needed = call.operation["requestBody"]["required"] == true;
        let bare = Asking { body: None, ..right.clone() };
        asked.ask(&call, &bare, if is_needed { &[400] } else { &RIGHT }, "without a body");
    }
    asked.finish();
}

fn values_within_their_bounds_are_taken_and_others_refused(on: Kind) {
    let asked = asked(on);
    for call in asked.calls() {
        let right = Asking::of(&call);
        for parameter in call.parameters() {
            ask_parameter(&asked, &call, &right, parameter);
        }
        if let Some(("application/json", schema)) = call.body() {
            ask_fields(&asked, &call, &right, schema);
        }
    }
    asked.finish();
}

/// Asks with each value of a parameter, and with each that it cannot have.
fn ask_parameter(asked: &Asked, call: &Documented<'_>, right: &Asking, parameter: &Value) {
    let (document, schema) = (call.document, &parameter["schema"]);
    let name = parameter["name"].as_str().expect("a name");
    // Wrong both as text and as the JSON value that it may mean.
    let is_wrong = |value: &str| {
        let meant = serde_json::from_str(value).unwrap_or(Value::Null);
        [json!(value), meant].iter().all(|value| !faults(document, schema, value).is_empty())
    };
    let sendable = |value: &Value| !value.is_null() && !value.is_object() && !value.is_array();
    let wrong = invalid(document, schema);
    let wrong = wrong
        .iter()
        .filter(|value| sendable(value))
        .map(text)
        .filter(|value| is_wrong(value) && !value.is_empty());
    let what = |value: &str| format!("with {name}={value:.40}");
    match parameter["in"].as_str() {
        Some("query") => {
            for value in valid(document, schema).iter().map(text) {
                let mut asking = right.with_query(name, &value);
                // These two stand together.
                if call.method == "POST" && ["from", "to"].contains(&name) {
                    asking = right.with_query("from", &value).with_query("to", &value);
                }
                asked.ask(call, &asking, &RIGHT, &what(&value));
            }
            for value in wrong {
                asked.ask(call, &right.with_query(name, &value), &[400], &what(&value));
            }
            let empty: &[u16] = if parameter["allowEmptyValue"] == true { &RIGHT } else { &[400, 404] };
            asked.ask(call, &right.with_query(name, ""), empty, &what(""));
            if parameter["required"] == true {
                let mut without = right.clone();
                without.query.retain(|(given, _)| given != name);
                asked.ask(call, &without, &WRONG_PATH, &format!("without {name}"));
            }
            let twice = right.with_query(name, "");
            let twice = Asking { query: [twice.query.clone(), twice.query].concat(), ..right.clone() };
            asked.ask(call, &twice, &[400], &format!("with {name} twice"));
        }
        Some("path") => {
            let part = format!("{{{name}}}");
            let at = |value: &str| {
                let path = call.path.replace(&part, &encoded(value));
                Asking { path, ..right.clone() }
            };
            for value in valid(document, schema).iter().map(text) {
                asked.ask(call, &at(&value), &RIGHT, &what(&value));
            }
            for value in wrong {
                asked.ask(call, &at(&value), &WRONG_PATH, &what(&value));
            }
        }
        Some("header") => {
            let with = |value: String| Asking { headers: vec![(name.to_owned(), value)], ..right.clone() };
            asked.ask(call, &with("wire-1".into()), &RIGHT, name);
            for value in [String::new(), "x".repeat(1_025), "\u{fc}".into()] {
                asked.ask(call, &with(value), &[400], name);
            }
        }
        other => panic!("a parameter in {other:?}"),
    }
}

/// Asks with each value of each field, with each that it cannot have, and without each that is needed.
fn ask_fields(asked: &Asked, call: &Documented<'_>, right: &Asking, schema: &Value) {
    let (document, base) = (call.document, object(call.document, schema));
    let whole = resolved(document, schema);
    let with = |name: &str, value: Value| {
        let mut body = base.clone();
        body[name] = value;
        body
    };
    let ask = |body: &Value, expected: &[u16], what: &str| {
        asked.ask(call, &right.with_body("application/json", body.to_string()), expected, what);
    };
    ask(&with("no_such", json!("x")), &[400], "with an unknown field");
    // Stated fields are checked only after the postback is known to lack them.
    let refused: &[u16] = if call.path.ends_with("/state") { &[400, 409] } else { &[400] };
    for (name, schema) in whole["properties"].as_object().expect("properties") {
        for value in valid(document, schema) {
            let body = with(name, value);
            if faults(document, whole, &body).is_empty() {
                ask(&body, &RIGHT, &format!("with {:.80}", body.to_string()));
            }
        }
        for value in invalid(document, schema) {
            let body = with(name, value);
            ask(&body, refused, &format!("with {name} in {:.80}", body.to_string()));
        }
        let mut without = base.clone();
        without.as_object_mut().expect("an object").remove(name);
        if !faults(document, whole, &without).is_empty() {
            ask(&without, &[400], &format!("without {name}"));
        }
    }
}

#[test]
fn a_target_that_is_too_long_is_answered_as_the_document_says() {
    let asked = asked(Kind::Sqlite);
    for call in asked.calls() {
        let right = Asking::of(&call);
        let request =
            Asking { body: None, ..right.with_query("x", &"x".repeat(20_000)) }.request(&call, &asked.admin);
        asked.send(&call, &request, &[400], "with a long query");
        let request =
            Asking { body: None, ..right.with_query("x", &"x".repeat(100_000)) }.request(&call, &asked.admin);
        asked.send(&call, &request, &[414, 431], "with a query that is longer than any head");
    }
    asked.finish();
}

#[test]
fn a_body_that_comes_too_slowly_is_answered_as_the_document_says() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("limits = { body_seconds = 1 }"));
    let up = gate.up();
    let Api { token, .. } = gate.api(up.address);
    let document = json_of(&call(up.address, &Request::get("/api/v1/openapi.json")));
    let operation = &document["paths"]["/api/v1/rewards/{id}/release"]["post"];
    let path = "/api/v1/rewards/{id}/release".to_owned();
    let documented = Documented { document: &document, method: "POST".into(), path, operation };
    let mut connection = Connection::open(up.address).expect("a connection");
    let head = format!(
        "POST /api/v1/rewards/1/release HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
    );
    connection.send(head.as_bytes()).expect("room");
    let answer = connection.answer(false).expect("an answer");
    assert_eq!(answer.status, 408, "{}", answer.body);
    assert_eq!(documented.fault_of(&answer), None, "{}", answer.body);
}
