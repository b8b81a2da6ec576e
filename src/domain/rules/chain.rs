//! T5 and T6: the events of one click in a row, and many users with the same time to the second.

use super::Facts;
use crate::policy::{Rules, Weight};
use crate::signal::{Family, Finding, Signal};
use crate::text::duration;
use crate::time::SECOND_MS;

/// T5: the events of one click follow each other faster than they can be done.
pub(super) fn t5(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "T5", Family::Time) {
        return cold;
    }
    let rule = &rules.t5;
    let events = facts.history.same_second + 1;
    let is_burst = events >= rule.events && !rule.batches;
    // Half of what one settled step in a hundred undercuts.
    let shortest_ms = facts.normal.and_then(|normal| normal.shortest_gap_ms).map(|gap_ms| gap_ms / 2);
    let is_sooner =
        |gap_s: i64| shortest_ms.is_some_and(|shortest_ms| (gap_s + 1) * SECOND_MS <= shortest_ms);
    let is_too_soon = !rule.batches && facts.history.gap_s.is_some_and(is_sooner);
    let text = match facts.history.gap_s {
        None => "It is the first reward for its click.".into(),
        Some(_) if is_burst => format!("{events} events of one click came within a second."),
        Some(gap_s) if is_too_soon => format!(
            "It came {} after the event before it; of settled events, one in a hundred comes within {}.",
            duration(gap_s.saturating_mul(SECOND_MS)),
            duration(shortest_ms.unwrap_or_default().saturating_mul(2))
        ),
        Some(gap_s) => format!("{gap_s} s passed since another reward for the same click."),
    };
    let is_far_sooner =
        |gap_s: i64| shortest_ms.is_some_and(|shortest_ms| (gap_s + 1) * SECOND_MS <= shortest_ms / 5);
    let is_far = events >= rule.events.saturating_mul(2) || facts.history.gap_s.is_some_and(is_far_sooner);
    let points = if is_far { rule.far_points } else { rule.points };
    let value = facts.history.gap_s.map(|gap_s| format!("{gap_s} s"));
    let limit = Some(format!("{} in 1 s", rule.events));
    Finding {
        code: "T5",
        family: Family::Time,
        fired: is_burst || is_too_soon,
        value,
        limit,
        sample: None,
        text,
    }
    .weigh(Weight { points, ..rule.weight() })
}

/// T6: several users took exactly as long for the same offer and event.
///
/// Chance spreads times evenly over a few seconds; a script does not. So the same second counts only if it stands out from
/// the seconds around it.
pub(super) fn t6(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "T6", Family::Time) {
        return cold;
    }
    let rule = &rules.t6;
    let (users, near) = (facts.history.twins.max(1), facts.history.near_twins);
    let stands_out = near <= users.saturating_mul(rule.near_factor);
    let fired = users >= rule.users && stands_out && !rule.batches;
    let is_alone = near.saturating_mul(2) <= users;
    let points = if users >= rule.many || is_alone { rule.many_points } else { rule.points };
    let text = if fired {
        format!(
            "{users} users took the same time to the second for this offer within a day, and {near} nearly the same; \
             that is a script."
        )
    } else if users == 1 {
        "No other user took the same time to the second.".into()
    } else if users >= rule.users && !rule.batches {
        format!("{users} users took the same time to the second, but {near} nearly the same: that is chance.")
    } else {
        format!("{users} users took the same time to the second.")
    };
    let (value, limit) = (Some(users.to_string()), Some(rule.users.to_string()));
    Finding { code: "T6", family: Family::Time, fired, value, limit, sample: Some(users + near), text }
        .weigh(Weight { points, ..rule.weight() })
}
