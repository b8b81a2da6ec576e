//! Requests built from the document, right in every part until one is changed, and answers checked against it.

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::finance::line;
use crate::support::api::json_of;
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::http::{self, Answer, Request, call};
use crate::support::network::{Event, deliver, sign};
use crate::support::schema::{faults, first, object, resolved};
use crate::support::settings::SOURCE;

/// The statuses of a correct call: done, or refused because of the present state.
pub(super) const RIGHT: [u16; 4] = [200, 202, 404, 409];

/// A gate, its document, and a token of each role.
pub(super) struct Asked {
    // Before the gate, because its log is in the gate's folder.
    pub(super) up: Listening,
    _gate: Gate,
    pub(super) document: Value,
    pub(super) admin: String,
    pub(super) weak: [String; 2],
    /// Answers that differ from the document, reported together at the end.
    problems: RefCell<Vec<String>>,
}

/// One call of the document.
pub(super) struct Documented<'d> {
    pub(super) document: &'d Value,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) operation: &'d Value,
}

/// A gate with a bit of everything: rewards (one held), a quarantined postback, a statement with a payment.
pub(super) fn asked(on: Kind) -> Asked {
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
    pub(super) fn calls(&self) -> Vec<Documented<'_>> {
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
        assert!(calls.len() >= 47, "only {} calls", calls.len());
        calls
    }

    /// Asks as admin; the answer must have one of these statuses.
    pub(super) fn ask(&self, call: &Documented<'_>, asking: &Asking, expected: &[u16], what: &str) {
        self.send(call, &asking.request(call, &self.admin), expected, what);
    }

    pub(super) fn send(&self, call: &Documented<'_>, request: &Request, expected: &[u16], what: &str) {
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

    pub(super) fn finish(self) {
        let problems = self.problems.take();
        assert!(
            problems.is_empty(),
            "{} answers are not as the document says:\n{}",
            problems.len(),
            problems.join("\n")
        );
    }
}

/// The parts of a request.
#[derive(Clone)]
pub(super) struct Asking {
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<(String, Vec<u8>)>,
}

impl Asking {
    /// A request that is correct by the document.
    pub(super) fn of(call: &Documented<'_>) -> Self {
        let (mut path, mut query) = (call.path.clone(), Vec::new());
        for parameter in call.parameters() {
            let name = parameter["name"].as_str().expect("a name");
            // With an unknown source, nothing else would be checked.
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

    pub(super) fn with_query(&self, name: &str, value: &str) -> Self {
        let mut asking = self.clone();
        asking.query.retain(|(given, _)| given != name);
        asking.query.push((name.to_owned(), value.to_owned()));
        asking
    }

    pub(super) fn with_body(&self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some((kind.to_owned(), body.into())), ..self.clone() }
    }

    pub(super) fn request(&self, call: &Documented<'_>, token: &str) -> Request {
        self.request_by(&call.method, token)
    }

    pub(super) fn request_by(&self, method: &str, token: &str) -> Request {
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
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'d Value> {
        self.operation["parameters"].as_array().into_iter().flatten()
    }

    /// The content type and the schema of its body.
    pub(super) fn body(&self) -> Option<(&'d str, &'d Value)> {
        let content = self.operation["requestBody"]["content"].as_object()?;
        let kind = ["application/json", "text/csv"].into_iter().find(|kind| content.contains_key(*kind))?;
        Some((kind, &content[kind]["schema"]))
    }

    pub(super) fn is_documented(&self, status: u16) -> bool {
        self.operation["responses"].get(status.to_string()).is_some()
    }

    /// How an answer differs from the document; `None` if it does not.
    pub(super) fn fault_of(&self, answer: &Answer) -> Option<String> {
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

pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded + char::from(byte).encode_utf8(&mut [0])
        } else {
            format!("{encoded}%{byte:02X}")
        }
    })
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
