//! The life of statements through the executable: what is asked before an import, what fails, what is taken back, and
//! what is paid, by the API and by command.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::finance::{days_ago, line};
use crate::support::api::{Api, json_of};
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening, text};
use crate::support::http::{Request, call};
use crate::support::network::{Event, deliver};
use crate::support::wait::until;

on_both_databases!(
    a_line_far_off_is_asked_about_by_the_api_and_by_command,
    a_preview_by_the_api_is_imported_by_command,
    an_import_by_command_beside_a_server_follows_it_to_the_end,
    a_statement_that_cannot_be_read_stops_no_other,
    parts_add_up_and_a_version_is_taken_back_by_the_api,
    a_payment_is_booked_once_asked_about_and_taken_back,
);

const HEADER: &str = "tx_id,status,user_id,offer_id,amount,currency,time\n";

/// A file with one credit of a dollar for each transaction, of today.
fn file(txs: &[&str]) -> String {
    txs.iter().fold(HEADER.to_owned(), |file, tx| file + &line(tx, "approved", "u-1", "1.00"))
}

/// The transactions `T-1` to `T-6`, credited with a dollar each.
fn six(gate: &Gate) -> (Listening, Api) {
    let up = gate.up();
    let api = gate.api(up.address);
    for number in 1..=6 {
        deliver(up.address, &Event::honest("u-1", &format!("T-{number}"), 10).credit());
    }
    api.await_processing();
    (up, api)
}

fn statement(api: &Api, id: i64) -> Value {
    api.get(&format!("statements/{id}"))
}

fn until_it_is(api: &Api, id: i64, state: &str) {
    until(state, || (statement(api, id)["state"] == state).then_some(()));
}

/// A command on statements: its exit code and what it says.
fn command(gate: &Gate, arguments: &[&str]) -> (Option<i32>, String) {
    let output = gate.run(&[&["statement"], arguments].concat());
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(!said.contains("database is locked"), "{said}");
    (output.status.code(), said)
}

fn write(gate: &Gate, name: &str, file: &str) -> String {
    let path = gate.path(name);
    fs::write(&path, file).expect("room for a file");
    path.to_str().expect("a path").to_owned()
}

fn a_line_far_off_is_asked_about_by_the_api_and_by_command(on: Kind) {
    let gate = Gate::new(on);
    let (_up, api) = six(&gate);
    let today = days_ago(0).date().to_string();
    let strange = |tx: &str, day: &str| line(tx, "approved", "u-1", "1.00").replace(&today, day);
    let sent = api
        .post("statements?source=targo&name=a.csv", &(file(&["T-1", "T-2"]) + &strange("T-3", "1970-01-01")));
    let sent = json_of(&sent);
    assert_eq!(sent["state"], "received", "{sent}");
    let question = sent["question"].as_str().expect("a question");
    assert!(question.contains("1970-01-01") && question.contains(&today), "{question}");
    let refused = api.post("statements/1/import", "");
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("1970-01-01"), "{}", refused.body);
    let long = api.post(&format!("statements/1/import?from=1970-01-01&to={today}"), "");
    assert_eq!(long.status, 400, "a period is bounded: {}", long.body);
    assert_eq!(api.post(&format!("statements/1/import?from={today}&to={today}"), "").status, 200);
    until_it_is(&api, 1, "matched");
    assert_eq!(statement(&api, 1)["from"], today.as_str());
    // By command: nothing is imported before the days are stated.
    let path = write(&gate, "b.csv", &(file(&["T-4", "T-5"]) + &strange("T-6", "2062-01-01")));
    let (code, said) = command(&gate, &["import", &path, "--source", "targo"]);
    assert!(code == Some(1) && said.contains("2062-01-01") && said.contains("--from"), "{said}");
    assert_eq!(statement(&api, 2)["state"], "received");
    let (_, said) = command(&gate, &["import", &path, "--source", "targo", "--from", &today, "--to", &today]);
    assert!(said.contains("matched") && said.contains(&format!("{today} to {today}")), "{said}");
    assert_eq!(statement(&api, 1)["state"], "matched", "another part supersedes nothing");
    gate.assert_proven();
}

fn a_preview_by_the_api_is_imported_by_command(on: Kind) {
    let gate = Gate::new(on);
    let (_up, api) = six(&gate);
    let all = file(&["T-1", "T-2", "T-3", "T-4", "T-5", "T-6"]);
    let preview = json_of(&api.post("statements?source=targo&preview=true", &all));
    assert_eq!((&preview["id"], &preview["question"]), (&json!(1), &Value::Null));
    assert_eq!(preview["from"], days_ago(0).date().to_string());
    let path = write(&gate, "a.csv", &all);
    let (code, said) = command(&gate, &["import", &path, "--source", "targo"]);
    assert_eq!(code, Some(0), "both sides agree: {said}");
    assert!(said.contains("statement 1 was not finished: resuming"), "{said}");
    // Sent again it is refused as known; discarded, it may be sent again.
    let (code, said) = command(&gate, &["import", &path, "--source", "targo"]);
    assert!(code == Some(1) && said.contains("statement discard 1"), "{said}");
    gate.add_person("fay", "finance");
    assert_eq!(command(&gate, &["discard", "1", "--as", "fay"]).0, Some(0));
    assert_eq!(api.ask("statements/1").status, 404);
    let (code, said) = command(&gate, &["import", &path, "--source", "targo"]);
    assert_eq!(code, Some(0), "{said}");
}

fn an_import_by_command_beside_a_server_follows_it_to_the_end(on: Kind) {
    const LINES: usize = 4_000;
    let gate = Gate::new(on);
    let (_up, api) = six(&gate);
    let mut long = file(&["T-1"]);
    for number in 0..LINES {
        long += &line(&format!("X-{number}"), "approved", "u-2", "0.50");
    }
    let path = write(&gate, "long.csv", &long);
    let arguments = ["statement", "import", &path, "--source", "targo"];
    let import = gate.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    if on == Kind::Sqlite {
        // Another process has the file for longer than anybody waits for a lock.
        gate.database.execute(
            "BEGIN IMMEDIATE;
             CREATE TEMP TABLE spent AS
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000000)
                 SELECT COUNT(*) AS c FROM n;
             COMMIT;",
        );
    }
    let output = import.expect("the executable runs").wait_with_output().expect("it ends");
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "much is missing here: {said}");
    assert!(said.contains("matched") && said.contains("4000"), "{said}");
    assert_eq!(statement(&api, 1)["lines"], json!(LINES + 1));
    assert_eq!(statement(&api, 1)["state"], "matched");
}

fn a_statement_that_cannot_be_read_stops_no_other(on: Kind) {
    let gate = Gate::new(on);
    let (mut up, _) = six(&gate);
    up.process.stop();
    let web = gate.web();
    let api = gate.api(web.address);
    for (name, txs) in [("a.csv", ["T-1", "T-2"]), ("b.csv", ["T-3", "T-4"])] {
        assert_eq!(api.post(&format!("statements?source=targo&name={name}"), &file(&txs)).status, 202);
    }
    gate.database.execute("DELETE FROM statement_chunks WHERE statement_id = 1");
    let mut worker = gate.worker();
    until_it_is(&api, 1, "failed");
    until_it_is(&api, 2, "matched");
    let failed = statement(&api, 1);
    assert!(failed["failure"].as_str().is_some_and(|why| why.contains("piece 0")), "{failed}");
    assert_eq!(failed["can"], json!(["import", "discard"]));
    let (code, said) = command(&gate, &["show", "1"]);
    assert!(code == Some(1) && said.contains("import failed: piece 0"), "{said}");
    // Sent again, it takes the place of the one that failed.
    let again = json_of(&api.post("statements?source=targo&name=a.csv", &file(&["T-1", "T-2"])));
    until_it_is(&api, again["id"].as_i64().expect("an id"), "matched");
    assert_eq!(api.ask("statements/1").status, 404);
    worker.stop();
    // Its source left the settings: it fails, and is read when the source is there again.
    let waiting = json_of(&api.post("statements?source=targo&name=c.csv", &file(&["T-5"])));
    let id = waiting["id"].as_i64().expect("an id");
    gate.database.execute(&format!("UPDATE statements SET source = 'gone' WHERE id = {id}"));
    let _worker = gate.worker();
    until_it_is(&api, id, "failed");
    assert!(statement(&api, id)["failure"].as_str().is_some_and(|why| why.contains("not in the settings")));
    gate.database.execute(&format!("UPDATE statements SET source = 'targo' WHERE id = {id}"));
    assert_eq!(api.post(&format!("statements/{id}/import"), "").status, 200);
    until_it_is(&api, id, "matched");
}

fn parts_add_up_and_a_version_is_taken_back_by_the_api(on: Kind) {
    let gate = Gate::new(on);
    let (_up, api) = six(&gate);
    let first = api.import("android.csv", &file(&["T-1", "T-2", "T-3"]));
    let second = api.import("ios.csv", &file(&["T-3", "T-4", "T-5"]));
    assert_eq!(
        (&statement(&api, first)["state"], &statement(&api, second)["theirs"]),
        (&json!("matched"), &json!("2"))
    );
    let version = api.import("android-2.csv", &file(&["T-1", "T-2", "T-6"]));
    assert_eq!(statement(&api, first)["state"], "superseded");
    assert_eq!(statement(&api, first)["can"], json!(["restore"]));
    // What only the superseded one counted of the other part counts there now.
    until("the other part is read again", || {
        let other = statement(&api, second);
        (other["state"] == "matched" && other["theirs"] == "3").then_some(())
    });
    assert_eq!(api.post(&format!("statements/{first}/discard"), "").status, 409);
    let discarded = api.post(&format!("statements/{version}/discard"), "");
    assert_eq!((discarded.status, &json_of(&discarded)["state"]), (200, &json!("discarded")));
    until("all of it counts once again", || {
        let parts = [statement(&api, first), statement(&api, second)];
        let theirs = [&parts[0]["theirs"], &parts[1]["theirs"]];
        let are_matched = parts.iter().all(|part| part["state"] == "matched");
        (are_matched && (theirs == ["3", "2"] || theirs == ["2", "3"])).then_some(())
    });
    // A person says what it counts instead of.
    let sent = api
        .post(&format!("statements?source=targo&name=all.csv&supersedes={first},{second}"), &file(&["T-1"]));
    assert_eq!(sent.status, 202, "{}", sent.body);
    until_it_is(&api, second, "superseded");
    assert_eq!(api.post("statements?source=targo&name=x.csv&supersedes=x", &file(&["T-2"])).status, 400);
    assert_eq!(api.post("statements?source=targo&name=x.csv&supersedes=99", &file(&["T-2"])).status, 409);
    let risk = Api { address: api.address, token: gate.token("risk") };
    for act in ["discard", "restore", "take-back", "import"] {
        let body = r#"{"payment":1,"reason":"x"}"#;
        assert_eq!(risk.post(&format!("statements/{first}/{act}"), body).status, 403, "{act}");
    }
    gate.assert_proven();
}

fn a_payment_is_booked_once_asked_about_and_taken_back(on: Kind) {
    let gate = Gate::new(on);
    let (up, api) = six(&gate);
    let id = api.import("a.csv", &file(&["T-1", "T-2", "T-3", "T-4", "T-5", "T-6"]));
    let pay = |body: &Value| api.post(&format!("statements/{id}/paid"), &body.to_string());
    let by_key = || {
        let request = Request::new("POST", format!("/api/v1/statements/{id}/paid"))
            .header("Content-Type", "application/json")
            .header("Authorization", &format!("Bearer {}", api.token))
            .header("Idempotency-Key", "wire-17")
            .body(json!({ "amount": "2.50", "note": "wire 17" }).to_string());
        json_of(&call(up.address, &request))["paid"].clone()
    };
    assert_eq!((by_key(), by_key()), (json!("2.5"), json!("2.5")));
    for amount in ["1,5", "1.234,50", "-1", "1e3", "0", ""] {
        assert_eq!(pay(&json!({ "amount": amount, "note": "x" })).status, 400, "{amount}");
    }
    let too_much = pay(&json!({ "amount": "30000", "note": "a slip" }));
    assert!(too_much.status == 409 && too_much.body.contains("3.5 USD"), "{}", too_much.body);
    // The command: the same words are the same payment.
    let number = id.to_string();
    gate.add_person("fay", "finance");
    let paid = |amount: &str, more: &[&str]| {
        command(&gate, &[&["paid", &number, amount, "--as", "fay", "--note", "wire 18"], more].concat())
    };
    let (code, said) = paid("1,5", &[]);
    assert!(code == Some(1) && said.contains("1234.50"), "{said}");
    for words in ["are booked", "were booked before"] {
        let (code, said) = paid("1.50", &[]);
        assert!(
            code == Some(0) && said.contains(words) && said.contains("2 USD of the network's total unpaid"),
            "{said}"
        );
    }
    let (code, said) = paid("100", &["--key", "bonus"]);
    assert!(code == Some(1) && said.contains("--yes"), "{said}");
    assert_eq!(paid("100", &["--key", "bonus", "--yes"]).0, Some(0));
    let payments = api.get(&format!("statements/{id}/payments"));
    let bonus = payments[2]["id"].to_string();
    let back = ["take-back", &number, &bonus, "--as", "fay", "--reason", "a slip"];
    assert_eq!(command(&gate, &back).0, Some(0));
    let (code, said) = command(&gate, &back);
    assert!(code == Some(1) && said.contains("is already reversed"), "{said}");
    assert_eq!(statement(&api, id)["paid"], "4");
    let back = json!({ "payment": payments[0]["id"], "reason": "the wrong wire" }).to_string();
    let answer = api.post(&format!("statements/{id}/take-back"), &back);
    assert_eq!(json_of(&answer)["paid"], "1.5", "{}", answer.body);
    assert_eq!(api.post(&format!("statements/{id}/take-back"), &back).status, 409);
    let refused = api.post(&format!("statements/{id}/discard"), "");
    assert!(refused.status == 409 && refused.body.contains("1.5 USD"), "{}", refused.body);
    gate.assert_proven();
}
