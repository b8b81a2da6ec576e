//! The reconciliation report of a business day.

mod closing;
mod figures;

use domain::report::amount::{Amount, Sum};
use domain::report::day::BusinessDay;
use domain::report::{Report, State};
use domain::time::{DAY_MS, TimestampMs};
use store::postbacks::inbox::Claim;
use store::reports::{Kept, ReportTerms};

use crate::support::database::Home;
use crate::support::postbacks::{Call, NOW, REWARD, processed, processor};
use crate::support::processing::ALL;

fn day(date: &str) -> BusinessDay {
    BusinessDay::parse(date, chrono_tz::Europe::Berlin).expect("a date")
}

/// The same instant, days later.
fn later(days: i64) -> TimestampMs {
    TimestampMs(NOW.0 + days * DAY_MS)
}

/// The report of `date` as of `now`; its day is closed a day after its end.
async fn report_at(home: &Home, date: &str, now: TimestampMs) -> Report {
    let terms = ReportTerms { now, closed_at: day(date).closed_at(24), retry_horizon_ms: 3_600_000 };
    Report::of(&home.store.report_facts(day(date), terms).await.expect("the facts are read"))
}

pub(crate) async fn report(home: &Home, date: &str) -> Report {
    report_at(home, date, NOW).await
}

/// Receives and processes `calls` so many days later.
async fn process_later(home: &Home, days: i64, calls: &[Call]) {
    let at = later(days);
    let calls: Vec<_> = calls.iter().map(|call| call.clone().received(at.0 - 60_000)).collect();
    home.record(&calls).await;
    processed(&home.store, Claim::First(ALL), processor(), at).await.expect("they are processed");
}

#[track_caller]
fn assert_ties_out(report: &Report) {
    assert!(report.ties_out, "{}: {:#?}", report.date, report.faults);
}

async fn close(home: &Home, date: &str, now: TimestampMs) -> Report {
    let report = report_at(home, date, now).await;
    assert_eq!(report.state, State::Final);
    assert_eq!(home.store.keep_report(&report, now).await.expect("it is kept"), Kept::Now);
    report
}

const fn rewards(count: i64) -> Sum {
    Sum { count, amount: Amount(count * REWARD) }
}
