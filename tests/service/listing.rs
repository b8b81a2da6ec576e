//! Lists: a block holds the next reward, an end ends it, trust stops at a hard rule, and a file is taken whole or not at
//! all.

use serde_json::{Value, json};

use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::http::Answer;
use crate::support::network::{Event, USER_IP, deliver};
use crate::support::signed_in::SignedIn;
use crate::support::wait::until;

on_both_databases!(
    a_block_holds_the_next_reward_until_it_is_removed,
    an_entry_ends_by_itself,
    trust_outweighs_suspicion_and_no_hard_rule,
    a_file_with_a_fault_changes_nothing,
    a_file_is_imported_by_a_program_and_by_a_person,
    one_click_beside_a_reward_blocks_its_address,
    hosting_networks_of_the_settings_need_no_database,
);

fn add(api: &Api, body: &Value) -> Value {
    let answer = api.post("lists", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    json_of(&answer)
}

/// Delivers a new honest reward until one has this status: workers need a moment to see a change.
fn until_status(api: &Api, tx: &str, event: fn(&str, &str, i64) -> Event, status: &str) -> Value {
    let mut number = 0;
    until(&format!("a reward that is {status}"), || {
        number += 1;
        let (user, tx) = (format!("{tx}-user-{number}"), format!("{tx}-{number}"));
        deliver(api.address, &event(&user, &tx, 10).credit());
        Some(api.reward(&tx)).filter(|reward| reward["status"] == status)
    })
}

fn signal(reward: &Value, code: &str) -> Value {
    let signals = reward["verdict"]["signals"].as_array().expect("signals");
    signals.iter().find(|signal| signal["code"] == code).expect("every rule reports").clone()
}

fn a_block_holds_the_next_reward_until_it_is_removed(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-0", "T-0", 10).credit());
    assert_eq!(api.reward("T-0")["status"], "credited");
    let output = gate.run(&[
        "lists",
        "add",
        "address",
        "81.2.69.0/24",
        "--effect",
        "block",
        "--reason",
        "card testing",
        "--expires",
        "30d",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("entry 1: address 81.2.69.0/24 is blocked"), "{output:?}");
    let held = until_status(&api, "B", Event::honest, "held");
    let blocked = signal(&held, "L1");
    assert_eq!((&blocked["fired"], &blocked["hard"]), (&json!(true), &json!(true)));
    let sentence = blocked["text"].as_str().expect("a sentence");
    assert!(sentence.starts_with("The address 81.2.69.0/24 is blocked until 2"), "{sentence}");
    assert!(sentence.ends_with("by command line: card testing (entry 1)."), "{sentence}");
    // Held, not rejected: a person releases it.
    assert_eq!(api.decide(held["id"].as_i64().expect("an id"), "release", "fine").status, 200);
    let removed = api.post("lists/1/remove", "{}");
    assert_eq!((removed.status, &json_of(&removed)["in_force"]), (200, &json!(false)));
    until_status(&api, "R", Event::honest, "credited");
    let verified = gate.run(&["verify", "--verdicts"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stdout));
}

fn an_entry_ends_by_itself(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let entry = add(
        &api,
        &json!({ "kind": "address", "value": USER_IP, "effect": "block", "reason": "x",
                                   "expires_days": 1 }),
    );
    assert_eq!((&entry["value"], &entry["in_force"]), (&json!(USER_IP), &json!(true)));
    until_status(&api, "B", Event::honest, "held");
    // Its end cannot be moved, so a former one is written instead of it.
    gate.database.execute(&format!(
        "INSERT INTO list_entries (kind, source, value, app, effect, author, reason, created_at, expires_at)
         SELECT kind, source, value, 'main', effect, author, reason, 1, 2 FROM list_entries WHERE id = {}",
        entry["id"]
    ));
    assert_eq!(api.post("lists/1/remove", "{}").status, 200);
    until_status(&api, "E", Event::honest, "credited");
    assert_eq!(api.get("lists")["items"], json!([]));
    let ended = api.get("lists?state=ended");
    assert_eq!(ended["items"].as_array().map(Vec::len), Some(2), "{ended}");
}

fn trust_outweighs_suspicion_and_no_hard_rule(on: Kind) {
    let gate = Gate::with(on, |settings| {
        settings.with_tail(&format!("[lists]\nhosting_ranges = [\"{USER_IP}/32\"]"))
    });
    let up = gate.up();
    let api = gate.api(up.address);
    add(&api, &json!({ "kind": "address", "value": USER_IP, "effect": "trust", "reason": "our office" }));
    let trusted = until("trust", || {
        let tx = format!("T-{}", rand::random::<u32>());
        deliver(up.address, &Event::honest(&tx, &tx, 10).credit());
        Some(api.reward(&tx)).filter(|reward| signal(reward, "L3")["fired"] == true)
    });
    assert_eq!((&trusted["status"], &trusted["verdict"]["score"]), (&json!("credited"), &json!(0)));
    assert_eq!(
        (&signal(&trusted, "N1")["points"], &signal(&trusted, "L3")["points"]),
        (&json!(30), &json!(-100))
    );
    deliver(up.address, &Event::large("u-l", "T-L", 10).credit());
    let large = api.reward("T-L");
    assert_eq!((&large["status"], &signal(&large, "L3")["fired"]), (&json!("held"), &json!(true)));
}

fn a_file_with_a_fault_changes_nothing(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    let api = gate.api(up.address);
    let path = gate.path("list.csv");
    let import = |content: &str, more: &[&str]| {
        std::fs::write(&path, content).expect("room");
        let file = path.to_str().expect("a path");
        gate.run(&[&["lists", "import", file][..], more].concat())
    };
    let output =
        import("kind,value,effect,reason\nuser,u-1,block,a\naddress,nowhere,block,b\nuser,u-2,ban,c\n", &[]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    for line in [
        "list.csv: line 3: `value` \"nowhere\" is neither",
        "line 4: `effect` must be",
        "nothing was imported",
    ] {
        assert!(errors.contains(line), "{errors}");
    }
    let good = "kind,value,effect,reason,expires\nuser,u-1,block,a,30d\nasn,AS64500,watch,b,\n";
    let checked = import(good, &["--dry-run"]);
    assert!(text(&checked.stdout).starts_with("2 entries can be imported"), "{checked:?}");
    assert_eq!(api.get("lists")["items"], json!([]));
    let imported = import(good, &[]);
    assert!(text(&imported.stdout).starts_with("2 entries imported; 0 of them"), "{imported:?}");
    let shown = gate.run(&["lists", "show", "--json", "--kind", "asn"]);
    let entry: Value = serde_json::from_str(text(&shown.stdout).trim()).expect("one line of JSON");
    assert_eq!((&entry["value"], &entry["author"]), (&json!("64500"), &json!("command line")));
    for wrong in [
        &["lists", "add", "address", "1.2.3", "--effect", "block", "--reason", "x"][..],
        &["lists", "add", "user", "u", "--effect", "ban", "--reason", "x"],
        &["lists", "add", "offer", "7", "--effect", "block", "--reason", "x"],
        &["lists", "show", "--kind", "usr"],
    ] {
        assert_eq!(gate.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(gate.run(&["lists", "remove", "99"]).status.code(), Some(1));
}

fn a_file_is_imported_by_a_program_and_by_a_person(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    gate.add_person("mara", "risk");
    let api = gate.api(up.address);
    let mara = SignedIn::new(up.address, "mara", &[]);
    let good = "kind,value,effect,reason\nuser,u-1,block,a\nuser,u-2,watch,b\n";
    let bad = "kind,value,effect,reason\nuser,u-3,block,a\nuser,u-4,ban,b\naddress,nowhere,block,c\n";
    let refused = api.post("lists/import", bad);
    assert_eq!(refused.status, 409);
    for fault in ["nothing was added: line 3: `effect` must be", "line 4: `value` \\\"nowhere\\\""] {
        assert!(refused.body.contains(fault), "{}", refused.body);
    }
    assert_eq!(api.post("lists/import", "").status, 409, "an empty file");
    let checked = json_of(&api.post("lists/import?dry_run=true", good));
    assert_eq!(checked, json!({ "entries": 2, "replaced": 0, "dry_run": true }));
    assert_eq!(api.get("lists")["items"], json!([]));
    let taken = json_of(&api.post("lists/import", good));
    assert_eq!(taken, json!({ "entries": 2, "replaced": 0, "dry_run": false }));

    let pasted = |csv: &str| format!("csv={}", csv.replace(',', "%2C").replace('\n', "%0A"));
    let refused = mara.post("/lists/import", &pasted(bad));
    for shown in ["Nothing was added.", "line 3: `effect` must be", "user,u-4,ban,b"] {
        assert!(refused.body.contains(shown), "{}", refused.body);
    }
    let sent = mara.post("/lists/import", &pasted(good));
    let to = sent.header("location").expect("back to the lists").to_owned();
    assert!(mara.get(&to).body.contains("2 entries imported; 2 of them replaced another."), "{to}");
    let items = api.get("lists")["items"].clone();
    let authors: Vec<_> = items.as_array().expect("entries").iter().map(|entry| &entry["author"]).collect();
    assert_eq!(authors, ["mara", "mara"]);
}

fn one_click_beside_a_reward_blocks_its_address(on: Kind) {
    let gate = Gate::new(on);
    let up = gate.up();
    gate.add_person("mara", "risk");
    let api = gate.api(up.address);
    deliver(up.address, &Event::too_fast("u-1", "T-1", 10).credit());
    let id = &api.reward("T-1")["id"];
    let mara = SignedIn::new(up.address, "mara", &[]);
    let page: Answer = mara.get(&format!("/rewards/{id}"));
    assert!(page.body.contains(&format!("address {USER_IP}")), "the form offers the address");
    let target = format!("kind%3Daddress%26value%3D{USER_IP}%26source%3D%26app%3D");
    let form = format!("target={target}&expires=30d&effect=block&reason=one+click&back=/rewards/{id}");
    let sent = mara.post("/lists", &form);
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert!(sent.header("location").is_some_and(|to| to.starts_with(&format!("/rewards/{id}?said="))));
    let entry = &api.get("lists")["items"][0];
    assert_eq!((&entry["value"], &entry["author"]), (&json!(USER_IP), &json!("mara")));
    assert!(mara.get("/lists").body.contains(USER_IP));
    // Without a reason nothing is added, and the page says so.
    let sent = mara.post("/lists", &format!("target={target}&effect=watch&back=/rewards/{id}"));
    let to = sent.header("location").expect("back to the reward").to_owned();
    assert!(mara.get(&to).body.contains("Nothing was added: `reason` is required"));
    until_status(&api, "B", Event::honest, "held");
}

fn hosting_networks_of_the_settings_need_no_database(on: Kind) {
    let gate = Gate::with(on, |settings| {
        settings.with_tail(&format!("[lists]\nhosting_ranges = [\"{USER_IP}/32\"]"))
    });
    let mut up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 10).credit());
    assert_eq!(signal(&api.reward("T-1"), "N1")["points"], 30);
    up.process.stop();
    gate.change(|settings| settings.replace_in_tail("hosting_ranges", "relay_ranges"));
    let up = gate.up();
    let api = api.at(up.address);
    deliver(up.address, &Event::honest("u-2", "T-2", 10).credit());
    let relayed = signal(&api.reward("T-2"), "N1");
    assert_eq!((&relayed["points"], &relayed["fired"]), (&json!(0), &json!(false)));
    assert_eq!(relayed["value"], "a relay that the settings name");
}
