//! What of a policy is not a rule: from which completions baselines are made; and how policies of before are read.

use toml::{Table, Value};

use super::{DEFAULT_TOML, integer, unknown_keys};

/// From which completions baselines are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaselineTerms {
    /// Days until a completion is settled: by then most reversals have come.
    pub settled_after_days: i64,
}

/// What a policy of before is read with, which has no such section.
const SETTLED_AFTER_DAYS: i64 = 7;
/// The window of a baseline has to hold some that are settled.
const MAX_SETTLED_AFTER_DAYS: i64 = 45;

impl BaselineTerms {
    /// Reads the section `[baseline]`.
    pub(super) fn of(section: &Table, faults: &mut Vec<String>) -> Self {
        let key = "settled_after_days";
        unknown_keys(section, &[key], "baseline.", faults);
        if !section.contains_key(key) {
            return Self { settled_after_days: SETTLED_AFTER_DAYS };
        }
        let settled_after_days = integer(section, key, 1, faults);
        if settled_after_days > MAX_SETTLED_AFTER_DAYS {
            faults.push(format!("`baseline.{key}` must be at most {MAX_SETTLED_AFTER_DAYS}"));
        }
        Self { settled_after_days }
    }
}

/// `effective` with the rules that came later, disabled, and with later thresholds of rules: a policy of before is read as it decided.
pub(super) fn with_later_rules(mut effective: Table) -> Table {
    let built_in: Table = DEFAULT_TOML.parse().unwrap_or_default();
    let (Some(Value::Table(known)), Some(Value::Table(rules))) =
        (built_in.get("rules"), effective.get_mut("rules"))
    else {
        return effective;
    };
    for (code, rule) in known {
        let Value::Table(rule) = rule else { continue };
        match rules.get_mut(code) {
            // A threshold that came later looks at facts that came later, too.
            Some(Value::Table(there)) => {
                for (key, value) in rule {
                    there.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            Some(_) => {}
            None => {
                let mut rule = rule.clone();
                rule.insert("enabled".into(), Value::Boolean(false));
                rules.insert(code.clone(), Value::Table(rule));
            }
        }
    }
    effective
}
