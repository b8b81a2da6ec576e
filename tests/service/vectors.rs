//! The signatures that the network publishes, and everything that differs from one in a single bit.

use domain::masked::masked;
use serde_json::json;

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::network::send;

on_both_databases!(
    the_documented_form_is_acknowledged,
    the_cut_form_is_acknowledged_only_where_it_is_set,
    the_scheme_that_the_network_calls_is_part_of_what_it_signs,
    every_accepted_secret_signs_while_one_is_replaced,
);

const TARGET: &str = "/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1";
const EMPTY: &str = "be5b54b732274ab3cec8a049180c94560a782826";
const CUT: &str = "3a99d7d440d365d1035c22e7113ade39396de9fd";
const CUT_OVER_HTTP: &str = "ac7982bfb3c13cd2ba8e0bc8cb7c460d6464dd00";
/// No transaction, so it has no effect; encoded characters, so that decoding before the check would be found.
const ENCODED: &str = "/pb/targo?uid=a%20b%2Bc&name=Caf%C3%A9+Quest&reward=500&status=2";
const ENCODED_EMPTY: &str = "6b70f9e0852c095315102b3f0514a715e1273733";

fn with(target: &str, hash: &str) -> String {
    format!("{target}&hash={hash}")
}

fn the_documented_form_is_acknowledged(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    assert_eq!(send(up.address, with(TARGET, EMPTY)).status_and_body(), (200, "OK"));
    assert_eq!(api.reward("T-1")["user_id"], "abc123");

    assert_eq!(send(up.address, with(ENCODED, ENCODED_EMPTY)).status_and_body(), (200, "OK"));
    api.await_processing();
    let newest = &api.get("postbacks?limit=1")["items"][0];
    assert_eq!(newest["target"], json!(masked(&with(ENCODED, ENCODED_EMPTY))));
    assert_eq!((&newest["outcome"], &newest["reason"]), (&json!("quarantined"), &json!("`tx` is missing")));

    for (target, hash) in [(TARGET, CUT), (TARGET, CUT_OVER_HTTP), (TARGET, ENCODED_EMPTY), (ENCODED, EMPTY)]
    {
        assert_eq!(send(up.address, with(target, hash)).status_and_body(), (403, "bad signature"), "{hash}");
    }
    assert_eq!(accepted(&api), 2);
}

fn the_cut_form_is_acknowledged_only_where_it_is_set(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with_in_source("signature_form = \"cut\""));
    let up = gate.up();
    let api = gate.api(up.address);
    for hash in [EMPTY, CUT_OVER_HTTP] {
        assert_eq!(send(up.address, with(TARGET, hash)).status_and_body(), (403, "bad signature"), "{hash}");
    }
    assert_eq!(send(up.address, with(TARGET, CUT)).status_and_body(), (200, "OK"));
    assert_eq!(api.reward("T-1")["user_id"], "abc123");
    assert_eq!(accepted(&api), 1);
}

fn the_scheme_that_the_network_calls_is_part_of_what_it_signs(on: Kind) {
    let gate = Gate::with(on, |settings| {
        settings.with_in_source("signature_form = \"cut\"").with("public_url = \"http://gw.example.com/\"")
    });
    let up = gate.up();
    let api = gate.api(up.address);
    for hash in [EMPTY, CUT] {
        assert_eq!(send(up.address, with(TARGET, hash)).status_and_body(), (403, "bad signature"), "{hash}");
    }
    assert_eq!(send(up.address, with(TARGET, CUT_OVER_HTTP)).status_and_body(), (200, "OK"));
    assert_eq!(api.reward("T-1")["user_id"], "abc123");
    assert_eq!(accepted(&api), 1);
}

fn every_accepted_secret_signs_while_one_is_replaced(on: Kind) {
    let gate = Gate::with(on, |settings| {
        settings
            .with_in_source("secret = [\"env:NEW_SECRET\", \"env:TARGO_SECRET\"]")
            .with_variable("NEW_SECRET", "another-secret")
    });
    let mut up = gate.up();
    assert_eq!(send(up.address, with(TARGET, EMPTY)).status_and_body(), (200, "OK"));
    up.process.stop();
    gate.change(|settings| settings.with_in_source("secret = \"env:NEW_SECRET\""));
    let up = gate.up();
    assert_eq!(send(up.address, with(TARGET, EMPTY)).status_and_body(), (403, "bad signature"));
}

/// Does not depend on the database, so one is enough.
#[test]
fn a_target_with_one_flipped_bit_is_refused_and_has_no_effect() {
    let gate = Gate::new(Kind::Sqlite);
    let up = gate.up();
    let api = gate.api(up.address);
    let mut refused = 0;
    for genuine in [with(TARGET, EMPTY), with(ENCODED, ENCODED_EMPTY)] {
        let path_len = genuine.find('?').expect("a query");
        for (position, byte) in genuine.bytes().enumerate() {
            let mut changed = genuine.clone().into_bytes();
            changed[position] = byte ^ 1;
            // A target that no URL can have is refused as bad HTTP, before any signature is looked at.
            let possible = changed[0] == b'/' && may_stand_in_a_url(changed[position]);
            let answer = send(up.address, &changed);
            let shown = String::from_utf8_lossy(&changed);
            match answer.status {
                400 => assert!(!possible, "{shown}"),
                404 => assert!(position <= path_len, "{shown}"),
                403 => assert_eq!(answer.body, "bad signature", "{shown}"),
                other => panic!("answered {other}: {shown}"),
            }
            refused += usize::from(answer.status == 403);
        }
    }
    assert!(refused > 180, "only {refused} reached the signature");
    assert_eq!((accepted(&api), api.get("rewards")["items"].clone()), (0, json!([])));
    assert_eq!(api.get("ledger/proof")["transfers"], 0);
    assert_eq!(send(up.address, with(TARGET, EMPTY)).status_and_body(), (200, "OK"));
}

/// The characters of RFC 3986, without `#`, which ends what is sent.
fn may_stand_in_a_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte)
}

/// How many postbacks were accepted.
fn accepted(api: &Api) -> usize {
    api.await_processing();
    api.all("postbacks", 1_000).len()
}
