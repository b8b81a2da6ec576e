//! A person's decision on a reward.

use serde::{Deserialize, Serialize};

use crate::reward::{Status, Step};
use crate::time::TimestampMs;

/// The longest note, in bytes.
pub const MAX_NOTE_LEN: usize = 2_000;

/// A reviewer's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Review {
    /// Credit the user; also overturns an earlier reject.
    Release,
    /// Keep the reward from the user.
    Reject,
}

/// The decision cannot be made on a reward of this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reward is {}: only held rewards can be rejected, only held or rejected ones released", .status.name())]
pub struct NotAllowed {
    /// The reward's present status.
    pub status: Status,
}

/// The step that `review` takes from `status`.
pub fn step(review: Review, status: Status) -> Result<Step, NotAllowed> {
    match (review, status) {
        (Review::Release, Status::Held) => Ok(Step::Release),
        (Review::Release, Status::Rejected) => Ok(Step::Overturn),
        (Review::Reject, Status::Held) => Ok(Step::Reject),
        _ => Err(NotAllowed { status }),
    }
}

/// The last step of a reward, as far as undoing needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastStep {
    /// Which change of status.
    pub step: Step,
    /// The grace counts from here.
    pub taken_at: TimestampMs,
    /// True if the app was notified of it, or may have been.
    pub notified: bool,
}

/// Why a decision cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUndoable {
    /// The last step is not a reviewer's decision.
    #[error("the last step of the reward was not a person's decision, so there is nothing to undo")]
    NoDecision,
    /// The grace is over, or the app has been notified.
    #[error("too late to undo: the app has been notified, or may be at any moment")]
    TooLate,
}

/// The step that undoes `last`, while its grace lasts and the app has not been notified.
pub fn undo(last: LastStep, grace_ms: i64, now: TimestampMs) -> Result<Step, NotUndoable> {
    let step = last.step.undone_by().ok_or(NotUndoable::NoDecision)?;
    if last.notified || now.0 >= last.taken_at.0.saturating_add(grace_ms) {
        return Err(NotUndoable::TooLate);
    }
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_can_be_undone_within_its_grace_until_the_app_is_notified() {
        let last = |step, notified| LastStep { step, taken_at: TimestampMs(1_000), notified };
        let at = |last, now| undo(last, 500, TimestampMs(now));
        assert_eq!(at(last(Step::Release, false), 1_499), Ok(Step::UndoRelease));
        assert_eq!(at(last(Step::Reject, false), 1_000), Ok(Step::UndoReject));
        assert_eq!(at(last(Step::Overturn, false), 1_000), Ok(Step::UndoOverturn));
        assert_eq!(at(last(Step::Release, false), 1_500), Err(NotUndoable::TooLate));
        assert_eq!(at(last(Step::Release, true), 1_000), Err(NotUndoable::TooLate));
        for step in [Step::Credit, Step::Hold, Step::ReverseCredited, Step::UndoRelease] {
            assert_eq!(at(last(step, false), 1_000), Err(NotUndoable::NoDecision), "{step:?}");
        }
    }

    #[test]
    fn a_review_takes_only_the_steps_of_the_contract() {
        for review in [Review::Release, Review::Reject] {
            for status in Status::ALL {
                if let Ok(step) = step(review, status) {
                    assert_eq!(step.from(), Some(status));
                }
            }
        }
        assert_eq!(step(Review::Reject, Status::Rejected), Err(NotAllowed { status: Status::Rejected }));
        assert_eq!(step(Review::Release, Status::Reversed), Err(NotAllowed { status: Status::Reversed }));
    }
}
