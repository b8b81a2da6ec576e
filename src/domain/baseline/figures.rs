//! The figures of many times: quantiles and robust spreads.

use serde::{Deserialize, Serialize};

use super::logarithm::{Millinats, log};

/// The quantiles that are kept, in percent.
pub const PERCENTS: [usize; 6] = [1, 5, 25, 50, 75, 95];
const HALF: usize = 3;

/// A median absolute deviation times this many ten-thousandths estimates the standard deviation of a normal distribution.
const MAD_TO_DEVIATION: i64 = 14_826;

/// What is normal among the times from click to completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The quantiles of [`PERCENTS`], in milliseconds.
    pub took_ms: [i64; PERCENTS.len()],
    /// The robust deviation of the logarithms of the faster half. Slow users do not widen it: where offers end in minutes or in
    /// days, the usual deviation is so wide that nothing is too fast.
    pub lower_millinats: Millinats,
    /// The robust deviation of the logarithms of all times: how far they differ.
    pub spread_millinats: Millinats,
}

impl Figures {
    /// The figures of `took_ms`; `None` if there are fewer than `least`.
    pub(super) fn of(mut took_ms: Vec<i64>, least: usize) -> Option<Self> {
        if took_ms.len() < least.max(1) {
            return None;
        }
        took_ms.sort_unstable();
        let quantiles = PERCENTS.map(|percent| quantile(&took_ms, percent));
        let median = log(quantiles[HALF]);
        let off = |ms: &i64| (log(*ms) - median).abs();
        let lower = took_ms[..took_ms.len() / 2].iter().map(off).collect();
        Some(Self {
            took_ms: quantiles,
            lower_millinats: deviation(lower),
            spread_millinats: deviation(took_ms.iter().map(off).collect()),
        })
    }

    /// Half of the times are at most this, in milliseconds.
    pub fn median_ms(&self) -> i64 {
        self.took_ms[HALF]
    }
}

/// The value that `percent` of the `sorted` values do not exceed; 0 if there is none.
pub(super) fn quantile(sorted: &[i64], percent: usize) -> i64 {
    let place = (sorted.len().saturating_sub(1) * percent + 50) / 100;
    sorted.get(place).copied().unwrap_or_default()
}

fn deviation(mut off: Vec<i64>) -> i64 {
    off.sort_unstable();
    (quantile(&off, 50) * MAD_TO_DEVIATION + 5_000) / 10_000
}
