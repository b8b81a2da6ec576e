//! V1 to V3: how much a user does in a short time, and the same task again under a new transaction.

use super::Facts;
use crate::money::Micros;
use crate::policy::{Rules, Weight};
use crate::postback::networks::Field;
use crate::signal::{Family, Finding, Signal};
use crate::text::duration;
use crate::time::SECOND_MS;

/// V1: more completions than one person gets done; those of one click count once.
pub(super) fn v1(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "V1", Family::Velocity) {
        return cold;
    }
    let rule = &rules.v1;
    let (hour, day) = (facts.history.clicks_in_hour + 1, facts.history.clicks_in_day + 1);
    let (over_hour, over_day) = (hour > rule.per_hour, day > rule.per_day);
    let points = if over_day { rule.day_points } else { rule.points };
    let text = match (over_hour, over_day) {
        (_, true) => {
            format!("It is the user's completion number {day} within a day; {} is the limit.", rule.per_day)
        }
        (true, false) => {
            format!(
                "It is the user's completion number {hour} within an hour; {} is the limit.",
                rule.per_hour
            )
        }
        (false, false) => format!(
            "It is the user's completion number {hour} within an hour and number {day} within a day, not over {} and {}.",
            rule.per_hour, rule.per_day
        ),
    };
    let finding = Finding {
        code: "V1",
        family: Family::Velocity,
        fired: over_hour || over_day,
        value: Some(format!("{hour} an hour, {day} a day")),
        limit: Some(format!("{} an hour, {} a day", rule.per_hour, rule.per_day)),
        sample: None,
        text,
    };
    finding.weigh(Weight { points, ..rule.weight() })
}

/// V2: a large reward for a user who is new.
pub(super) fn v2(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "V2", Family::Velocity) {
        return cold;
    }
    let rule = &rules.v2;
    let limit = Micros::parse(&rule.payout_usd).map(|parsed| parsed.amount).unwrap_or_default();
    let is_large = facts.event.payout.is_some_and(|payout| payout >= limit);
    let new_for = duration(rule.new_s.saturating_mul(SECOND_MS));
    let is_new = facts.history.known_for_s.is_some_and(|known_for_s| known_for_s < rule.new_s);
    let text = match (facts.history.known_for_s.filter(|_| is_new), facts.event.payout) {
        (Some(known_for_s), Some(payout)) if is_large => format!(
            "It pays ${payout}, and the user is known for {} only.",
            duration(known_for_s.saturating_mul(SECOND_MS))
        ),
        (Some(_), _) => format!("The user is new, and the reward pays less than ${limit}."),
        (None, _) => format!("The user is known for longer than {new_for}."),
    };
    let finding = Finding {
        code: "V2",
        family: Family::Velocity,
        fired: is_new && is_large,
        value: facts.event.payout.map(|payout| format!("${payout}")),
        limit: Some(format!("${limit} within {new_for}")),
        sample: None,
        text,
    };
    finding.weigh(rule.weight())
}

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
