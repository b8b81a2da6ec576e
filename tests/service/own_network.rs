//! A network of the publisher's own: a definition in a file, with what the shipped ones do not have.

use serde_json::json;

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::http::{Answer, Request, call};
use crate::support::wait::until;

on_both_databases!(
    a_secret_in_the_path_and_a_form_in_any_encoding,
    a_call_signed_in_a_header_is_replayed_after_its_secret_is_put_right,
    a_body_that_no_network_sends_is_refused_and_kept,
);

/// A form in the body, a secret at the end of the path, an answer that repeats the event.
const FORM: &str = r#"
name = "formnet"
title = "Form network"
documentation = "https://formnet.example/postbacks"
confirmed = "documented"
methods = ["POST"]
parameters = "form"

[fields]
user_id = { parameter = "user" }
tx_id = { parameter = "event" }
reward = { parameter = "coins" }
offer_name = { parameter = "offer" }

[kinds]
by = ["sign"]
positive = "credit"
negative = "reversal"

[identity]
event = "{tx_id}"
amounts = "signed"

[signature]
message = "shared_secret"
at = { path = "last" }

[answers]
recorded = { status = 202, body = "{tx_id}:OK" }
repeat = { status = 200, body = "{tx_id}:DUP" }
refused = { status = 410, body = "go away" }
invalid = { status = 422, body = "what is this?" }

[retries]
horizon_minutes = 60
"#;

/// JSON, signed in a header.
const SIGNED: &str = r#"
name = "jsonnet"
title = "JSON network"
documentation = "https://jsonnet.example/postbacks"
confirmed = "documented"
methods = ["POST"]
parameters = "json"

[fields]
user_id = { parameter = "user.id" }
tx_id = { parameter = "id" }
reward = { parameter = "reward" }

[kinds]
by = ["constant"]
always = "credit"

[identity]
event = "{tx_id}"

[signature]
message = "body"
digest = "hmac-sha256"
encoding = "hex"
at = { header = "X-Signature" }

[answers]
recorded = { status = 200, body = "OK" }

[retries]
horizon_minutes = 60
"#;

/// Whose signature the tests know: HMAC-SHA256 of [`JSON`] under `right-secret-of-the-network`.
const JSON: &str = r#"{"user":{"id":"u-1"},"id":"J-1","reward":5.50}"#;

fn gate(on: Kind) -> Gate {
    let gate = Gate::with(on, |settings| {
        settings
            .with("networks = [\"formnet.toml\", \"jsonnet.toml\"]")
            .with_tail(
                "[[sources]]\nname = \"form\"\nnetwork = \"formnet\"\nsecret = \"env:NETWORK_SECRET\"\n\
                 currency = \"coins\"\nallow_ips = [\"127.0.0.1\"]\n\
                 [[sources]]\nname = \"json\"\nnetwork = \"jsonnet\"\nsecret = \"env:NETWORK_SECRET\"\n\
                 currency = \"coins\"\n",
            )
            .with_variable("NETWORK_SECRET", "path-secret-of-the-network")
    });
    std::fs::write(gate.path("formnet.toml"), FORM).expect("room");
    std::fs::write(gate.path("jsonnet.toml"), SIGNED).expect("room");
    gate
}

fn post(address: std::net::SocketAddr, target: &str, content_type: &str, body: &str) -> Answer {
    call(address, &Request::new("POST", target).header("Content-Type", content_type).body(body))
}

fn signature(body: &str, secret: &str) -> String {
    use domain::postback::networks::{Call, Definition, Method};
    let definition = Definition::parse("jsonnet.toml", SIGNED).expect("sound");
    let secrets = domain::postback::signature::Secret::new(secret).into_iter().collect();
    let keys = domain::postback::networks::signature::Keys { secrets, ..Default::default() };
    let call = Call {
        origin: "https://gw.example.com",
        method: Method::Post,
        target: "/pb/json",
        headers: &[],
        body: body.as_bytes(),
    };
    let signed = definition.sign(&call, &keys, domain::time::TimestampMs(0)).expect("signed");
    signed.headers.into_iter().next().expect("a header").1
}

fn refused(api: &Api, count: usize) -> Vec<serde_json::Value> {
    until("the refused calls being kept", || {
        let items = api.get("postbacks?outcome=refused")["items"].as_array().cloned().expect("a list");
        (items.len() == count).then_some(items)
    })
}

fn a_secret_in_the_path_and_a_form_in_any_encoding(on: Kind) {
    let gate = gate(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let path = "/pb/form/path-secret-of-the-network";
    let urlencoded = "application/x-www-form-urlencoded";
    let credit = "user=u-1&event=F-1&coins=10&offer=Caf%C3%A9+Quest";
    assert_eq!(post(up.address, path, urlencoded, credit).status_and_body(), (202, "F-1:OK"));
    assert_eq!(post(up.address, path, urlencoded, credit).status_and_body(), (200, "F-1:DUP"));
    let part = |name: &str, value: &str| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let multipart = format!(
        "{}{}{}{}--xyz--\r\n",
        part("user", "u-1"),
        part("event", "F-2"),
        part("coins", "7"),
        part("offer", "Nordbank & S\u{f6}hne")
    );
    let multipart_type = "multipart/form-data; boundary=xyz";
    assert_eq!(post(up.address, path, multipart_type, &multipart).status_and_body(), (202, "F-2:OK"));
    assert_eq!(api.reward("F-1")["offer_name"], "Caf\u{e9} Quest");
    assert_eq!(api.reward("F-2")["offer_name"], "Nordbank & S\u{f6}hne");
    // Its body counts, so however often the URL was called, every one of them is kept.
    for number in 3..9 {
        let body = format!("user=u-1&event=F-{number}&coins=1");
        assert_eq!(post(up.address, path, urlencoded, &body).status, 202);
    }
    api.await_processing();
    assert_eq!(api.balance("u-1"), "23");
    let reversal = "user=u-1&event=F-2&coins=-7";
    assert_eq!(post(up.address, path, urlencoded, reversal).status_and_body(), (202, "F-2:OK"));
    assert_eq!(api.reward("F-2")["status"], "reversed");
    assert_eq!(post(up.address, path, urlencoded, reversal).status_and_body(), (200, "F-2:DUP"));
    for wrong in ["/pb/form/path-secret-of-the-networ", "/pb/form", "/pb/form/"] {
        let answer = post(up.address, wrong, urlencoded, "user=u-1&event=F-99&coins=10");
        assert!([410, 404].contains(&answer.status), "{wrong}: {answer:?}");
    }
    assert_eq!(post(up.address, "/pb/form/a/b", urlencoded, credit).status, 404);
    api.await_processing();
    let listed = api.get("postbacks?limit=100").to_string()
        + &refused(&api, 4).iter().map(ToString::to_string).collect::<String>();
    assert!(!listed.contains("path-secret"), "the secret is shown to nobody: {listed}");
    gate.assert_proven();
}

fn a_call_signed_in_a_header_is_replayed_after_its_secret_is_put_right(on: Kind) {
    let gate = gate(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    let sign = signature(JSON, "right-secret-of-the-network");
    let request = Request::new("POST", "/pb/json").header("X-Signature", &sign).body(JSON);
    assert_eq!(call(up.address, &request).status_and_body(), (403, "bad signature"));
    refused(&api, 1);
    up.process.stop();
    gate.change(|settings| settings.with_variable("NETWORK_SECRET", "right-secret-of-the-network"));
    let replayed = text(&gate.run(&["replay", "--refused"]).stdout);
    assert!(
        replayed.contains("1 verify now and are replayed") || replayed.contains("1 verifies now"),
        "{replayed}"
    );
    let up = gate.up();
    let api = api.at(up.address);
    let reward = api.reward("J-1");
    assert_eq!((&reward["user_id"], &reward["reward"]), (&json!("u-1"), &json!("5.5")));
    assert_eq!(call(up.address, &request).status_and_body(), (200, "OK"));
    assert_eq!(api.reward("J-1")["repeats"], 1);
    gate.assert_proven();
}

fn a_body_that_no_network_sends_is_refused_and_kept(on: Kind) {
    let gate = gate(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let path = "/pb/form/path-secret-of-the-network";
    // Signed by its path, so it is recorded, whatever it says; a person can finish it.
    let broken = post(up.address, path, "multipart/form-data; boundary=xyz", "--xyz\r\nnonsense");
    assert_eq!(broken.status, 202, "{broken:?}");
    api.await_processing();
    let newest = &api.get("postbacks?limit=1")["items"][0];
    assert_eq!(newest["outcome"], "quarantined", "{newest}");
    for body in ["", "[]", "{", "{\"id\":", "nonsense"] {
        let answer =
            call(up.address, &Request::new("POST", "/pb/json").header("X-Signature", "00").body(body));
        assert_eq!(answer.status, 403, "{body}: {answer:?}");
    }
    let none = call(up.address, &Request::new("POST", "/pb/json").body(JSON));
    assert_eq!(none.status, 403);
    let reasons: Vec<_> =
        refused(&api, 6).iter().map(|it| it["reason"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(reasons[0].contains("there is no header `X-Signature`"), "{reasons:?}");
    assert!(reasons[1].contains("malformed"), "{reasons:?}");
    let huge = "x".repeat(70_000);
    assert_eq!(post(up.address, path, "text/plain", &huge).status, 413);
}
