use super::*;
use crate::postback::networks::{Definition, shipped};
use crate::postback::signature::Secret;

const NOW: TimestampMs = TimestampMs(1_733_500_000_000);
const ORIGIN: &str = "https://gw.example.com";

fn keys(secret: &str) -> Keys {
    Keys { secrets: Secret::new(secret).into_iter().collect(), ..Keys::default() }
}

fn params(name: &str) -> Params {
    Params::shipped(name).expect("it ships")
}

fn signed(definition: &Definition, target: &str) -> String {
    definition.sign(&Call::get(ORIGIN, target), &keys("test-secret"), NOW).expect("signed").target
}

/// The trial and its lines as one text.
fn tried(name: &str, target: &str, keys: Option<&Keys>) -> (Trial, String) {
    let trial = trial(&Call::get(ORIGIN, target), &params(name), keys, NOW);
    let lines: Vec<_> =
        trial.lines("coins").iter().map(|line| format!("{}: {}", line.about, line.text)).collect();
    let text = lines.join("\n");
    (trial, text)
}

#[test]
fn a_captured_call_tells_its_lines_and_its_result() {
    let kiwiwall = params("kiwiwall");
    let query = "/pb/k?status=2&trans_id=T-9&sub_id=u1&gross=1.25&amount=-500";
    let target = signed(kiwiwall.definition(), query);
    let (trial, text) = tried("kiwiwall", &target, Some(&keys("test-secret")));
    assert!(trial.is_good());
    for line in [
        "signature: Verifies with secret 1. MD5 of user_id (decoded) + reward (decoded) + secret",
        "field: user_id (`sub_id`) = u1",
        "field: ip (`ip_address`) is absent",
        "kind: status is `2`: [kinds] status 2 = \"reversal\"",
        "identity: [identity] event = \"{tx_id}\": T-9",
        "identity: [identity] amounts = \"either\": 500 coins, 1.25 USD",
        "result: It becomes the reversal of T-9 (500 coins, 1.25 USD) of user u1.",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    let (_, signature) = target.rsplit_once('=').expect("a signature");
    assert!(!text.contains(signature) && !text.contains("test-secret"), "{text}");
}

#[test]
fn each_result_is_told_with_its_reason() {
    let target =
        |kind: &str| format!("/pb/t?userID=u1&transactionID=T-1&currencyAmount=500&revenue=1&type={kind}");
    let result = |target: &str, keys: Option<&Keys>| {
        let (trial, text) = tried("timewall", target, keys);
        (trial.is_good(), text.lines().last().unwrap_or_default().to_owned())
    };
    let unchecked = |kind: &str| result(&target(kind), None);
    assert_eq!(
        unchecked("credit"),
        (
            true,
            "result: If its signature is right it becomes a credit of 500 coins, 1 USD to user u1.".into()
        )
    );
    let (good, pending) = unchecked("hold");
    assert!(good && pending.contains("a pending reward of user u1, recorded only"), "{pending}");
    let (good, information) = unchecked("hold_cancelled");
    assert!(good && information.contains("information of user u1"), "{information}");
    let (good, unknown) = unchecked("paid");
    assert!(!good && unknown.contains("quarantined, because `type` is unknown: it says"), "{unknown}");
    let wrong = signed(params("timewall").definition(), &target("credit"));
    let (good, refused) = result(&wrong, Some(&keys("another")));
    assert!(
        !good && refused.starts_with("result: Refused. With the right signature it becomes a credit"),
        "{refused}"
    );
}

#[test]
fn no_definition_and_no_call_makes_a_trial_panic() {
    for name in shipped::names() {
        for target in ["", "/", "/pb/x", "/pb/x?", "/pb/x?&&=", "/pb/x?user_id=%ff&a=%00&hash=%"] {
            let (_, text) = tried(name, target, Some(&keys("test-secret")));
            assert!(text.contains("result: "), "{name} {target}");
        }
    }
}
