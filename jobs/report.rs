//! The nightly reconciliation: reports of the days that are over, in order, preliminary at first and then closed.

use chrono_tz::Tz;
use domain::report::day::{BusinessDay, NaiveTime};
use domain::report::{Report, State};
use domain::time::{Clock, TimestampMs};
use store::Store;
use store::reports::{Kept, ReportTerms};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What the settings say of reports.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The zone of the business day.
    pub timezone: Tz,
    /// When the report of a day is made, at the day after.
    pub time: NaiveTime,
    /// How long after the end of a day it is closed, in hours.
    pub cut_off_hours: u32,
    /// How long networks repeat a postback that was not acknowledged, in milliseconds.
    pub retry_horizon_ms: i64,
}

/// A report that was made, or that stood already.
#[derive(Clone, Debug)]
pub struct Made {
    /// The report that stands now.
    pub report: Report,
    /// What became of the one that was made.
    pub kept: Kept,
}

impl Terms {
    /// The last day whose report is due at `now`.
    pub fn last_due(&self, now: TimestampMs) -> Option<BusinessDay> {
        let today = BusinessDay::of(now, self.timezone)?;
        [today.previous(), today.minus(2)].into_iter().find(|day| now >= day.reported_at(self.time))
    }
}

/// Makes the report of `day`, unless the day is closed: then what stands there stays, byte for byte.
pub async fn make(
    store: &Store,
    terms: &Terms,
    day: BusinessDay,
    now: TimestampMs,
) -> Result<Made, store::Error> {
    let date = day.date().to_string();
    let closed = |row: Option<store::reports::ReportRow>| row.filter(|row| row.state == State::Final.name());
    if let Some(row) = closed(store.report(&date).await?) {
        return Ok(Made { report: row.report()?, kept: Kept::ClosedBefore });
    }
    let report_terms = ReportTerms {
        now,
        closed_at: day.closed_at(terms.cut_off_hours),
        retry_horizon_ms: terms.retry_horizon_ms,
    };
    let report = Report::of(&store.report_facts(day, report_terms).await?);
    let kept = store.keep_report(&report, now).await?;
    if let Some(row) = closed(store.report(&date).await?).filter(|_| kept == Kept::ClosedBefore) {
        // Another worker closed the day in between.
        return Ok(Made { report: row.report()?, kept });
    }
    if !report.ties_out {
        warn!(date, faults = report.faults.len(), "a report does not tie out: {}", report.faults.join("; "));
    }
    Ok(Made { report, kept })
}

/// Makes the reports of every day up to `slot` that is not closed yet, in order. Safe to run twice, and at the same
/// time: a day is closed once, and what is made is the same.
pub(crate) async fn make_up_to(
    store: &Store,
    terms: &Terms,
    slot: &str,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<(), store::Error> {
    let Some(last) = BusinessDay::parse(slot, terms.timezone) else {
        warn!(slot, "a report is asked for a day that is none");
        return Ok(());
    };
    let span = store.report_span().await?;
    let parse = |date: Option<String>| date.and_then(|date| BusinessDay::parse(&date, terms.timezone));
    let first = match (parse(span.last_closed), parse(span.first_booked)) {
        (Some(closed), _) => closed.next(),
        (None, Some(first)) => first,
        // An empty book still has its day.
        (None, None) => last,
    };
    let mut day = first;
    while day.date() <= last.date() && !stop.is_cancelled() {
        let made = make(store, terms, day, clock.now()).await?;
        info!(
            date = made.report.date,
            state = made.report.state.name(),
            ties_out = made.report.ties_out,
            "reported"
        );
        day = day.next();
    }
    Ok(())
}
