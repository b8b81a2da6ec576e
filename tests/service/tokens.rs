//! Tokens: whose they are, how long they are in force, and that one person is one of two, however they come in.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, deliver};

on_both_databases!(
    a_persons_tokens_are_one_voice_and_a_services_token_is_none,
    a_token_is_listed_expires_and_is_revoked,
);

fn token(gate: &Gate, arguments: &[&str]) -> String {
    let output = gate.run(&[&["token", "add"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

fn a_persons_tokens_are_one_voice_and_a_services_token_is_none(on: Kind) {
    let gate = Gate::with(on, |settings| settings.with_tail("[review]\nsecond_person_hard = true\n"));
    let up = gate.up();
    let api = gate.api(up.address);
    for name in ["mara", "joe"] {
        gate.add_person(name, "risk");
    }
    deliver(up.address, &Event::too_fast("u-1", "T-1", 10).credit());
    let id = api.reward("T-1")["id"].as_i64().expect("an id");
    let by = |arguments: &[&str]| Api { token: token(&gate, arguments), ..api.clone() };
    for caller in [
        by(&["laptop", "--role", "risk", "--owner", "mara"]),
        by(&["phone", "--role", "risk", "--owner", "mara", "--expires", "90d"]),
        by(&["mara", "--role", "risk"]),
        by(&["bot", "--role", "risk"]),
        by(&["cron", "--role", "admin"]),
    ] {
        assert_eq!(caller.decide(id, "release", "why").status, 409);
        assert_eq!(api.reward("T-1")["status"], "held");
    }
    assert_eq!(by(&["desktop", "--role", "risk", "--owner", "joe"]).decide(id, "release", "why").status, 200);
    let reward = api.reward("T-1");
    let steps = reward["steps"].as_array().expect("steps");
    assert_eq!((&reward["status"], &steps[1]["actor"]), (&json!("credited"), &json!("mara, joe")));
    gate.assert_proven();
}

fn a_token_is_listed_expires_and_is_revoked(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    gate.add_person("mara", "risk");
    let laptop = Api {
        address: up.address,
        token: token(&gate, &["laptop", "--role", "risk", "--owner", "mara", "--expires", "90d"]),
    };
    assert_eq!(laptop.ask("rewards").status, 200);
    let listed = text(&gate.run(&["token", "list"]).stdout);
    let line = listed.lines().find(|line| line.starts_with("laptop")).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.contains("mara") && line.contains("in force until") && !line.contains("never"), "{line}");
    assert!(!listed.contains(&laptop.token), "a token is shown again");
    let listed = text(&gate.run(&["token", "list", "--json"]).stdout);
    let for_programs: Value =
        serde_json::from_str(&listed).unwrap_or_else(|fault| panic!("{fault}: {listed}"));
    assert!(for_programs.as_array().is_some_and(|tokens| tokens.iter().any(|it| it["name"] == "laptop")));
    assert!(gate.run(&["token", "revoke", "laptop"]).status.success());
    assert_eq!(laptop.ask("rewards").status, 401);
    assert!(text(&gate.run(&["token", "list"]).stdout).contains("revoked"));
    for (arguments, why) in [
        (&["token", "revoke", "laptop"][..], "revoked already"),
        (&["token", "revoke", "nobody"], "no token named `nobody`"),
        (&["token", "add", "x", "--role", "risk", "--owner", "nobody"], "nobody named `nobody`"),
        (&["token", "add", "x", "--role", "admin", "--owner", "mara"], "may not do more than its owner"),
        (&["token", "add", "x", "--role", "risk", "--expires", "soon"], "90d or 12h"),
        (&["token", "add", "laptop", "--role", "risk"], "never given again"),
        (&["token", "add", "ann, bob", "--role", "risk"], "is not a valid token name"),
        (&["token", "add", "policy", "--role", "risk"], "is not a valid token name"),
    ] {
        let output = gate.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(why), "{arguments:?}: {}", text(&output.stderr));
    }
    let desk =
        Api { address: up.address, token: token(&gate, &["desk", "--role", "risk", "--owner", "mara"]) };
    assert_eq!(desk.ask("rewards").status, 200);
    assert!(gate.run(&["staff", "disable", "mara"]).status.success());
    assert_eq!(desk.ask("rewards").status, 401, "a token does not outlive its person");
}
