//! T1, T2, T9: the time from click to completion.
//!
//! Only the click time is sent; completion is our first receipt. A network's own queue makes the span longer, never
//! shorter, so "too fast" stays sound.

use super::Facts;
use crate::policy::{OfferClass, Rules, TaskFloor};
use crate::postback::event::Click;
use crate::signal::{Family, Finding, Signal};
use crate::text::duration;
use crate::time::SECOND_MS;

/// The time from click to completion, if it can be measured.
pub(super) enum Elapsed {
    /// Measured, in milliseconds.
    Ms(i64),
    /// The click is in the future by this much.
    Ahead { ahead_ms: i64, within_clocks: bool, judgeable: bool },
    /// The click time is missing or unusable.
    Unknown,
}

impl Elapsed {
    pub(super) fn of(facts: &Facts<'_>, rules: &Rules) -> Self {
        let Click::At(clicked_at) = facts.event.click else { return Self::Unknown };
        let elapsed_ms = facts.completed_at.0 - clicked_at.0;
        if elapsed_ms >= 0 {
            return Self::Ms(elapsed_ms);
        }
        Self::Ahead {
            ahead_ms: -elapsed_ms,
            within_clocks: -elapsed_ms <= rules.q2.limit_s * SECOND_MS,
            judgeable: -elapsed_ms <= rules.q1.future_s * SECOND_MS,
        }
    }

    /// The span that the time rules judge. `None` for a click further in the future than clocks differ: it says
    /// nothing about speed.
    pub(super) fn judged_ms(&self) -> Option<i64> {
        match self {
            Self::Ms(ms) => Some(*ms),
            Self::Ahead { within_clocks: true, .. } => Some(0),
            Self::Ahead { .. } | Self::Unknown => None,
        }
    }
}

/// T1: faster than any offer can be completed.
pub(super) fn t1(click: &Elapsed, rules: &Rules) -> Signal {
    let limit_s = rules.t1.limit_s;
    let finding = faster_than(click, limit_s, "T1", |took, limit| {
        format!("It took {took} from click to completion; under {limit} no offer can be done.")
    });
    finding.weigh(rules.t1.weight())
}

/// T2: faster than the class of offer allows.
pub(super) fn t2(click: &Elapsed, facts: &Facts<'_>, rules: &Rules) -> Signal {
    let (limit_s, what) = match class(facts, &rules.t2) {
        OfferClass::Install => (rules.t2.install_s, "an install or sign-up"),
        OfferClass::Step => (rules.t2.step_s, "a purchase or level"),
        OfferClass::Survey => (rules.t2.survey_s, "a survey"),
        OfferClass::Default => (rules.t2.default_s, "an offer of this kind"),
    };
    let finding = faster_than(click, limit_s, "T2", |took, limit| {
        format!("It took {took} from click to completion; {what} takes at least {limit}.")
    });
    finding.weigh(rules.t2.weight())
}

/// T9: completed long after the click.
pub(super) fn t9(click: &Elapsed, rules: &Rules) -> Signal {
    let limit_ms = rules.t9.limit_s * SECOND_MS;
    let (took, limit) = (click.judged_ms(), duration(limit_ms));
    let fired = took.is_some_and(|took| took > limit_ms);
    let text = match took.map(duration) {
        None => "The time taken is unknown, so it cannot be judged.".into(),
        Some(took) if fired => format!("It was completed {took} after the click; offers end after {limit}."),
        Some(took) => format!("It was completed {took} after the click, within {limit}."),
    };
    finding("T9", fired, took, limit, text).weigh(rules.t9.weight())
}

fn faster_than(
    click: &Elapsed,
    limit_s: i64,
    code: &'static str,
    sentence: impl Fn(&str, &str) -> String,
) -> Finding {
    let (took, limit) = (click.judged_ms(), duration(limit_s * SECOND_MS));
    let fired = took.is_some_and(|took| took < limit_s * SECOND_MS);
    let text = match took.map(duration) {
        None => "The time taken is unknown, so it cannot be judged.".into(),
        Some(took) if fired => sentence(&took, &limit),
        Some(took) => format!("It took {took} from click to completion, not under {limit}."),
    };
    finding(code, fired, took, limit, text)
}

fn finding(code: &'static str, fired: bool, took: Option<i64>, limit: String, text: String) -> Finding {
    let value = took.map(duration);
    Finding { code, family: Family::Time, fired, value, limit: Some(limit), sample: None, text }
}

/// The class from the policy, from its patterns of offer ids, or guessed from words in the names. The event comes first: a game's offer is an
/// install, its event "Reach level 5" is a step.
pub(super) fn class(facts: &Facts<'_>, floor: &TaskFloor) -> OfferClass {
    if let Some(class) = OfferClass::parse(&floor.class) {
        return class;
    }
    if let Some(class) = facts.event.offer_id.as_deref().and_then(|offer| floor.classes.of(offer)) {
        return class;
    }
    let names = [&facts.event.event_name, &facts.event.offer_name];
    names
        .into_iter()
        .flatten()
        .find_map(|name| {
            let words = words(name);
            let starts: Vec<&str> =
                words.match_indices(' ').map(|(at, space)| &words[at + space.len()..]).collect();
            let has = |list: &[String]| {
                list.iter().any(|word| starts.iter().any(|start| start.starts_with(word.as_str())))
            };
            if has(&floor.survey_words) {
                Some(OfferClass::Survey)
            } else if has(&floor.step_words) {
                Some(OfferClass::Step)
            } else if has(&floor.install_words) {
                Some(OfferClass::Install)
            } else {
                None
            }
        })
        .unwrap_or(OfferClass::Default)
}

/// The name in lower case with one space before every word, so that a search for ` level` finds "Level 5" and
/// "levels" but not "bachelevel".
fn words(name: &str) -> String {
    let lower = name.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .flat_map(|word| [" ", word])
        .collect()
}
