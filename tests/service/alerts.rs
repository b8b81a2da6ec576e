//! Every metric and every label in the alert rules and the dashboard exists.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::app::app;
use crate::support::database::Kind;
use crate::support::gate::Gate;
use crate::support::network::{Event, deliver};
use crate::support::wait::until;

const ALERTS: &str = include_str!("../../src/config/running/alerts.yaml");
const DASHBOARD: &str = include_str!("../../src/config/running/grafana.json");
/// Built from files that this process has none of.
const WITHOUT_FILES: &str = "rewardgate_geo_database_built_seconds";
/// What Prometheus itself adds to every series, and to histograms.
const ADDED: [&str; 2] = ["instance", "le"];

/// The names in `text` that begin as ours do.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("rewardgate_")).map(ToOwned::to_owned).collect()
}

/// What stands between `open` and `close`, wherever that is.
fn between<'t>(text: &'t str, open: &'static str, close: &'static str) -> impl Iterator<Item = &'t str> {
    text.split(open).skip(1).filter_map(move |rest| Some(rest.split_once(close)?.0))
}

/// The labels that an expression and its legend name.
fn labels(expr: &str, legend: &str) -> BTreeSet<String> {
    let grouped = between(expr, "by (", ")").flat_map(|list| list.split(','));
    let shown = between(legend, "{{", "}}").map(|label| label.trim().trim_start_matches("$labels."));
    let selected = between(expr, "{", "}").flat_map(|list| list.split(',')).filter_map(|pair| {
        let end = pair.find(['=', '!'])?;
        Some(&pair[..end])
    });
    let named = grouped.chain(shown).chain(selected).map(str::trim).filter(|label| !ADDED.contains(label));
    named.map(ToOwned::to_owned).collect()
}

/// Every expression of the dashboard with its legend.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    targets.map(|target| (text(&target["expr"]), text(&target["legendFormat"]))).collect()
}

/// What a process measures after one postback that was credited and delivered.
fn measured() -> String {
    let app = app();
    let gate = Gate::with(Kind::Sqlite, |settings| settings.forwarding_to(&app, ""));
    let mut up = gate.up();
    let api = gate.api(up.address);
    deliver(up.address, &Event::too_fast("u-1", "T-1", 10).credit());
    deliver(up.address, &Event::honest("u-1", "T-2", 10).credit());
    api.await_processing();
    until("the app is called", || (app.calls() > 0).then_some(()));
    // The day's purge runs by itself soon after the start.
    let measured = until("everything is measured", || {
        let measured = api.metrics();
        ["rewardgate_purged_total{", "rewardgate_delivery_seconds_count{"]
            .iter()
            .all(|series| measured.contains(series))
            .then_some(measured)
    });
    up.process.stop();
    measured
}

#[test]
fn every_metric_and_label_of_the_alert_rules_and_of_the_dashboard_exists() {
    let measured = measured();
    let exprs: Vec<_> = ALERTS.lines().filter(|line| !line.contains("summary:")).collect();
    let alerts = exprs.join("\n");
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let queries = queries(&dashboard);
    assert!(queries.len() > 30, "{}", queries.len());
    let mut named = metrics(&alerts);
    named.extend(queries.iter().flat_map(|(expr, _)| metrics(expr)));
    assert!(named.len() > 20, "{named:?}");
    let exists = metrics(&measured);
    let missing: Vec<_> =
        named.iter().filter(|name| !exists.contains(*name) && *name != WITHOUT_FILES).collect();
    assert_eq!(missing, Vec::<&String>::new());

    for (expr, legend) in &queries {
        let named = metrics(expr);
        if named.contains(WITHOUT_FILES) {
            continue;
        }
        let series: Vec<_> = measured
            .lines()
            .filter(|line| named.iter().any(|name| line.starts_with(name.as_str())))
            .collect();
        for label in labels(expr, legend) {
            let has = |line: &&str| {
                line.contains(&format!("{{{label}=\"")) || line.contains(&format!(",{label}=\""))
            };
            assert!(series.iter().any(has), "no series of {expr} has the label {label}");
        }
    }
    for value in [
        "answer=\"not_recorded\"",
        "answer=\"bad_signature\"",
        "answer=\"recorded\"",
        "decision=\"hold\"",
        "status=\"failed\"",
        "outcome=\"quarantined\"",
    ] {
        let used = ALERTS.contains(value) || DASHBOARD.contains(&value.replace('"', "\\\""));
        assert!(used && measured.contains(value), "{value}");
    }
}
