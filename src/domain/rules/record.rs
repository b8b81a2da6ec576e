//! H1 and C1: what became of the user's earlier rewards.

use super::Facts;
use crate::policy::Rules;
use crate::signal::{Family, Finding, Signal};

/// H1: too many of the user's rewards were taken back by the network.
pub(super) fn h1(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "H1", Family::Record) {
        return cold;
    }
    let rule = &rules.h1;
    let (credited, reversed) = (facts.history.credited, facts.history.reversed);
    let is_enough = credited >= rule.credits;
    let is_over = |percent: i64| reversed.saturating_mul(100) > credited.saturating_mul(percent);
    let is_early = !is_enough && reversed >= rule.early_reversed && is_over(rule.early_percent);
    let fired = is_early || (is_enough && is_over(rule.percent));
    let text = match reversed {
        0 => "No reward of the user was taken back within three months.".into(),
        _ if fired => {
            format!("{reversed} of {credited} rewards of the user were taken back within three months.")
        }
        _ if !is_enough => {
            format!("Insufficient data: {reversed} taken back, {credited} of {} credited.", rule.credits)
        }
        _ => format!(
            "{reversed} of {credited} rewards of the user were taken back within three months, not over {} %.",
            rule.percent
        ),
    };
    Finding {
        code: "H1",
        family: Family::Record,
        fired,
        value: (reversed > 0).then(|| format!("{reversed} of {credited}")),
        limit: Some(format!("{} %", rule.percent)),
        sample: (reversed > 0).then_some(credited),
        text,
    }
    .weigh(rule.weight())
}

/// C1: a user with a long and clean record is trusted a little.
pub(super) fn c1(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "C1", Family::Record) {
        return cold;
    }
    let rule = &rules.c1;
    let (settled, reversed) = (facts.history.settled, facts.history.reversed);
    let fired = settled >= rule.settled && reversed == 0;
    let text = if fired {
        format!(
            "The user has {settled} rewards older than 30 days, and none was taken back within three months."
        )
    } else if reversed > 0 {
        "A reward of the user was taken back within three months.".into()
    } else {
        format!("The user has {settled} of {} rewards older than 30 days that earn trust.", rule.settled)
    };
    let (value, limit) = (Some(settled.to_string()), Some(rule.settled.to_string()));
    Finding { code: "C1", family: Family::Record, fired, value, limit, sample: None, text }
        .weigh(rule.weight())
}
