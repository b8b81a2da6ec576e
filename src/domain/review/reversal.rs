//! Reversals that do not match their credit. Each becomes a *case* that a person decides once.
//!
//! | situation | what happened | what a person can do |
//! |---|---|---|
//! | [`Situation::Orphan`] | no credit came within the network's retry horizon | link it to a credit and take that back, or dismiss it |
//! | [`Situation::OtherUser`] | it names another user than its credit | take the credit back, or dismiss it |
//! | [`Situation::Part`] | it names less than what is left of the reward | take back all, or that part, or dismiss it |
//!
//! The fourth situation, a reward that the network approves again after it took it back, is a hold like any other
//! ([`Step::Reapprove`]) and is decided in the queue.

use serde::{Deserialize, Serialize};

use crate::ledger::Amounts;
use crate::money::{Micros, share};
use crate::reward::{Status, Step};
use crate::time::TimestampMs;

/// How many open cases one reward can have. Further contradictions raise no case, so that a network that repeats
/// itself with other figures each time cannot fill the list.
pub const MAX_OPEN_CASES: usize = 16;

/// The rule that a re-approved reward is held by, as the queue groups it.
pub const REAPPROVED: &str = "C2";

/// Why a reversal needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Situation {
    /// It found no credit within the retry horizon.
    Orphan,
    /// It names another user than its credit.
    OtherUser,
    /// It takes back less than what is left.
    Part,
}

impl Situation {
    /// Every situation.
    pub const ALL: [Self; 3] = [Self::Orphan, Self::OtherUser, Self::Part];

    /// The name in tables, URLs and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orphan => "orphan",
            Self::OtherUser => "other_user",
            Self::Part => "part",
        }
    }

    /// The situation of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|situation| situation.name() == name)
    }
}

/// User and amounts that the reversal names; an amount is `None` if it names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The publisher's id of the user.
    pub user_id: String,
    /// How much of the reward, in the user's currency.
    pub reward: Option<Micros>,
    /// How much of the payout, in USD.
    pub payout: Option<Micros>,
}

/// A case as far as a later postback for the same reward needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCase {
    /// Why it needs a person.
    pub situation: Situation,
    /// What the reversal names; a repeat names the same.
    pub said: Said,
    /// When its postback was received.
    pub raised_at: TimestampMs,
    /// How it ended; `None` while it is open.
    pub ending: Option<Ending>,
}

/// Why a case is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A person took all of it back.
    TakenBack,
    /// A person took the named part back.
    PartTakenBack,
    /// A person dismissed it: nothing is taken back.
    Dismissed,
    /// The credit of an orphan came after all.
    CreditCame,
    /// The network then took all of it back.
    Reversed,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 5] =
        [Self::TakenBack, Self::PartTakenBack, Self::Dismissed, Self::CreditCame, Self::Reversed];

    /// The name in tables and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::TakenBack => "taken_back",
            Self::PartTakenBack => "part_taken_back",
            Self::Dismissed => "dismissed",
            Self::CreditCame => "credit_came",
            Self::Reversed => "reversed",
        }
    }

    /// The ending of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.name() == name)
    }

    /// True if a later postback closes a case of this situation in this way.
    pub fn closes(self, situation: Situation) -> bool {
        match self {
            Self::CreditCame => situation == Situation::Orphan,
            Self::Reversed => situation != Situation::Orphan,
            Self::TakenBack | Self::PartTakenBack | Self::Dismissed => false,
        }
    }

    /// True if a person closed the case.
    pub fn is_decision(self) -> bool {
        matches!(self, Self::TakenBack | Self::PartTakenBack | Self::Dismissed)
    }
}

/// How much of the rest a reversal takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole rest of the reward.
    All,
    /// Less than the rest: these amounts.
    Part(Amounts),
}

/// How much of `left` a reversal takes that names these amounts. What it does not name goes in proportion to what it
/// names; naming nothing, or zero, means all.
pub fn extent(reward: Option<Micros>, payout: Option<Micros>, left: Amounts) -> Extent {
    let named = |said: Option<Micros>, left: Micros| said.filter(|said| said.0 > 0 && left.0 > 0);
    let (reward, payout) = (named(reward, left.reward), named(payout, left.payout));
    let is_less = |said: Option<Micros>, left: Micros| said.is_some_and(|said| said < left);
    if !is_less(reward, left.reward) && !is_less(payout, left.payout) {
        return Extent::All;
    }
    let in_proportion = |left: Micros, said: Option<Micros>, of: Micros| {
        said.map_or(left, |said| Micros(share(i128::from(left.0) * i128::from(said.0), i128::from(of.0))))
    };
    Extent::Part(Amounts {
        reward: reward.unwrap_or_else(|| in_proportion(left.reward, payout, left.payout)).min(left.reward),
        payout: payout.unwrap_or_else(|| in_proportion(left.payout, reward, left.reward)).min(left.payout),
    })
}

/// What a person decides on a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Take back all that is left.
    All,
    /// Take back the part that the reversal names.
    Part,
    /// Take nothing back and close the case.
    Dismiss,
}

impl Resolution {
    /// Every resolution.
    pub const ALL: [Self; 3] = [Self::All, Self::Part, Self::Dismiss];

    /// The name in forms and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Part => "part",
            Self::Dismiss => "dismiss",
        }
    }

    /// The resolution of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resolution| resolution.name() == name)
    }

    /// How the case ends by it.
    pub fn ending(self) -> Ending {
        match self {
            Self::All => Ending::TakenBack,
            Self::Part => Ending::PartTakenBack,
            Self::Dismiss => Ending::Dismissed,
        }
    }
}

/// Why a case cannot be decided like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPossible {
    /// The reward is reversed already.
    #[error("the reward is reversed already, so nothing is left to take back; dismiss the case")]
    Reversed,
    /// The reversal names no part of this reward.
    #[error("the reversal does not name a part of this reward: take back all of it, or dismiss the case")]
    NoPart,
}

/// The step that `resolution` takes on a reward of this status, with the part that it moves; `None` if nothing moves.
pub fn resolve(
    resolution: Resolution,
    status: Status,
    said: &Said,
    left: Amounts,
) -> Result<Option<(Step, Option<Amounts>)>, NotPossible> {
    match resolution {
        Resolution::Dismiss => Ok(None),
        Resolution::All => {
            let step = Step::reversal_of(Some(status)).ok_or(NotPossible::Reversed)?;
            Ok(Some((step, None)))
        }
        Resolution::Part => {
            let step = Step::part_of(status).ok_or(NotPossible::Reversed)?;
            match extent(said.reward, said.payout, left) {
                Extent::Part(part) => Ok(Some((step, Some(part)))),
                Extent::All => Err(NotPossible::NoPart),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Amounts = Amounts { reward: Micros(500), payout: Micros(100) };

    fn of(reward: i64, payout: i64) -> Extent {
        extent(Some(Micros(reward)), Some(Micros(payout)), LEFT)
    }

    fn part(reward: i64, payout: i64) -> Extent {
        Extent::Part(Amounts { reward: Micros(reward), payout: Micros(payout) })
    }

    #[test]
    fn a_reversal_that_names_nothing_or_all_takes_all() {
        assert_eq!(extent(None, None, LEFT), Extent::All);
        for (reward, payout) in [(0, 0), (500, 100), (500, 0), (0, 100), (600, 100), (900, 900)] {
            assert_eq!(of(reward, payout), Extent::All, "{reward} {payout}");
        }
        assert_eq!(extent(Some(Micros(200)), None, Amounts::default()), Extent::All, "nothing is left");
    }

    #[test]
    fn a_reversal_that_names_less_takes_a_part_and_the_rest_in_proportion() {
        assert_eq!(of(200, 40), part(200, 40));
        assert_eq!(of(200, 0), part(200, 40));
        assert_eq!(of(0, 40), part(200, 40));
        assert_eq!(of(500, 40), part(500, 40));
        assert_eq!(of(200, 900), part(200, 100), "never more than is left");
        assert_eq!(extent(Some(Micros(1)), None, LEFT), part(1, 0), "half to even");
        let no_payout = Amounts { payout: Micros(0), ..LEFT };
        assert_eq!(extent(Some(Micros(200)), Some(Micros(7)), no_payout), part(200, 0));
    }

    #[test]
    fn each_case_is_decided_by_one_step_or_by_none() {
        let said = Said { user_id: "u".into(), reward: Some(Micros(200)), payout: None };
        let taken = Amounts { reward: Micros(200), payout: Micros(40) };
        let resolved = |resolution, status| resolve(resolution, status, &said, LEFT);
        assert_eq!(resolved(Resolution::All, Status::Credited), Ok(Some((Step::ReverseCredited, None))));
        assert_eq!(resolved(Resolution::Part, Status::Held), Ok(Some((Step::ReverseHeldPart, Some(taken)))));
        for resolution in [Resolution::All, Resolution::Part] {
            assert_eq!(resolved(resolution, Status::Reversed), Err(NotPossible::Reversed));
        }
        for status in Status::ALL {
            assert_eq!(resolved(Resolution::Dismiss, status), Ok(None));
        }
        let nothing = Said { reward: None, ..said };
        assert_eq!(resolve(Resolution::Part, Status::Credited, &nothing, LEFT), Err(NotPossible::NoPart));
    }

    #[test]
    fn every_name_reads_back() {
        for situation in Situation::ALL {
            assert_eq!(Situation::parse(situation.name()), Some(situation));
        }
        for ending in Ending::ALL {
            assert_eq!(Ending::parse(ending.name()), Some(ending));
        }
        for resolution in Resolution::ALL {
            assert_eq!(Resolution::parse(resolution.name()), Some(resolution));
            assert!(resolution.ending().is_decision());
        }
    }
}
