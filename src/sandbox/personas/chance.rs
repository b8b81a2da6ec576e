//! Seeded draws. The distributions are written out, so that a seed means the same whatever crate draws.

use std::f64::consts::TAU;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt as _, SeedableRng as _};

/// Draws of one seed, in order.
#[derive(Clone, Debug)]
pub(super) struct Chance(Xoshiro256PlusPlus);

impl Chance {
    pub(super) fn of(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub(super) fn rng(&mut self) -> &mut impl Rng {
        &mut self.0
    }

    /// From 0, inclusive, to 1, exclusive.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// True in this share of the draws.
    pub(super) fn is(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0.random()
    }

    /// A position below `len`, which is above 0.
    pub(super) fn below(&mut self, len: usize) -> usize {
        self.0.random_range(0..len)
    }

    /// A whole number, both ends inclusive.
    pub(super) fn whole(&mut self, [least, most]: [u32; 2]) -> u32 {
        self.0.random_range(least..=most)
    }

    pub(super) fn between(&mut self, [least, most]: [f64; 2]) -> f64 {
        least + (most - least) * self.unit()
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// From 1 up, with this tail index, cut at `most`.
    pub(super) fn pareto(&mut self, alpha: f64, most: f64) -> f64 {
        (1.0 - self.unit()).powf(-1.0 / alpha).min(most)
    }

    /// A position in proportion to the weights whose running sums are `sums`.
    pub(super) fn weighted(&mut self, sums: &[f64]) -> usize {
        let point = self.unit() * sums.last().copied().unwrap_or_default();
        sums.partition_point(|sum| *sum <= point).min(sums.len().saturating_sub(1))
    }
}

/// Running sums of `1 / rank^exponent`, for [`Chance::weighted`].
pub(super) fn zipf(len: usize, exponent: f64) -> Vec<f64> {
    running_sums((1..=len).map(|rank| float(rank).powf(-exponent)))
}

pub(super) fn running_sums(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}

/// Exact for every count that occurs here.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}

/// Rounded down.
#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates, which is meant here")]
pub(super) fn int(number: f64) -> i64 {
    number.floor() as i64
}

/// Rounded down; 0 for what is negative.
pub(super) fn count(number: f64) -> usize {
    usize::try_from(int(number)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_normal_has_its_median_and_its_spread() {
        let mut chance = Chance::of(1);
        let mut draws: Vec<f64> = (0..20_001).map(|_| chance.log_normal(240.0, 1.2)).collect();
        draws.sort_by(f64::total_cmp);
        assert!((draws[10_000] / 240.0 - 1.0).abs() < 0.03, "{}", draws[10_000]);
        // One standard deviation below the median: 15.9 %.
        assert!((draws[3_173] / (240.0 * (-1.2_f64).exp()) - 1.0).abs() < 0.05, "{}", draws[3_173]);
    }

    #[test]
    fn the_first_rank_is_drawn_most_and_none_is_out_of_range() {
        let (mut chance, sums) = (Chance::of(1), zipf(10, 1.0));
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[chance.weighted(&sums)] += 1;
        }
        assert!(seen[0] > seen[1] && seen[1] > seen[3] && seen[3] > seen[9] && seen[9] > 0, "{seen:?}");
    }
}
