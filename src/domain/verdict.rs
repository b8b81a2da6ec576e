//! Credit or hold, with every signal that was considered.

use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::rules::{self, Facts};
use crate::signal::{Family, Signal};
use crate::time::TimestampMs;

/// The decision of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The reward is credited.
    Credit,
    /// The reward is held for review.
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

/// The decision on one reward. It is stored with the reward and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Hold if a hard rule fired or the score reached `hold_at`.
    pub decision: Decision,
    /// Sum of the points that counted; never below zero, whatever is trusted.
    pub score: i64,
    /// True if a hard rule fired.
    pub hard: bool,
    /// [`Policy::version`] that decided.
    pub policy: String,
    /// When the batch was processed.
    pub decided_at: TimestampMs,
    /// Every signal, fired or not, in the order of the rules.
    pub signals: Vec<Signal>,
}

/// Applies every rule of `policy` to `facts`.
pub fn decide(facts: &Facts<'_>, policy: &Policy, now: TimestampMs) -> Verdict {
    let rules = policy.rules(facts.source, facts.event.offer_id.as_deref());
    let signals = rules::look(facts, rules);
    let score = score(&signals, policy.strongest_per_family);
    let hard = signals.iter().any(|signal| signal.hard);
    let decision = if hard || score >= policy.hold_at { Decision::Hold } else { Decision::Credit };
    Verdict { decision, score, hard, policy: policy.version().into(), decided_at: now, signals }
}

/// The strongest of each family, less what speaks for the reward; never below 0.
fn score(signals: &[Signal], strongest_per_family: usize) -> i64 {
    let family_score = |family| {
        let mut points: Vec<_> = signals
            .iter()
            .filter(|signal| signal.family == family && signal.points > 0)
            .map(|signal| signal.points)
            .collect();
        points.sort_unstable_by(|a, b| b.cmp(a));
        points.iter().take(strongest_per_family).sum::<i64>()
    };
    let against: i64 = Family::ALL.map(family_score).iter().sum();
    let in_favour: i64 = signals.iter().map(|signal| signal.points.min(0)).sum();
    (against + in_favour).max(0)
}

impl Verdict {
    /// The signals that count against the reward, the strongest first: hard ones, then by points, then in the order
    /// of the rules.
    pub fn counted(&self) -> Vec<&Signal> {
        let mut fired: Vec<_> =
            self.signals.iter().filter(|signal| signal.hard || signal.points > 0).collect();
        fired.sort_by_key(|signal| (!signal.hard, -signal.points));
        fired
    }

    /// Every rule that fired with its points, in the order of the rules; `!` marks the hard ones: `T1:60! G3:30`. Empty if
    /// none did.
    pub fn fired_points(&self) -> String {
        let fired = self.signals.iter().filter(|signal| signal.fired);
        let each = |signal: &Signal| {
            format!("{}:{}{}", signal.code, signal.points, if signal.hard { "!" } else { "" })
        };
        fired.map(each).collect::<Vec<_>>().join(" ")
    }

    /// Why it was held, or that no rule counted against it, in a sentence for each family: its strongest signal, the
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
            [] => "No rule counted against it.".into(),
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
            insufficient: false,
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
