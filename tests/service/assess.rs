//! `assess`: the calls in a log have the effect that they had live, and a log and the name of a network are enough.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::database::Kind;
use crate::support::gate::{Gate, text};
use crate::support::network::{Event, now_s, send};
use crate::support::process::alone;

/// Calls with everything in them that a script gets wrong, in the order sent.
pub(crate) fn troubled_calls() -> Vec<String> {
    let honest = |tx: &str| Event::honest(&format!("u-{tx}"), tx, 100);
    let fast = |tx: &str| Event::too_fast(&format!("u-{tx}"), tx, 250);
    vec![
        honest("A-1").credit(),
        honest("A-2").credit(),
        honest("A-1").credit(),
        fast("B-1").credit(),
        fast("B-2").credit(),
        fast("B-2").reversal(),
        honest("C-1").reversal(),
        honest("C-1").credit(),
        honest("A-2").reversal(),
        honest("D-1").credit().replace("reward=100", "reward=900"),
        crate::support::network::sign("/pb/targo?uid=u-9&reward=5&payout=1&status=1"),
    ]
}

/// `target` as nginx logs it at `time_s`.
fn log_line(target: &str, time_s: i64) -> String {
    let time = chrono::DateTime::from_timestamp(time_s, 0).expect("a time").format("%d/%b/%Y:%H:%M:%S +0000");
    format!("192.0.2.10 - - [{time}] \"GET {target} HTTP/1.1\" 200 2 \"-\" \"okhttp/4\"\n")
}

fn json_file(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_log_has_the_totals_of_the_gateway_that_received_it() {
    let gate = Gate::new(Kind::Sqlite);
    let up = gate.up();
    let api = gate.api(up.address);
    let mut log = String::from("junk\n");
    log += &log_line("/index.html", now_s());
    for target in troubled_calls() {
        send(up.address, &target);
        log += &log_line(&target, now_s());
    }
    api.await_processing();
    std::fs::write(gate.path("access.log"), &log).expect("room");
    let (code, shown, errors) = said(&gate.run(&["assess", "access.log", "--out", "out"]));
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{shown}");
    assert!(shown.lines().count() <= 40 && shown.contains("11 calls"), "{shown}");
    let summary = json_file(&gate.path("out/summary.json"));
    assert_eq!(summary["books_proven"], true);
    assert_eq!(summary["lines"]["other_requests"], 1);
    for (of, count, payout) in [
        ("credits", 5, "5"),
        ("credited", 2, "2"),
        ("held", 2, "2"),
        ("credited_then_reversed", 1, "1"),
        ("held_then_reversed", 1, "1"),
        ("reversed_first", 1, "1"),
    ] {
        let sum = &summary["rewards"][of];
        assert_eq!((&sum["count"], &sum["payout_usd"]), (&count.into(), &payout.into()), "{of}");
    }
    let calls = &summary["calls"];
    assert_eq!((&calls["events"], &calls["repeated_credits"]["count"]), (&11.into(), &1.into()));
    assert_eq!(calls["repeated_credits"]["rewards"]["coins"], "100");
    assert_eq!(
        (&calls["refused_credits"]["count"], &calls["refused_credits"]["rewards"]["coins"]),
        (&1.into(), &"900".into())
    );
    assert_eq!(calls["unmapped"].as_object().expect("reasons").len(), 1, "{calls}");
    // What the gateway has of the same calls.
    let verdicts = std::fs::read_to_string(gate.path("out/verdicts.csv")).expect("a file");
    let mut lines = verdicts.lines();
    assert_eq!(
        lines.next(),
        Some("tx_id,user_id,source,received_at,kind,outcome,decision,score,hard,fired,reward,payout,status")
    );
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 5);
    for row in rows {
        let live = api.reward(row[0]);
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert_eq!(word(&live["status"]), row[12], "{row:?}");
        let decision =
            if live["verdict"].is_null() { String::new() } else { word(&live["verdict"]["decision"]) };
        assert_eq!(decision, row[6], "{row:?} {live}");
        assert_eq!((word(&live["user_id"]).as_str(), word(&live["reward"]).as_str()), (row[1], row[10]));
    }
    let table = std::fs::read_to_string(gate.path("out/summary.csv")).expect("a file");
    assert!(table.contains("\r\nrewards,credited at once,2,2,"), "{table}");
    let html = std::fs::read_to_string(gate.path("out/summary.html")).expect("a file");
    assert!(html.contains("Impossibly fast") && !html.contains("hash=0"), "no signature is shown");
    gate.assert_proven();
}

#[test]
fn a_log_and_the_name_of_a_network_are_enough() {
    let folder = TempDir::new().expect("a folder");
    let time = 1_780_000_000;
    let call = |tx: &str| {
        format!(
            "/postback.php?user_id=u-1&tx_id={tx}&reward=100&payout=1.00&status=1&ip=81.2.69.160&country_code=GB"
        )
    };
    // Newest first, packed, and in two files: they are sorted by time.
    let late = log_line(&call("T-2"), time + 86_400) + &log_line(&call("T-1"), time + 9);
    let early =
        log_line(&call("T-1"), time) + &log_line("/logo.png?v=2", time) + &log_line("/wp-login.php", time);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(late.as_bytes()).expect("packed");
    std::fs::write(folder.path().join("late.log.gz"), packed.finish().expect("packed")).expect("room");
    std::fs::write(folder.path().join("early.log"), early).expect("room");
    let files = ["assess", "late.log.gz", "early.log"];
    let output = alone(&folder, &[&files[..], &["--source", "targo", "--json"]].concat());
    let (code, json, errors) = said(&output);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{json}");
    let summary: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(summary["calls"]["events"], 3);
    assert_eq!(summary["calls"]["repeated_credits"]["count"], 1);
    assert_eq!(summary["rewards"]["credits"]["count"], 2);
    assert_eq!(summary["lines"]["other_requests"], 2);
    assert_eq!(summary["sources"][0]["signatures"], "not checked: no secret was given");
    assert_eq!(summary["rewards"]["by_day"].as_object().expect("days").len(), 2);
    let (code, shown, _) = said(&alone(&folder, &[&files[..], &["--source", "targo"]].concat()));
    assert!(code == Some(0) && shown.contains("signatures not checked: no secret was given"), "{shown}");
    assert!(shown.contains("1 credit came again") && shown.contains("--out DIR"), "{shown}");
    let kept: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(kept.len(), 2, "nothing is left behind");
}

#[test]
fn lines_of_ones_own_name_the_network_and_the_truth_tells_who_was_held() {
    let folder = TempDir::new().expect("a folder");
    let line = |tx: &str, took_s: i64| {
        let at = chrono::DateTime::from_timestamp(1_780_000_000, 0).expect("a time").to_rfc3339();
        let target = format!(
            "/pb/targo?user_id=u&tx_id={tx}&reward=100&payout=1&status=1&offer_id={tx}&timestamp={}&ip=81.2.69.160&country_code=GB",
            1_780_000_000 - took_s
        );
        serde_json::json!({ "received_at": at, "source": "targo", "target": target, "remote_ip": "192.0.2.1" }).to_string()
    };
    let lines = [line("F-1", 0), line("F-2", 600), line("H-1", 600), line("H-2", 0), line("X-1", 600)];
    std::fs::write(folder.path().join("calls.ndjson"), lines.join("\n")).expect("room");
    let truth = "tx_id,source,user_id,persona,is_fraud\nF-1,targo,u,farm,true\nF-2,targo,u,farm,1\nH-1,targo,u,honest,false\nH-2,targo,u,honest,0\n";
    std::fs::write(folder.path().join("truth.csv"), truth).expect("room");
    let arguments = ["assess", "calls.ndjson", "--truth", "truth.csv"];
    let (code, json, errors) = said(&alone(&folder, &[&arguments[..], &["--json", "--out", "out"]].concat()));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let summary: Value = serde_json::from_str(&json).expect("JSON");
    let personas = &summary["truth"]["personas"];
    assert_eq!(
        (&personas["farm"]["fraud"]["count"], &personas["farm"]["fraud_held"]["count"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        (&personas["honest"]["honest"]["count"], &personas["honest"]["honest_held"]["count"]),
        (&2.into(), &1.into())
    );
    assert_eq!(summary["truth"]["unknown"], 1);
    let (_, shown, _) = said(&alone(&folder, &arguments));
    let farm = shown.lines().find(|line| line.trim().starts_with("farm")).expect("a line");
    assert!(farm.contains("50.0 %"), "{shown}");
    let html = std::fs::read_to_string(folder.path().join("out/summary.html")).expect("a file");
    assert!(html.contains("Against the truth"));
}

#[test]
fn what_cannot_be_assessed_says_what_to_do() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("other.log"), log_line("/index.html?x=1", 1_780_000_000))
        .expect("room");
    std::fs::write(folder.path().join("named.log"), log_line("/pb/mine?x=1", 1_780_000_000)).expect("room");
    std::fs::write(folder.path().join("bad.csv"), "tx_id,source\n").expect("room");
    std::fs::write(folder.path().join("empty.log"), "").expect("room");
    for (arguments, code, words) in [
        (&["missing.log"][..], 2, "missing.log cannot be read"),
        (&["."], 2, ". is a folder"),
        (&["other.log"], 1, "--source NETWORK"),
        (&["empty.log"], 1, "none of 0 lines is a call"),
        (&["named.log"], 1, "the files name the sources mine"),
        (&["other.log", "--source", "targ"], 2, "did you mean targo?"),
        (&["other.log", "--source", "targo"], 1, "no request has the user"),
        (&["other.log", "--source", "targo", "--secret", "env:NO_SUCH"], 2, "NO_SUCH, which is not set"),
        (&["other.log", "--truth", "bad.csv"], 2, "bad.csv, line 1: the first line must name"),
        (&[], 2, "name at least one FILE"),
    ] {
        let (exit, shown, errors) = said(&alone(&folder, &[&["assess"], arguments].concat()));
        assert_eq!((exit, shown.as_str()), (Some(code), ""), "{arguments:?} {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}

/// Calls of a farm and of honest users, of which some are forged, and the truth about them.
pub(crate) fn fraud_log() -> (String, String) {
    let (mut log, mut truth) = (String::new(), String::from("tx_id,source,user_id,persona,is_fraud\n"));
    let start_s = now_s() - 30 * 86_400;
    for number in 0..200 {
        let is_fraud = number % 5 == 0;
        let (time_s, tx) = (start_s + number * 3_600, format!("T-{number}"));
        let took_s = if is_fraud { 1 } else { 600 };
        let sub1 = if is_fraud { "farm" } else { "site" };
        let target = format!(
            "/pb/targo?uid=u-{number}&tx={tx}&reward=100&payout=1.50&status=1&offer_id=o-{tx}&timestamp={}&ip=81.2.69.160\
             &country_code=GB&sub1={sub1}",
            time_s - took_s
        );
        let signed = crate::support::network::sign(&target);
        log += &log_line(&signed, time_s);
        if number % 20 == 0 {
            log += &log_line(&signed.replace("reward=100", "reward=999"), time_s + 1);
            log += &log_line(&signed, time_s + 2);
        }
        let persona = if is_fraud { "farm" } else { "honest" };
        let _ = writeln!(truth, "{tx},targo,u-{number},{persona},{is_fraud}");
    }
    log += "this is no line of a log\n";
    (log, truth)
}

/// Assesses, and returns where `summary.html` is.
pub(crate) fn summary_of(gate: &Gate, (log, truth): &(String, String)) -> std::path::PathBuf {
    std::fs::write(gate.path("fraud.log"), log).expect("room");
    std::fs::write(gate.path("truth.csv"), truth).expect("room");
    let output = gate.run(&["assess", "fraud.log", "--truth", "truth.csv", "--out", "out"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    gate.path("out/summary.html")
}
