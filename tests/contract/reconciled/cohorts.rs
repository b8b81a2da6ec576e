//! The naive computation: reversals by day of conversion, and those still expected.

use std::collections::{BTreeMap, BTreeSet};

use domain::report::amount::{Amount, Sum};
use domain::report::cohort::{Cell, CohortRow, CohortTable};
use domain::report::forecast::Forecast;
use domain::reward::Step;

use super::happened::{Happened, date};
use super::naive::{APPROVALS, GIVEN, Naive, PARTS, REVERSALS, TAKEN};

const AGES: [i64; 8] = [0, 1, 3, 7, 14, 30, 60, 90];

/// The conversions of one day: approved number, payouts and rewards, and what users have of them.
#[derive(Clone, Copy, Default)]
struct Cohort {
    approved: Sum,
    rewards: i64,
    spendable: i64,
}

impl Naive<'_> {
    /// What was booked of a source up to today, whichever report counts it.
    fn of_source<'s>(&'s self, source: &'s str) -> impl Iterator<Item = &'s Happened> {
        self.happenings.steps.iter().filter(move |it| it.of.source == source && it.booked <= self.today)
    }

    /// The days of conversion of a source on which anything was approved.
    fn cohorts_of(&self, source: &str) -> BTreeMap<i64, Cohort> {
        let mut cohorts = BTreeMap::<i64, Cohort>::new();
        for it in self.of_source(source) {
            let cohort = cohorts.entry(it.of.converted).or_default();
            // What is approved again was approved before.
            if APPROVALS.contains(&it.step) && it.step != Step::Reapprove {
                cohort.approved += Sum::new(1, it.of.payout);
                cohort.rewards += it.of.reward;
            }
            if GIVEN.contains(&it.step) {
                cohort.spendable += it.of.reward;
            } else if TAKEN.contains(&it.step) {
                cohort.spendable -= it.of.reward;
            }
        }
        cohorts.retain(|_, cohort| cohort.approved.count > 0);
        cohorts
    }

    /// What was taken back of the conversions of a day at ages that fulfil `at`: number and payouts, and rewards.
    fn lost(&self, source: &str, converted: i64, at: impl Fn(i64) -> bool) -> (Sum, i64) {
        let mut lost = (Sum::default(), 0);
        for it in self.of_source(source).filter(|it| it.of.converted == converted) {
            let (sign, counts) = match it.step {
                Step::Reapprove => (-1, 1),
                step if PARTS.contains(&step) => (1, 0),
                step if REVERSALS.contains(&step) => (1, 1),
                _ => continue,
            };
            // What was booked before it came, by a clock that was wrong, is of age 0.
            if at((it.booked - converted).max(0)) {
                lost = (lost.0 + Sum::new(sign * counts, sign * it.of.payout), lost.1 + sign * it.of.reward);
            }
        }
        lost
    }

    fn age(&self, converted: i64) -> i64 {
        (self.today - converted).max(0)
    }

    /// Sources with their currencies.
    fn known(&self) -> BTreeSet<(&'static str, &'static str)> {
        self.happenings.steps.iter().map(|it| (it.of.source, it.of.currency)).collect()
    }

    pub(super) fn cohorts(&self) -> Vec<CohortTable> {
        let table = |(source, currency): (&str, &str)| {
            let row = |(converted, cohort): (i64, Cohort)| {
                let cell = |age: i64| {
                    let (reversed, _) = self.lost(source, converted, |at| at <= age);
                    let ppm =
                        |part: i64, whole: i64| nearest(i128::from(part) * 1_000_000, i128::from(whole));
                    Cell {
                        reversed,
                        count_ppm: ppm(reversed.count, cohort.approved.count),
                        payout_ppm: ppm(reversed.amount.0, cohort.approved.amount.0),
                    }
                };
                CohortRow {
                    converted: date(converted),
                    approved: cohort.approved,
                    cells: AGES.iter().map(|age| (*age <= self.age(converted)).then(|| cell(*age))).collect(),
                }
            };
            CohortTable {
                source: source.to_owned(),
                currency: currency.to_owned(),
                ages: AGES.to_vec(),
                rows: self.cohorts_of(source).into_iter().rev().map(row).collect(),
            }
        };
        self.known().into_iter().map(table).filter(|table| !table.rows.is_empty()).collect()
    }

    pub(super) fn forecasts(&self) -> Vec<Forecast> {
        let of = |(source, currency): (&str, &str)| {
            let cohorts = self.cohorts_of(source);
            let oldest = cohorts.keys().map(|converted| self.age(*converted)).max()?;
            // What cohorts that reached an age lost in it, of what had been approved in them.
            let ratio = |age: i64| {
                let (mut lost, mut whole) = ((0_i128, 0_i128), (0_i128, 0_i128));
                for (converted, cohort) in
                    cohorts.iter().filter(|(converted, _)| self.age(**converted) >= age)
                {
                    let (paid, rewards) = self.lost(source, *converted, |at| at == age);
                    lost = (lost.0 + i128::from(paid.amount.0), lost.1 + i128::from(rewards));
                    let approved = (i128::from(cohort.approved.amount.0), i128::from(cohort.rewards));
                    whole = (whole.0 + approved.0, whole.1 + approved.1);
                }
                ((lost.0, whole.0), (lost.1, whole.1))
            };
            let ratios: Vec<_> = (0..=oldest).map(ratio).collect();
            let part = |amount: i64, (lost, whole): (i128, i128)| nearest(i128::from(amount) * lost, whole);
            let mut found = Forecast {
                source: source.to_owned(),
                currency: currency.to_owned(),
                open: Sum::default(),
                expected_payout: Amount(0),
                expected_rewards: Amount(0),
                spendable: Amount(0),
                exposure: Amount(0),
                observed_days: oldest,
            };
            for (converted, cohort) in &cohorts {
                found.open += cohort.approved;
                found.spendable += Amount(cohort.spendable);
                let young = usize::try_from(self.age(*converted) + 1).expect("days");
                for (of_payouts, of_rewards) in &ratios[young..] {
                    found.expected_payout += Amount(part(cohort.approved.amount.0, *of_payouts));
                    found.expected_rewards += Amount(part(cohort.rewards, *of_rewards));
                    found.exposure += Amount(part(cohort.spendable, *of_rewards));
                }
            }
            Some(found)
        };
        self.known().into_iter().filter_map(of).collect()
    }
}

/// The whole number nearest to `part / whole`; the even one of two.
pub(super) fn nearest(part: i128, whole: i128) -> i64 {
    if whole == 0 {
        return 0;
    }
    let below = (part - part.rem_euclid(whole)) / whole;
    let candidates = [below, below + 1];
    let distance = |candidate: &i128| ((part - candidate * whole).abs(), candidate % 2);
    let nearest = candidates.into_iter().min_by_key(|it| (distance(it).0, distance(it).1.abs()));
    i64::try_from(nearest.expect("two")).expect("in range")
}
