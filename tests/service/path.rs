//! One postback from the network to the books, and the decisions on it.

use domain::masked::masked;
use serde_json::{Value, json};

use crate::support::api::{Api, field, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::network::{Event, send};

on_both_databases!(
    a_signed_honest_postback_becomes_a_credited_reward,
    a_completion_in_no_time_is_held_with_the_reason_in_a_sentence,
    releasing_gives_the_user_what_was_held,
    rejecting_takes_nothing_from_the_user_and_can_be_overturned,
    a_decision_is_made_once_and_only_where_it_is_possible,
    finance_reads_and_does_not_decide,
    nobody_reads_or_decides_without_a_token,
    what_does_not_exist_is_not_found,
    a_user_may_have_any_characters,
);

fn a_signed_honest_postback_becomes_a_credited_reward(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let target = Event::honest("u-1", "T-1", 500).credit();
    assert!(send(up.address, &target).is_acknowledged());

    let reward = api.reward("T-1");
    for (name, expected) in [
        ("source", json!("targo")),
        ("user_id", json!("u-1")),
        ("tx_id", json!("T-1")),
        ("status", json!("credited")),
        ("currency", json!("coins")),
        ("reward", json!("500")),
        ("payout", json!("1")),
        ("offer_id", json!("offer-T-1")),
        ("repeats", json!(0)),
        ("conflict", json!(false)),
    ] {
        assert_eq!(reward[name], expected, "{name}");
    }
    assert_eq!(reward["verdict"]["decision"], "credit");

    let postback = &reward["postbacks"][0];
    assert_eq!(reward["postbacks"].as_array().map(Vec::len), Some(1));
    assert_eq!(postback["target"], json!(masked(&target)), "everything but the hash is shown byte for byte");
    assert_eq!(
        (&postback["method"], &postback["outcome"], &postback["reason"]),
        (&json!("GET"), &json!("processed"), &Value::Null)
    );
    assert_eq!(postback["reward_id"], reward["id"]);

    assert_eq!(reward["steps"].as_array().map(Vec::len), Some(1));
    let step = &reward["steps"][0];
    assert_eq!(
        (&step["step"], &step["from"], &step["to"]),
        (&json!("credit"), &Value::Null, &json!("credited"))
    );
    assert_eq!((&step["actor"], &step["postback_id"]), (&json!("rules"), &postback["id"]));
    assert_eq!(
        moved(&reward),
        ["1: granted:targo gives user:main/u-1 500 coins", "1: network:targo gives earned:targo 1 USD",]
    );
    assert_eq!(
        api.get("users/u-1/balance"),
        json!({ "app": "main", "user_id": "u-1", "balances": [{ "currency": "coins", "balance": "500" }] })
    );
    gate.assert_proven();
}

fn a_completion_in_no_time_is_held_with_the_reason_in_a_sentence(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    assert!(send(up.address, Event::too_fast("u-1", "T-1", 500).credit()).is_acknowledged());

    let reward = api.reward("T-1");
    assert_eq!(reward["status"], "held");
    assert_eq!((&reward["verdict"]["decision"], &reward["verdict"]["hard"]), (&json!("hold"), &json!(true)));
    let step = &reward["steps"][0];
    assert_eq!((&step["step"], &step["actor"]), (&json!("hold"), &json!("rules")));
    let sentence = step["note"].as_str().expect("a sentence");
    assert!(
        sentence.starts_with("It took ") && sentence.contains("under 5 s no offer can be done."),
        "{sentence}"
    );
    assert_eq!(
        moved(&reward),
        ["1: granted:targo gives held:targo 500 coins", "1: network:targo gives earned:targo 1 USD"]
    );
    assert_eq!(api.balance("u-1"), "0");
    gate.assert_proven();
}

fn releasing_gives_the_user_what_was_held(on: Kind) {
    let (gate, _up, api, id) = held(on);
    let answer = api.decide(id, "release", "  played with the user on the phone ");
    assert_eq!(answer.status, 200, "{}", answer.body);

    let reward = json_of(&answer);
    assert_eq!(reward, api.reward("T-1"), "the answer is the reward as it stands then");
    assert_eq!(reward["status"], "credited");
    assert_eq!(field(&reward["steps"], "step"), ["hold", "release"]);
    let step = &reward["steps"][1];
    assert_eq!((&step["from"], &step["to"]), (&json!("held"), &json!("credited")));
    assert_eq!(step["note"], "played with the user on the phone");
    assert!(step["actor"].as_str().is_some_and(|actor| actor.starts_with("admin-")), "{step}");
    assert_eq!(moved(&reward)[2..], ["2: held:targo gives user:main/u-1 500 coins"]);
    assert_eq!(api.balance("u-1"), "500");
    gate.assert_proven();
}

fn rejecting_takes_nothing_from_the_user_and_can_be_overturned(on: Kind) {
    let (gate, _up, api, id) = held(on);
    let reward = json_of(&api.decide(id, "reject", "no such device"));
    assert_eq!(reward["status"], "rejected");
    assert_eq!(reward["steps"][1]["note"], "no such device");
    assert_eq!(moved(&reward)[2..], ["2: held:targo gives granted:targo 500 coins"]);
    assert_eq!(api.balance("u-1"), "0");
    gate.assert_proven();

    let reward = json_of(&api.decide(id, "release", "it was our mistake"));
    assert_eq!(reward["status"], "credited");
    assert_eq!(field(&reward["steps"], "step"), ["hold", "reject", "overturn"]);
    assert_eq!(moved(&reward)[3..], ["3: granted:targo gives user:main/u-1 500 coins"]);
    assert_eq!(api.balance("u-1"), "500");
    gate.assert_proven();
}

fn a_decision_is_made_once_and_only_where_it_is_possible(on: Kind) {
    let (gate, _up, api, id) = held(on);
    for (note, expected) in [("", 400), (" ", 400), (&"x".repeat(2_001), 400), ("no such device", 200)] {
        assert_eq!(api.decide(id, "reject", note).status, expected, "{note:?}");
    }
    let again = api.decide(id, "reject", "once more");
    assert_eq!((again.status, &json_of(&again)["error"]["code"]), (409, &json!("conflict")));
    assert_eq!(api.decide(id, "release", "after all").status, 200);
    for decision in ["release", "reject"] {
        assert_eq!(api.decide(id, decision, "too late").status, 409, "{decision}");
    }
    assert_eq!(api.decide(id, "delete", "no such decision").status, 404);
    assert_eq!(api.post(&format!("rewards/{id}/release"), "{}").status, 400);
    assert_eq!(api.post(&format!("rewards/{id}/release"), "{\"note\":\"x\",\"nose\":\"x\"}").status, 400);
    assert_eq!(field(&api.reward("T-1")["steps"], "step"), ["hold", "reject", "overturn"]);
    assert_eq!(api.balance("u-1"), "500");
    gate.assert_proven();
}

fn finance_reads_and_does_not_decide(on: Kind) {
    let (gate, _up, api, id) = held(on);
    let finance = Api { token: gate.token("finance"), ..api.clone() };
    for path in ["rewards", &format!("rewards/{id}"), "postbacks", "users/u-1/balance", "ledger/proof"] {
        assert_eq!(finance.ask(path).status, 200, "{path}");
    }
    for decision in ["release", "reject"] {
        let answer = finance.decide(id, decision, "I would like to");
        assert_eq!((answer.status, &json_of(&answer)["error"]["code"]), (403, &json!("forbidden")));
    }
    assert_eq!(api.reward("T-1")["status"], "held");
    let risk = Api { token: gate.token("risk"), ..api };
    assert_eq!(risk.decide(id, "release", "risk may").status, 200);
}

fn nobody_reads_or_decides_without_a_token(on: Kind) {
    let (gate, _up, api, id) = held(on);
    let known = gate.token("admin");
    for token in ["", "rwg_unknown", known.trim_start_matches("rwg_"), &known[..known.len() - 1]] {
        let stranger = Api { token: token.into(), ..api.clone() };
        for path in ["rewards", &format!("rewards/{id}"), "postbacks", "users/u-1/balance", "ledger/proof"] {
            let answer = stranger.ask(path);
            assert_eq!(
                (answer.status, &json_of(&answer)["error"]["code"]),
                (401, &json!("unauthorized")),
                "{path}"
            );
        }
        assert_eq!(stranger.decide(id, "release", "please").status, 401);
    }
    assert_eq!(api.reward("T-1")["status"], "held");
}

fn what_does_not_exist_is_not_found(on: Kind) {
    let (_gate, _up, api, id) = held(on);
    for path in [
        format!("rewards/{}", id + 1),
        "rewards/-1".into(),
        "rewards/first".into(),
        "users/u-1".into(),
        "users/u-1/balance?app=other".into(),
        "nothing".into(),
        String::new(),
    ] {
        let answer = api.ask(&path);
        assert_eq!((answer.status, &json_of(&answer)["error"]["code"]), (404, &json!("not_found")), "{path}");
    }
    assert_eq!(api.decide(id + 1, "release", "who is it?").status, 404);
    assert_eq!(api.post("rewards", "{}").status, 405);
}

fn a_user_may_have_any_characters(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for (number, (user, read)) in [
        ("a%20b%2Fc", "a b/c"),
        ("Caf%C3%A9%F0%9F%98%80", "Café😀"),
        ("%27%22%25%5C", "'\"%\\"),
        ("%2E%2E", ".."),
    ]
    .into_iter()
    .enumerate()
    {
        let tx = format!("T-{number}");
        assert!(send(up.address, Event::honest(user, &tx, 500).credit()).is_acknowledged());
        assert_eq!(api.reward(&tx)["user_id"], read);
        assert_eq!(api.get(&format!("users/{user}/balance"))["user_id"], read);
        assert_eq!(api.balance(user), "500", "{read}");
        assert_eq!(api.get(&format!("rewards?user_id={user}"))["items"].as_array().map(Vec::len), Some(1));
    }
    gate.assert_proven();
}

/// A gate with one held reward of 500 coins of user `u-1`: the gate, its process, who decides, and the reward's id.
fn held(on: Kind) -> (Gate, Listening, Api, i64) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    assert!(send(up.address, Event::large("u-1", "T-1", 500).credit()).is_acknowledged());
    let reward = api.reward("T-1");
    assert_eq!(reward["status"], "held");
    let id = reward["id"].as_i64().expect("an id");
    (gate, up, api, id)
}

/// The transfers of a reward, one line each.
fn moved(reward: &Value) -> Vec<String> {
    let line = |transfer: &Value| {
        let text = |name: &str| transfer[name].as_str().expect("a text");
        format!(
            "{}: {} gives {} {} {}",
            transfer["step"],
            text("debit"),
            text("credit"),
            text("amount"),
            text("currency")
        )
    };
    reward["transfers"].as_array().expect("transfers").iter().map(line).collect()
}
