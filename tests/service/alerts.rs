//! The alert rules speak of what is measured: every metric and every label in them exists.

use std::collections::BTreeSet;

use crate::app::app;
use crate::database::Kind;
use crate::gate::Gate;
use crate::http::{Request, call};
use crate::network::{Event, deliver};

const ALERTS: &str = include_str!("../../src/config/running/alerts.yaml");

/// The names in `text` that begin as ours do.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("rewardgate_")).map(ToOwned::to_owned).collect()
}

#[test]
fn every_metric_of_the_alert_rules_exists() {
    let app = app();
    let gate = Gate::with(Kind::Sqlite, |settings| settings.telling(&app, ""));
    let mut up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::honest("u-1", "T-1", 10).credit());
    api.settle();
    let authorized = Request::get("/metrics").header("Authorization", &format!("Bearer {}", api.token));
    let measured = call(up.address, &authorized).body;
    let exprs: Vec<_> = ALERTS.lines().filter(|line| !line.contains("summary:")).collect();
    let named = metrics(&exprs.join("\n"));
    assert!(named.len() > 8, "{named:?}");
    // Built from files that this process has none of.
    let without_files = "rewardgate_geo_database_built_seconds";
    let exists = metrics(&measured);
    let missing: Vec<_> =
        named.iter().filter(|name| !exists.contains(*name) && *name != without_files).collect();
    assert_eq!(missing, Vec::<&String>::new());
    for answer in ["not_recorded", "bad_signature", "recorded"] {
        assert!(ALERTS.contains(&format!("answer=\"{answer}\"")));
        assert!(measured.contains(&format!("answer=\"{answer}\"")), "{answer}");
    }
    assert!(measured.contains("outcome=\"quarantined\""));
    up.process.stop();
}
