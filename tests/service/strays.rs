//! Calls that never were a postback because of their request line or their body: answered as before, and never without
//! a trace.

use domain::masked::masked;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::http::{Answer, Connection, Request, call};
use crate::support::network::{Event, send, sign};
use crate::support::settings::SECRET_NAME;
use crate::support::wait::until;

on_both_databases!(
    what_no_url_may_hold_is_kept_byte_for_byte_and_credited_by_a_replay,
    a_hash_sign_in_a_url_hides_nothing_behind_it,
    a_path_a_method_or_a_source_that_is_not_ours_is_kept_with_its_reason,
    a_source_that_is_added_later_gets_what_was_sent_before,
    fields_that_came_in_the_body_are_kept_and_named,
);

/// Waits until there are `number` refused calls, and returns them.
fn refused(api: &Api, number: usize) -> Vec<Value> {
    until("the refused calls being kept", || {
        let kept = api.all("postbacks?outcome=refused", 1_000);
        (kept.len() == number).then_some(kept)
    })
}

fn reason(kept: &Value) -> &str {
    kept["reason"].as_str().expect("a reason")
}

/// A signed credit with `name` as it is in its query.
fn named(tx: &str, name: &str) -> String {
    sign(&format!("{}&offer_name={name}", Event::honest("u-1", tx, 10).unsigned(1)))
}

fn what_no_url_may_hold_is_kept_byte_for_byte_and_credited_by_a_replay(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let odd =
        [("Nord bank", "a blank"), ("55\" TV", "`\"`"), ("<b>", "`<`"), ("a>b", "`>`"), ("Café", "`é`")];
    let mut sent = Vec::new();
    for (number, (name, culprit)) in odd.into_iter().enumerate() {
        let target = named(&format!("T-{number}"), name);
        // The second request of a connection is no less worth than the first.
        let mut connection = Connection::open(up.address).expect("a connection");
        if number % 2 == 0 {
            assert_eq!(connection.call(&Request::get("/healthz")).expect("an answer").status, 200);
        }
        let answer = connection.call(&Request::get(&target)).expect("an answer");
        if answer.is_acknowledged() {
            // A parser that takes it gives it to the signature as it came.
            continue;
        }
        assert_eq!(answer.status, 400, "{name}");
        sent.push((target, culprit));
    }
    assert!(sent.len() >= 4, "{sent:?}");
    let kept = refused(&api, sent.len());
    for (target, culprit) in &sent {
        let row = kept
            .iter()
            .find(|row| row["target"] == json!(masked(target)))
            .unwrap_or_else(|| panic!("{target}: {kept:#?}"));
        assert!(reason(row).contains(culprit) && reason(row).contains("must be sent as %"), "{row}");
        assert_eq!((&row["source"], &row["method"]), (&json!("targo"), &json!("GET")));
    }
    let metrics = api.metrics();
    let line = format!("rewardgate_calls_total{{source=\"unknown\",answer=\"unparsable\"}} {}", sent.len());
    assert!(metrics.contains(&line), "{line} is not in {metrics}");
    let said = text(&gate.run(&["replay", "--refused"]).stdout);
    assert!(said.contains(&format!("{} verify now and are replayed", sent.len())), "{said}");
    api.await_processing();
    assert_eq!(api.balance("u-1"), "50");
    gate.assert_proven();
}

fn a_hash_sign_in_a_url_hides_nothing_behind_it(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    assert!(send(up.address, named("T-1", "Level#5")).is_acknowledged(), "it is signed as it came");
    let reward = api.reward("T-1");
    assert_eq!((&reward["status"], &reward["offer_name"]), (&json!("credited"), &json!("Level#5")));
    let forged = named("T-2", "Level#5").replace("tx=T-2", "tx=T-3");
    assert_eq!(send(up.address, &forged).status, 403);
    assert_eq!(refused(&api, 1)[0]["target"], json!(masked(&forged)));
    let whole = format!("http://gw.example.com{}", named("T-4", "x"));
    assert!(send(up.address, whole).is_acknowledged(), "a whole URL is signed as its path and query");
    assert_eq!(api.reward("T-4")["status"], "credited");
}

fn a_path_a_method_or_a_source_that_is_not_ours_is_kept_with_its_reason(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let unsigned = Event::honest("u-1", "T-1", 10).unsigned(1);
    let at = |path: &str| sign(&unsigned.replace("/pb/targo", path));
    let strays = [
        ("GET", at("/pb/other"), 404, "there is no source `other`"),
        ("GET", at("/pb/Targo"), 404, "there is no source `Targo`"),
        ("POST", at("/pb"), 404, "the path is not /pb/NAME"),
        ("GET", at("/PB/targo"), 404, "the path is not /pb/NAME"),
        ("GET", at("/pb/targo/x"), 404, "the path is not /pb/NAME"),
        ("GET", at("//pb/targo"), 404, "the path is not /pb/NAME"),
        ("PUT", at("/pb/targo"), 405, "the method is PUT"),
        ("DELETE", at("/pb/targo"), 405, "the method is DELETE"),
        ("GET", Event::honest("u-1", "T-1", 10).credit_of_length(9_000), 414, "longer than 8 KiB"),
        ("GET", format!("/pb/targo?{}", "x".repeat(80_000)), 431, "longer than 8 KiB"),
    ];
    for (method, target, status, _) in &strays {
        assert_eq!(call(up.address, &Request::new(method, target)).status, *status, "{method} {target:.40}");
    }
    for (method, target) in
        [("GET", "/wp-login.php"), ("GET", "/pbx/targo"), ("OPTIONS", "/pb/nobody"), ("HEAD", "/pb/nobody")]
    {
        assert_eq!(call(up.address, &Request::new(method, target)).status, 404, "{method} {target}");
    }
    let kept = refused(&api, strays.len());
    for (method, target, _, why) in &strays {
        let begins: String = masked(target).chars().take(8_000).collect();
        let found = kept.iter().find(|row| {
            row["method"] == json!(method)
                && row["target"].as_str().is_some_and(|kept| kept.starts_with(&begins))
                && reason(row).contains(why)
        });
        let row = found.unwrap_or_else(|| panic!("{method} {target:.40} {why}: {kept:#?}"));
        assert!(row["target"].as_str().is_some_and(|target| target.len() <= 8 * 1_024), "it is bounded");
    }
    api.await_processing();
    assert_eq!(api.balance("u-1"), "0");
}

fn a_source_that_is_added_later_gets_what_was_sent_before(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    let target = sign(&Event::honest("u-1", "T-1", 10).unsigned(1).replace("/pb/targo", "/pb/second"));
    assert_eq!(send(up.address, &target).status_and_body(), (404, "unknown source"));
    refused(&api, 1);
    up.process.stop();
    gate.change(|settings| {
        settings.with_tail(&format!(
            "[[sources]]\nname = \"second\"\nnetwork = \"targo\"\nsecret = \"env:{SECRET_NAME}\"\ncurrency = \"coins\"\n\
             params = {{ user_id = \"uid\", tx_id = \"tx\" }}\n"
        ))
    });
    let up = gate.up();
    let api = api.at(up.address);
    let said = text(&gate.run(&["replay", "--refused"]).stdout);
    assert!(said.contains("1 verify now and are replayed"), "{said}");
    assert_eq!(api.reward("T-1")["status"], "credited");
}

fn fields_that_came_in_the_body_are_kept_and_named(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let post = |body: &str| -> Answer { call(up.address, &Request::new("POST", "/pb/targo").body(body)) };
    let form = "uid=u-1&tx=T-1&reward=10&status=1&hash=0000000000000000000000000000000000000000";
    assert_eq!(post(form).status_and_body(), (403, "bad signature"));
    let row = &refused(&api, 1)[0];
    assert!(
        reason(row).contains("the fields came in the body, as a form (uid, tx, reward, status, hash)"),
        "{row}"
    );
    let diagnosed = gate.run(&["diagnose", "--last-refused"]);
    let said = text(&diagnosed.stdout);
    assert_eq!(diagnosed.status.code(), Some(1));
    for part in ["the fields came in the body", "uid, tx, reward", "set the method to GET"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("u-1"), "a value is shown: {said}");
    assert_eq!(post(&format!("{{\"uid\": \"u-1\", \"note\": \"{}\"}}", "x".repeat(60_000))).status, 403);
    assert_eq!(post(&"x".repeat(70_000)).status, 413);
    let kept = refused(&api, 3);
    assert!(kept.iter().any(|row| reason(row).contains("as JSON")), "{kept:#?}");
}

#[test]
fn strays_of_one_caller_are_bounded_and_logged_once() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with_tail("[limits]\nrefused_per_minute = 3\n"));
    let mut up = gate.up();
    let api = gate.api(up.address);
    for number in 0..10 {
        assert_eq!(send(up.address, named(&format!("T-{number}"), "a b")).status, 400);
    }
    refused(&api, 3);
    let metrics = api.metrics();
    for line in ["answer=\"unparsable\"} 10", "rewardgate_refused_not_kept_total 7"] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    up.process.stop();
    let log = up.process.log();
    assert_eq!(log.matches("calls that cannot be postbacks").count(), 1, "{log}");
}
