//! V3: the same task again under a new transaction.

use super::Facts;
use crate::policy::Rules;
use crate::postback::networks::Field;
use crate::signal::{Family, Finding, Signal};

/// V3: an offer is completed once; the same user, offer and event under another key is a duplicate.
pub(super) fn v3(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let (fired, text) = match facts.same_task {
        None if facts.event.lacks(Field::EventId) => {
            (false, "The network sent no usable event, so duplicates cannot be detected.".into())
        }
        None => (false, "The network sent no offer, so duplicates cannot be detected.".into()),
        Some(0) => (false, "The user has no earlier reward for this offer and event.".into()),
        // Counting all would get slower with each; one is enough.
        Some(_) => (
            true,
            "The user has an earlier reward for the same offer and event under another transaction.".into(),
        ),
    };
    let finding = Finding {
        code: "V3",
        family: Family::Velocity,
        fired,
        value: facts.same_task.map(|earlier| earlier.to_string()),
        limit: Some("0".into()),
        sample: None,
        text,
    };
    finding.weigh(rules.v3.weight())
}
