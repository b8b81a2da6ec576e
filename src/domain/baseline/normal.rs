//! What is normal for one event, as far as rules read it: stored with a verdict, which can then be decided once more
//! without the baseline.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::logarithm::log;
use super::shares::Oddity;
use super::{LEAST_SETTLED, OfferNormal, USUAL_SHARE_PERMILLE};
use crate::money::Micros;

/// The figures of a baseline for one source, offer and event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Normal {
    /// Completions behind the times.
    #[serde(rename = "n")]
    pub completions: i64,
    /// True if too few of them are settled, so that younger ones count as well.
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_provisional: bool,
    /// True if they are of all steps of the offer, because this one is rare.
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_any_event: bool,
    /// `None` if there are too few completions.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
    /// Units of reward per USD, where nearly all have the same.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Micros>,
    /// One in a hundred steps comes sooner than this after the step before it, in milliseconds.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub shortest_gap_ms: Option<i64>,
}

/// What is normal among the times from click to completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i64, i64)", into = "(i64, i64, i64)")]
pub struct Times {
    /// Half of them are at most this.
    pub median_ms: i64,
    /// The robust deviation of the faster half.
    pub lower_millinats: i64,
    /// The robust deviation of all.
    pub spread_millinats: i64,
}

impl From<(i64, i64, i64)> for Times {
    fn from((median_ms, lower_millinats, spread_millinats): (i64, i64, i64)) -> Self {
        Self { median_ms, lower_millinats, spread_millinats }
    }
}

impl Times {
    /// How far `took_ms` is below the median, in hundredths of the robust deviation of the faster half; negative above it.
    /// `floor_millinats` is the least deviation that counts, so that a history of equal times does not make everybody else
    /// suspicious.
    pub fn faster_percent(&self, took_ms: i64, floor_millinats: i64) -> i64 {
        let faster = log(self.median_ms) - log(took_ms);
        faster * 100 / self.lower_millinats.max(floor_millinats).max(1)
    }

    /// The same as it is remembered of a user, between `SLOWEST_PERCENT` and `FASTEST_PERCENT`.
    pub fn pace_percent(&self, took_ms: i64) -> i64 {
        self.faster_percent(took_ms, PACE_FLOOR_MILLINATS).clamp(SLOWEST_PERCENT, FASTEST_PERCENT)
    }
}

/// The least deviation that counts for the pace of a user.
const PACE_FLOOR_MILLINATS: i64 = 150;
/// One very slow completion does not make up for many fast ones.
const SLOWEST_PERCENT: i64 = -200;
/// One very fast completion does not make a habit.
const FASTEST_PERCENT: i64 = 400;

impl From<Times> for (i64, i64, i64) {
    fn from(times: Times) -> Self {
        (times.median_ms, times.lower_millinats, times.spread_millinats)
    }
}

/// What a baseline says of an event, and which baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromBaseline {
    /// The figures of its offer; `None` if nothing is known of that.
    pub normal: Option<Normal>,
    /// How its sub id differs from the rest of the network.
    pub oddity: Option<Oddity>,
    /// How often addresses and reported countries of the network differ, in permille; `None` with too few comparisons.
    pub mismatch_permille: Option<i64>,
    /// How many users within a day are usual on its address; `None` with too few completions of the source.
    pub usual_sharing: Option<i64>,
    /// [`Baseline::version`](super::Baseline::version).
    pub version: Arc<str>,
}

impl From<&OfferNormal> for Normal {
    fn from(offer: &OfferNormal) -> Self {
        let usual =
            offer.ratio.filter(|it| it.n >= LEAST_SETTLED && it.near_permille >= USUAL_SHARE_PERMILLE);
        Self {
            completions: offer.n,
            is_provisional: offer.provisional,
            is_of_any_event: offer.any_event,
            times: offer.times.map(|times| Times {
                median_ms: times.median_ms(),
                lower_millinats: times.lower_millinats,
                spread_millinats: times.spread_millinats,
            }),
            ratio: usual.map(|it| Micros(it.micros)),
            shortest_gap_ms: offer.gap.filter(|it| it.n >= LEAST_SETTLED).map(|it| it.shortest_ms),
        }
    }
}
