//! The status of a reward, and every step between them.
//!
//! [`Step`] is the whole state machine: each step has one status before and one after, so a step that is not
//! allowed has no value to be written with.

use serde::{Deserialize, Serialize};

/// The status of a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Credited to the user.
    Credited,
    /// On hold until a person decides.
    Held,
    /// Rejected by a person.
    Rejected,
    /// Reversed by the network.
    Reversed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Credited, Self::Held, Self::Rejected, Self::Reversed];

    /// The name in tables, pages and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credited => "credited",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Reversed => "reversed",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// One change of status. There are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// new → credited: the verdict was credit.
    Credit,
    /// new → held: the verdict was hold.
    Hold,
    /// new → reversed: the reversal came before its credit, and wins.
    ReverseUnseen,
    /// held → credited, by a person.
    Release,
    /// held → rejected, by a person.
    Reject,
    /// rejected → credited, by a person.
    Overturn,
    /// credited → reversed.
    ReverseCredited,
    /// held → reversed.
    ReverseHeld,
    /// rejected → reversed.
    ReverseRejected,
    /// credited → credited, less a part that the network takes back, confirmed by a person.
    ReverseCreditedPart,
    /// held → held, less a part.
    ReverseHeldPart,
    /// rejected → rejected, less a part of what the network pays.
    ReverseRejectedPart,
    /// reversed → held: the network approves again what it took back, so a person decides.
    Reapprove,
    /// credited → held: a release undone before the app was notified.
    UndoRelease,
    /// rejected → held: a reject undone.
    UndoReject,
    /// credited → rejected: an overturn undone.
    UndoOverturn,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 16] = [
        Self::Credit,
        Self::Hold,
        Self::ReverseUnseen,
        Self::Release,
        Self::Reject,
        Self::Overturn,
        Self::ReverseCredited,
        Self::ReverseHeld,
        Self::ReverseRejected,
        Self::ReverseCreditedPart,
        Self::ReverseHeldPart,
        Self::ReverseRejectedPart,
        Self::Reapprove,
        Self::UndoRelease,
        Self::UndoReject,
        Self::UndoOverturn,
    ];

    /// The status before the step; `None` for a new reward.
    pub fn from(self) -> Option<Status> {
        match self {
            Self::Credit | Self::Hold | Self::ReverseUnseen => None,
            Self::Release | Self::Reject | Self::ReverseHeld | Self::ReverseHeldPart => Some(Status::Held),
            Self::Overturn | Self::ReverseRejected | Self::ReverseRejectedPart | Self::UndoReject => {
                Some(Status::Rejected)
            }
            Self::ReverseCredited | Self::ReverseCreditedPart | Self::UndoRelease | Self::UndoOverturn => {
                Some(Status::Credited)
            }
            Self::Reapprove => Some(Status::Reversed),
        }
    }

    /// The status after the step.
    pub fn to(self) -> Status {
        match self {
            Self::Credit | Self::Release | Self::Overturn | Self::ReverseCreditedPart => Status::Credited,
            Self::Hold | Self::Reapprove | Self::ReverseHeldPart | Self::UndoRelease | Self::UndoReject => {
                Status::Held
            }
            Self::Reject | Self::ReverseRejectedPart | Self::UndoOverturn => Status::Rejected,
            Self::ReverseUnseen | Self::ReverseCredited | Self::ReverseHeld | Self::ReverseRejected => {
                Status::Reversed
            }
        }
    }

    /// The step by which a reversal ends a reward of this status; `None` if it is reversed already.
    pub fn reversal_of(status: Option<Status>) -> Option<Self> {
        match status {
            None => Some(Self::ReverseUnseen),
            Some(Status::Credited) => Some(Self::ReverseCredited),
            Some(Status::Held) => Some(Self::ReverseHeld),
            Some(Status::Rejected) => Some(Self::ReverseRejected),
            Some(Status::Reversed) => None,
        }
    }

    /// The step that takes a part of a reward of this status back; `None` of one that is reversed already.
    pub fn part_of(status: Status) -> Option<Self> {
        match status {
            Status::Credited => Some(Self::ReverseCreditedPart),
            Status::Held => Some(Self::ReverseHeldPart),
            Status::Rejected => Some(Self::ReverseRejectedPart),
            Status::Reversed => None,
        }
    }

    /// True if it takes a part back and leaves the rest.
    pub fn is_part(self) -> bool {
        self.from() == Some(self.to())
    }

    /// True if the network took something back that was booked: all of it, or a part.
    pub fn takes_back(self) -> bool {
        self.is_part() || (self.from().is_some() && self.to() == Status::Reversed)
    }

    /// The decision that this step undoes; `None` if it undoes none.
    pub fn undoes(self) -> Option<Self> {
        match self {
            Self::UndoRelease => Some(Self::Release),
            Self::UndoReject => Some(Self::Reject),
            Self::UndoOverturn => Some(Self::Overturn),
            _ => None,
        }
    }

    /// The step that undoes this one; `None` if it is not a person's decision.
    pub fn undone_by(self) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.undoes() == Some(self))
    }

    /// True if a person decided so; such a step can be undone for a while.
    pub fn is_decision(self) -> bool {
        self.undone_by().is_some()
    }

    /// The step of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// The name in tables, pages and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Hold => "hold",
            Self::ReverseUnseen => "reverse_unseen",
            Self::Release => "release",
            Self::Reject => "reject",
            Self::Overturn => "overturn",
            Self::ReverseCredited => "reverse_credited",
            Self::ReverseHeld => "reverse_held",
            Self::ReverseRejected => "reverse_rejected",
            Self::ReverseCreditedPart => "reverse_credited_part",
            Self::ReverseHeldPart => "reverse_held_part",
            Self::ReverseRejectedPart => "reverse_rejected_part",
            Self::Reapprove => "reapprove",
            Self::UndoRelease => "undo_release",
            Self::UndoReject => "undo_reject",
            Self::UndoOverturn => "undo_overturn",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_exactly_those_of_the_contract() {
        let mut steps: Vec<_> =
            Step::ALL.iter().map(|step| (step.from().map(Status::name), step.to().name())).collect();
        steps.sort_unstable();
        assert_eq!(
            steps,
            [
                (None, "credited"),
                (None, "held"),
                (None, "reversed"),
                (Some("credited"), "credited"),
                (Some("credited"), "held"),
                (Some("credited"), "rejected"),
                (Some("credited"), "reversed"),
                (Some("held"), "credited"),
                (Some("held"), "held"),
                (Some("held"), "rejected"),
                (Some("held"), "reversed"),
                (Some("rejected"), "credited"),
                (Some("rejected"), "held"),
                (Some("rejected"), "rejected"),
                (Some("rejected"), "reversed"),
                (Some("reversed"), "held"),
            ]
        );
    }

    #[test]
    fn only_decisions_can_be_undone_and_undoing_restores_the_status() {
        for step in Step::ALL {
            if let Some(undoing) = step.undone_by() {
                assert_eq!((undoing.from(), Some(undoing.to())), (Some(step.to()), step.from()), "{step:?}");
            }
            let by_a_person = matches!(step, Step::Release | Step::Reject | Step::Overturn);
            assert_eq!(step.is_decision(), by_a_person, "{step:?}");
            assert_eq!(Step::parse(step.name()), Some(step));
        }
    }

    #[test]
    fn a_reversal_ends_every_status_once() {
        for status in [None, Some(Status::Credited), Some(Status::Held), Some(Status::Rejected)] {
            let step = Step::reversal_of(status).expect("it can be reversed");
            assert_eq!((step.from(), step.to()), (status, Status::Reversed));
        }
        assert_eq!(Step::reversal_of(Some(Status::Reversed)), None);
    }

    #[test]
    fn a_part_leaves_a_reward_where_it_stands() {
        for status in [Status::Credited, Status::Held, Status::Rejected] {
            let step = Step::part_of(status).expect("a part of it can be taken back");
            assert!(step.is_part() && step.takes_back(), "{step:?}");
            assert_eq!((step.from(), step.to()), (Some(status), status));
        }
        assert_eq!(Step::part_of(Status::Reversed), None);
        for step in [Step::ReverseUnseen, Step::Credit, Step::Reapprove, Step::Reject] {
            assert!(!step.takes_back(), "{step:?}");
        }
    }
}
