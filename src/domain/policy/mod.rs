//! The policy: which rules there are for a source and an offer, with thresholds and points.
//!
//! The built-in `default.toml` is the first layer; a publisher's `policy.toml` is laid over it key by key. Sections
//! `[sources.NAME.rules.…]` and `[sources.NAME.offers."ID".rules.…]` override single keys for one source or one
//! offer. The version is the hash of the effective content, so two files that mean the same are one version.

mod bounds;
mod classes;
mod terms;
mod thresholds;

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::text::hex;

pub use classes::OfferClasses;
pub use terms::BaselineTerms;
pub use thresholds::{
    AlmostUsual, AlwaysFast, Chain, ClickTime, Countries, CountryMismatch, Large, Limit, NetworkPoints,
    NewUser, Nobody, Number, OfferClass, Pace, Plain, Ratio, Rules, SharedAddress, SharedTask, SurveySpeed,
    TakenBack, TaskFloor, Trusted, Twins, Usual, Weight,
};

/// The built-in policy, with the reasons for every figure.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// The built-in policy with the publisher's own laid over it.
#[derive(Clone, Debug)]
pub struct Policy {
    version: String,
    content: String,
    /// The sum of points from which a reward is held.
    pub hold_at: i64,
    /// How many signals of one family count.
    pub strongest_per_family: usize,
    /// From which completions baselines are made.
    pub baseline: BaselineTerms,
    remembers: bool,
    base: Rules,
    sources: BTreeMap<String, SourceRules>,
}

#[derive(Clone, Debug)]
struct SourceRules {
    base: Rules,
    offers: BTreeMap<String, Rules>,
}

/// What is wrong with a policy file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadPolicy(pub Vec<String>);

impl Policy {
    /// The built-in policy.
    pub fn built_in() -> Result<Self, BadPolicy> {
        Self::parse("")
    }

    /// `text` laid over the built-in policy. All faults are reported at once.
    pub fn parse(text: &str) -> Result<Self, BadPolicy> {
        let mut effective = table(DEFAULT_TOML)?;
        overlay(&mut effective, table(text)?);
        let content = canonical(&effective);
        Self::compile(&effective, content)
    }

    /// The policy of a [`Policy::content`]. A rule that is newer than the content is disabled.
    pub fn of_content(content: &str) -> Result<Self, BadPolicy> {
        let effective: Table = serde_json::from_str(content)
            .map_err(|error| BadPolicy(vec![format!("not the content of a policy: {error}")]))?;
        let content = canonical(&effective);
        Self::compile(&terms::with_later_rules(effective), content)
    }

    /// The rules for an offer of a source.
    pub fn rules(&self, source: &str, offer_id: Option<&str>) -> &Rules {
        let Some(source) = self.sources.get(source) else { return &self.base };
        offer_id.and_then(|offer| source.offers.get(offer)).unwrap_or(&source.base)
    }

    /// True if any rule, of any source or offer, compares with what is remembered of users, addresses and times. Otherwise
    /// nothing has to be remembered.
    pub fn remembers(&self) -> bool {
        self.remembers
    }

    /// The first 16 hexadecimal digits of the SHA-256 of [`Policy::content`].
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The effective policy as JSON with sorted keys: what the version is the hash of.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// The sources that have a section of their own; the settings check that each of them exists.
    pub fn source_names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    fn compile(effective: &Table, content: String) -> Result<Self, BadPolicy> {
        let mut faults = Vec::new();
        let known = ["hold_at", "strongest_per_family", "baseline", "rules", "sources"];
        for key in effective.keys().filter(|key| !known.contains(&key.as_str())) {
            faults.push(format!("`{key}` is not a key of the policy; known: {}", known.join(", ")));
        }
        let hold_at = integer(effective, "hold_at", 1, &mut faults);
        let strongest_per_family = integer(effective, "strongest_per_family", 1, &mut faults);
        let baseline = BaselineTerms::of(&section(effective, "baseline", "", &mut faults), &mut faults);
        let base_rules = section(effective, "rules", "", &mut faults);
        let base = rules(&base_rules, "", &mut faults);
        let mut sources = BTreeMap::new();
        for (name, source) in section(effective, "sources", "", &mut faults) {
            let at = format!("sources.{name}.");
            let Value::Table(source) = source else {
                faults.push(format!("`sources.{name}` must be a section"));
                continue;
            };
            unknown_keys(&source, &["rules", "offers"], &at, &mut faults);
            let mut own_rules = base_rules.clone();
            overlay(&mut own_rules, section(&source, "rules", &at, &mut faults));
            let mut offers = BTreeMap::new();
            for (id, offer) in section(&source, "offers", &at, &mut faults) {
                let at = format!("{at}offers.{id}.");
                let Value::Table(offer) = offer else {
                    faults.push(format!("`{at}` must be a section"));
                    continue;
                };
                unknown_keys(&offer, &["rules"], &at, &mut faults);
                let mut offer_rules = own_rules.clone();
                overlay(&mut offer_rules, section(&offer, "rules", &at, &mut faults));
                offers.extend(rules(&offer_rules, &at, &mut faults).map(|rules| (id, rules)));
            }
            let compiled = rules(&own_rules, &at, &mut faults).map(|base| SourceRules { base, offers });
            sources.extend(compiled.map(|compiled| (name, compiled)));
        }
        let Some(base) = base.filter(|_| faults.is_empty()) else { return Err(BadPolicy(faults)) };
        let version = hex(&Sha256::digest(content.as_bytes())[..8]);
        let strongest_per_family = usize::try_from(strongest_per_family).unwrap_or(usize::MAX);
        let of_source =
            |source: &SourceRules| source.base.remember() || source.offers.values().any(Rules::remember);
        let remembers = base.remember() || sources.values().any(of_source);
        Ok(Self { version, content, hold_at, strongest_per_family, baseline, remembers, base, sources })
    }
}

fn table(text: &str) -> Result<Table, BadPolicy> {
    text.parse().map_err(|error: toml::de::Error| BadPolicy(vec![format!("not TOML: {}", error.message())]))
}

fn rules(table: &Table, at: &str, faults: &mut Vec<String>) -> Option<Rules> {
    match table.clone().try_into::<Rules>() {
        Ok(rules) => {
            faults.extend(rules.faults().into_iter().map(|fault| format!("`{at}rules.{fault}")));
            Some(rules)
        }
        Err(error) => {
            faults.push(format!("`{at}rules`: {}", error.message()));
            None
        }
    }
}

fn section(table: &Table, key: &str, at: &str, faults: &mut Vec<String>) -> Table {
    match table.get(key) {
        Some(Value::Table(section)) => section.clone(),
        None => Table::new(),
        Some(_) => {
            faults.push(format!("`{at}{key}` must be a section"));
            Table::new()
        }
    }
}

fn integer(table: &Table, key: &str, least: i64, faults: &mut Vec<String>) -> i64 {
    match table.get(key) {
        Some(Value::Integer(number)) if *number >= least => *number,
        _ => {
            faults.push(format!("`{key}` must be a whole number of at least {least}"));
            least
        }
    }
}

fn unknown_keys(table: &Table, known: &[&str], at: &str, faults: &mut Vec<String>) {
    for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
        faults.push(format!("`{at}{key}` is not a key of the policy; known here: {}", known.join(", ")));
    }
}

/// Lays `upper` over `lower`: tables are merged key by key, everything else is replaced.
fn overlay(lower: &mut Table, upper: Table) {
    for (key, value) in upper {
        match (lower.get_mut(&key), value) {
            (Some(Value::Table(lower)), Value::Table(upper)) => overlay(lower, upper),
            (_, value) => {
                lower.insert(key, value);
            }
        }
    }
}

/// JSON with sorted keys: the same for every spelling of the same policy.
fn canonical(value: &impl Serialize) -> String {
    // `serde_json::Value` keeps its maps sorted; a TOML table has only text keys, so this cannot fail.
    serde_json::to_value(value).map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_policy_is_valid() {
        let policy = Policy::built_in().expect("the default loads");
        assert_eq!(policy.hold_at, 50);
        assert_eq!(policy.rules("any", None).t1.limit_s, 5);
    }

    #[test]
    fn a_policy_is_made_from_its_content_again() {
        let policy = Policy::parse("hold_at = 70\n[sources.targo.rules.T1]\nlimit_s = 9\n").expect("valid");
        let again = Policy::of_content(policy.content()).expect("its own content is valid");
        assert_eq!((again.version(), again.hold_at), (policy.version(), 70));
        assert_eq!(again.rules("targo", None).t1.limit_s, 9);
    }

    #[test]
    fn a_source_and_an_offer_override_single_keys() {
        let policy = Policy::parse(
            "[rules.T1]\nlimit_s = 6\n[sources.a.rules.T1]\nlimit_s = 7\n\
             [sources.a.offers.\"12\".rules.T1]\nhard = false\npoints = 9",
        )
        .expect("valid");
        assert_eq!(policy.rules("b", Some("12")).t1.limit_s, 6);
        assert_eq!(policy.rules("a", None).t1.limit_s, 7);
        let offer = &policy.rules("a", Some("12")).t1;
        assert_eq!((offer.limit_s, offer.hard, offer.points), (7, false, 9));
    }

    #[test]
    fn the_version_follows_the_meaning_not_the_spelling() {
        let version = |text| Policy::parse(text).expect("valid").version().to_owned();
        assert_eq!(version(""), version("# a comment\nhold_at=50"));
        assert_ne!(version(""), version("hold_at = 60"));
        assert_eq!(version("").len(), 16);
    }

    #[test]
    fn a_policy_of_before_decides_without_the_rules_of_today() {
        let mut before: serde_json::Value =
            serde_json::from_str(Policy::built_in().expect("valid").content()).expect("JSON");
        before["rules"].as_object_mut().expect("rules").remove("T4");
        before["rules"]["T2"].as_object_mut().expect("a rule").remove("classes");
        before.as_object_mut().expect("a policy").remove("baseline");
        let policy = Policy::of_content(&before.to_string()).expect("it is read");
        assert!(!policy.rules("any", None).t4.enabled);
        assert!(policy.rules("any", None).t3.enabled);
        assert_eq!(policy.content(), before.to_string());
        assert_eq!(policy.baseline.settled_after_days, 7);
    }

    #[test]
    fn limits_of_baselines_are_checked() {
        let faults = Policy::parse(
            "[baseline]\nsettled_after_days = 46\n[rules.T4]\nleast = 49\nfloor_millinats = 0\n\
             [rules.T2.classes]\nsurvey = [\"\"]",
        );
        let faults = faults.expect_err("invalid").0.join("\n");
        for fault in
            ["baseline.settled_after_days`", "T4.least`", "T4.floor_millinats`", "T2.classes.survey`"]
        {
            assert!(faults.contains(fault), "{fault} in:\n{faults}");
        }
    }

    #[test]
    fn all_faults_are_listed_with_their_keys() {
        let faults = Policy::parse(
            "hold_at = 0\nhold = 1\n[rules.T1]\nlimits = 5\n[sources.a]\nrule = 1\n\
             [sources.a.offers.x.rules.Q3]\nratio = \"a lot\"",
        )
        .expect_err("invalid")
        .0
        .join("\n");
        for fault in ["`hold_at`", "`hold`", "limits", "`sources.a.rule`"] {
            assert!(faults.contains(fault), "{fault} in:\n{faults}");
        }
        let faults =
            Policy::parse("[sources.a.offers.x.rules.Q3]\nratio = \"a lot\"").expect_err("invalid").0;
        assert_eq!(faults, ["`sources.a.offers.x.rules.Q3.ratio` is not a decimal number"]);
    }

    #[test]
    fn a_stored_policy_of_before_knows_no_lists() {
        let policy = Policy::built_in().expect("the default loads");
        let mut content: Table = serde_json::from_str(policy.content()).expect("plain data");
        let rules = content.get_mut("rules").and_then(Value::as_table_mut).expect("rules");
        for code in ["L1", "L2", "L3"] {
            rules.remove(code).expect("it is there");
        }
        let before = serde_json::to_string(&content).expect("plain data");
        let policy = Policy::of_content(&before).expect("it is read");
        let rules = policy.rules("any", None);
        assert!([&rules.l1, &rules.l2, &rules.l3].iter().all(|rule| !rule.enabled));
    }

    #[test]
    fn only_trust_takes_points_off() {
        let faults = |text: &str| Policy::parse(text).err().map(|bad| bad.0.join(""));
        assert_eq!(faults("[rules.L3]\npoints = -1000"), None);
        assert!(faults("[rules.L3]\npoints = 5").is_some_and(|why| why.contains("between -1000 and 0")));
        assert!(faults("[rules.L2]\npoints = -5").is_some_and(|why| why.contains("between 0 and 1000")));
    }
}
