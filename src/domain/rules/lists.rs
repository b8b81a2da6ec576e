//! L1 to L3: what people wrote on their lists.
//!
//! A block is hard: a person looks, and nothing is rejected by itself. Trust takes points off, so that it can outweigh
//! suspicion but never a hard rule.

use super::Facts;
use crate::lists::Effect;
use crate::policy::{Rules, Weight};
use crate::signal::{Family, Finding, Signal};

/// L1: an entry blocks it.
pub(super) fn l1(facts: &Facts<'_>, rules: &Rules) -> Signal {
    finding(facts, "L1", Effect::Block, rules.l1.weight())
}

/// L2: an entry watches it.
pub(super) fn l2(facts: &Facts<'_>, rules: &Rules) -> Signal {
    finding(facts, "L2", Effect::Watch, rules.l2.weight())
}

/// L3: an entry trusts it.
pub(super) fn l3(facts: &Facts<'_>, rules: &Rules) -> Signal {
    finding(facts, "L3", Effect::Trust, rules.l3.weight())
}

fn finding(facts: &Facts<'_>, code: &'static str, effect: Effect, weight: Weight) -> Signal {
    let hits: Vec<_> = facts.listed.iter().filter(|hit| hit.effect == effect).collect();
    let sentences: Vec<_> = hits.iter().map(|hit| hit.sentence()).collect();
    let text = if hits.is_empty() {
        format!("Nothing about it is {}.", effect.participle())
    } else {
        sentences.join(" ")
    };
    let entries: Vec<_> = hits.iter().map(|hit| hit.id.to_string()).collect();
    let finding = Finding {
        code,
        family: Family::List,
        fired: !hits.is_empty(),
        value: (!hits.is_empty()).then(|| format!("entry {}", entries.join(", "))),
        limit: None,
        sample: None,
        text,
    };
    finding.weigh(weight)
}
