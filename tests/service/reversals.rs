//! Every order of credit and reversal ends the same way: nobody keeps what the network reversed.

use serde_json::{Value, json};

use crate::support::api::{Api, field};
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening};
use crate::support::network::{Event, deliver, send};

on_both_databases!(
    every_order_ends_the_same_when_each_call_is_processed_before_the_next,
    every_order_ends_the_same_when_all_calls_are_processed_together,
    a_rejected_reward_is_reversed_and_only_the_payout_moves,
    a_released_reward_is_reversed_like_any_other,
    a_reversal_takes_back_its_own_reward_and_no_other,
    somebody_elses_reversal_takes_nothing_back,
    a_part_is_taken_back_by_one_decision_and_the_rest_stands,
    a_reversal_for_another_user_takes_back_when_a_person_says_so,
    an_orphan_is_linked_to_its_credit_over_the_api,
    a_reapproval_after_the_retry_horizon_is_held_and_can_be_released,
    a_reversal_under_an_id_of_its_own_finds_its_credit_by_the_settings,
    a_different_credit_under_a_known_transaction_is_only_a_conflict,
);

#[derive(Clone, Copy)]
enum Call {
    Credit,
    Reversal,
}

use Call::{Credit, Reversal};

/// Name of the user and transaction, whether it is held, the calls, the steps they lead to, repeats, and how many
/// transfers in all.
type Order = (&'static str, bool, &'static [Call], &'static [&'static str], i64, usize);

const ORDERS: [Order; 7] = [
    ("credited", false, &[Credit, Reversal], &["credit", "reverse_credited"], 0, 4),
    ("ahead", false, &[Reversal, Credit], &["reverse_unseen"], 0, 0),
    ("thrice", false, &[Credit, Reversal, Credit], &["credit", "reverse_credited"], 1, 4),
    ("twice-ahead", false, &[Reversal, Reversal, Credit], &["reverse_unseen"], 1, 0),
    ("held", true, &[Credit, Reversal], &["hold", "reverse_held"], 0, 4),
    ("twice", false, &[Credit, Reversal, Reversal], &["credit", "reverse_credited"], 1, 4),
    ("alone", false, &[Reversal], &["reverse_unseen"], 0, 0),
];

fn every_order_ends_the_same_when_each_call_is_processed_before_the_next(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for (name, held, calls, ..) in ORDERS {
        let event = event(name, held);
        for call in calls {
            assert!(send(up.address, target(&event, *call)).is_acknowledged());
            api.await_processing();
        }
    }
    assert_all_taken_back(&gate, &api);
}

fn every_order_ends_the_same_when_all_calls_are_processed_together(on: Kind) {
    let gate = Gate::new(on);
    let web = gate.web();
    for (name, held, calls, ..) in ORDERS {
        let event = event(name, held);
        for call in calls {
            assert!(send(web.address, target(&event, *call)).is_acknowledged());
        }
    }
    // Only now is there anybody to process them.
    let _worker = gate.worker();
    assert_all_taken_back(&gate, &gate.api(web.address));
}

fn a_rejected_reward_is_reversed_and_only_the_payout_moves(on: Kind) {
    let (gate, up, api, event) = one_held(on);
    let id = api.reward("T-1")["id"].as_i64().expect("an id");
    assert_eq!(api.decide(id, "reject", "no such device").status, 200);
    deliver(up.address, &event.reversal());

    let reward = api.reward("T-1");
    assert_eq!(reward["status"], "reversed");
    assert_eq!(field(&reward["steps"], "step"), ["hold", "reject", "reverse_rejected"]);
    let last = reward["transfers"].as_array().and_then(|transfers| transfers.last()).expect("transfers");
    assert_eq!((&last["debit"], &last["amount"]), (&json!("earned:targo"), &json!("60")));
    assert_eq!(api.balance("u-1"), "0");
    gate.assert_proven();

    let answer = api.decide(id, "release", "too late");
    assert_eq!(answer.status, 409, "what the network took back is not given: {}", answer.body);
}

fn a_released_reward_is_reversed_like_any_other(on: Kind) {
    let (gate, up, api, event) = one_held(on);
    let id = api.reward("T-1")["id"].as_i64().expect("an id");
    assert_eq!(api.decide(id, "release", "it is fine").status, 200);
    assert_eq!(api.balance("u-1"), "500");
    deliver(up.address, &event.reversal());
    let reward = api.reward("T-1");
    assert_eq!(field(&reward["steps"], "step"), ["hold", "release", "reverse_credited"]);
    assert_eq!(api.balance("u-1"), "0");
    gate.assert_proven();
}

fn a_reversal_takes_back_its_own_reward_and_no_other(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let (first, second) = (Event::honest("u-1", "T-1", 500), Event::honest("u-1", "T-2", 200));
    for event in [&first, &second] {
        deliver(up.address, &event.credit());
    }
    deliver(up.address, &first.reversal());
    api.await_processing();
    assert_eq!(api.balance("u-1"), "200", "the other reward stays");
    deliver(up.address, &second.reversal());
    api.await_processing();
    assert_eq!(api.balance("u-1"), "0");
    gate.assert_proven();
}

fn somebody_elses_reversal_takes_nothing_back(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 500).credit());
    // Two workers may process two postbacks in either order; the reversal must find the credit.
    api.await_processing();
    deliver(up.address, &Event::honest("u-2", "T-1", 500).reversal());
    let reward = api.reward("T-1");
    assert_eq!((&reward["status"], &reward["conflict"]), (&json!("credited"), &json!(true)));
    assert!(reason(&reward, 1).starts_with("conflict: user u-2 instead of u-1"), "{}", reason(&reward, 1));
    assert_eq!((api.balance("u-1"), api.balance("u-2")), ("500".into(), "0".into()));
    gate.assert_proven();
}

fn a_different_credit_under_a_known_transaction_is_only_a_conflict(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 500).credit());
    api.await_processing();
    deliver(up.address, &Event::honest("u-1", "T-1", 900).credit());
    deliver(up.address, &Event::honest("u-2", "T-1", 500).credit());
    let reward = api.reward("T-1");
    assert_eq!(
        (&reward["reward"], &reward["conflict"], &reward["repeats"]),
        (&json!("500"), &json!(true), &json!(0))
    );
    assert!(reason(&reward, 1).contains("reward 900 instead of 500"), "{}", reason(&reward, 1));
    assert!(reason(&reward, 2).contains("user u-2 instead of u-1"), "{}", reason(&reward, 2));
    assert_eq!((api.balance("u-1"), api.balance("u-2")), ("500".into(), "0".into()));
    gate.assert_proven();
}

fn assert_all_taken_back(gate: &Gate, api: &Api) {
    for (name, _, calls, steps, repeats, transfers) in ORDERS {
        let reward = api.reward(name);
        assert_eq!(reward["status"], "reversed", "{name}");
        assert_eq!(field(&reward["steps"], "step"), steps, "{name}");
        assert_eq!(reward["repeats"], repeats, "{name}");
        assert_eq!(reward["conflict"], false, "{name}");
        assert_eq!(reward["transfers"].as_array().map(Vec::len), Some(transfers), "{name}");
        assert_eq!(reward["postbacks"].as_array().map(Vec::len), Some(calls.len()), "{name}");
        assert_eq!(api.balance(name), "0", "{name}");
    }
    gate.assert_proven();
}

fn event(name: &str, held: bool) -> Event {
    if held { Event::large(name, name, 500) } else { Event::honest(name, name, 500) }
}

fn target(event: &Event, call: Call) -> String {
    match call {
        Credit => event.credit(),
        Reversal => event.reversal(),
    }
}

/// A gate with one held reward of 500 coins of user `u-1`.
fn one_held(on: Kind) -> (Gate, Listening, Api, Event) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let event = Event::large("u-1", "T-1", 500);
    deliver(up.address, &event.credit());
    assert_eq!(api.reward("T-1")["status"], "held");
    (gate, up, api, event)
}

/// The reason of one of the reward's postbacks.
fn reason(reward: &Value, index: usize) -> &str {
    reward["postbacks"][index]["reason"].as_str().unwrap_or_default()
}

/// The only case that waits for a person.
fn the_case(api: &Api) -> Value {
    api.await_processing();
    let cases = api.all("reversals", 100);
    assert_eq!(cases.len(), 1, "{cases:?}");
    cases[0].clone()
}

fn resolve(api: &Api, case: &Value, body: &Value) -> crate::support::http::Answer {
    api.post(&format!("reversals/{}/resolve", case["id"]), &body.to_string())
}

fn a_part_is_taken_back_by_one_decision_and_the_rest_stands(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 500).credit());
    api.await_processing();
    deliver(up.address, &Event::honest("u-1", "T-1", 200).reversal());
    let case = the_case(&api);
    assert_eq!((&case["situation"], &case["stake_reward"]), (&json!("part"), &json!("200")));
    assert_eq!(api.balance("u-1"), "500", "nothing moves before a person decides");

    let refused = resolve(&api, &case, &json!({ "resolution": "part", "note": " " }));
    assert_eq!(refused.status, 400, "a reason is required: {}", refused.body);
    let answer = resolve(&api, &case, &json!({ "resolution": "part", "note": "as their mail says" }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(api.balance("u-1"), "300");
    let reward = api.reward("T-1");
    assert_eq!(field(&reward["steps"], "step"), ["credit", "reverse_credited_part"]);
    assert_eq!((&reward["status"], &reward["taken_back"]), (&json!("credited"), &json!("200")));
    let again = resolve(&api, &case, &json!({ "resolution": "all", "note": "once more" }));
    assert_eq!(again.status, 409, "{}", again.body);
    deliver(up.address, &Event::honest("u-1", "T-1", 300).reversal());
    api.await_processing();
    assert_eq!(api.balance("u-1"), "0", "the rest goes by itself");
    gate.assert_proven();
}

fn a_reversal_for_another_user_takes_back_when_a_person_says_so(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("ann%2Btest%40x", "T-1", 500).credit());
    api.await_processing();
    deliver(up.address, &Event::honest("ann+test%40x", "T-1", 500).reversal());
    let case = the_case(&api);
    assert_eq!((&case["situation"], &case["said_user_id"]), (&json!("other_user"), &json!("ann test@x")));
    let finance = Api { address: up.address, token: gate.token("finance") };
    let body = json!({ "resolution": "all", "note": "the same person" });
    assert_eq!(resolve(&finance, &case, &body).status, 403);
    assert_eq!(resolve(&api, &case, &body).status, 200);
    assert_eq!(api.reward("T-1")["status"], "reversed");
    gate.assert_proven();
}

fn an_orphan_is_linked_to_its_credit_over_the_api(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-0", 500).credit());
    deliver(up.address, &Event::honest("u-1", "T-0-R", 500).reversal());
    api.await_processing();
    assert_eq!(api.all("reversals", 100), [] as [Value; 0], "its credit may still come");
    gate.database.execute("UPDATE reversal_cases SET due_at = raised_at");
    let case = the_case(&api);
    let whole = api.get(&format!("reversals?id={}", case["id"]));
    let partners = &whole["items"][0]["partners"];
    assert_eq!(
        (&partners[0]["tx_id"], &partners[0]["same_amount"]),
        (&json!("T-0"), &json!(true)),
        "{whole}"
    );
    let body = json!({ "resolution": "all", "reward_id": partners[0]["reward_id"], "note": "their mail" });
    let answer = resolve(&api, &case, &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((&*api.balance("u-1"), &api.reward("T-0")["status"]), ("0", &json!("reversed")));
    gate.assert_proven();
}

fn a_reapproval_after_the_retry_horizon_is_held_and_can_be_released(on: Kind) {
    let gate = Gate::new(on);
    let event = Event::honest("u-1", "T-1", 500);
    {
        let up = gate.up();
        let api = gate.api(up.address);
        for target in [event.credit(), event.reversal()] {
            deliver(up.address, &target);
            api.await_processing();
        }
    }
    let web = gate.web();
    let api = gate.api(web.address);
    deliver(web.address, &event.credit());
    gate.database
        .execute("UPDATE postbacks SET received_at = received_at + 864000000 WHERE outcome = 'received'");
    let _worker = gate.worker();
    let reward = api.reward("T-1");
    assert_eq!(reward["status"], "held");
    assert_eq!(field(&reward["steps"], "step"), ["credit", "reverse_credited", "reapprove"]);
    let id = reward["id"].as_i64().expect("an id");
    assert_eq!(api.decide(id, "release", "they paid it").status, 200);
    assert_eq!(api.balance("u-1"), "500");
    gate.assert_proven();
}

fn a_reversal_under_an_id_of_its_own_finds_its_credit_by_the_settings(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with_in_source("reversal_id = { suffix = \"-R\" }"));
    let up = gate.up();
    let api = gate.api(up.address);
    for target in [Event::honest("u-1", "T-0", 500).credit(), Event::honest("u-1", "T-0-R", 500).reversal()] {
        deliver(up.address, &target);
        api.await_processing();
    }
    assert_eq!((&*api.balance("u-1"), &api.reward("T-0")["status"]), ("0", &json!("reversed")));
    gate.assert_proven();
}
