//! When reports are made in a scenario: of a day that is over soon after its end, and once more when it is closed.

use std::fmt::Debug;

use domain::report::day::BusinessDay;
use domain::report::{Report, State};
use domain::time::TimestampMs;
use store::reports::{Kept, ReportTerms};

use super::happened::{Closed, Happenings, date};
use super::naive::Naive;
use super::scenario::{HOUR_MS, Scenario};

/// How long after its end a day is closed, in hours.
pub(super) const CUT_OFF_HOURS: u32 = 9;
pub(super) const RETRY_HORIZON_MS: i64 = HOUR_MS;

pub(super) struct Reports {
    pub(super) all: Vec<Report>,
    /// What they were made of.
    pub(super) happenings: Option<Happenings>,
    /// The day that is closed next.
    next: i64,
}

impl Reports {
    pub(super) fn new(first: i64) -> Self {
        Self { all: Vec::new(), happenings: None, next: first }
    }

    pub(super) fn final_ones(&self) -> impl Iterator<Item = &Report> {
        self.all.iter().filter(|report| report.state == State::Final)
    }

    /// Closes every day that can be closed at `now`.
    pub(super) async fn close(&mut self, scenario: &mut Scenario<'_>, now: i64) {
        while scenario.zone.starts_at(self.next + 1) + i64::from(CUT_OFF_HOURS) * HOUR_MS <= now {
            let report = self.make(scenario, self.next, now, State::Final).await;
            let kept =
                scenario.home.store.report(&report.date).await.expect("it is read").expect("it is kept");
            scenario.happenings.closed = Some(Closed {
                day: self.next,
                hash: kept.content_hash,
                transfers: report.inputs.transfers_upto,
            });
            self.next += 1;
        }
    }

    /// Makes the report of a day that ended between `from` and `now`.
    pub(super) async fn look_in(&mut self, scenario: &mut Scenario<'_>, from: i64, now: i64) {
        let day = scenario.zone.day_of(from);
        if day < scenario.zone.day_of(now) {
            self.make(scenario, day, now, State::Preliminary).await;
        }
    }

    async fn make(&mut self, scenario: &Scenario<'_>, number: i64, now: i64, state: State) -> Report {
        let day = BusinessDay::parse(&date(number), scenario.zone.tz).expect("a date");
        let now = TimestampMs(now);
        let terms =
            ReportTerms { now, closed_at: day.closed_at(CUT_OFF_HOURS), retry_horizon_ms: RETRY_HORIZON_MS };
        let facts = scenario.home.store.report_facts(day, terms).await.expect("the facts are read");
        let report = Report::of(&facts);
        let naive = Naive { happenings: &scenario.happenings, today: number, now: now.0, state };
        compare(&report, &naive.report());
        assert_eq!(scenario.home.store.keep_report(&report, now).await.expect("it is kept"), Kept::Now);
        self.all.push(report.clone());
        report
    }
}

/// Compares part by part, because a difference of two whole reports is unreadable.
fn compare(found: &Report, expected: &Report) {
    let at = format!("{} {}", found.state.name(), found.date);
    lists(&at, "sources", &found.sources, &expected.sources);
    lists(&at, "currencies", &found.totals.currencies, &expected.totals.currencies);
    lists(&at, "prior periods", &found.prior_periods, &expected.prior_periods);
    lists(&at, "late", &found.late, &expected.late);
    for (found, expected) in found.cohorts.iter().zip(&expected.cohorts) {
        lists(&at, "cohorts", &found.rows, &expected.rows);
    }
    lists(&at, "forecasts", &found.forecasts, &expected.forecasts);
    lists(&at, "accounts", &found.accounts, &expected.accounts);
    lists(&at, "receivables", &found.receivables, &expected.receivables);
    lists(&at, "users", &found.users, &expected.users);
    lists(&at, "debts", &found.debts, &expected.debts);
    lists(&at, "negative", &found.negative, &expected.negative);
    lists(&at, "holds", &found.holds, &expected.holds);
    lists(&at, "top", &found.top, &expected.top);
    lists(&at, "postbacks", &found.postbacks, &expected.postbacks);
    lists(&at, "cases", &found.cases, &expected.cases);
    lists(&at, "losses", &found.losses, &expected.losses);
    lists(&at, "faults", &found.faults, &expected.faults);
    assert_eq!(found.inputs, expected.inputs, "{at}");
    assert_eq!(found.proof, expected.proof, "{at}");
    // And whatever there is besides.
    assert_eq!(found, expected, "{at}");
}

fn lists<T: Debug + PartialEq>(at: &str, of: &str, found: &[T], expected: &[T]) {
    let differ = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert!(differ.is_none(), "{of} on {at}, found and expected: {differ:#?}");
    assert_eq!(found, expected, "{of} on {at}");
}
