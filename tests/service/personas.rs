//! `sandbox --personas`: the log, the truth and the settings that the executable writes fit together.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::process::{Command, Output};

use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::gate::text;
use crate::support::settings::PUBLIC_URL;

/// The executable in a folder without settings.
fn alone(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rewardgate"));
    command.env_clear().current_dir(folder.path()).args(arguments);
    command.output().expect("the executable runs")
}

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
