//! `sandbox --personas`: the log, the truth and the settings that the executable writes fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::gate::text;
use crate::support::process::alone;
use crate::support::settings::PUBLIC_URL;

#[test]
fn a_logged_call_verifies_with_the_settings_beside_it() {
    let folder = TempDir::new().expect("a folder");
    let size = ["--events", "300", "--days", "3", "--seed", "5"];
    let written = alone(&folder, &[&["sandbox", "--personas", "--out", "log"], &size[..]].concat());
    assert_eq!((written.status.code(), text(&written.stderr)), (Some(0), String::new()));
    assert!(text(&written.stdout).starts_with("seed 5: 300 calls in log/access.ndjson.gz\n"));

    let packed = fs::File::open(folder.path().join("log/access.ndjson.gz")).expect("a log");
    let mut lines = String::new();
    GzDecoder::new(packed).read_to_string(&mut lines).expect("gzip of text");
    let calls: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut sources = BTreeSet::new();
    for call in calls.iter().step_by(25) {
        let word = |key: &str| call[key].as_str().expect("text");
        let (source, url) = (word("source"), format!("{PUBLIC_URL}{}", word("target")));
        let tested = alone(
            &folder,
            &["--config", "log/rewardgate.toml", "networks", "test", "targo", &url, "--source", source],
        );
        assert_eq!(tested.status.code(), Some(0), "{}{}", text(&tested.stdout), text(&tested.stderr));
        sources.insert(source);
    }
    assert_eq!(sources.len(), 2, "both sources have calls");
}

#[test]
fn a_population_that_cannot_be_is_wrong_usage_and_writes_nothing() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("own.toml"), "[users]\nipv6 = 2\n").expect("room");
    let refused = alone(&folder, &["sandbox", "--personas", "own.toml", "--out", "log"]);
    assert_eq!(refused.status.code(), Some(2));
    let errors = text(&refused.stderr);
    assert!(errors.contains("own.toml: `users.ipv6` must be between 0 and 1, not 2"), "{errors}");
    assert!(!folder.path().join("log").exists());
}

/// Of a population of its own making the rules find the fraud and let the honest through. The figures for 200,000 calls are
/// in `tests/bench/RESULTS.md`; of so few calls less is learned, and a wave more or less shows.
#[test]
fn the_rules_find_each_scheme_and_hold_few_honest_users() {
    let folder = TempDir::new().expect("a folder");
    let size = ["--events", "50000", "--days", "20", "--seed", "3"];
    let written = alone(&folder, &[&["sandbox", "--personas", "--out", "log"], &size[..]].concat());
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let arguments =
        ["assess", "log/access.ndjson.gz", "--truth", "log/truth.csv", "--out", "found", "--json"];
    let assessed = alone(&folder, &[&["--config", "log/rewardgate.toml"], &arguments[..]].concat());
    assert_eq!(assessed.status.code(), Some(0), "{}", text(&assessed.stderr));
    let mut truth = BTreeMap::new();
    for row in csv_rows(&folder, "log/truth.csv") {
        truth.insert((row["source"].clone(), row["tx_id"].clone()), row["persona"].clone());
    }
    // Of each persona all and held.
    let mut counts: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let (mut hard, mut hard_honest, mut honest, mut honest_held) = (0, 0, 0, 0);
    for row in csv_rows(&folder, "found/verdicts.csv") {
        let persona = &truth[&(row["source"].clone(), row["tx_id"].clone())];
        let is_held = row["decision"] == "hold";
        let count = counts.entry(persona.clone()).or_default();
        *count = (count.0 + 1, count.1 + u32::from(is_held));
        let is_honest = HONEST.contains(&persona.as_str());
        honest += u32::from(is_honest);
        honest_held += u32::from(is_honest && is_held);
        hard += u32::from(row["hard"] == "true");
        hard_honest += u32::from(row["hard"] == "true" && is_honest);
    }
    for (personas, least_percent) in [(&FOUND[..], 80), (&MOSTLY_FOUND[..], 50)] {
        let of = |pick: fn(&(u32, u32)) -> u32| -> u32 {
            personas.iter().map(|persona| pick(&counts[*persona])).sum()
        };
        let (all, held) = (of(|count| count.0), of(|count| count.1));
        assert!(
            held * 100 >= all * least_percent,
            "{held} of {all} held, at least {least_percent} %: {counts:?}"
        );
    }
    assert!(honest_held * 100 <= honest, "{honest_held} of {honest} honest held: {counts:?}");
    assert!(hard > 0 && hard_honest * 20 <= hard, "{hard_honest} of {hard} hard holds are honest");
}

const HONEST: [&str; 5] = ["home", "household", "carrier", "traveller", "slow_finisher"];
const FOUND: [&str; 6] =
    ["speed_bot", "click_injector", "farm_ipv4", "farm_ipv6", "duration_twin", "level_spoofer"];
const MOSTLY_FOUND: [&str; 4] = ["hosting", "chargeback_user", "account_trader", "slow_poisoner"];

/// The rows of a table by the names in its heading; no cell of these tables needs quotes.
fn csv_rows(folder: &TempDir, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(folder.path().join(name)).expect("a table");
    let mut lines = text.lines();
    let heading: Vec<&str> = lines.next().expect("a heading").split(',').collect();
    lines
        .map(|line| {
            heading.iter().map(|it| (*it).to_owned()).zip(line.split(',').map(str::to_owned)).collect()
        })
        .collect()
}
