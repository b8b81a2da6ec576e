//! Review of held rewards.

use domain::money::Micros;
use domain::review::queue::{AutoRelease, ReviewTerms, SecondPerson};

use super::layers::Section;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// `[review]`
pub(super) fn review(top: &mut Section<'_>) -> Option<ReviewTerms> {
    let part = top.table("review");
    let mut section = top.inner(part);
    let claim_minutes = super::bounded(&mut section, "claim_minutes", 1..=240);
    let target_hours = super::bounded(&mut section, "target_hours", 1..=720);
    let urgent = usd(&mut section, "urgent_usd");
    let urgent_target_hours = super::bounded(&mut section, "urgent_target_hours", 1..=720);
    let single = usd(&mut section, "second_person_usd");
    let bulk = usd(&mut section, "second_person_bulk_usd");
    let hard = section.value("second_person_hard");
    let second_person_stated_reward =
        amount(&mut section, "second_person_stated_reward", "in the users' currency");
    let below = usd(&mut section, "auto_release_below_usd");
    let after_hours = super::bounded(&mut section, "auto_release_after_hours", 1..=720);
    section.finish();
    let after_ms = after_hours? * HOUR_MS;
    Some(ReviewTerms {
        claim_ms: claim_minutes? * MINUTE_MS,
        target_ms: target_hours? * HOUR_MS,
        urgent,
        urgent_target_ms: urgent_target_hours? * HOUR_MS,
        second: SecondPerson { single, bulk, hard: hard? },
        second_person_stated_reward,
        auto_release: below.map(|below| AutoRelease { below, after_ms }),
    })
}

/// An amount in USD above zero; a string, because floats are inexact.
fn usd(section: &mut Section<'_>, key: &'static str) -> Option<Micros> {
    amount(section, key, "in USD")
}

fn amount(section: &mut Section<'_>, key: &'static str, unit: &str) -> Option<Micros> {
    let text: String = section.optional(key)?;
    let amount = Micros::parse(&text).ok().map(|parsed| parsed.amount).filter(|amount| amount.0 > 0);
    if amount.is_none() {
        section.fault(
            key,
            &format!("must be an amount {unit} above zero, as a text such as \"50\", not `{text}`"),
        );
    }
    amount
}
