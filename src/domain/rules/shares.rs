//! T7, T8 and H2: what the sub id of a reward is known for.

use super::Facts;
use super::speed::Elapsed;
use crate::baseline::shares::percent;
use crate::policy::Rules;
use crate::signal::{Family, Finding, Signal};
use crate::text::duration;
use crate::time::SECOND_MS;

/// T7: a fast completion of a sub id that has too many fast ones.
pub(super) fn t7(click: &Elapsed, facts: &Facts<'_>, rules: &Rules) -> Signal {
    let limit_ms = rules.t7.limit_s.saturating_mul(SECOND_MS);
    let is_fast = click.judged_ms().is_some_and(|took_ms| took_ms < limit_ms);
    let odd = facts.oddity.and_then(|oddity| oddity.fast);
    let text = match odd {
        Some((here, rest)) => format!(
            "Of the completions of this sub id and offer, {} took under 10 s, {} elsewhere in the network.",
            percent(here),
            percent(rest)
        ),
        None => "The sub id has no more fast completions than the rest of its network.".into(),
    };
    let limit = odd.map(|(_, rest)| format!("{}, under {}", percent(rest), duration(limit_ms)));
    let fired = odd.is_some() && is_fast;
    Finding { limit, ..finding("T7", Family::Time, odd, facts, text, fired) }.weigh(rules.t7.weight())
}

/// T8: a sub id whose completions come late too often.
pub(super) fn t8(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let odd = facts.oddity.and_then(|oddity| oddity.slow);
    let text = match odd {
        Some((here, rest)) => format!(
            "Of the completions of this sub id and offer, {} took over 24 h, {} elsewhere in the network.",
            percent(here),
            percent(rest)
        ),
        None => "The sub id has no more late completions than the rest of its network.".into(),
    };
    finding("T8", Family::Time, odd, facts, text, odd.is_some()).weigh(rules.t8.weight())
}

/// H2: a sub id whose rewards are taken back too often.
pub(super) fn h2(facts: &Facts<'_>, rules: &Rules) -> Signal {
    let odd = facts.oddity.and_then(|oddity| oddity.reversed);
    let text = match odd {
        Some((here, rest)) => format!(
            "Of the rewards of this sub id and offer, {} were taken back, {} elsewhere in the network.",
            percent(here),
            percent(rest)
        ),
        None => "Rewards of the sub id are not taken back more often than those of the rest of its network."
            .into(),
    };
    finding("H2", Family::Record, odd, facts, text, odd.is_some()).weigh(rules.h2.weight())
}

fn finding(
    code: &'static str,
    family: Family,
    odd: Option<(i64, i64)>,
    facts: &Facts<'_>,
    text: String,
    fired: bool,
) -> Finding {
    Finding {
        code,
        family,
        fired,
        value: odd.map(|(here, _)| percent(here)),
        limit: odd.map(|(_, rest)| percent(rest)),
        sample: facts.oddity.map(|oddity| oddity.n),
        text,
    }
}
