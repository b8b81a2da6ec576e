//! The summary of `rewardgate assess`: the page that stands alone, and the words that page and terminal share.

mod page;

use domain::assessment::{Assessment, Sum};
use domain::money::Micros;

use crate::console::shell::answer::PageError;
use crate::console::shell::show::{self, priced};

pub use page::page;

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the summary cannot be written: {0}")]
pub struct NotWritten(String);

impl From<PageError> for NotWritten {
    fn from(error: PageError) -> Self {
        Self(error.to_string())
    }
}

/// A rule's name for a person.
pub fn rule_name(code: &str) -> &'static str {
    show::rule_name(code)
}

/// `$1,234.50`
pub fn usd(amount: Micros) -> String {
    show::usd(amount.0)
}

/// `12,345`
pub fn number(count: u64) -> String {
    show::number(signed(count))
}

/// `4,250 coins, 12 gems`; empty if no reward is known.
pub fn rewards(sum: &Sum) -> String {
    let each = sum.rewards.iter().map(|(currency, Micros(micros))| priced(*micros, currency));
    each.collect::<Vec<_>>().join(", ")
}

/// The sentences that matter most, for people who read nothing else; for the terminal too.
pub fn lead(assessment: &Assessment) -> Vec<String> {
    let (calls, all) = (&assessment.calls, &assessment.rewards);
    let mut lead = Vec::new();
    if calls.repeated_credits.count > 0 {
        lead.push(format!(
            "{} came again: a script that does not look pays {} twice.",
            counted(calls.repeated_credits.count, "credit"),
            worth(&calls.repeated_credits)
        ));
    }
    if calls.refused_count() > 0 {
        lead.push(format!(
            "{} would be refused, mostly for a wrong signature; credits among them name {}.",
            counted(calls.refused_count(), "call"),
            worth(&calls.refused_credits)
        ));
    }
    if all.reversed_first.count > 0 {
        lead.push(format!(
            "{} had been taken back before it came: nothing is credited of {}.",
            counted(all.reversed_first.count, "credit"),
            worth(&all.reversed_first)
        ));
    }
    if all.held.count > 0 {
        lead.push(format!(
            "{} of {} would wait for a person, {}; the network took {} of them back later, {}.",
            number(all.held.count),
            counted(all.credits.count, "credit"),
            worth(&all.held),
            number(all.held_then_reversed.count),
            worth(&all.held_then_reversed)
        ));
    }
    if all.credited_then_reversed.count > 0 {
        lead.push(format!(
            "{} that would be credited at once were taken back later, {}.",
            counted(all.credited_then_reversed.count, "reward"),
            worth(&all.credited_then_reversed)
        ));
    }
    if lead.is_empty() {
        lead.push("Nothing repeated, nothing forged, nothing held.".into());
    }
    lead
}

/// `$8.50 of payout, 4,250 coins for users`
fn worth(sum: &Sum) -> String {
    let payout = usd(sum.payout);
    let rewards = rewards(sum);
    if rewards.is_empty() { payout } else { format!("{rewards} ({payout} of payout)") }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(count: u64) -> String {
    if count == 0 { String::new() } else { number(count) }
}

fn counted(count: u64, noun: &str) -> String {
    show::counted(signed(count), noun)
}
