//! The API's document is the truth: every call is asked with values on both sides of each bound, and in every wrong way,
//! and each answer is one that the document names, with its headers, its content type and its schema.

use std::cell::RefCell;

use serde_json::{Map, Value, json};

use crate::finance::line;
use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::http::{self, Answer, Connection, Request, call};
use crate::support::network::{Event, deliver, sign};
use crate::support::schema::{faults, first, invalid, object, resolved, valid};
use crate::support::settings::SOURCE;

on_both_databases!(
    what_is_wrong_with_a_request_is_answered_as_the_document_says,
    values_within_their_bounds_are_taken_and_others_refused,
);

/// How a call is answered that is right: done, or refused for how things stand.
const RIGHT: [u16; 4] = [200, 202, 404, 409];
/// How one is answered with a wrong part of its path.
const WRONG_PATH: [u16; 2] = [400, 404];

/// A gate, its document, and a token of each role.
struct Asked {
    // Before the gate, because its log is in the gate's folder.
    up: Listening,
    _gate: Gate,
    document: Value,
    admin: String,
    weak: [String; 2],
    /// What was not as the document says: all of it is told at once.
    problems: RefCell<Vec<String>>,
}

/// One call of the document.
struct Documented<'d> {
    document: &'d Value,
    method: String,
    path: String,
    operation: &'d Value,
}

/// A gate with a bit of everything: rewards (one held), a quarantined postback, a statement with a payment.
fn asked(on: Kind) -> Asked {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 10).credit());
    deliver(up.address, &Event::too_fast("u-2", "T-2", 10).credit());
    deliver(up.address, &sign("/pb/targo?uid=u-1&sub1=x"));
    api.await_processing();
    let header = "tx_id,status,user_id,offer_id,amount,currency,time\n";
    let statement = api.import("a.csv", &format!("{header}{}", line("T-1", "approved", "u-1", "1.00")));
    let paid = api
        .post(&format!("statements/{statement}/paid"), r#"{"amount": "1", "note": "wire", "confirm": true}"#);
    assert_eq!(paid.status, 200, "{}", paid.body);
    let document = json_of(&call(up.address, &Request::get("/api/v1/openapi.json")));
    let weak = [gate.token("finance"), gate.token("risk")];
    Asked { up, _gate: gate, document, admin: api.token, weak, problems: RefCell::default() }
}

impl Asked {
    fn calls(&self) -> Vec<Documented<'_>> {
        let paths = self.document["paths"].as_object().expect("paths");
        let calls: Vec<_> = paths
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().expect("methods").iter().map(move |of| (path, of))
            })
            .map(|(path, (method, operation))| Documented {
                document: &self.document,
                method: method.to_uppercase(),
                path: path.clone(),
                operation,
            })
            .collect();
        assert!(calls.len() >= 43, "only {} calls", calls.len());
        calls
    }

    /// Asks as admin, and wants one of these statuses.
    fn ask(&self, call: &Documented<'_>, asking: &Asking, expected: &[u16], what: &str) {
        self.send(call, &asking.request(call, &self.admin), expected, what);
    }

    fn send(&self, call: &Documented<'_>, request: &Request, expected: &[u16], what: &str) {
        let answer = http::call(self.up.address, request);
        let fault = if expected.contains(&answer.status) {
            call.fault_of(&answer)
        } else {
            Some(format!("not one of {expected:?}"))
        };
        if let Some(fault) = fault {
            let (method, path, status, body) = (&call.method, &call.path, answer.status, &answer.body);
            self.problems.borrow_mut().push(format!("{method} {path} {what}: {fault}: {status} {body:.300}"));
        }
    }

    fn finish(self) {
        let problems = self.problems.take();
        assert!(
            problems.is_empty(),
            "{} answers are not as the document says:\n{}",
            problems.len(),
            problems.join("\n")
        );
    }
}

/// What is asked.
#[derive(Clone)]
struct Asking {
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<(String, Vec<u8>)>,
}

impl Asking {
    /// What is right by the document.
    fn of(call: &Documented<'_>) -> Self {
        let (mut path, mut query) = (call.path.clone(), Vec::new());
        for parameter in call.parameters() {
            let name = parameter["name"].as_str().expect("a name");
            // Of an unknown source nothing else is looked at.
            let of_upload = name == "source" && call.method == "POST";
            let value =
                if of_upload { SOURCE.into() } else { text(&first(call.document, &parameter["schema"])) };
            match parameter["in"].as_str() {
                Some("path") => path = path.replace(&format!("{{{name}}}"), &encoded(&value)),
                Some("query") if parameter["required"] == true => query.push((name.to_owned(), value)),
                _ => {}
            }
        }
        let body = call.body().map(|(kind, schema)| {
            let is_json = kind == "application/json";
            let body = if is_json {
                object(call.document, schema).to_string()
            } else {
                "tx_id,amount\nT,1\n".into()
            };
            (kind.to_owned(), body.into_bytes())
        });
        Self { path, query, headers: Vec::new(), body }
    }

    fn with_query(&self, name: &str, value: &str) -> Self {
        let mut asking = self.clone();
        asking.query.retain(|(given, _)| given != name);
        asking.query.push((name.to_owned(), value.to_owned()));
        asking
    }

    fn with_body(&self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some((kind.to_owned(), body.into())), ..self.clone() }
    }

    fn request(&self, call: &Documented<'_>, token: &str) -> Request {
        self.request_by(&call.method, token)
    }

    fn request_by(&self, method: &str, token: &str) -> Request {
        let query: Vec<_> =
            self.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = Request::new(method, format!("{}{mark}{}", self.path, query.join("&")));
        if !token.is_empty() {
            request = request.header("Authorization", &format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match &self.body {
            Some((kind, body)) => request.header("Content-Type", kind).body(body),
            None => request,
        }
    }
}

impl<'d> Documented<'d> {
    fn parameters(&self) -> impl Iterator<Item = &'d Value> {
        self.operation["parameters"].as_array().into_iter().flatten()
    }

    /// The content type and the schema of its body.
    fn body(&self) -> Option<(&'d str, &'d Value)> {
        let content = self.operation["requestBody"]["content"].as_object()?;
        let kind = ["application/json", "text/csv"].into_iter().find(|kind| content.contains_key(*kind))?;
        Some((kind, &content[kind]["schema"]))
    }

    fn is_documented(&self, status: u16) -> bool {
        self.operation["responses"].get(status.to_string()).is_some()
    }

    /// What of an answer the document does not name.
    fn fault_of(&self, answer: &Answer) -> Option<String> {
        let Some(named) = self.operation["responses"].get(answer.status.to_string()) else {
            return Some("the status is not in the document".into());
        };
        let named = resolved(self.document, named);
        if named["description"].as_str().is_none_or(str::is_empty) {
            return Some("the document has no words for it".into());
        }
        for name in named["headers"].as_object().into_iter().flat_map(Map::keys) {
            if answer.header(name).is_none_or(str::is_empty) {
                return Some(format!("the header {name} is missing"));
            }
        }
        let Some(content) = named["content"].as_object() else {
            return (!answer.body.is_empty()).then(|| "it has a body".into());
        };
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let Some(of_kind) = content.get(kind) else {
            return Some(format!("its content type `{kind}` is not in the document"));
        };
        if kind != "application/json" {
            return None;
        }
        let found = match serde_json::from_str(&answer.body) {
            Ok(body) => faults(self.document, &of_kind["schema"], &body),
            Err(error) => vec![error.to_string()],
        };
        (!found.is_empty()).then(|| format!("{found:?}"))
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded + char::from(byte).encode_utf8(&mut [0])
        } else {
            format!("{encoded}%{byte:02X}")
        }
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

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
    // Whatever a text could mean is none of the schema.
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
    // What a postback may be stated to say is looked at when the postback is known to lack it.
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
