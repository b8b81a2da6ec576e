//! What is kept as evidence stays bounded, whoever sends it; and nobody is shown what would let them send it again.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};

use crate::support::api::json_of;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::http::{Connection, Request, call};
use crate::support::network::{Event, send, sign};
use crate::support::schema::resolved;
use crate::support::settings::SECRET_NAME;
use crate::support::wait::until;

on_both_databases!(
    a_url_with_many_bodies_keeps_the_first_few_and_credits_once,
    a_flood_of_one_source_puts_off_no_call_of_another,
    a_signature_is_shown_to_nobody_while_replay_and_diagnosis_go_on,
    a_text_that_no_database_keeps_is_refused_with_the_name_of_its_field,
    what_hides_in_a_text_is_shown_on_a_terminal_and_in_the_log,
);

fn post(target: &str, body: &[u8]) -> Request {
    Request::new("POST", target).body(body)
}

fn a_url_with_many_bodies_keeps_the_first_few_and_credits_once(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let target = Event::honest("u-1", "T-1", 10).credit();
    for number in 0..8 {
        let body = format!("body {}", number / 2);
        assert!(call(up.address, &post(&target, body.as_bytes())).is_acknowledged());
    }
    let reward = api.reward("T-1");
    let said: Vec<&str> = reward["postbacks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|postback| postback["body_left_out"].as_str().unwrap_or("kept"))
        .collect();
    let same = "body of 6 bytes not kept: an earlier call of this URL had the same";
    let enough = "body of 6 bytes not kept: enough bodies of this URL are kept";
    assert_eq!(said, ["kept", same, "kept", same, "kept", same, enough, enough]);
    assert_eq!((reward["status"].as_str(), api.balance("u-1").as_str()), (Some("credited"), "10"));
    gate.assert_proven();
}

fn a_flood_of_one_source_puts_off_no_call_of_another(on: Kind) {
    const CALLERS: usize = 300;
    let gate = Gate::with(on, |settings| {
        settings.with_tail(&format!(
            "[[sources]]\nname = \"other\"\nnetwork = \"targo\"\nsecret = \"env:{SECRET_NAME}\"\n\
             currency = \"coins\"\nparams = {{ user_id = \"uid\", tx_id = \"tx\" }}\n"
        ))
    });
    let up = gate.up();
    // What is not text is three times as large in the queue: all of these together are more than it holds.
    let (target, body) = (Event::honest("u-1", "T-1", 10).credit(), vec![0xff; 64 * 1_024]);
    let answers = thread::scope(|scope| {
        for _ in 0..CALLERS {
            // Whoever floods may be cut off in the middle of a body.
            scope.spawn(|| {
                let flooded = Connection::open(up.address).and_then(|mut it| it.call(&post(&target, &body)));
                drop(flooded);
            });
        }
        (0..50)
            .map(|number| {
                let target = Event::honest("u-2", &format!("B-{number}"), 1).unsigned(1);
                send(up.address, sign(&target.replace("/pb/targo", "/pb/other"))).status
            })
            .collect::<Vec<_>>()
    });
    assert_eq!(answers, vec![200; 50]);
    let api = gate.api(up.address);
    api.await_processing();
    assert_eq!((api.balance("u-1").as_str(), api.balance("u-2").as_str()), ("10", "50"));
}

fn a_signature_is_shown_to_nobody_while_replay_and_diagnosis_go_on(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    let credited = Event::honest("u-1", "T-1", 10).credit();
    let strange = Event::honest("u-1", "T-2", 10).credit().replace("/pb/targo", "/pb/other");
    let forged = Event::honest("u-1", "T-3", 10).credit().replace("tx=T-3", "tx=T-4");
    let gone = sign("/pb/targo?uid=u-1&tx=T-5&reward=abc&status=1");
    let early = sign(&Event::honest("u-1", "T-6", 10).unsigned(1));
    for (target, status) in [(&credited, 200), (&strange, 404), (&forged, 403), (&gone, 200)] {
        assert_eq!(send(up.address, target).status, status);
    }
    // Its secret is not in the settings yet.
    up.process.stop();
    gate.change(|settings| settings.with_variable(SECRET_NAME, "another-secret-than-before"));
    let mut up = gate.up();
    assert_eq!(send(up.address, &early).status, 403);
    let api = api.at(up.address);
    let kept = until("the refused calls", || {
        let kept = api.all("postbacks?outcome=refused", 10);
        (kept.len() == 3).then_some(kept)
    });
    api.await_processing();
    let id = api.get("postbacks?outcome=quarantined")["items"][0]["id"].to_string();
    let shown = [
        json!(kept).to_string(),
        api.get("postbacks").to_string(),
        api.reward("T-1").to_string(),
        text(&gate.run(&["postbacks", "show", &id]).stdout),
        text(&gate.run(&["diagnose", "--last-refused"]).stdout),
    ];
    for target in [&credited, &strange, &forged, &gone, &early] {
        let (_, hash) = target.split_once("&hash=").expect("a hash");
        for shown in &shown {
            assert!(!shown.contains(hash), "{shown}");
        }
    }
    let (before, hash) = gone.split_once("&hash=").expect("a hash");
    let masked = format!("{before}&hash={}…", &hash[..4]);
    assert!(shown[3].contains(&masked), "{masked} is not in {}", shown[3]);
    up.process.stop();
    gate.change(|settings| settings.with_variable(SECRET_NAME, crate::support::settings::SECRET));
    let up = gate.up();
    let said = text(&gate.run(&["diagnose", "--last-refused"]).stdout);
    assert!(said.contains("verifies"), "{said}");
    let said = text(&gate.run(&["replay", "--refused"]).stdout);
    assert!(said.contains("1 verify now and are replayed"), "{said}");
    assert_eq!(api.at(up.address).reward("T-6")["status"], "credited");
}

/// Every text that a call of the API takes, as its own document says, with one sign in it that is none.
fn a_text_that_no_database_keeps_is_refused_with_the_name_of_its_field(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let document = json_of(&call(up.address, &Request::get("/api/v1/openapi.json")));
    let mut tried = BTreeMap::<&str, usize>::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path = path.strip_prefix("/api/v1/").expect("a path of the API");
        for (method, operation) in methods.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let ask = |path: &str, body: &[u8]| {
                if method == "get" { api.ask(path) } else { api.post_bytes(path, body) }
            };
            let numbered = path.replace("{id}", "1").replace("{date}", "2026-01-01").replace("{app}", "main");
            for parameter in &parameters {
                let name = parameter["name"].as_str().expect("a name");
                for (sign, what) in
                    [("a%00", "contains a NUL"), ("%ED%A0%80", "is not UTF-8"), ("%C0%80", "is not UTF-8")]
                {
                    let (place, asked, field) = match parameter["in"].as_str() {
                        Some("query") => ("query", format!("{numbered}?{name}={sign}"), name),
                        Some("path") => {
                            let before = path.split(&format!("/{{{name}}}")).next().expect("a part");
                            let field = before.rsplit('/').next().expect("a part");
                            ("path", path.replace(&format!("{{{name}}}"), sign).replace("{id}", "1"), field)
                        }
                        _ => continue,
                    };
                    let answer = ask(&asked, b"{}");
                    let said = json_of(&answer)["error"]["message"].to_string();
                    assert_eq!(answer.status, 400, "{method} {asked}: {said}");
                    assert!(said.contains(&format!("`{field}` {what}")), "{method} {asked}: {said}");
                    *tried.entry(place).or_default() += 1;
                }
            }
            for name in texts_of(&document, &operation["requestBody"]) {
                for (sign, what) in
                    [("\\u0000", "contains a NUL"), ("\\ud800", "contains half"), ("\u{e9}", "")]
                {
                    let mut body = format!("{{\"{name}\": \"a{sign}\"}}").into_bytes();
                    let mut what = what;
                    if what.is_empty() {
                        // The first of its two bytes alone.
                        let at = body.iter().position(|byte| *byte == 0xc3).expect("an é");
                        body.remove(at + 1);
                        what = "is not UTF-8";
                    }
                    let answer = ask(&numbered, &body);
                    let said = json_of(&answer)["error"]["message"].to_string();
                    assert_eq!(answer.status, 400, "{method} {numbered} {name}: {said}");
                    assert!(said.contains(&format!("`{name}` {what}")), "{method} {numbered} {name}: {said}");
                    *tried.entry("body").or_default() += 1;
                }
            }
        }
    }
    for place in ["query", "path", "body"] {
        assert!(tried.get(place).is_some_and(|tried| *tried >= 20), "{tried:?}");
    }
    for page in ["/login?next=%00", "/review?q=%FF", "/users/a%00b"] {
        let answer = call(up.address, &Request::get(page));
        assert_eq!(answer.status, 400, "{page}");
        assert!(
            answer.body.contains("contains a NUL") || answer.body.contains("is not UTF-8"),
            "{}",
            answer.body
        );
    }
}

/// The names of the strings in a body.
fn texts_of(document: &Value, body: &Value) -> Vec<String> {
    let schema = &body["content"]["application/json"]["schema"];
    let schema = match schema["$ref"].as_str().or_else(|| schema["oneOf"][0]["$ref"].as_str()) {
        Some(reference) => &document["components"]["schemas"][reference.rsplit('/').next().expect("a name")],
        None => schema,
    };
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .filter(|(_, schema)| is_text(document, schema))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Whether a value of `schema` can be a text, also under another name or as one of several.
fn is_text(document: &Value, schema: &Value) -> bool {
    let schema = resolved(document, schema);
    let of = |kind: &str| schema[kind].as_array().into_iter().flatten().any(|one| is_text(document, one));
    let kind = &schema["type"];
    let has_kind = kind == "string" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("string")));
    has_kind || of("oneOf") || of("anyOf") || of("allOf")
}

fn what_hides_in_a_text_is_shown_on_a_terminal_and_in_the_log(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    let target = "/pb/targo?uid=u%E2%80%AE1&tx=T-1&reward=1%1B%5B2K%E2%80%A8x&status=1";
    assert!(send(up.address, sign(target)).is_acknowledged());
    api.await_processing();
    let items = api.get("postbacks?outcome=quarantined")["items"].clone();
    let id = items[0]["id"].to_string();
    let said = text(&gate.run(&["postbacks", "show", &id]).stdout);
    assert!(said.contains("\\u{2028}"), "{said:?}");
    // A command's own argument comes back in what it says.
    let output = gate.run(&["statement", "import", "none.csv", "--source", "a\u{1b}[2K\u{202e}b"]);
    let complained = text(&output.stderr);
    assert!(complained.contains("a\\u{1b}[2K\\u{202e}b"), "{complained:?}");
    let raw = "GET /pb/a\"\u{202e}\u{9b}2Kb HTTP/1.1\r\n\r\n";
    let mut connection = crate::support::http::Connection::open(up.address).expect("a connection");
    connection.send(raw.as_bytes()).expect("sent");
    let _ = connection.answer(false);
    until("the stray call", || (api.all("postbacks?outcome=refused", 10).len() == 1).then_some(()));
    up.process.stop();
    let log = up.process.log();
    for shown in [&said, &complained, &log] {
        let hidden = shown.chars().find(|letter| {
            letter.is_control() && *letter != '\n' || matches!(letter, '\u{2028}' | '\u{202e}')
        });
        assert_eq!(hidden, None, "{shown:?}");
    }
}
