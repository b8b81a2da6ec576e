//! `/policy`: rules, thresholds, and the holds of each rule with their results.

use askama::Template;
use domain::time::TimestampMs;
use serde_json::Value;

use crate::console::Console;
use crate::console::shell::answer::{Answered, page as render};
use crate::console::shell::frame::Frame;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{number, percent, rule_name};

/// The period of the counts.
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
        let count = |of: fn(&store::review::context::RuleRow) -> i64| outcome.map_or(0, of);
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
        .map(|(name, value)| threshold(name, value))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A threshold with its unit: `limit_s = 7776000` is a limit of 90 days.
fn threshold(name: &str, value: &Value) -> (String, String) {
    let plain = || match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let words =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            words.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    let (stem, text) = match (name.rsplit_once('_'), value.as_i64()) {
        (Some((stem, "s")), Some(seconds)) => (stem, whole_span(seconds)),
        (Some((stem, "percent")), Some(_)) => (stem, format!("{} %", plain())),
        (Some((stem, "usd")), _) => {
            let parsed = domain::money::Micros::parse(&plain());
            (
                stem,
                parsed.map_or_else(|_| plain(), |parsed| crate::console::shell::show::usd(parsed.amount.0)),
            )
        }
        _ => (name, plain()),
    };
    (stem.replace('_', " "), text)
}

/// Seconds in the largest unit that they are a whole number of.
fn whole_span(seconds: i64) -> String {
    for (unit, name) in [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")] {
        if seconds != 0 && seconds % unit == 0 {
            return crate::console::shell::show::counted(seconds / unit, name);
        }
    }
    "0 seconds".into()
}

/// Overrides of single sources and offers.
fn overrides(content: &Value) -> Vec<(String, String)> {
    let Some(Value::Object(sources)) = content.get("sources") else { return Vec::new() };
    sources.iter().map(|(source, own)| (source.clone(), own.to_string())).collect()
}

/// Terms of the review, from the settings.
fn terms(console: &Console) -> Vec<(&'static str, String)> {
    use crate::console::shell::show::{span, usd};
    let terms = &console.terms;
    let second = &terms.second;
    let mut lines = vec![
        ("Review target", span(terms.target_ms)),
        ("Claim duration", span(terms.claim_ms)),
        ("Undo period", span(console.grace_ms)),
    ];
    if let Some(urgent) = terms.urgent {
        lines.push((
            "Review target for high payouts",
            format!("{} or more: {}", usd(urgent.0), span(terms.urgent_target_ms)),
        ));
    }
    if let Some(single) = second.single {
        lines.push(("Second person for one reward, from", usd(single.0)));
    }
    if let Some(bulk) = second.bulk {
        lines.push(("Second person for bulk decisions, from", usd(bulk.0)));
    }
    if second.hard {
        lines.push(("Second person for hard rules", "every reward held by a hard rule".into()));
    }
    if let Some(auto) = terms.auto_release {
        lines.push((
            "Automatic release",
            format!("soft holds under {} after {}", usd(auto.below.0), span(auto.after_ms)),
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_threshold_is_shown_with_its_unit() {
        for (name, value, expected) in [
            ("limit_s", json!(7_776_000), ("limit", "90 days")),
            ("limit_s", json!(90), ("limit", "90 seconds")),
            ("install_s", json!(3_600), ("install", "1 hour")),
            ("payout_usd", json!("50"), ("payout", "$50.00")),
            ("tolerance_percent", json!(5), ("tolerance", "5 %")),
            ("poll_words", json!(["a", "b c"]), ("poll words", "a, b c")),
            ("ratio", json!("500"), ("ratio", "500")),
        ] {
            let (name, value) = threshold(name, &value);
            assert_eq!((name.as_str(), value.as_str()), expected);
        }
    }
}
