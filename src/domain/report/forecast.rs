//! Reversals still to come.
//!
//! The cohort table is what actuaries call a loss triangle. Chain ladder, the usual method, multiplies what was
//! reported so far, so a zero in the newest cohort stays zero for ever and an outlier explodes. Here the **additive
//! method** (incremental loss ratios; Schmidt and Zocher, *The Bornhuetter–Ferguson Principle*, Variance 2:1, 2008)
//! is used: what cohorts of that age lost *in that age*, divided by what had been approved in them, pooled over all
//! cohorts that have reached it. A cohort's expectation is its own volume times the ratios of the ages ahead of it;
//! what it has lost so far does not enter, so a zero or an outlier in it does no harm.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::amount::{Amount, Sum};
use super::cohort::{Cohort, HORIZON_DAYS, cohorts};
use super::day::days_between;
use super::facts::Line;
use crate::money::share;

/// Expected reversals of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Name in the settings.
    pub source: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// Conversions of the last days that can still be taken back, in USD.
    pub open: Sum,
    /// Payout that is expected to be taken back, in USD.
    pub expected_payout: Amount,
    /// Rewards that go with it, in the users' currency.
    pub expected_rewards: Amount,
    /// What users have of these conversions now.
    pub spendable: Amount,
    /// What of that is expected to be taken back: it may be spent by then.
    pub exposure: Amount,
    /// The greatest age that any cohort has reached, in days. Beyond it nothing is known, and nothing is expected.
    pub observed_days: i64,
}

/// Two fractions for one age: of payouts, and of rewards.
#[derive(Clone, Copy, Debug, Default)]
struct Ratio {
    lost: i128,
    approved: i128,
}

impl Ratio {
    fn of(self, volume: Amount) -> Amount {
        Amount(share(i128::from(volume.0) * self.lost, self.approved))
    }
}

pub(super) fn forecasts(lines: &[Line], today: NaiveDate) -> Vec<Forecast> {
    cohorts(lines, today)
        .into_iter()
        .filter(|(_, cohorts)| cohorts.values().any(|cohort| cohort.approved.count > 0))
        .map(|((source, currency), cohorts)| forecast(source, currency, &cohorts, today))
        .collect()
}

fn forecast(
    source: &str,
    currency: &str,
    cohorts: &BTreeMap<NaiveDate, Cohort>,
    today: NaiveDate,
) -> Forecast {
    let aged: Vec<(i64, &Cohort)> = cohorts
        .iter()
        .map(|(converted, cohort)| (days_between(*converted, today), cohort))
        .filter(|(_, cohort)| cohort.approved.count > 0)
        .collect();
    let observed_days = aged.iter().map(|(age, _)| *age).max().unwrap_or(0);
    let ahead: Vec<(i64, Ratio, Ratio)> = (1..=observed_days.min(i64::from(HORIZON_DAYS)))
        .map(|age| (age, ratio(&aged, age, payouts), ratio(&aged, age, rewards)))
        .collect();
    let mut forecast = Forecast {
        source: source.to_owned(),
        currency: currency.to_owned(),
        open: Sum::default(),
        expected_payout: Amount(0),
        expected_rewards: Amount(0),
        spendable: Amount(0),
        exposure: Amount(0),
        observed_days,
    };
    for (age_now, cohort) in aged {
        forecast.open += cohort.approved;
        forecast.spendable += cohort.spendable;
        for (_, of_payouts, of_rewards) in ahead.iter().filter(|(age, ..)| *age > age_now) {
            forecast.expected_payout += of_payouts.of(cohort.approved.amount);
            forecast.expected_rewards += of_rewards.of(cohort.rewards);
            forecast.exposure += of_rewards.of(cohort.spendable);
        }
    }
    forecast
}

/// Reversals at this age over approvals, of the cohorts that have reached it.
fn ratio(aged: &[(i64, &Cohort)], age: i64, of: fn(&Cohort, i64) -> (i64, i64)) -> Ratio {
    let mut ratio = Ratio::default();
    for (_, cohort) in aged.iter().filter(|(age_now, _)| *age_now >= age) {
        let (lost, approved) = of(cohort, age);
        ratio.lost += i128::from(lost);
        ratio.approved += i128::from(approved);
    }
    ratio
}

fn payouts(cohort: &Cohort, age: i64) -> (i64, i64) {
    (cohort.reversed.get(&age).map_or(0, |(paid, _)| paid.amount.0), cohort.approved.amount.0)
}

fn rewards(cohort: &Cohort, age: i64) -> (i64, i64) {
    (cohort.reversed.get(&age).map_or(0, |(_, rewards)| rewards.0), cohort.rewards.0)
}
