//! Refused calls and quarantined postbacks are replayed after the fix.

use serde_json::json;

use crate::support::api::{field, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, deliver, send, sign};
use crate::support::settings::PUBLIC_URL;
use crate::support::wait::until;

on_both_databases!(
    a_call_refused_for_a_wrong_public_url_is_credited_after_the_fix,
    a_quarantined_postback_is_mapped_as_the_settings_are_now,
    what_is_not_quarantined_cannot_be_replayed,
);

fn a_call_refused_for_a_wrong_public_url_is_credited_after_the_fix(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with("public_url = \"http://gw.example.com\""));
    let mut up = gate.up();
    let event = Event::honest("u-1", "T-1", 10);
    assert_eq!(send(up.address, event.credit()).status_and_body(), (403, "bad signature"));
    assert_eq!(send(up.address, event.unsigned(1)).status, 403, "another one that nobody signed");
    assert_eq!(send(up.address, event.credit()).status, 403, "the network tries again");
    let api = gate.api(up.address);
    until("the refused calls being kept", || {
        (api.get("postbacks?outcome=refused")["items"].as_array().map(Vec::len) == Some(3)).then_some(())
    });

    let diagnosed = gate.run(&["diagnose", "--last-refused"]);
    let said = text(&diagnosed.stdout);
    let sentence = format!(
        "The network signed {PUBLIC_URL}, but `public_url` is http://gw.example.com: set `public_url` to {PUBLIC_URL}."
    );
    assert!(said.contains(&sentence) && diagnosed.status.code() == Some(1), "{said}");
    assert!(!said.contains("test-secret"), "{said}");
    let early = text(&gate.run(&["replay", "--refused"]).stdout);
    assert!(early.contains("3 refused calls checked: 0 verify now"), "{early}");

    up.process.stop();
    gate.change(|settings| settings.with(&format!("public_url = \"{PUBLIC_URL}\"")));
    let mut up = gate.up();
    let api = api.at(up.address);
    assert_eq!(gate.run(&["diagnose", &event.credit(), "--source", "targo"]).status.code(), Some(0));
    let dry = text(&gate.run(&["replay", "--refused", "--dry-run"]).stdout);
    assert!(dry.contains("2 verify now and would be replayed"), "{dry}");
    let replayed = text(&gate.run(&["replay", "--refused"]).stdout);
    assert!(replayed.contains("3 refused calls checked: 2 verify now and are replayed"), "{replayed}");
    assert!(replayed.contains("1 refused call not replayed: the signature is missing"), "{replayed}");
    let again = text(&gate.run(&["replay", "--refused"]).stdout);
    assert!(again.contains("1 refused call checked: 0 verify now"), "{again}");

    let reward = api.reward("T-1");
    assert_eq!((&reward["status"], &reward["repeats"]), (&json!("credited"), &json!(1)));
    assert_eq!(api.balance("u-1"), "10");
    let replay = &reward["postbacks"][0]["replays"][0];
    assert_eq!((&replay["was"], &replay["actor"]), (&json!("refused"), &json!("command line")));
    gate.assert_proven();
    up.process.stop();
}

fn a_quarantined_postback_is_mapped_as_the_settings_are_now(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    // The dashboard's URL names the user otherwise than the settings.
    let renamed = |tx: &str| sign(&Event::honest("u-1", tx, 10).unsigned(1).replace("uid=", "member="));
    for tx in ["T-1", "T-2", "T-3"] {
        deliver(up.address, &renamed(tx));
    }
    api.await_processing();
    let put_aside = api.get("postbacks?outcome=quarantined");
    assert_eq!(field(&put_aside["items"], "reason"), vec![json!("`uid` is missing"); 3]);
    let newest = put_aside["items"][0]["id"].as_i64().expect("an id");

    up.process.stop();
    gate.change(|settings| settings.with_in_source("params = { user_id = \"member\", tx_id = \"tx\" }"));
    let mut up = gate.up();
    let api = api.at(up.address);
    let answer = api.post(&format!("postbacks/{newest}/replay"), "");
    assert_eq!((answer.status, &json_of(&answer)["outcome"]), (200, &json!("received")), "{answer:?}");
    assert_eq!(api.reward("T-3")["status"], "credited");
    let none = text(&gate.run(&["replay", "--quarantined", "--reason", "no such reason"]).stdout);
    assert!(none.contains("0 quarantined postbacks found"), "{none}");
    let rest = text(&gate.run(&["replay", "--quarantined", "--reason", "is missing"]).stdout);
    assert!(rest.contains("2 quarantined postbacks found, 2 wait in the inbox again"), "{rest}");
    for tx in ["T-1", "T-2"] {
        let reward = api.reward(tx);
        assert_eq!(reward["status"], "credited");
        assert_eq!(reward["postbacks"][0]["replays"][0]["reason"], "`uid` is missing");
    }
    assert_eq!(api.balance("u-1"), "30");
    gate.assert_proven();
    up.process.stop();
}

fn what_is_not_quarantined_cannot_be_replayed(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 10).credit());
    let id = api.reward("T-1")["postbacks"][0]["id"].clone();
    let answer = api.post(&format!("postbacks/{id}/replay"), "");
    assert_eq!((answer.status, &json_of(&answer)["error"]["code"]), (409, &json!("conflict")));
    assert_eq!(api.post("postbacks/999999/replay", "").status, 404);
    let finance = crate::support::api::Api { token: gate.token("finance"), ..api.clone() };
    assert_eq!(finance.post(&format!("postbacks/{id}/replay"), "").status, 403);
    assert_eq!(gate.run(&["replay", "--quarantined", "--id", "999999"]).status.code(), Some(1));
    assert_eq!(gate.run(&["replay"]).status.code(), Some(2), "it must be said what");
    assert_eq!(api.balance("u-1"), "10");
    up.process.stop();
}
