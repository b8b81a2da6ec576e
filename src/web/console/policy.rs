//! `/policy`: which rules decide, with what thresholds, how often each held something, and how often people disagreed.

use askama::Template;
use domain::time::TimestampMs;
use serde_json::Value;

use super::Console;
use super::answer::{Answered, page as render};
use super::frame::Frame;
use super::session::Viewer;
use super::show::{number, percent, rule_name};

/// How far back the counts go.
const DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;

struct Rule {
    code: &'static str,
    name: &'static str,
    enabled: bool,
    hard: bool,
    points: String,
    settings: Vec<(String, String)>,
    holds: String,
    released: String,
    rejected: String,
    reversed: String,
}

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    frame: Frame,
    version: String,
    hold_at: i64,
    rules: Vec<Rule>,
    overrides: Vec<(String, String)>,
    terms: Vec<(&'static str, String)>,
    days: i64,
}

/// `GET /policy`
pub(crate) async fn page(console: &Console, viewer: &Viewer) -> Answered {
    let now = console.clock.now();
    let outcomes = console.store.rule_outcomes(TimestampMs(now.0 - DAYS * DAY_MS)).await?;
    let content: Value = serde_json::from_str(console.policy.content()).unwrap_or_default();
    let rules = domain::rules::CODES.into_iter().map(|code| {
        let settings = content.get("rules").and_then(|rules| rules.get(code));
        let outcome = outcomes.iter().find(|row| row.rule == code);
        let count = |of: fn(&store::glances::RuleRow) -> i64| outcome.map_or(0, of);
        let holds = count(|row| row.holds);
        Rule {
            code,
            name: rule_name(code),
            enabled: flag(settings, "enabled"),
            hard: flag(settings, "hard"),
            points: settings.and_then(|it| it.get("points")).map(Value::to_string).unwrap_or_default(),
            settings: others(settings),
            holds: number(holds),
            released: percent(count(|row| row.released), holds),
            rejected: percent(count(|row| row.rejected), holds),
            reversed: percent(count(|row| row.reversed), holds),
        }
    });
    let page = PolicyPage {
        rules: rules.collect(),
        frame: Frame::load(console, viewer, "/policy").await?,
        version: console.policy.version().to_owned(),
        hold_at: console.policy.hold_at,
        overrides: overrides(&content),
        terms: terms(console),
        days: DAYS,
    };
    render(&page)
}

fn flag(settings: Option<&Value>, name: &str) -> bool {
    settings.and_then(|it| it.get(name)).and_then(Value::as_bool).unwrap_or(false)
}

/// A rule's thresholds: everything but what every rule has.
fn others(settings: Option<&Value>) -> Vec<(String, String)> {
    let Some(Value::Object(settings)) = settings else { return Vec::new() };
    settings
        .iter()
        .filter(|(name, _)| !["enabled", "hard", "points"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// What single sources and offers have of their own.
fn overrides(content: &Value) -> Vec<(String, String)> {
    let Some(Value::Object(sources)) = content.get("sources") else { return Vec::new() };
    sources.iter().map(|(source, own)| (source.clone(), own.to_string())).collect()
}

/// How decisions are made, from the settings.
fn terms(console: &Console) -> Vec<(&'static str, String)> {
    use super::show::{span, usd};
    let terms = &console.terms;
    let second = &terms.second;
    let mut lines = vec![
        ("A hold should be decided within", span(terms.target_ms)),
        ("Opening a reward claims it for", span(terms.claim_ms)),
        ("A decision can be undone for", span(console.grace_ms)),
    ];
    if let Some(urgent) = terms.urgent {
        lines.push((
            "Urgent, because it pays a lot",
            format!("{} or more: within {}", usd(urgent.0), span(terms.urgent_target_ms)),
        ));
    }
    if let Some(single) = second.single {
        lines.push(("Two persons must agree on one reward from", usd(single.0)));
    }
    if let Some(bulk) = second.bulk {
        lines.push(("Two persons must agree on many at once from", usd(bulk.0)));
    }
    if second.hard {
        lines.push(("Two persons must agree on", "whatever a hard rule held".into()));
    }
    if let Some(auto) = terms.auto_release {
        lines.push((
            "Released without a person",
            format!("soft holds under {} after {}", usd(auto.below.0), span(auto.after_ms)),
        ));
    }
    lines
}
