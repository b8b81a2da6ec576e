//! The network retries for thirty hours and then gives up: the calls it lists as given up are missing, and nothing is
//! missing once it is sent again.

use std::collections::BTreeSet;
use std::fs;

use crate::support::api::Api;
use crate::support::database::Kind;
use crate::support::gate::{Gate, Listening, text};
use crate::support::process::Process;
use crate::support::settings::{PUBLIC_URL, SECRET_NAME};

on_both_databases!(
    calls_the_network_gave_up_are_missing_until_sent_again,
    any_network_is_played_and_each_event_has_one_effect,
);

/// An hour of the network's clock. Eight of them and the start of a process are far less than thirty.
const HOUR_MS: &str = "300";
/// The hour at which the gateway goes away.
const GONE_AT: u32 = 3;

/// A line of the network's statement.
struct Line {
    tx: String,
    kind: String,
    delivered: bool,
}

fn statement(gate: &Gate) -> Vec<Line> {
    let csv = fs::read_to_string(gate.path("statement.csv")).expect("a statement");
    let lines = csv.lines().skip(1).map(|line| {
        let mut columns = line.split(',');
        let mut next = || columns.next().expect("a column").to_owned();
        Line { tx: next(), kind: next(), delivered: line.ends_with(",yes") }
    });
    lines.collect()
}

/// A network that plays seed `seed` against `up`.
fn network(gate: &Gate, up: &Listening, seed: &str) -> Process {
    let url = format!(
        "http://{}/pb/targo?uid={{user_id}}&tx={{tx_id}}&reward={{reward}}&payout={{payout}}&status={{status}}\
         &offer_id={{offer_id}}&event_id={{event_id}}&ip={{ip}}&country_code={{country_code}}&timestamp={{timestamp}}",
        up.address
    );
    let scenario = gate.path("scenario.toml");
    let text =
        format!("count = 120\nrate = 30\nmix = \"honest,reversal=0.3,repeat=0.2\"\nhour_ms = {HOUR_MS}\n");
    fs::write(&scenario, text).expect("room for a scenario");
    let (scenario, kept, statement) =
        (path(&scenario), path(&gate.path("kept.jsonl")), path(&gate.path("statement.csv")));
    let secret = format!("env:{SECRET_NAME}");
    gate.start(&[
        "sandbox",
        &url,
        "--secret",
        &secret,
        "--signed-origin",
        PUBLIC_URL,
        "--scenario",
        &scenario,
        "--seed",
        seed,
        "--kept",
        &kept,
        "--statement",
        &statement,
    ])
}

fn path(path: &std::path::Path) -> String {
    path.to_str().expect("text").to_owned()
}

/// Waits until the network's clock shows this hour, or until it has given up on everything that is left.
fn hour(network: &Process, hour: u32) {
    let wanted = format!("hour {hour}:");
    while network.line().is_some_and(|line| !line.starts_with(&wanted)) {}
}

fn transactions(api: &Api) -> BTreeSet<String> {
    let rewards = api.all("rewards", 1_000);
    rewards.iter().map(|reward| reward["tx_id"].as_str().expect("an id").to_owned()).collect()
}

fn calls_the_network_gave_up_are_missing_until_sent_again(on: Kind) {
    let gate = Gate::new(on);
    let mut up = gate.up();
    gate.change(|settings| settings.with(&format!("listen = \"{}\"", up.address)));
    let api = gate.api(up.address);
    let kept = path(&gate.path("kept.jsonl"));
    let mut known = BTreeSet::new();
    for (seed, hours_away, gives_up) in [("7", 8, false), ("8", 40, true)] {
        let mut network = network(&gate, &up, seed);
        hour(&network, GONE_AT);
        up.process.stop();
        hour(&network, GONE_AT + hours_away);
        up = gate.up();
        assert_eq!(network.exit().code(), Some(0), "{}", network.log());

        api.await_processing();
        let lines = statement(&gate);
        let all: BTreeSet<_> = lines.iter().map(|line| line.tx.clone()).collect();
        let undelivered: BTreeSet<_> = lines
            .iter()
            .filter(|line| !line.delivered)
            .map(|line| (line.tx.clone(), line.kind.clone()))
            .collect();
        let delivered: BTreeSet<_> =
            lines.iter().filter(|line| line.delivered).map(|line| line.tx.clone()).collect();
        let list = gate.run(&["sandbox", "kept", "--kept", &kept]);
        let listed: BTreeSet<_> = text(&list.stdout)
            .lines()
            .map(|line| {
                let mut words = line.split("  ");
                let (tx, act) = (words.next().expect("an id"), words.next().expect("what it says"));
                (tx.to_owned(), act.trim_end_matches(" again").to_owned())
            })
            .collect();
        assert_eq!(!listed.is_empty(), gives_up, "{listed:?}");
        // A repeat that was given up is no line of its own, if its first was delivered.
        let missing: BTreeSet<_> = listed.iter().filter(|one| undelivered.contains(*one)).cloned().collect();
        assert_eq!(missing, undelivered, "what the statement says and what is kept");
        known.extend(delivered.clone());
        assert_eq!(transactions(&api), known, "what was delivered, and nothing else");

        let unknown = gate.run(&["sandbox", "resend", "--kept", &kept, "--tx", "nobody's"]);
        assert_eq!(unknown.status.code(), Some(1));
        assert!(text(&unknown.stderr).contains("no call of this transaction is kept"));
        let csv = path(&gate.path("statement.csv"));
        let resent = gate.run(&["sandbox", "resend", "--kept", &kept, "--statement", &csv]);
        assert_eq!(resent.status.code(), Some(0), "{}", text(&resent.stdout));
        assert!(statement(&gate).iter().all(|line| line.delivered), "what was sent again is delivered now");
        assert!(text(&gate.run(&["sandbox", "kept", "--kept", &kept]).stdout).is_empty());
        api.await_processing();
        known.extend(all);
        assert_eq!(transactions(&api), known, "nothing is missing");
        let reversed: BTreeSet<_> =
            lines.iter().filter(|line| line.kind == "reversal").map(|line| &line.tx).collect();
        for reward in api.all("rewards", 1_000) {
            let tx = reward["tx_id"].as_str().expect("an id");
            if lines.iter().any(|line| line.tx == tx) {
                assert_eq!(reward["status"] == "reversed", reversed.contains(&tx.to_owned()), "{reward}");
            }
        }
        gate.assert_proven();
    }
    up.process.stop();
}

/// The networks of the test below, each with the flags of its run and the settings of its source: a signed URL, a signature
/// that covers only the transaction, the same with a listed caller, a signed JSON body, and JSON with the signature inside.
const PLAYED: [(&str, &str, &[&str], &str); 5] = [
    ("bitlabs", "bitlabs", &[], ""),
    ("cpx-research", "cpx-unlisted", &[], ""),
    ("cpx-research", "cpx-listed", &["--caller-listed"], "allow_ips = [\"127.0.0.1\", \"::1\"]\n"),
    ("mmolove", "mmolove", &[], ""),
    ("inbrain", "inbrain", &["--caller-listed"], "allow_ips = [\"127.0.0.1\", \"::1\"]\n"),
];

fn any_network_is_played_and_each_event_has_one_effect(on: Kind) {
    let section = |(network, source, _, callers): &(&str, &str, &[&str], &str)| {
        format!(
            "[[sources]]\nname = \"{source}\"\nnetwork = \"{network}\"\nsecret = \"env:{SECRET_NAME}\"\n\
             currency = \"coins\"\n{callers}"
        )
    };
    let sections: String = PLAYED.iter().map(section).collect();
    let gate = Gate::with(on, |settings| settings.with_tail(&sections));
    let mut up = gate.up();
    let token = gate.token("admin");
    gate.change(|settings| settings.with_variable("API_TOKEN", &token));
    let secret = format!("env:{SECRET_NAME}");
    for (network, source, flags, _) in PLAYED {
        let url = format!("http://{}/pb/{source}", up.address);
        let mut arguments = vec!["sandbox", &url, "--network", network, "--secret", &secret];
        arguments.extend(["--signed-origin", PUBLIC_URL, "--token", "env:API_TOKEN", "--count", "120"]);
        arguments.extend(["--mix", "repeat=0.1,reversal=0.15,early_reversal=0.1,forged=0.15,broken=0.1"]);
        arguments.extend(flags);
        let output = gate.run(&arguments);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{source}: {said}{}", text(&output.stderr));
        assert!(said.contains(" balances: 0 differences"), "{source}: {said}");
        let is_told = said.contains("expected to be held by rule Q6");
        assert_eq!(is_told, source == "cpx-unlisted", "{source}: {said}");
    }
    gate.assert_proven();
    up.process.stop();
}

#[test]
fn a_network_that_cannot_be_played_is_refused_with_what_to_do() {
    let gate = Gate::new(Kind::Sqlite);
    for (arguments, expected) in [
        (&["--network", "bitlab"][..], "`bitlab` is not a network (did you mean bitlabs?)"),
        (&["--network", "mine.toml"], "--network: the definition mine.toml cannot be read"),
        (
            &["--network", "bitlabs"],
            "--secret: this network signs with a secret: pass it as env:NAME or file:PATH",
        ),
        (
            &["--network", "cpx-research", "--signature-form", "cut"],
            "--signature-form has no use: CPX Research",
        ),
    ] {
        let output = gate.run(&[&["sandbox"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}

#[test]
fn pending_retries_are_kept_or_reported_when_it_is_stopped() {
    let gate = Gate::new(Kind::Sqlite);
    let kept = path(&gate.path("kept.jsonl"));
    let secret = format!("env:{SECRET_NAME}");
    for (keeps, code) in [(true, 0), (false, 1)] {
        // Nobody listens there: every call waits for its first retry.
        let url = "http://127.0.0.1:1/pb/targo";
        let mut arguments = vec!["sandbox", url, "--secret", &secret, "--count", "20", "--mix", "honest"];
        arguments.extend(["--rate", "1000", "--hour-ms", "500"]);
        if keeps {
            arguments.extend(["--kept", &kept]);
        }
        let mut network = gate.start(&arguments);
        while network.line().is_some_and(|line| !line.contains("20 wait for a retry")) {}
        network.terminate();
        let mut said = String::new();
        while let Some(line) = network.line() {
            said += &line;
        }
        assert_eq!(network.exit().code(), Some(code), "{said}");
        assert!(said.contains("20 calls waited for a retry when the sandbox was stopped"), "{said}");
    }
    let listed = gate.run(&["sandbox", "kept", "--kept", &kept]);
    assert_eq!(text(&listed.stdout).lines().count(), 20);
}

#[test]
fn where_nobody_listens_the_sandbox_says_so_and_fails() {
    let gate = Gate::new(Kind::Sqlite);
    let secret = format!("env:{SECRET_NAME}");
    let url = "http://127.0.0.1:1/pb/targo";
    let output = gate.run(&["sandbox", url, "--secret", &secret, "--count", "20"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot connect to http://127.0.0.1:1: connection refused"), "{said}");
    let insisting = gate.run(&["sandbox", url, "--secret", &secret, "--count", "3", "--hour-ms", "1"]);
    let said = text(&insisting.stdout);
    assert_eq!(insisting.status.code(), Some(1), "{said}");
    assert!(said.contains("no answer from http://127.0.0.1:1"), "{said}");
}

#[test]
fn a_scenario_with_a_slip_of_the_pen_sends_nothing() {
    let gate = Gate::new(Kind::Sqlite);
    let scenario = gate.path("scenario.toml");
    fs::write(&scenario, "cuont = 3\n").expect("room for a scenario");
    let output = gate.run(&["sandbox", "--scenario", &path(&scenario)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("unknown field `cuont`"), "{}", text(&output.stderr));
    fs::write(&scenario, "hour_ms = 0\n").expect("room for a scenario");
    let output = gate.run(&["sandbox", "--scenario", &path(&scenario)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`hour_ms` must be between 1 and"), "{}", text(&output.stderr));
    let output = gate.run(&["sandbox", "--hour-ms", "100", "--retries", "3"]);
    assert_eq!(output.status.code(), Some(2), "the network's own retries or others, not both");
}
