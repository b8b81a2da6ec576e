//! What one rule reports: a [`Signal`], whether it fired or not. Rules make them, a verdict adds them up.

use serde::{Deserialize, Serialize};

use crate::policy::Weight;

/// Signals of one family measure the same thing in several ways, so only the strongest of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Faults in the postback's data.
    Data,
    /// Time from click to completion.
    Time,
    /// Country and network of the address.
    Geo,
    /// How much and how often.
    Velocity,
    /// Who shares an address, and who uses many.
    Sharing,
    /// Reward, payout and their ratio.
    Money,
    /// What became of earlier rewards.
    Record,
    /// What people listed.
    List,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 8] = [
        Self::Data,
        Self::Time,
        Self::Geo,
        Self::Velocity,
        Self::Sharing,
        Self::Money,
        Self::Record,
        Self::List,
    ];
}

/// One measured fact of a check. Defaults (not fired, no value) are left out of its JSON: every reward stores all of
/// its signals, and most of them did not fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Code of the rule, such as `T1`.
    pub code: String,
    /// Only the strongest signals of a family count.
    pub family: Family,
    /// True if the rule found what it looks for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fired: bool,
    /// True if it fired and holds the reward whatever the score.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hard: bool,
    /// What it adds to the score, below zero for trust; 0 if it did not fire.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub points: i64,
    /// What was measured, for a person; absent if it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the value was compared with; `None` if there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Number of earlier observations compared with; `None` if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<i64>,
    /// True if there are too few observations to compare with: the rule neither fires nor clears.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insufficient: bool,
    /// One sentence for the reviewer.
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
            format!("{} This rule is disabled by the policy.", self.text)
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
            insufficient: false,
            text,
        }
    }

    /// The signal of a rule that has too few observations to compare with: it never fires.
    pub(crate) fn insufficient(self) -> Signal {
        let weight = Weight { enabled: false, points: 0, hard: false };
        let finding = Self { fired: false, ..self };
        Signal { insufficient: true, ..finding.weigh(weight) }
    }
}
