//! Credit or hold, with every signal that was looked at.

use serde::{Deserialize, Serialize};

use crate::policy::{Policy, Weight};
use crate::rules::{self, Facts};
use crate::time::TimestampMs;

/// What a verdict says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The user gets the reward.
    Credit,
    /// A person looks at it.
    Hold,
}

impl Decision {
    /// The name in tables, pages and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Hold => "hold",
        }
    }
}

/// Signals of one family measure the same thing in several ways, so only the strongest of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Whether the postback's data can be judged at all.
    Data,
    /// How long it took.
    Time,
    /// Where the address is and what network it belongs to.
    Geo,
    /// How often.
    Velocity,
    /// How much.
    Money,
}

/// One measured fact of a check. What says nothing (not fired, no value) is left out of its JSON: every reward keeps
/// all of its signals, and most of them are quiet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// The rule, e.g. `T1`.
    pub code: String,
    /// Its family.
    pub family: Family,
    /// True if the rule found what it looks for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fired: bool,
    /// True if it fired and holds whatever the score.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hard: bool,
    /// What it adds to the score; 0 if it did not fire.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub points: i64,
    /// What was measured, for a person; absent if it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// How many earlier observations the comparison rests on, where it rests on any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<i64>,
    /// One sentence for a person.
    pub text: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(points: &i64) -> bool {
    *points == 0
}

/// What a rule found, before its weight is looked up.
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) family: Family,
    pub(crate) fired: bool,
    pub(crate) value: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) sample: Option<i64>,
    pub(crate) text: String,
}

impl Finding {
    /// The signal of this finding under `weight`. A rule that is switched off never fires.
    pub(crate) fn weigh(self, weight: Weight) -> Signal {
        let fired = self.fired && weight.enabled;
        let text = if self.fired && !weight.enabled {
            format!("{} The policy has this rule switched off.", self.text)
        } else {
            self.text
        };
        Signal {
            code: self.code.into(),
            family: self.family,
            fired,
            hard: fired && weight.hard,
            points: if fired { weight.points } else { 0 },
            value: self.value,
            limit: self.limit,
            sample: self.sample,
            text,
        }
    }
}

/// The decision on one reward. Frozen: it is stored with the reward and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Credit or hold.
    pub decision: Decision,
    /// The sum of points that counted.
    pub score: i64,
    /// True if a hard rule fired.
    pub hard: bool,
    /// The version of the policy.
    pub policy: String,
    /// When.
    pub decided_at: TimestampMs,
    /// Every signal, fired or not, in the order of the rules.
    pub signals: Vec<Signal>,
}

/// Looks at `facts` with every rule of `policy` and answers with the verdict.
pub fn decide(facts: &Facts<'_>, policy: &Policy, now: TimestampMs) -> Verdict {
    let rules = policy.rules(facts.source, facts.event.offer_id.as_deref());
    let signals = rules::look(facts, rules);
    let score = score(&signals, policy.strongest_per_family);
    let hard = signals.iter().any(|signal| signal.hard);
    let decision = if hard || score >= policy.hold_at { Decision::Hold } else { Decision::Credit };
    Verdict { decision, score, hard, policy: policy.version().into(), decided_at: now, signals }
}

fn score(signals: &[Signal], strongest_per_family: usize) -> i64 {
    let family_score = |family| {
        let mut points: Vec<_> =
            signals.iter().filter(|signal| signal.family == family).map(|signal| signal.points).collect();
        points.sort_unstable_by(|a, b| b.cmp(a));
        points.iter().take(strongest_per_family).sum::<i64>()
    };
    [Family::Data, Family::Time, Family::Geo, Family::Velocity, Family::Money].map(family_score).iter().sum()
}

impl Verdict {
    /// The signals that spoke against the reward, the strongest first: hard ones, then by points, then in the order of
    /// the rules.
    pub fn counted(&self) -> Vec<&Signal> {
        let mut fired: Vec<_> =
            self.signals.iter().filter(|signal| signal.hard || signal.points > 0).collect();
        fired.sort_by_key(|signal| (!signal.hard, -signal.points));
        fired
    }

    /// Why it was held, or that nothing spoke against it, in a sentence for each family: its strongest signal, the
    /// strongest family first.
    pub fn sentence(&self) -> String {
        let mut fired = self.counted();
        let mut families = Vec::new();
        fired.retain(|signal| {
            let is_first = !families.contains(&signal.family);
            families.push(signal.family);
            is_first
        });
        match fired.as_slice() {
            [] => "Nothing spoke against it.".into(),
            signals => signals.iter().map(|signal| signal.text.as_str()).collect::<Vec<_>>().join(" "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(family: Family, points: i64) -> Signal {
        Signal {
            code: "X".into(),
            family,
            fired: points > 0,
            hard: false,
            points,
            value: None,
            limit: None,
            sample: None,
            text: String::new(),
        }
    }

    #[test]
    fn at_most_the_two_strongest_of_a_family_count() {
        let signals = [
            signal(Family::Geo, 10),
            signal(Family::Geo, 30),
            signal(Family::Geo, 20),
            signal(Family::Time, 5),
            signal(Family::Data, 10),
        ];
        assert_eq!(score(&signals, 2), 65);
    }
}
