//! Gathers completions one by one, in bounded memory, and draws what is normal from them. Below the bounds, the order in
//! which they come does not matter.

use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::completion::Completion;
use super::figures::{Figures, quantile};
use super::{
    Baseline, Content, FIGURES_FROM, FORMAT, Gap, LEAST_SETTLED, OfferNormal, Ratio, SourceNormal,
    USUAL_RATIO_PERCENT, WINDOW_DAYS,
};
use crate::time::{DAY_MS, TimestampMs};

/// Completions of one offer and event that are kept; beyond that, a sample says as much.
const MAX_SAMPLE: usize = 1_000;
/// The least that a sample shrinks to when there are very many offers: as many as rules ask for.
const MIN_SAMPLE: usize = 100;
/// Completions kept in all, of 56 bytes each: beyond that every sample is halved, down to [`MIN_SAMPLE`].
const MAX_SAMPLES: usize = 400_000;
/// Offers with their events that a baseline holds: those with most completions.
pub const MAX_OFFERS: usize = 20_000;

/// How young a completion may be for a provisional baseline: within a day, most reversals are still to come.
const YOUNG_AFTER_MS: i64 = DAY_MS;

/// What is gathered for one baseline.
#[derive(Debug)]
pub struct Gathering {
    settled_before: TimestampMs,
    offers: HashMap<OfferKey, Group>,
    sources: BTreeMap<String, Group>,
    sample: usize,
    kept: usize,
}

/// Source, offer and event.
type OfferKey = (String, String, String);

/// How the addresses of a source compared with the reported countries, of the last 30 days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedSource {
    /// Name in the settings.
    pub source: String,
    /// Rewards for which the comparison was possible.
    pub located: i64,
    /// Those with two different countries.
    pub mismatched: i64,
}

/// The completions of one offer and event, or of one source.
#[derive(Debug, Default)]
struct Group {
    settled: Tier,
    /// Empty once there are enough that are settled.
    young: Tier,
}

/// A sample of completions, and how many there were.
#[derive(Debug, Default)]
struct Tier {
    all: i64,
    timed: i64,
    /// The highest rank on top.
    sample: BinaryHeap<Kept>,
}

/// What is kept of a completion. The rank comes first, so that it orders them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    rank: u64,
    took_ms: Option<i64>,
    gap_ms: Option<i64>,
    ratio_micros: Option<i64>,
}

impl Gathering {
    /// For a baseline as of `as_of`, where a completion is settled after `settled_after_days`.
    pub fn new(as_of: TimestampMs, settled_after_days: i64) -> Self {
        Self {
            settled_before: TimestampMs(as_of.0.saturating_sub(settled_after_days.saturating_mul(DAY_MS))),
            offers: HashMap::new(),
            sources: BTreeMap::new(),
            sample: MAX_SAMPLE,
            kept: 0,
        }
    }

    /// From when and until when (exclusive) completions count for a baseline as of `as_of`.
    pub fn window(as_of: TimestampMs) -> std::ops::Range<TimestampMs> {
        TimestampMs(as_of.0 - WINDOW_DAYS * DAY_MS)..TimestampMs(as_of.0 - YOUNG_AFTER_MS)
    }

    /// Adds one completion of the window.
    pub fn add(&mut self, completion: Completion) {
        let is_settled = completion.received_at < self.settled_before;
        let kept = Kept {
            rank: completion.rank(),
            took_ms: completion.took_ms,
            gap_ms: completion.gap_ms,
            ratio_micros: completion.ratio_micros(),
        };
        let group = self.sources.entry(completion.source.clone()).or_default();
        self.kept = self.kept + group.add(is_settled, kept, self.sample) - group.drop_young();
        let key = (completion.source, completion.offer_id, completion.event_id);
        let group = self.offers.entry(key).or_default();
        self.kept = self.kept + group.add(is_settled, kept, self.sample) - group.drop_young();
        if self.offers.len() >= 2 * MAX_OFFERS {
            self.drop_small_offers();
        }
        while self.kept > MAX_SAMPLES && self.sample > MIN_SAMPLE {
            self.sample = (self.sample / 2).max(MIN_SAMPLE);
            let groups = self.offers.values_mut().chain(self.sources.values_mut());
            self.kept = groups.map(|group| group.shrink(self.sample)).sum();
        }
    }

    /// What is normal among all that was added.
    pub fn finish(mut self, located: &[LocatedSource]) -> Baseline {
        self.drop_small_offers();
        let mut offers: Vec<OfferNormal> = self
            .offers
            .into_iter()
            .map(|((source, offer_id, event_id), group)| group.normal(source, offer_id, event_id))
            .collect();
        offers.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
        for place in located {
            self.sources.entry(place.source.clone()).or_default();
        }
        let sources = self.sources.into_iter().map(|(source, group)| {
            let place = located.iter().find(|place| place.source == source);
            let of_all = group.normal(source, String::new(), String::new());
            SourceNormal {
                source: of_all.source,
                n: of_all.n,
                provisional: of_all.provisional,
                times: of_all.times,
                located: place.map_or(0, |place| place.located),
                mismatched: place.map_or(0, |place| place.mismatched),
            }
        });
        Baseline::of(Content { format: FORMAT, sources: sources.collect(), offers })
    }

    /// Leaves the [`MAX_OFFERS`] offers with most completions.
    fn drop_small_offers(&mut self) {
        if self.offers.len() <= MAX_OFFERS {
            return;
        }
        let mut offers: Vec<(OfferKey, Group)> = self.offers.drain().collect();
        offers.sort_unstable_by(|(one_key, one), (other_key, other)| {
            other.all().cmp(&one.all()).then_with(|| one_key.cmp(other_key))
        });
        offers.truncate(MAX_OFFERS);
        self.offers = offers.into_iter().collect();
        self.kept = self.offers.values().chain(self.sources.values()).map(Group::len).sum();
    }
}

impl Group {
    fn all(&self) -> i64 {
        self.settled.all + self.young.all
    }

    fn len(&self) -> usize {
        self.settled.sample.len() + self.young.sample.len()
    }

    /// Adds one completion; returns by how many the sample grew.
    fn add(&mut self, is_settled: bool, kept: Kept, sample: usize) -> usize {
        if is_settled {
            self.settled.add(kept, sample)
        } else if self.settled.all < LEAST_SETTLED {
            self.young.add(kept, sample)
        } else {
            0
        }
    }

    /// Drops what is not settled once there is enough that is; returns by how many the sample shrank.
    fn drop_young(&mut self) -> usize {
        if self.settled.all < LEAST_SETTLED || self.young.all == 0 {
            return 0;
        }
        std::mem::take(&mut self.young).sample.len()
    }

    fn shrink(&mut self, sample: usize) -> usize {
        for tier in [&mut self.settled, &mut self.young] {
            while tier.sample.len() > sample {
                tier.sample.pop();
            }
            tier.sample.shrink_to_fit();
        }
        self.len()
    }

    fn normal(self, source: String, offer_id: String, event_id: String) -> OfferNormal {
        let provisional = self.settled.all < LEAST_SETTLED && self.young.all > 0;
        let n = self.settled.timed + self.young.timed;
        let settled = self.settled.timed;
        let kept: Vec<Kept> = self.settled.sample.into_iter().chain(self.young.sample).collect();
        let times = Figures::of(kept.iter().filter_map(|kept| kept.took_ms).collect(), FIGURES_FROM);
        let (ratio, gap) = (ratio(&kept), gap(&kept));
        OfferNormal { source, offer_id, event_id, n, settled, provisional, times, ratio, gap }
    }
}

impl Tier {
    fn add(&mut self, kept: Kept, sample: usize) -> usize {
        self.all += 1;
        self.timed += i64::from(kept.took_ms.is_some());
        if self.sample.len() < sample {
            self.sample.push(kept);
            return 1;
        }
        if let Some(mut highest) = self.sample.peek_mut()
            && kept < *highest
        {
            *highest = kept;
        }
        0
    }
}

fn ratio(kept: &[Kept]) -> Option<Ratio> {
    let mut ratios: Vec<i64> = kept.iter().filter_map(|kept| kept.ratio_micros).collect();
    ratios.sort_unstable();
    if ratios.len() < FIGURES_FROM {
        return None;
    }
    let median = quantile(&ratios, 50);
    let is_near = |ratio: &&i64| {
        let off = (i128::from(**ratio) - i128::from(median)).abs() * 100;
        off <= i128::from(median) * i128::from(USUAL_RATIO_PERCENT)
    };
    let near = ratios.iter().filter(is_near).count();
    let n = i64::try_from(ratios.len()).unwrap_or(i64::MAX);
    let near = i64::try_from(near).unwrap_or(i64::MAX);
    Some(Ratio { n, micros: median, near_permille: near * 1_000 / n })
}

fn gap(kept: &[Kept]) -> Option<Gap> {
    let mut gaps: Vec<i64> = kept.iter().filter_map(|kept| kept.gap_ms).collect();
    gaps.sort_unstable();
    if gaps.len() < FIGURES_FROM {
        return None;
    }
    Some(Gap { n: i64::try_from(gaps.len()).unwrap_or(i64::MAX), shortest_ms: quantile(&gaps, 1) })
}
