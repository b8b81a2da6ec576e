//! A person's decision on a reward.

use serde::{Deserialize, Serialize};

use crate::reward::{Status, Step};

/// The longest note, in bytes.
pub const MAX_NOTE_LEN: usize = 2_000;

/// What a reviewer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Review {
    /// Give the user the reward; also takes back an earlier reject.
    Release,
    /// Do not give it.
    Reject,
}

/// The decision cannot be made on a reward of this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reward is {}: only a held one can be rejected, only a held or rejected one released", .status.name())]
pub struct NotAllowed {
    /// Where the reward stands.
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

#[cfg(test)]
mod tests {
    use super::*;

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
