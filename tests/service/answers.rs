//! The answers to networks, with GET and with POST.

use domain::masked::masked;
use serde_json::json;

use crate::support::api::{Api, field};
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::http::{Connection, Request, call};
use crate::support::network::{Event, send, sign};
use crate::support::wait::until;

on_both_databases!(
    a_signed_call_is_answered_ok_the_first_time_and_every_time,
    an_unsigned_call_is_refused_kept_apart_and_has_no_effect,
    an_unknown_source_is_not_found,
    a_target_over_eight_kib_is_too_long,
    a_body_over_sixty_four_kib_is_too_large,
    a_signed_call_with_a_body_counts_by_its_query,
    other_methods_are_not_allowed,
    what_is_signed_and_cannot_be_understood_is_acknowledged_and_put_aside,
);

const METHODS: [&str; 2] = ["GET", "POST"];
/// The longest target, and the longest body.
const TARGET_LEN: usize = 8 * 1_024;
const BODY_LEN: usize = 64 * 1_024;

fn a_signed_call_is_answered_ok_the_first_time_and_every_time(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for method in METHODS {
        let target = Event::honest("u-1", method, 500).credit();
        for time in 1..=3 {
            let answer = call(up.address, &Request::new(method, &target));
            assert_eq!(answer.status_and_body(), (200, "OK"), "{method}, time {time}");
            api.await_processing();
        }
        let reward = api.reward(method);
        assert_eq!((&reward["status"], &reward["repeats"]), (&json!("credited"), &json!(2)));
        assert_eq!(field(&reward["postbacks"], "method"), [method; 3]);
        assert_eq!(field(&reward["postbacks"], "outcome"), ["processed", "repeat", "repeat"]);
    }
    assert_eq!(api.balance("u-1"), "1000");
    gate.assert_proven();
}

fn an_unsigned_call_is_refused_kept_apart_and_has_no_effect(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let signed = Event::honest("u-1", "T-1", 500).credit();
    let (target, hash) = signed.split_once("&hash=").expect("a hash");
    let mut refused = Vec::new();
    for (forged, reason) in [
        (target.to_owned(), "missing"),
        ("/pb/targo".to_owned(), "missing"),
        (format!("{target}&hash="), "malformed"),
        (format!("{target}&hash={}", &hash[1..]), "malformed"),
        (format!("{target}&hash={}", hash.to_uppercase()), "malformed"),
        (format!("{signed}&sub1=x"), "not the last parameter"),
        (format!("{signed}&hash={hash}"), "more than once"),
        (format!("{target}&hash={}", "0".repeat(40)), "does not match"),
        (signed.replace("reward=500", "reward=5000"), "does not match"),
        (signed.replace("uid=u-1", "uid=u-2"), "does not match"),
    ] {
        for method in METHODS {
            let answer = call(up.address, &Request::new(method, &forged));
            assert_eq!(answer.status_and_body(), (403, "bad signature"), "{method} {forged}");
            refused.push((method, forged.clone(), reason));
        }
    }
    let kept = until("the refused calls", || {
        let kept = api.all("postbacks?outcome=refused", 1_000);
        (kept.len() == refused.len()).then_some(kept)
    });
    for (method, forged, reason) in refused {
        // Of a hash, right or wrong, nobody is shown more than its beginning.
        let found = kept.iter().find(|kept| {
            kept["method"] == method
                && kept["target"] == json!(masked(&forged))
                && kept["reason"].as_str().is_some_and(|said| said.contains(reason))
        });
        let found = found.unwrap_or_else(|| panic!("{method} {forged} was not kept"));
        assert_eq!(found["outcome"], "refused");
        assert!(found["reason"].as_str().is_some_and(|said| said.contains(reason)), "{found}");
    }
    assert_nothing_happened(&api);
    // The genuine one still counts afterwards.
    assert!(send(up.address, &signed).is_acknowledged());
    assert_eq!(api.reward("T-1")["status"], "credited");
}

fn an_unknown_source_is_not_found(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let unsigned = Event::honest("u-1", "T-1", 500).unsigned(1);
    for method in METHODS {
        for path in ["/pb/other", "/pb/Targo", "/pb/", "/pb", "/pb/targo/x", "/", "//pb/targo", "/PB/targo"] {
            let target = sign(&unsigned.replace("/pb/targo", path));
            assert_eq!(call(up.address, &Request::new(method, &target)).status, 404, "{method} {path}");
        }
    }
    assert_nothing_happened(&gate.api(up.address));
}

fn a_target_over_eight_kib_is_too_long(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for method in METHODS {
        // A signature makes no difference, and one byte does. Beyond `limits.header_kib` not even the line is read.
        for (len, expected) in [(TARGET_LEN, 200), (TARGET_LEN + 1, 414), (20_000, 414), (70_000, 431)] {
            let target = Event::honest("u-1", method, 500).credit_of_length(len);
            assert_eq!(target.len(), len);
            assert_eq!(call(up.address, &Request::new(method, &target)).status, expected, "{method} {len}");
        }
        assert_eq!(api.reward(method)["repeats"], 0);
    }
    assert_eq!(api.balance("u-1"), "1000");
}

fn a_body_over_sixty_four_kib_is_too_large(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for method in METHODS {
        let target = Event::honest("u-1", method, 500).credit();
        for len in [BODY_LEN + 1, 2 * BODY_LEN] {
            let request = Request::new(method, &target);
            let whole = call(up.address, &request.clone().body(vec![b'x'; len]));
            assert_eq!(whole.status, 413, "{method} {len}");
            let chunked = call(up.address, &request.chunked_body(&vec![b'x'; len]));
            assert_eq!(chunked.status, 413, "{method} {len} chunked");
        }
    }
    let announced = Request::get(Event::honest("u-1", "T-1", 500).credit());
    let announced = announced.header("Content-Length", "99999999999999999999999");
    assert!(matches!(call(up.address, &announced).status, 400 | 413), "more than any number holds");
    assert_nothing_happened(&api);

    for method in METHODS {
        let request = Request::new(method, Event::honest("u-1", method, 500).credit());
        let whole = call(up.address, &request.clone().body(vec![b'x'; BODY_LEN]));
        assert_eq!(whole.status_and_body(), (200, "OK"), "{method}");
        let chunked = call(up.address, &request.chunked_body(&vec![0xff; BODY_LEN]));
        assert_eq!(chunked.status_and_body(), (200, "OK"), "{method} chunked");
        assert_eq!(api.reward(method)["repeats"], 1);
    }
}

fn a_signed_call_with_a_body_counts_by_its_query(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for (index, (kind, body)) in [
        ("application/x-www-form-urlencoded", "uid=u-2&tx=other&reward=9999&status=2&hash=0"),
        ("application/json", "{\"uid\":\"u-2\",\"status\":2}"),
        ("application/octet-stream", "\u{0}\u{1}%%%\r\n"),
        ("text/plain", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let tx = format!("T-{index}");
        let request = Request::new("POST", Event::honest("u-1", &tx, 500).credit());
        let request = request.header("Content-Type", kind).body(body);
        assert_eq!(call(up.address, &request).status_and_body(), (200, "OK"), "{kind}");
        assert_eq!(api.reward(&tx)["status"], "credited", "{kind}");
    }
    assert_eq!((api.balance("u-1"), api.balance("u-2")), ("2000".into(), "0".into()));
}

fn other_methods_are_not_allowed(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let target = Event::honest("u-1", "T-1", 500).credit();
    // All on one connection: none of them may leave it in disorder.
    let mut connection = Connection::open(up.address).expect("a connection");
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
        let answer = connection.call(&Request::new(method, &target)).expect("an answer");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("Allow"), Some("GET, POST, HEAD"), "{method}");
    }
    // A probe learns whether the call would be accepted, and leaves nothing behind either way.
    let forged = target.replace("uid=u-1", "uid=u-2");
    for (probe, status) in [(target.as_str(), 200), (&forged, 403), (&target.replace("targo", "other"), 404)]
    {
        let answer = connection.call(&Request::new("OPTIONS", probe)).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str().contains("OK")), (status, false), "{probe}");
    }
    assert_nothing_happened(&gate.api(up.address));
    assert!(connection.call(&Request::get(&target)).expect("an answer").is_acknowledged());
}

fn what_is_signed_and_cannot_be_understood_is_acknowledged_and_put_aside(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    for (query, reason) in [
        ("", "`uid` is missing"),
        ("?tx=T&reward=1&status=1", "`uid` is missing"),
        ("?uid=u-1&reward=1&status=1", "`tx` is missing"),
        ("?uid=u-1&tx=T&reward=1&status=7", "`status` is unknown"),
        ("?uid=u-1&tx=T&reward=-1&status=1", "`reward` is negative"),
        ("?uid=u-1&uid=u-2&tx=T&reward=1&status=1", "`uid` appears more than once in the query"),
        ("?uid=%FF&tx=T&reward=1&status=1", "`uid` is not UTF-8"),
        ("?uid=a%00b&tx=T&reward=1&status=1", "`uid` contains a NUL character"),
    ] {
        let target = sign(&format!("/pb/targo{query}"));
        assert_eq!(send(up.address, &target).status_and_body(), (200, "OK"), "{query}");
        api.await_processing();
        let newest = &api.get("postbacks?limit=1")["items"][0];
        assert_eq!(newest["target"], json!(masked(&target)));
        assert_eq!(newest["outcome"], "quarantined");
        // Behind a colon stands what can be done.
        let said = newest["reason"].as_str().and_then(|said| said.split(':').next());
        assert_eq!(said, Some(reason), "{newest}");
    }
    assert_eq!(api.get("rewards")["items"], json!([]));
    assert_eq!(api.balance("u-1"), "0");
}

/// Asserts that nothing was accepted, and that refused calls have no effect.
fn assert_nothing_happened(api: &Api) {
    api.await_processing();
    assert_eq!(api.get("postbacks")["items"], json!([]));
    assert_eq!(api.get("rewards")["items"], json!([]));
    assert_eq!(api.get("ledger/proof")["transfers"], 0);
}
