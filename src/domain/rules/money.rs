//! Q3 and M1: whether reward and payout are plausible, and how much is at stake.

use super::Facts;
use crate::money::Micros;
use crate::policy::{Rules, Weight};
use crate::postback::event::{Note, NoteKind};
use crate::postback::networks::Field;
use crate::signal::{Family, Finding, Signal};

/// Q3: reward or payout not above zero, or their ratio off. Feeds reconciliation, says nothing about the user.
pub(super) fn q3(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let reward = facts.event.reward.unwrap_or_default();
    let payout = facts.event.payout;
    let configured = Micros::parse(&rules.q3.ratio).ok().map(|parsed| parsed.amount);
    let usual = facts.normal.and_then(|normal| normal.ratio).filter(|_| configured.is_none());
    let expected = configured.or(usual);
    let tolerance = rules.q3.tolerance_percent;
    let ratio = payout.filter(|payout| payout.0 > 0).map(|payout| ratio(reward, payout));
    let (fired, text) = match (payout, expected, ratio) {
        _ if reward.0 <= 0 => (true, "The reward is not above zero.".into()),
        (None | Some(Micros(0)), ..) if facts.event.unsent.contains(&Field::Payout) => {
            (false, "The reward is above zero, and no payout in USD is expected for it.".into())
        }
        (None, ..) => (true, no_payout(facts)),
        (Some(payout), ..) if payout.0 <= 0 => (true, "The payout is not above zero.".into()),
        (_, Some(expected), Some(ratio)) => {
            let source = if usual.is_some() { "normal for this offer" } else { "configured" };
            if within(ratio, expected, tolerance) {
                let as_expected =
                    if usual.is_some() { "as is normal for this offer" } else { "as configured" };
                (false, format!("The reward is {ratio} per USD, {as_expected}."))
            } else {
                (
                    true,
                    format!(
                        "The reward is {ratio} per USD; {expected} is {source}, give or take {tolerance} %."
                    ),
                )
            }
        }
        _ => (false, "Reward and payout are above zero; no ratio is configured.".into()),
    };
    let finding = Finding {
        code: "Q3",
        family: Family::Money,
        fired,
        value: ratio.map(|ratio| format!("{ratio} per USD")),
        limit: expected.map(|expected| format!("{expected} per USD ± {tolerance} %")),
        sample: None,
        text,
    };
    finding.weigh(rules.q3.weight())
}

/// Why the payout is not known.
fn no_payout(facts: &Facts<'_>) -> String {
    let note = facts.event.notes.iter().find(|note| note.field == Some(Field::Payout));
    match note {
        Some(Note { kind: NoteKind::NotFilledIn, .. }) => "The network did not fill in the payout.".into(),
        Some(note) => format!("The payout is unknown: {}.", note.text),
        None => "The network sent no payout.".into(),
    }
}

/// M1: a payout so large that one mistake costs more than many reviews, by itself or for this user.
pub(super) fn m1(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let rule = &rules.m1;
    let amount = |text: &str| Micros::parse(text).map(|parsed| parsed.amount).unwrap_or_default();
    let (limit, from) = (amount(&rule.payout_usd), amount(&rule.usual_from_usd));
    let payout = facts.event.payout;
    let is_large = payout.is_some_and(|payout| payout >= limit);
    let is_learned = facts.history.usual_sharing.is_some();
    let unusual = facts
        .history
        .usual_payout
        .filter(|_| is_learned)
        .zip(payout)
        .filter(|((usual, _), payout)| *payout >= from && payout.0 / usual.0.max(1) >= rule.usual_factor);
    let text = match (payout, unusual) {
        (Some(payout), _) if is_large => {
            format!("It pays ${payout}; payouts of ${limit} or more are reviewed.")
        }
        (Some(payout), Some(((usual, of), _))) => {
            format!("It pays ${payout}; half of the user's last {of} rewards paid at most ${usual}.")
        }
        (Some(payout), None) => format!("It pays ${payout}, less than ${limit}."),
        (None, _) => "The payout is unknown.".into(),
    };
    let finding = Finding {
        code: "M1",
        family: Family::Money,
        fired: is_large || unusual.is_some(),
        value: payout.map(|payout| format!("${payout}")),
        limit: Some(format!("${limit}")),
        sample: unusual.map(|((_, of), _)| of),
        text,
    };
    let unusual_weight = Weight { points: rule.usual_points, hard: false, ..rule.weight() };
    finding.weigh(if is_large { rule.weight() } else { unusual_weight })
}

/// Units of reward per USD, to the micro.
fn ratio(reward: Micros, payout: Micros) -> Micros {
    let micros =
        i128::from(reward.0) * i128::from(crate::money::MICROS_PER_UNIT) / i128::from(payout.0.max(1));
    Micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn within(ratio: Micros, expected: Micros, tolerance_percent: i64) -> bool {
    let off = (i128::from(ratio.0) - i128::from(expected.0)).abs() * 100;
    off <= i128::from(expected.0) * i128::from(tolerance_percent)
}
