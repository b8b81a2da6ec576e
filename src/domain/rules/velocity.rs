//! V3: the same task again under a new transaction.

use super::Facts;
use crate::policy::Rules;
use crate::postback::network::Field;
use crate::signal::{Family, Finding, Signal};

/// V3: offers are done once; the same user, offer and event under another key is a duplicate.
pub(super) fn v3(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let (fired, text) = match facts.same_task {
        None if facts.event.lacks(Field::EventId) => {
            (false, "The network named no event that can be used, so a duplicate cannot be told.".into())
        }
        None => (false, "The network named no offer, so a duplicate cannot be told.".into()),
        Some(0) => (false, "The user has no earlier reward for this offer and event.".into()),
        // How many there are would cost more to count, the more there are; one is enough.
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
