//! `networks list`, `show` and `test`, and `diagnose` of networks of every kind: what an engineer asks before and after the
//! first postback.

use std::process::Output;

use domain::postback::networks::signature::Keys;
use domain::postback::networks::{Call, Definition, Method, shipped};
use domain::postback::signature::Secret;
use domain::time::TimestampMs;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::http::{Request, call};
use crate::support::network::now_s;
use crate::support::process::alone_knowing;
use crate::support::settings::{PUBLIC_URL, SECRET_NAME};
use crate::support::wait::until;

const SECRET: &str = "a-secret-of-a-network";

/// The executable in a folder without settings, with the secret in its environment.
fn alone(folder: &TempDir, arguments: &[&str]) -> Output {
    alone_knowing(folder, &[("KEY", SECRET)], arguments)
}

/// Exit code, standard output and standard error.
fn said(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn network(name: &str) -> Definition {
    shipped::definition(name).expect("it ships").unwrap_or_else(|faults| panic!("{faults}"))
}

/// `target` with the signature of the network.
fn signed(name: &str, target: &str, secret: &str) -> String {
    let keys = Keys { secrets: Secret::new(secret).into_iter().collect(), ..Keys::default() };
    let now = TimestampMs(now_s() * 1_000);
    network(name).sign(&Call::get(PUBLIC_URL, target), &keys, now).expect("signed").target
}

#[test]
fn networks_are_listed_and_shown_without_any_settings() {
    let folder = TempDir::new().expect("a folder");
    let (code, list, errors) = said(&alone(&folder, &["networks", "list"]));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(list.lines().count(), shipped::names().count() + 1, "{list}");
    let bitlabs = list.lines().find(|line| line.starts_with("bitlabs ")).expect("a line");
    assert!(bitlabs.contains("BitLabs") && bitlabs.contains("documented"), "{bitlabs}");
    let (_, list, _) = said(&alone(&folder, &["networks", "list", "--json"]));
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let items = list.as_array().expect("an array");
    assert_eq!(items.len(), shipped::names().count());
    for item in items {
        let keys: Vec<_> = item.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["confirmed", "name", "title"]);
    }
    for name in shipped::names() {
        let (code, shown, errors) = said(&alone(&folder, &["networks", "show", name]));
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{name}");
        let definition = network(name);
        for part in [&definition.documentation, &definition.query_to_paste(), &definition.coverage().words()]
        {
            assert!(shown.contains(part.as_str()), "{name}: no {part:?} in {shown}");
        }
        let (_, shown, _) = said(&alone(&folder, &["networks", "show", name, "--json"]));
        assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), definition.to_json(), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is written");
}

#[test]
fn a_definition_of_ones_own_is_shown_listed_and_its_faults_are_named() {
    let gate = Gate::with(Kind::Sqlite, |settings| settings.with("networks = [\"mine.toml\"]"));
    let good = "name = \"mine\"\ntitle = \"Mine\"\ndocumentation = \"https://example.com\"\nconfirmed = \"integrators\"\n\
                extends = \"kiwiwall\"\n";
    std::fs::write(gate.path("mine.toml"), good).expect("room");
    let (_, list, _) = said(&gate.run(&["networks", "list", "--json"]));
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list[0], json!({ "name": "mine", "title": "Mine", "confirmed": "integrators" }));
    for name in ["mine", "mine.toml"] {
        let (code, shown, _) = said(&gate.run(&["networks", "show", name]));
        assert!(
            code == Some(0) && shown.starts_with("Mine (mine), known from public integrations"),
            "{shown}"
        );
    }
    // A shell that lacks a secret knows the definition all the same.
    gate.change(|settings| settings.without_variable(SECRET_NAME));
    let (code, shown, errors) = said(&gate.run(&["networks", "show", "mine"]));
    assert!(
        code == Some(0) && shown.starts_with("Mine (mine)") && errors.contains(SECRET_NAME),
        "{shown}{errors}"
    );
    let bad = format!("{good}methods = [\"PUT\"]\n[signature]\ndigest = \"md6\"\n");
    std::fs::write(gate.path("mine.toml"), bad).expect("room");
    let (code, shown, errors) = said(&gate.run(&["networks", "show", "mine.toml"]));
    assert_eq!((code, shown.as_str()), (Some(2), ""));
    assert!(errors.contains("mine.toml:6: methods[0]: `PUT` is not a method; "), "{errors}");
    assert!(errors.contains("mine.toml:8: signature.digest: `md6` is not a digest; "), "{errors}");
    let (code, _, errors) = said(&gate.run(&["networks", "show", "kiwiwal"]));
    assert!(code == Some(2) && errors.contains("did you mean kiwiwall?"), "{errors}");
    let (code, _, errors) = said(&gate.run(&["networks", "show", "absent.toml"]));
    assert!(code == Some(2) && errors.contains("absent.toml cannot be read"), "{errors}");
}

#[test]
fn a_captured_call_is_tried_and_no_secret_is_printed() {
    let folder = TempDir::new().expect("a folder");
    let query = "/pb/k?status=1&trans_id=T-1&sub_id=u1&gross=1.25&amount=500";
    let target = signed("kiwiwall", query, SECRET);
    let test = |url: &str, more: &[&str]| {
        let output = alone(&folder, &[&["networks", "test", "kiwiwall", url], more].concat());
        let (code, out, errors) = said(&output);
        let (_, signature) = target.rsplit_once('=').expect("a signature");
        assert!(
            !out.contains(SECRET) && !out.contains(signature) && !errors.contains(SECRET),
            "{out}{errors}"
        );
        (code, out + &errors)
    };
    let secret = ["--secret", "env:KEY"];
    let (code, out) = test(&target, &secret);
    assert!(code == Some(0), "{out}");
    assert!(out.contains("kind        status is `1`: [kinds] status 1 = \"credit\""), "{out}");
    assert!(out.contains("result      It becomes a credit of 500 units, 1.25 USD to user u1."), "{out}");
    let (code, out) = test(&target, &[]);
    assert!(code == Some(0) && out.contains("Not checked: no secret was given."), "{out}");
    let (code, out) = test(&target.replace("amount=500", "amount=501"), &secret);
    assert!(code == Some(1) && out.contains("Does not verify") && out.contains("\ncause "), "{out}");
    let (code, out) = test(&target.replace("status=1", "status=7"), &secret);
    assert!(code == Some(1) && out.contains("quarantined, because `status` is unknown"), "{out}");
    std::fs::write(
        folder.path().join("call"),
        format!("GET {target} HTTP/1.1\r\nHost: gw.example.com\r\n\r\n"),
    )
    .expect("room");
    assert_eq!(test("call", &secret).0, Some(0));
    let (code, out) = test("nonsense", &secret);
    assert!(code == Some(2) && out.contains("neither a URL nor a file"), "{out}");
    let (code, out) = test(&target, &["--secret", "env:ABSENT"]);
    assert!(code == Some(2) && out.contains("ABSENT, which is not set"), "{out}");
    let (code, out) = test(&target, &["--source", "main"]);
    assert!(code == Some(2) && out.contains("`--source` needs settings"), "{out}");
    assert_eq!(test(&target, &["--header", "no colon"]).0, Some(2));
}

#[test]
fn a_post_is_tried_with_its_body_and_its_headers() {
    let folder = TempDir::new().expect("a folder");
    for name in shipped::names() {
        let definition = network(name);
        if definition.methods.contains(&Method::Get) {
            continue;
        }
        let output =
            alone(&folder, &["networks", "test", name, "/pb/n", "--body", "{}", "--header", "X-A: b"]);
        let (code, out, errors) = said(&output);
        let signs_host = errors.contains("signs the host, too");
        assert!(
            code == Some(1) && out.contains("result ") || signs_host && code == Some(2),
            "{name}: {out}{errors}"
        );
    }
    let (code, out, _) =
        said(&alone(&folder, &["networks", "test", "kiwiwall", "/pb/k", "--method", "POST"]));
    assert!(code == Some(1) && out.contains("is accepted all the same"), "{out}");
}

/// A gate with a source of each of these networks.
fn gate_with(names: &[&str]) -> Gate {
    let section = |name: &&str| {
        let needs = network(name).signature.proof.needs();
        let secret = if needs.secret { "secret = \"env:NETWORK_SECRET\"\n" } else { "" };
        format!(
            "[[sources]]\nname = \"{name}\"\nnetwork = \"{name}\"\ncurrency = \"coins\"\n{secret}allow_ips = [\"127.0.0.1\"]\n"
        )
    };
    let sections: String = names.iter().map(section).collect();
    Gate::with(Kind::Sqlite, |settings| settings.with_tail(&sections).with_variable("NETWORK_SECRET", SECRET))
}

#[test]
fn diagnose_explains_calls_of_networks_that_sign_otherwise() {
    let unsigned = shipped::names().find(|name| {
        !network(name).signature.proof.needs().secret && !network(name).signature.proof.needs().public_keys
    });
    let unsigned = unsigned.expect("a network that signs nothing");
    let gate = gate_with(&["kiwiwall", unsigned]);
    let up = gate.up();
    // Signed with the secret of the other source.
    let target = signed(
        "kiwiwall",
        "/pb/kiwiwall?status=1&trans_id=T-1&sub_id=u1&amount=5",
        crate::support::settings::SECRET,
    );
    assert_eq!(call(up.address, &Request::get(&target)).status, 403);
    let api = gate.api(up.address);
    until("the refused call being kept", || {
        (api.get("postbacks?outcome=refused")["items"].as_array().map(Vec::len) == Some(1)).then_some(())
    });
    let (code, out, _) = said(&gate.run(&["diagnose", "--last-refused"]));
    assert!(code == Some(1) && out.contains("It was signed with the secret of the source `targo`"), "{out}");
    let (code, out, _) = said(&gate.run(&["diagnose", &target]));
    assert!(code == Some(1) && out.contains("secret of the source `targo`"), "{out}");
    let right = signed("kiwiwall", "/pb/kiwiwall?status=1&trans_id=T-1&sub_id=u1&amount=5", SECRET);
    assert_eq!(gate.run(&["diagnose", &right]).status.code(), Some(0));
    let (code, out, _) = said(&gate.run(&["diagnose", &format!("{PUBLIC_URL}/pb/{unsigned}?x=1")]));
    assert!(code == Some(1) && out.contains("only the caller's address counts. Listed: 127.0.0.1"), "{out}");
    let (_, out, _) = said(&gate.run(&["diagnose", "/pb/kiwiwall", "--body", "status=1&sub_id=u1"]));
    assert!(out.contains("the fields came in the body, as a form (status, sub_id)"), "{out}");
    // A source of the settings gives secrets and currency.
    let (code, out, _) = said(&gate.run(&["networks", "test", "kiwiwall", &right, "--source", "kiwiwall"]));
    assert!(code == Some(0) && out.contains("a credit of 5 coins"), "{out}");
    let (code, _, errors) = said(&gate.run(&["networks", "test", "adgem", &right, "--source", "kiwiwall"]));
    assert!(code == Some(2) && errors.contains("has the network `kiwiwall`, not `adgem`"), "{errors}");
}

#[test]
fn check_tells_what_each_signature_protects_and_compares_any_url() {
    let names = ["bitlabs", "kiwiwall", "adgem", "monlix", "timewall"];
    let gate = gate_with(&names);
    assert!(gate.run(&["migrate"]).status.success());
    let (_, out, _) = said(&gate.run(&["check", "--offline"]));
    for name in names {
        let definition = network(name);
        let line = format!("network    {name}: {}. {}", definition.title, definition.coverage().words());
        assert!(out.contains(&line), "no {line:?} in {out}");
        let pasted = format!("{PUBLIC_URL}/pb/{name}?{}", definition.query_to_paste());
        let pasted = pasted.trim_end_matches('?');
        let (_, out, _) = said(&gate.run(&["check", "--offline", "--source", name, "--url", pasted]));
        assert!(out.contains("✓ dashboard  the URL matches the settings"), "{name}: {out}");
    }
    assert!(out.contains("! network    kiwiwall: no repeat by KiwiWall is known"), "{out}");
    let short = format!("{PUBLIC_URL}/pb/bitlabs?uid=[%USER:UID%]&tx=[%TX%]&val=[%VALUE:CURRENCY%]");
    let (code, out, _) = said(&gate.run(&["check", "--offline", "--source", "bitlabs", "--url", &short]));
    assert!(code == Some(1) && out.contains("it lacks state=[%OFFER:TASK:STATE%]"), "{out}");
    gate.change(|settings| settings.replace_in_tail("allow_ips = [\"127.0.0.1\"]\n", "allow_ips = []\n"));
    let (_, out, _) = said(&gate.run(&["check", "--offline"]));
    assert!(out.contains("! network    kiwiwall: ") && out.contains("Set `allow_ips`"), "{out}");
    assert!(out.contains("✓ network    targo: "), "{out}");
}
