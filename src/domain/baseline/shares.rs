//! Shares of a source: the completions of one sub id and offer, compared with all of the network.
//!
//! A single fast completion proves nothing; a sub id whose completions are fast far more often than elsewhere is steered by a
//! script. It also finds what a poisoned history hides.

use serde::{Deserialize, Serialize};

use crate::time::{DAY_MS, SECOND_MS};

/// Days that are looked at.
pub const SHARES_DAYS: i64 = 30;
/// Faster than this is fast, in milliseconds.
pub const FAST_MS: i64 = 10 * SECOND_MS;
/// Slower than this is slow, in milliseconds.
pub const SLOW_MS: i64 = DAY_MS;
/// Completions from which the share of fast ones is compared.
pub const LEAST_FOR_FAST: i64 = 30;
/// Completions from which the shares of slow and reversed ones are compared.
const LEAST_FOR_OTHERS: i64 = 50;
/// How unlikely a share of fast ones has to be by chance.
const UNLIKELY: f64 = 0.001;
/// Nowhere are fewer fast ones expected, whatever the network has.
const LEAST_BASE: f64 = 0.005;
/// Shares of more than this are slow, in permille, if they are also over twice those of the network.
const SLOW_PERMILLE: i64 = 300;
/// Reversed more often than this many times the network's own share is odd.
const REVERSED_FACTOR: i64 = 3;
/// Odd shares that a baseline holds: the largest.
const MAX_ODD: usize = 5_000;

/// The completions of one sub id and offer of a source, or of the whole source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Name in the settings.
    pub source: String,
    /// Empty if the network names none, and for the whole source.
    pub sub_id: String,
    /// Empty if the network names none, and for the whole source.
    pub offer_id: String,
    /// Completions.
    pub n: i64,
    /// Those under [`FAST_MS`].
    pub fast: i64,
    /// Those over [`SLOW_MS`].
    pub slow: i64,
    /// Those that the network took back.
    pub reversed: i64,
}

/// A share that differs from the rest of its network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OddShare {
    /// Name in the settings.
    pub source: String,
    /// Empty if the network names none.
    #[serde(rename = "sub", default, skip_serializing_if = "String::is_empty")]
    pub sub_id: String,
    /// Empty if the network names none.
    #[serde(rename = "offer", default, skip_serializing_if = "String::is_empty")]
    pub offer_id: String,
    /// What is odd about it.
    #[serde(flatten)]
    pub oddity: Oddity,
}

/// What is odd about a share. Absent is what is as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oddity {
    /// Completions of the share.
    pub n: i64,
    /// Fast ones in permille, here and in the rest of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast: Option<(i64, i64)>,
    /// Slow ones, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<(i64, i64)>,
    /// Reversed ones, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed: Option<(i64, i64)>,
}

/// Those of `shares` that differ from the rest of their source; `whole` are the sources.
pub fn odd_shares(shares: &[Share], whole: &[Share]) -> Vec<OddShare> {
    let mut odd: Vec<OddShare> = shares
        .iter()
        .filter_map(|share| {
            let source = whole.iter().find(|source| source.source == share.source)?;
            let oddity = oddity(share, source);
            let is_odd = oddity.fast.or(oddity.slow).or(oddity.reversed).is_some();
            let key = (share.source.clone(), share.sub_id.clone(), share.offer_id.clone());
            is_odd.then_some(OddShare { source: key.0, sub_id: key.1, offer_id: key.2, oddity })
        })
        .collect();
    odd.sort_by_key(|odd| std::cmp::Reverse(odd.oddity.n));
    odd.truncate(MAX_ODD);
    odd.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
    odd
}

impl Oddity {
    /// What is odd, each with the share here and in the rest of the network.
    pub fn sentences(&self) -> Vec<String> {
        let kinds = [(self.fast, "under 10 s"), (self.slow, "over 24 h"), (self.reversed, "taken back")];
        let odd = kinds.into_iter().filter_map(|(shares, what)| Some((shares?, what)));
        odd.map(|((here, rest), what)| format!("{} {what}, {} elsewhere", percent(here), percent(rest)))
            .collect()
    }
}

/// A permille as a percentage with one decimal.
pub(crate) fn percent(permille: i64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

impl OddShare {
    pub(super) fn key(&self) -> (&str, &str, &str) {
        (&self.source, &self.sub_id, &self.offer_id)
    }
}

fn oddity(share: &Share, source: &Share) -> Oddity {
    let rest = source.n - share.n;
    let both = |part: i64, all: i64| (permille(part, share.n), permille(all - part, rest));
    let fast = both(share.fast, source.fast);
    let slow = both(share.slow, source.slow);
    let reversed = both(share.reversed, source.reversed);
    #[expect(clippy::cast_precision_loss, reason = "a permille fits")]
    let base = (fast.1 as f64 / 1_000.0).max(LEAST_BASE);
    let is_fast = share.n >= LEAST_FOR_FAST && tail(share.n, share.fast, base) < UNLIKELY;
    let is_enough = share.n >= LEAST_FOR_OTHERS && rest >= LEAST_FOR_OTHERS;
    Oddity {
        n: share.n,
        fast: Some(fast).filter(|_| is_fast),
        slow: Some(slow).filter(|(here, rest)| is_enough && *here > SLOW_PERMILLE && *here > 2 * rest),
        reversed: Some(reversed)
            .filter(|(here, rest)| is_enough && *here > REVERSED_FACTOR * (*rest).max(10)),
    }
}

fn permille(part: i64, all: i64) -> i64 {
    if all <= 0 { 0 } else { part.saturating_mul(1_000) / all }
}

/// The chance of `hits` or more out of `n` where each is one with `chance`: the upper tail of the binomial distribution.
fn tail(n: i64, hits: i64, chance: f64) -> f64 {
    if hits <= 0 {
        return 1.0;
    }
    // ln of n! / (k! (n - k)!) * p^k * (1 - p)^(n - k), from k = hits upwards until nothing is added.
    let float = |number: i64| f64::from(i32::try_from(number).unwrap_or(i32::MAX));
    let ln_choose: f64 = (1..=hits).map(|k| (float(n - hits + k)).ln() - float(k).ln()).sum();
    let mut term = (ln_choose + float(hits) * chance.ln() + float(n - hits) * (1.0 - chance).ln()).exp();
    let mut sum = 0.0;
    for k in hits..=n {
        sum += term;
        if term < sum * 1e-9 {
            break;
        }
        term *= float(n - k) / float(k + 1) * chance / (1.0 - chance);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(sub_id: &str, [n, fast, slow, reversed]: [i64; 4]) -> Share {
        Share { source: "targo".into(), sub_id: sub_id.into(), offer_id: "7".into(), n, fast, slow, reversed }
    }

    fn whole(counts: [i64; 4]) -> Share {
        Share { offer_id: String::new(), ..share("", counts) }
    }

    fn odd(sub_id: [i64; 4], all: [i64; 4]) -> Oddity {
        odd_shares(&[share("a", sub_id)], &[whole(all)]).first().map(|odd| odd.oddity).unwrap_or_default()
    }

    /// The counts at which a one-sided binomial test against 2.5 % alarms at p < 0.001: 5 of 30, 7 of 50, 9 of 100, 14 of 200.
    #[test]
    fn a_share_is_fast_where_chance_would_hardly_make_it() {
        for (n, alarms_from) in [(30, 5), (50, 7), (100, 9), (200, 14)] {
            let rest = 100_000;
            let of = |fast| odd([n, fast, 0, 0], [n + rest, fast + rest / 40, 0, 0]).fast;
            assert!(of(alarms_from).is_some(), "{alarms_from} of {n}");
            assert!(of(alarms_from - 1).is_none(), "{} of {n}", alarms_from - 1);
        }
        assert!(odd([29, 29, 0, 0], [10_000, 100, 0, 0]).fast.is_none(), "too few");
    }

    #[test]
    fn a_share_is_slow_or_often_reversed_beside_the_rest() {
        assert_eq!(odd([100, 0, 40, 0], [1_100, 0, 140, 0]).slow, Some((400, 100)));
        assert_eq!(odd([100, 0, 40, 0], [1_100, 0, 340, 0]).slow, None);
        assert_eq!(odd([100, 0, 0, 20], [1_100, 0, 0, 70]).reversed, Some((200, 50)));
        assert_eq!(odd([100, 0, 0, 10], [1_100, 0, 0, 60]).reversed, None);
        assert_eq!(odd([49, 0, 49, 49], [1_100, 0, 100, 60]), Oddity::default());
    }

    #[test]
    fn a_tail_is_a_chance() {
        assert!((tail(10, 0, 0.3) - 1.0).abs() < 1e-12);
        assert!((tail(10, 10, 0.5) - 0.5_f64.powi(10)).abs() < 1e-12);
        assert!((tail(2, 1, 0.5) - 0.75).abs() < 1e-12);
    }
}
