//! The rules: facts in, one signal out of each, whether it fired or not.
//!
//! Codes, thresholds and reasons follow what fraud tools and offer networks publish; every figure is in
//! `policy/default.toml` with its reason. A rule reads nothing but [`Facts`].

mod chain;
mod data;
mod geo;
mod lists;
mod money;
mod record;
mod shares;
mod sharing;
mod speed;
mod usual;
mod velocity;

use crate::baseline::Normal;
use crate::baseline::shares::Oddity;
use crate::history::History;
use crate::lists::hit::Hit;
use crate::location::{GeoResult, Location};
use crate::policy::Rules;
use crate::postback::event::Event;
use crate::postback::networks::coverage::Unsigned;
use crate::signal::{Family, Finding, Signal};
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
    /// What earlier rewards say of the user, the address and the time taken.
    pub history: &'a History,
    /// The newest clicks of all sources, to see whether our own clock is slow.
    pub clicks: Clicks,
    /// What the baseline says of this source, offer and event; `None` if it says nothing.
    pub normal: Option<&'a Normal>,
    /// How its sub id differs from the rest of the network; `None` if it does not.
    pub oddity: Option<Oddity>,
    /// How often addresses and reported countries of the network differ, in permille; `None` if that is not known.
    pub mismatch_permille: Option<i64>,
}

/// The version of the rules: raised whenever the same facts under the same policy lead to another decision, score or
/// signal than before. A verdict names the one that decided it.
pub const ENGINE: i64 = 1;

/// From this share of differing countries on, in permille, a network's word about countries weighs less: 5 %.
pub const COMMON_MISMATCH_PERMILLE: i64 = 50;

/// The code of every rule, in the order in which people read them.
pub const CODES: [&str; 40] = [
    "Q1", "Q2", "Q2b", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "Q9", "T1", "T2", "T3", "T4", "T4b", "T5", "T6",
    "T7", "T8", "T10", "T9", "G1", "G2", "G3", "G4", "N1", "S1", "S2", "S3", "S4", "V1", "V2", "V3", "H1",
    "H2", "M1", "C1", "L1", "L2", "L3",
];

/// The signal of a rule that compares with the past, while nothing has been learned of it: the first rewards of a publisher
/// would all look new, fast or crowded. `None` once there is a baseline.
fn cold(facts: &Facts<'_>, code: &'static str, family: Family) -> Option<Signal> {
    if facts.history.usual_sharing.is_some() {
        return None;
    }
    let text = "Insufficient data: nothing has been learned of earlier rewards yet.".into();
    Some(
        Finding { code, family, fired: false, value: None, limit: None, sample: Some(0), text }
            .insufficient(),
    )
}

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
        usual::t3(&click, facts, rules),
        usual::t4(&click, facts, rules),
        usual::t4b(&click, facts, rules),
        chain::t5(facts, rules),
        chain::t6(facts, rules),
        shares::t7(&click, facts, rules),
        shares::t8(facts, rules),
        usual::t10(facts, rules),
        speed::t9(&click, rules),
        geo::g1(facts, rules),
        geo::g2(facts, rules),
        geo::g3(facts, rules),
        geo::g4(facts, rules),
        geo::n1(facts, rules),
        sharing::s1(facts, rules),
        sharing::s2(facts, rules),
        sharing::s3(facts, rules),
        sharing::s4(facts, rules),
        velocity::v1(facts, rules),
        velocity::v2(facts, rules),
        velocity::v3(facts, rules),
        record::h1(facts, rules),
        shares::h2(facts, rules),
        money::m1(facts, rules),
        record::c1(facts, rules),
        lists::l1(facts, rules),
        lists::l2(facts, rules),
        lists::l3(facts, rules),
    ]
}

#[cfg(test)]
mod tests;
