//! The rules: facts in, one signal out of each, whether it fired or not.
//!
//! Codes, thresholds and reasons follow what fraud tools and offer networks publish; every figure is in
//! `policy/default.toml` with its reason. A rule reads nothing but [`Facts`].

mod data;
mod geo;
mod lists;
mod money;
mod speed;
mod velocity;

use crate::lists::hit::Hit;
use crate::location::{GeoResult, Location};
use crate::policy::Rules;
use crate::postback::event::Event;
use crate::postback::networks::coverage::Unsigned;
use crate::signal::Signal;
use crate::skew::Clicks;
use crate::time::TimestampMs;

/// Everything that is known when a reward is judged.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Name in the settings.
    pub source: &'a str,
    /// The mapped postback.
    pub event: &'a Event,
    /// When its first postback arrived: the completion. Repeats never move it.
    pub completed_at: TimestampMs,
    /// What the geo databases say of the address.
    pub location: &'a Location,
    /// Whether the address matches the reported country.
    pub geo: GeoResult,
    /// Whether the source's list of callers names the address that the postback came from; `None` without a list.
    pub caller_listed: Option<bool>,
    /// The entries of people's lists that match.
    pub listed: &'a [Hit],
    /// What the network's signature leaves open.
    pub unsigned: &'a Unsigned,
    /// Earlier rewards of the same user for the same offer and event under other keys; `None` if the postback
    /// names no offer.
    pub same_task: Option<i64>,
    /// The newest clicks of all sources, to see whether our own clock is slow.
    pub clicks: Clicks,
}

/// The version of the rules: raised whenever the same facts under the same policy lead to another decision, score or
/// signal than before. A verdict names the one that decided it.
pub const ENGINE: i64 = 1;

/// The code of every rule, in the order in which people read them.
pub const CODES: [&str; 23] = [
    "Q1", "Q2", "Q2b", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "Q9", "T1", "T2", "T9", "G1", "G2", "G3", "G4",
    "N1", "V3", "M1", "L1", "L2", "L3",
];

/// Every rule's signal, in the order in which people read them.
pub(crate) fn look(facts: &Facts<'_>, rules: &Rules) -> Vec<Signal> {
    let click = speed::Elapsed::of(facts, rules);
    vec![
        data::q1(&click, facts, rules),
        data::q2(&click, rules),
        data::q2b(&click, facts, rules),
        money::q3(facts, rules),
        data::q4(facts, rules),
        data::q5(facts, rules),
        data::q6(facts, rules),
        data::q7(facts, rules),
        data::q8(facts, rules),
        data::q9(facts, rules),
        speed::t1(&click, rules),
        speed::t2(&click, facts, rules),
        speed::t9(&click, rules),
        geo::g1(facts, rules),
        geo::g2(facts, rules),
        geo::g3(facts, rules),
        geo::g4(facts, rules),
        geo::n1(facts, rules),
        velocity::v3(facts, rules),
        money::m1(facts, rules),
        lists::l1(facts, rules),
        lists::l2(facts, rules),
        lists::l3(facts, rules),
    ]
}

#[cfg(test)]
mod tests;
