//! Reversals by cohort: which share of one day's conversions was reversed by which age.
//!
//! A rate by the day of the reversal misleads, because a reversal of today belongs to conversions of weeks ago. So
//! each conversion day is one row, and each age one column; a cell whose age is not over yet is *open*, not zero.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::amount::{Amount, Sum};
use super::day::days_between;
use super::facts::Line;
use crate::money::share;
use crate::reward::Step;

/// The ages that are shown, in business days.
pub const AGES: [i64; 8] = [0, 1, 3, 7, 14, 30, 60, 90];
/// Days after a conversion within which reversals are expected; also how many conversion days a report looks back.
pub const HORIZON_DAYS: u16 = 90;
/// Parts per million: the rate 1.
const PPM: i128 = 1_000_000;

/// The cohorts of one source and currency, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortTable {
    /// Name in the settings.
    pub source: String,
    /// Code, such as `coins` or `USD`.
    pub currency: String,
    /// The columns: ages in business days.
    pub ages: Vec<i64>,
    /// One row for each conversion day on which anything was approved.
    pub rows: Vec<CohortRow>,
}

/// The conversions of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortRow {
    /// The conversion day, `YYYY-MM-DD`.
    pub converted: String,
    /// What the network approved of it, in USD.
    pub approved: Sum,
    /// One for each age; `None` is open.
    pub cells: Vec<Option<Cell>>,
}

/// What of a cohort was taken back by the end of an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Taken back, in USD.
    pub reversed: Sum,
    /// Of all rewards, in parts per million.
    pub count_ppm: i64,
    /// Of the approved payout, in parts per million; 0 if no payout is known.
    pub payout_ppm: i64,
}

/// The conversions of one day of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Cohort {
    /// Approved: how many, and USD.
    pub(super) approved: Sum,
    /// Approved, in the users' currency.
    pub(super) rewards: Amount,
    /// What of that users have now.
    pub(super) spendable: Amount,
    /// Taken back by age: how many and USD, and rewards.
    pub(super) reversed: BTreeMap<i64, (Sum, Amount)>,
}

impl Cohort {
    /// What was taken back at the age of the cohort on which `line` was booked.
    fn reversed_at_age_of(&mut self, line: &Line) -> &mut (Sum, Amount) {
        self.reversed.entry(days_between(line.converted, line.booked)).or_default()
    }
}

/// Every cohort of each source and currency, by conversion day.
pub(super) type Cohorts<'l> = BTreeMap<(&'l str, &'l str), BTreeMap<NaiveDate, Cohort>>;

pub(super) fn cohorts(lines: &[Line], today: NaiveDate) -> Cohorts<'_> {
    let mut cohorts = Cohorts::new();
    let young = |line: &&Line| days_between(line.converted, today) <= i64::from(HORIZON_DAYS);
    for line in lines.iter().filter(young) {
        let of_source = cohorts.entry((&line.source, &line.currency)).or_default();
        let cohort = of_source.entry(line.converted).or_default();
        let paid = Sum { count: line.reward.count, amount: line.payout };
        match line.step {
            Step::Credit | Step::Hold => {
                cohort.approved += paid;
                cohort.rewards += line.reward.amount;
            }
            // Approved again: from that age on it is not taken back.
            Step::Reapprove => {
                let (reversed, rewards) = cohort.reversed_at_age_of(line);
                *reversed = *reversed - paid;
                *rewards = *rewards - line.reward.amount;
            }
            // A partial reversal leaves the reward standing, so it counts in money only.
            step if step.takes_back() => {
                let (reversed, rewards) = cohort.reversed_at_age_of(line);
                *reversed += if step.is_part() { Sum { count: 0, ..paid } } else { paid };
                *rewards += line.reward.amount;
            }
            _ => {}
        }
        match line.step {
            Step::Credit | Step::Release | Step::Overturn => cohort.spendable += line.reward.amount,
            Step::ReverseCredited | Step::ReverseCreditedPart | Step::UndoRelease | Step::UndoOverturn => {
                cohort.spendable = cohort.spendable - line.reward.amount;
            }
            _ => {}
        }
    }
    cohorts
}

pub(super) fn tables(lines: &[Line], today: NaiveDate) -> Vec<CohortTable> {
    let table = |((source, currency), cohorts): ((&str, &str), BTreeMap<NaiveDate, Cohort>)| CohortTable {
        source: source.to_owned(),
        currency: currency.to_owned(),
        ages: AGES.to_vec(),
        rows: cohorts
            .iter()
            .rev()
            .filter(|(_, cohort)| cohort.approved.count > 0)
            .map(|(converted, cohort)| row(*converted, cohort, today))
            .collect(),
    };
    cohorts(lines, today).into_iter().map(table).filter(|table| !table.rows.is_empty()).collect()
}

fn row(converted: NaiveDate, cohort: &Cohort, today: NaiveDate) -> CohortRow {
    let age_now = days_between(converted, today);
    let cell = |age: i64| {
        let mut reversed = Sum::default();
        for (sum, _) in cohort.reversed.range(..=age).map(|(_, by_age)| by_age) {
            reversed += *sum;
        }
        Cell {
            reversed,
            count_ppm: ppm(reversed.count, cohort.approved.count),
            payout_ppm: ppm(reversed.amount.0, cohort.approved.amount.0),
        }
    };
    let cells = AGES.map(|age| (age <= age_now).then(|| cell(age)));
    CohortRow { converted: converted.to_string(), approved: cohort.approved, cells: cells.to_vec() }
}

/// `part` of `whole` in parts per million, rounded half to even; 0 of nothing.
fn ppm(part: i64, whole: i64) -> i64 {
    share(i128::from(part) * PPM, i128::from(whole))
}
