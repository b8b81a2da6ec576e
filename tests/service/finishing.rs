//! Completing quarantined postbacks, over the API and on the command line: what a person states is shown first, is
//! booked once and by name, and needs two above the limits.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::http::Answer;
use crate::support::network::{Event, deliver, sign};

on_both_databases!(
    an_unreadable_amount_is_stated_over_the_api_and_credited_once,
    what_cannot_be_stated_is_refused_with_the_remedy,
    above_the_limit_another_person_must_agree,
    the_command_line_states_agrees_and_sets_aside_by_name,
    a_forged_reason_stays_text_and_lengths_are_named,
);

/// An honest event of `tx` with something else in its query, delivered; the id of the quarantined postback.
pub(crate) fn quarantine(api: &Api, tx: &str, from: &str, to: &str) -> i64 {
    deliver(api.address, &sign(&Event::honest("u-1", tx, 500).unsigned(1).replace(from, to)));
    api.await_processing();
    api.get("postbacks?outcome=quarantined")["items"][0]["id"].as_i64().expect("an id")
}

fn act(api: &Api, id: i64, act: &str, body: &Value) -> Answer {
    api.post(&format!("postbacks/{id}/{act}"), &body.to_string())
}

fn done(api: &Api, id: i64, name: &str, body: &Value) -> Value {
    let answer = act(api, id, name, body);
    assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    json_of(&answer)
}

/// What was refused, and why.
fn refused(answer: &Answer) -> (u16, String) {
    (answer.status, json_of(answer)["error"]["message"].as_str().expect("a message").to_owned())
}

fn add(gate: &Gate, name: &str, role: &str) {
    assert!(gate.run(&["migrate"]).status.success());
    gate.add_person(name, role);
}

fn an_unreadable_amount_is_stated_over_the_api_and_credited_once(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    let id = quarantine(&api, "T-1", "reward=500", "reward=1,234.50");
    let stated = json!({ "reward": "1234.50", "reason": "their mail of Monday" });
    let preview = json!({ "reward": "1234.50", "preview": true });
    let looked = done(&api, id, "state", &preview);
    let outlook = "Credits 1234.5 coins to u-1; the network pays 1.00 USD. The rules may still hold it.";
    assert_eq!((&looked["result"], &looked["outlook"]), (&json!("preview"), &json!(outlook)));
    assert_eq!(api.balance("u-1"), "0", "nothing has moved");
    assert_eq!(done(&api, id, "state", &stated)["result"], "stated");
    let reward = api.reward("T-1");
    assert_eq!((&reward["status"], &reward["reward"]), (&json!("credited"), &json!("1234.5")));
    let (step, postback) = (&reward["steps"][0], &reward["postbacks"][0]);
    assert!(step["actor"].as_str().expect("a name").starts_with("admin-"), "{step}");
    assert_eq!(step["note"], "Stated: reward 1234.50. their mail of Monday");
    assert!(postback["target"].as_str().expect("a target").contains("reward=1,234.50"), "{postback}");
    assert_eq!(
        (&postback["acts"][0]["act"], &postback["acts"][0]["reward"]),
        (&json!("stated"), &json!("1234.50"))
    );
    let (status, why) = refused(&act(&api, id, "state", &stated));
    assert_eq!(
        (status, why),
        (409, format!("postback {id} is processed, not quarantined: it has no missing values"))
    );
    // The network sends it again, now well-formed: a repeat.
    deliver(
        up.address,
        &sign(&Event::honest("u-1", "T-1", 500).unsigned(1).replace("reward=500", "reward=1234.50")),
    );
    assert_eq!(api.reward("T-1")["repeats"], 1);
    assert_eq!(api.balance("u-1"), "1234.5");
    gate.assert_proven();
    up.process.stop();
}

fn what_cannot_be_stated_is_refused_with_the_remedy(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    let id = quarantine(&api, "T-1", "reward=500", "reward=x");
    for (body, says) in [
        (json!({ "reason": "r" }), "nothing is stated"),
        (json!({ "reward": "500" }), "a reason is required"),
        (
            json!({ "reward": "1,234.50", "reason": "r" }),
            "`reward` is not a decimal number; write it like 1234.50",
        ),
        (json!({ "reward": "99999999999", "reason": "r" }), "`reward` is larger than 1000000000"),
        (
            json!({ "reward": "500", "user_id": "u-2", "reason": "r" }),
            "`user_id` was received as `u-1` and can be read",
        ),
        (json!({ "payout": "5", "reason": "r" }), "would still be quarantined: `reward`"),
        (json!({ "status": "approved", "reason": "r" }), "`status` must be credit or reversal"),
        (json!({ "amount": "5", "reason": "r" }), "unknown field `amount`"),
    ] {
        let (status, why) = refused(&act(&api, id, "state", &body));
        assert!(status == 400 && why.contains(says), "{body}: {status} {why}");
    }
    let stated = json!({ "reward": "500", "reason": "r" });
    assert_eq!(act(&api, 999_999, "state", &stated).status, 404);
    let finance = Api { token: gate.token("finance"), ..api.clone() };
    for name in ["state", "confirm", "decline", "set-aside", "take-up"] {
        assert_eq!(act(&finance, id, name, &json!({})).status, 403, "{name}");
    }
    assert_eq!(finance.get(&format!("postbacks/{id}"))["outcome"], "quarantined", "reading is for all");
    assert_eq!(api.get(&format!("postbacks/{id}"))["acts"], json!([]));
    up.process.stop();
}

fn above_the_limit_another_person_must_agree(on: Kind) {
    let limits = "[review]\nsecond_person_usd = \"50\"\nsecond_person_stated_reward = \"5000\"\n";
    let gate = Gate::with(on, |settings| settings.with_tail(limits));
    add(&gate, "mara", "risk");
    add(&gate, "joe", "risk");
    let mut up = gate.up();
    let of = |owner: &str| Api { address: up.address, token: gate.token_of("risk", owner) };
    let (mara, joe) = (of("mara"), of("joe"));
    let stated = |reward: &str| json!({ "reward": reward, "reason": "r" });
    let small = quarantine(&mara, "T-1", "reward=500", "reward=x");
    assert_eq!(done(&mara, small, "state", &stated("4999"))["result"], "stated");
    // So many coins, so many dollars, or an unknown amount.
    for (tx, from, to, reward) in [
        ("T-2", "reward=500", "reward=x", "5000"),
        ("T-3", "reward=500&payout=1.00", "reward=x&payout=50", "1"),
        ("T-4", "reward=500&payout=1.00", "reward=x", "1"),
    ] {
        let id = quarantine(&mara, tx, from, to);
        let proposed = done(&mara, id, "state", &stated(reward));
        assert_eq!(
            (&proposed["result"], &proposed["needs_second"]),
            (&json!("proposed"), &json!(true)),
            "{tx}"
        );
        let second = json!({ "proposal": proposed["proposal"], "reason": "looked at it" });
        let own = refused(&act(&mara, id, "confirm", &second));
        assert_eq!(own, (409, "you proposed this yourself: another person must agree".into()));
        assert_eq!(mara.get(&format!("rewards?tx_id={tx}"))["items"], json!([]), "nothing has moved");
        done(&joe, id, "confirm", &second);
        assert_eq!(act(&joe, id, "confirm", &second).status, 409, "once");
        let reward = mara.reward(tx);
        let actor = reward["steps"][0]["actor"].as_str().expect("names");
        assert_eq!(actor.split(", ").count(), 2, "{actor}");
    }
    let id = quarantine(&mara, "T-5", "reward=500", "reward=x");
    let proposed = done(&mara, id, "state", &stated("5000"));
    let second = json!({ "proposal": proposed["proposal"], "reason": "it was 500" });
    assert_eq!(done(&joe, id, "decline", &second)["outcome"], "quarantined");
    assert_eq!(act(&joe, id, "confirm", &second).status, 409);
    gate.assert_proven();
    up.process.stop();
}

fn the_command_line_states_agrees_and_sets_aside_by_name(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with_tail("[review]\nsecond_person_usd = \"50\"\n"));
    for (name, role) in [("mara", "risk"), ("joe", "admin"), ("fin", "finance")] {
        add(&gate, name, role);
    }
    let mut up = gate.up();
    let api = gate.api(up.address);
    let run = |arguments: &str| -> Output { gate.run(&arguments.split(' ').collect::<Vec<_>>()) };
    let said = |output: &Output| text(&output.stdout) + &text(&output.stderr);
    let id = quarantine(&api, "T-1", "uid=u-1", "uid=");
    let shown = said(&run(&format!("postbacks show {id}")));
    assert!(shown.contains("can be stated: user_id  (`uid` was received as: missing)"), "{shown}");
    for (name, why) in [("nobody", "nobody named `nobody` may sign in"), ("fin", "fin has the role finance")]
    {
        let output = run(&format!("postbacks state {id} --user u-9 --as {name} --reason mail"));
        assert!(output.status.code() == Some(1) && said(&output).contains(why), "{}", said(&output));
    }
    let state = format!("postbacks state {id} --user u-9 --as mara --reason mail");
    let dry = said(&run(&format!("{state} --dry-run")));
    assert!(dry.contains("Credits 500 coins to u-9") && dry.contains("nothing was changed"), "{dry}");
    assert_eq!(api.balance("u-9"), "0");
    assert!(said(&run(&state)).contains("waits in the inbox again"));
    assert_eq!(api.reward("T-1")["steps"][0]["actor"], "mara");
    assert_eq!(run(&state).status.code(), Some(1), "once");

    let id = quarantine(&api, "T-2", "payout=1.00&", "payout=60&bad=1&reward=1&");
    let state = said(&run(&format!("postbacks state {id} --reward 7 --as mara --reason mail")));
    let proposal = state.split("postbacks confirm ").nth(1).and_then(|rest| rest.split(' ').nth(1));
    let proposal = proposal.unwrap_or_else(|| panic!("{state}"));
    assert_eq!(run(&format!("postbacks confirm {id} {proposal} --as mara")).status.code(), Some(1));
    assert_eq!(run(&format!("postbacks confirm {id} {proposal} --as joe")).status.code(), Some(0));
    let reward = api.reward("T-2");
    assert_eq!((&reward["steps"][0]["actor"], &reward["reward"]), (&json!("mara, joe"), &json!("7")));

    let id = quarantine(&api, "T-3", "reward=500", "reward=x");
    assert_eq!(run(&format!("postbacks set-aside {id} --as mara --reason test")).status.code(), Some(0));
    assert_eq!(api.get("postbacks?outcome=quarantined")["items"], json!([]));
    assert_eq!(api.get("postbacks?outcome=set_aside")["items"][0]["id"], json!(id));
    assert_eq!(run(&format!("postbacks take-up {id} --as joe --reason oops")).status.code(), Some(0));
    assert_eq!(api.get("postbacks?outcome=quarantined")["items"][0]["id"], json!(id));
    gate.assert_proven();
    up.process.stop();
}

fn a_forged_reason_stays_text_and_lengths_are_named(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    let api = gate.api(up.address);
    let id = quarantine(&api, "T-1", "uid=u-1", "uid=u-1&uid=u-2");
    let long = "x".repeat(2_001);
    let (status, why) = refused(&act(&api, id, "state", &json!({ "user_id": "u-1", "reason": long })));
    assert_eq!((status, why.as_str()), (400, "a reason is required, of at most 2000 characters"));
    let (status, why) =
        refused(&act(&api, id, "state", &json!({ "user_id": "x".repeat(257), "reason": "r" })));
    assert_eq!((status, why.as_str()), (400, "`user_id` is longer than 256 bytes"));
    let reason = "</pre><script>alert(1)</script> \u{1F600} '; DROP TABLE postbacks; --";
    done(&api, id, "state", &json!({ "user_id": "u-1", "reason": reason }));
    let note = api.reward("T-1")["steps"][0]["note"].clone();
    assert_eq!(note, format!("Stated: user_id u-1. {reason}"));
    up.process.stop();
}
