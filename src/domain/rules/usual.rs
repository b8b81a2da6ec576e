//! T3, T4, T4b: the time from click to completion beside what is normal for the offer.
//!
//! Times are compared by their logarithms, because they differ by factors. The deviation is that of the faster half: where
//! some users need days, the usual deviation is so wide that nothing is too fast.

use super::Facts;
use super::speed::{Elapsed, class};
use crate::baseline::logarithm::{FACTOR_2, FACTOR_3, log};
use crate::baseline::{Normal, Times};
use crate::policy::{OfferClass, Rules, Weight};
use crate::signal::{Family, Finding, Signal};
use crate::text::duration;

/// T3: a survey done in less than a third of the usual time. Only where times differ little: of honest users, 1.4 % are
/// below a third at a spread of 0.5, and 13.6 % at 1.
pub(super) fn t3(click: &Elapsed, facts: &Facts<'_>, rules: &Rules) -> Signal {
    let rule = &rules.t3;
    if class(facts, &rules.t2) != OfferClass::Survey {
        return finding("T3", "This is not a survey.".into()).weigh(rule.weight());
    }
    let (took_ms, normal, times) = match compared(click, facts, rule.least) {
        Ok(compared) => compared,
        Err(finding) => return finding.of("T3"),
    };
    let median = duration(times.median_ms);
    let (took, limit) = (Some(duration(took_ms)), Some(duration(times.median_ms / 3)));
    let faster = log(times.median_ms) - log(took_ms);
    let is_narrow = times.spread_millinats <= rule.narrow_millinats;
    let (fired, points, text) = if times.spread_millinats > rule.wide_millinats {
        (false, 0, "The times for this survey differ too much to be compared with the median.".into())
    } else if faster > FACTOR_3 {
        let points = if is_narrow { rule.points } else { rule.wide_points };
        (true, points, "less than a third of that".to_owned())
    } else if faster > FACTOR_2 {
        (true, rule.near_points, "less than half of that".to_owned())
    } else {
        (false, 0, format!("The survey took {}; the median is {median}.", duration(took_ms)))
    };
    let text = if fired {
        let took = duration(took_ms);
        format!("Half of {} took {median} or less; this one took {took}, {text}.", counted(normal))
    } else {
        text
    };
    let finding = Finding { fired, value: took, limit, ..finding("T3", text) };
    sampled(finding, normal).weigh(Weight { points, ..rule.weight() })
}

/// T4: far faster than is normal for the offer.
pub(super) fn t4(click: &Elapsed, facts: &Facts<'_>, rules: &Rules) -> Signal {
    let rule = &rules.t4;
    let (took_ms, normal, times) = match compared(click, facts, rule.least) {
        Ok(compared) => compared,
        Err(finding) => return finding.of("T4"),
    };
    let deviations = times.faster_percent(took_ms, rule.floor_millinats);
    let fired = deviations >= rule.limit_percent;
    let finding = beside("T4", (took_ms, normal, &times), deviations, rule.limit_percent, fired);
    finding.weigh(rule.weight())
}

/// T4b: almost as fast as for T4, or beside fewer completions. Weak evidence, which counts in company only.
pub(super) fn t4b(click: &Elapsed, facts: &Facts<'_>, rules: &Rules) -> Signal {
    let (rule, strong) = (&rules.t4b, &rules.t4);
    let (took_ms, normal, times) = match compared(click, facts, rule.least) {
        Ok(compared) => compared,
        Err(finding) => return finding.of("T4b"),
    };
    let deviations = times.faster_percent(took_ms, strong.floor_millinats);
    let is_enough = normal.completions >= strong.least;
    let limit = if is_enough { rule.limit_percent } else { strong.limit_percent };
    let is_for_t4 = is_enough && deviations >= strong.limit_percent;
    let fired = deviations >= limit && !is_for_t4;
    let finding = beside("T4b", (took_ms, normal, &times), deviations, limit, fired);
    finding.weigh(rule.weight())
}

/// T10: a user who is always faster than normal. One such completion happens to everybody, many do not: of honest users,
/// the mean of n times is under 2.9 divided by the root of n in 0.2 % of all cases.
pub(super) fn t10(facts: &Facts<'_>, rules: &Rules) -> Signal {
    if let Some(cold) = super::cold(facts, "T10", Family::Time) {
        return cold;
    }
    let rule = &rules.t10;
    let Some((mean_percent, n)) = facts.history.pace else {
        return finding("T10", "The user's last rewards did not take less time than is normal.".into())
            .weigh(rule.weight());
    };
    let is_enough = n >= rule.least;
    let is_beyond_chance = mean_percent.saturating_mul(mean_percent).saturating_mul(n)
        >= rule.chance_percent.saturating_mul(rule.chance_percent);
    let fired = is_enough && mean_percent >= rule.limit_percent && is_beyond_chance;
    let mean = decimal(mean_percent);
    let text = if fired {
        format!("The user's last {n} rewards were {mean} deviations faster than normal on average.")
    } else if is_enough {
        format!(
            "The user's last {n} rewards were {mean} deviations faster than normal on average; that can be chance."
        )
    } else {
        format!("Insufficient data: {n} of {} rewards of the user with a known time.", rule.least)
    };
    let (value, limit) = (Some(mean), Some(format!("{} deviations", decimal(rule.limit_percent))));
    Finding { fired, value, limit, sample: Some(n), ..finding("T10", text) }.weigh(rule.weight())
}

/// A rule that cannot compare.
enum Nothing {
    /// There is nothing to be compared.
    Unknown(String),
    /// There is too little to compare with.
    Thin { known: i64, least: i64, is_provisional: bool },
}

impl Nothing {
    fn of(self, code: &'static str) -> Signal {
        match self {
            Self::Unknown(text) => finding(code, text).insufficient(),
            Self::Thin { known, least, is_provisional } => {
                let which = if is_provisional { "" } else { "settled " };
                let text = format!("Insufficient data: {known} of {least} {which}completions.");
                Finding { sample: Some(known), ..finding(code, text) }.insufficient()
            }
        }
    }
}

/// What is compared: the time taken in milliseconds, and what is normal, from at least `least` completions.
fn compared<'a>(click: &Elapsed, facts: &Facts<'a>, least: i64) -> Result<(i64, &'a Normal, Times), Nothing> {
    let Some(took_ms) = click.judged_ms() else {
        return Err(Nothing::Unknown("The time taken is unknown, so it cannot be judged.".into()));
    };
    if facts.event.offer_id.is_none() {
        let text = "The network sent no offer, so there is nothing to compare the time with.";
        return Err(Nothing::Unknown(text.into()));
    }
    let known = facts.normal.map_or(0, |normal| normal.completions);
    let is_provisional = facts.normal.is_some_and(|normal| normal.is_provisional);
    let thin = Nothing::Thin { known, least, is_provisional };
    let Some((normal, times)) = facts.normal.and_then(|normal| Some((normal, normal.times?))) else {
        return Err(thin);
    };
    if known < least { Err(thin) } else { Ok((took_ms, normal, times)) }
}

fn beside(
    code: &'static str,
    (took_ms, normal, times): (i64, &Normal, &Times),
    deviations_percent: i64,
    limit_percent: i64,
    fired: bool,
) -> Finding {
    let (took, median) = (duration(took_ms), duration(times.median_ms));
    let (deviations, limit) = (decimal(deviations_percent), decimal(limit_percent));
    let who = counted(normal);
    let text = if fired {
        format!(
            "It took {took} from click to completion; half of {who} took {median} or less. That is {deviations} \
             deviations faster than normal; the limit is {limit}."
        )
    } else {
        format!("It took {took} from click to completion; half of {who} took {median} or less.")
    };
    let value = Some(took);
    let limit = Some(format!("{limit} deviations below {median}"));
    sampled(Finding { fired, value, limit, ..finding(code, text) }, normal)
}

fn sampled(finding: Finding, normal: &Normal) -> Finding {
    Finding { sample: Some(normal.completions), ..finding }
}

/// The completions that are compared with: `the 412 settled completions`.
fn counted(normal: &Normal) -> String {
    let number = normal.completions;
    let of = if normal.is_of_any_event { " of all steps" } else { "" };
    if normal.is_provisional {
        format!("the {number} completions{of} so far (provisional: most are not settled)")
    } else {
        format!("the {number} settled completions{of}")
    }
}

/// Hundredths as a number with one decimal.
fn decimal(percent: i64) -> String {
    format!("{}.{}", percent / 100, percent % 100 / 10)
}

fn finding(code: &'static str, text: String) -> Finding {
    Finding { code, family: Family::Time, fired: false, value: None, limit: None, sample: None, text }
}
