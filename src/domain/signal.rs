//! What one rule reports: a [`Signal`], whether it fired or not. Rules make them, a verdict adds them up.

use serde::{Deserialize, Serialize};

use crate::policy::Weight;

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
