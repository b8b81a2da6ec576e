//! The nightly reconciliation: reports of the days that are over, in order, preliminary at first and then closed.

use std::ops::Range;

use chrono_tz::Tz;
use domain::report::day::{BusinessDay, NaiveTime};
use domain::report::{Report, State};
use domain::time::{Clock, TimestampMs};
use store::Store;
use store::reports::{Kept, ReportSpan, ReportTerms};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// What the settings say of reports.
#[derive(Clone, Copy, Debug)]
pub struct ReportConfig {
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

impl ReportConfig {
    /// The last day whose report is due at `now`.
    pub fn last_due(&self, now: TimestampMs) -> Option<BusinessDay> {
        let today = BusinessDay::of(now, self.timezone)?;
        [today.previous(), today.minus(2)].into_iter().find(|day| now >= day.reported_at(self.time))
    }
}

/// How often a report is made again because the day before it was closed meanwhile.
const TRIES: u32 = 5;

/// How many days before the first one a report may be asked for and kept: each of them gets one in the night.
const DAYS_BEFORE_THE_FIRST: u64 = 31;

/// Makes the report of `day`, unless the day is closed: then what stands there stays, byte for byte. Days before it that
/// are not closed are made first, because each goes on from the one before. Somebody who asks for a day a little before
/// everything that is known lets the reports begin there, unless a day is closed already: then, as further back, the
/// report is made and not kept, because nothing could go on from it.
pub async fn make(
    store: &Store,
    terms: &ReportConfig,
    day: BusinessDay,
    now: TimestampMs,
) -> Result<Made, store::Error> {
    let span = store.report_span().await?;
    let known = first_day(&span, terms.timezone);
    let earlier =
        known.filter(|_| span.last_closed.is_none()).map(|known| known.minus(DAYS_BEFORE_THE_FIRST));
    let first = match earlier {
        Some(earlier) if earlier.date() <= day.date() => {
            known.into_iter().chain([day]).min_by_key(|day| day.date())
        }
        _ => known,
    };
    if let Some(first) = first {
        make_open(store, terms, &span, first..day, || Some(now)).await?;
    }
    make_from(store, terms, day, first, now).await
}

/// Makes the report of each day of `days` that is not closed yet, in order, until there is no `now` any more. Reports begin
/// with the first of these days.
async fn make_open(
    store: &Store,
    terms: &ReportConfig,
    span: &ReportSpan,
    days: Range<BusinessDay>,
    now: impl Fn() -> Option<TimestampMs>,
) -> Result<(), store::Error> {
    let Range { start: first, end } = days;
    let mut day = last_closed(span, terms.timezone).map_or(first, BusinessDay::next);
    while day.date() < end.date()
        && let Some(now) = now()
    {
        let made = make_from(store, terms, day, Some(first), now).await?;
        let (state, ties_out) = (made.report.state.name(), made.report.ties_out);
        info!(date = made.report.date, state, ties_out, "reported");
        day = day.next();
    }
    Ok(())
}

/// Makes the report of `day`, where reports begin with the day `first`.
async fn make_from(
    store: &Store,
    terms: &ReportConfig,
    day: BusinessDay,
    first: Option<BusinessDay>,
    now: TimestampMs,
) -> Result<Made, store::Error> {
    let is_kept = first.is_some_and(|first| first.date() <= day.date());
    let mut tries = 1;
    loop {
        match try_to_make(store, terms, day, is_kept, now).await {
            Err(store::Error::Contended(why)) if tries < TRIES => {
                debug!(why, "another worker closed a day; reading the facts again");
                tries += 1;
            }
            made => return made,
        }
    }
}

async fn try_to_make(
    store: &Store,
    terms: &ReportConfig,
    day: BusinessDay,
    is_kept: bool,
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
    let kept = if is_kept { store.keep_report(&report, now).await? } else { Kept::BeforeTheFirst };
    if let Some(row) = closed(store.report(&date).await?).filter(|_| kept == Kept::ClosedBefore) {
        // Another worker closed the day in between.
        return Ok(Made { report: row.report()?, kept });
    }
    if !report.ties_out {
        warn!(date, faults = report.faults.len(), "a report does not tie out: {}", report.faults.join("; "));
    }
    Ok(Made { report, kept })
}

/// The day with which the reports begin: the first on which anybody listened, or anything was received, booked or
/// reported. Nothing is known of a day before it, so nothing is reported of one.
fn first_day(span: &ReportSpan, zone: Tz) -> Option<BusinessDay> {
    let parse = |date: &Option<String>| BusinessDay::parse(date.as_deref()?, zone);
    let received = span.first_received.and_then(|at| BusinessDay::of(TimestampMs(at), zone));
    let listened = span.first_listened.and_then(|at| BusinessDay::of(TimestampMs(at), zone));
    let days = [parse(&span.first_booked), parse(&span.first_reported), received, listened];
    days.into_iter().flatten().min_by_key(|day| day.date())
}

fn last_closed(span: &ReportSpan, zone: Tz) -> Option<BusinessDay> {
    BusinessDay::parse(span.last_closed.as_deref()?, zone)
}

/// Makes the reports of every day up to `slot` that is not closed yet, in order. Safe to run twice, and at the same
/// time: a day is closed once, after the day before it, and what is made is the same.
pub async fn make_up_to(
    store: &Store,
    terms: &ReportConfig,
    slot: &str,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<(), store::Error> {
    let Some(last) = BusinessDay::parse(slot, terms.timezone) else {
        warn!(slot, "a report is asked for a day that is none");
        return Ok(());
    };
    let span = store.report_span().await?;
    // A new installation has no day that is over.
    let Some(first) = first_day(&span, terms.timezone) else { return Ok(()) };
    make_open(store, terms, &span, first..last.next(), || (!stop.is_cancelled()).then(|| clock.now())).await
}
