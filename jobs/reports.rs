//! The nightly reconciliation: reports of past days, in order; each is preliminary first and then closed.

use std::ops::Range;

use chrono_tz::Tz;
use domain::report::day::{BusinessDay, NaiveTime};
use domain::report::{Report, State};
use domain::time::{Clock, TimestampMs};
use store::Store;
use store::reports::{Kept, ReportSpan, ReportTerms};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// The settings of reports.
#[derive(Clone, Copy, Debug)]
pub struct ReportConfig {
    /// The time zone of business days.
    pub timezone: Tz,
    /// The time on the next day when a day's report is made.
    pub time: NaiveTime,
    /// A day is closed this many hours after its end.
    pub cut_off_hours: u32,
    /// How long networks repeat a postback that was not acknowledged, in milliseconds.
    pub retry_horizon_ms: i64,
}

/// A report, new or already closed.
#[derive(Clone, Debug)]
pub struct Made {
    /// The report that now counts.
    pub report: Report,
    /// Whether it is new and saved.
    pub kept: Kept,
}

impl ReportConfig {
    /// The last day whose report is due at `now`.
    pub fn last_due(&self, now: TimestampMs) -> Option<BusinessDay> {
        let today = BusinessDay::of(now, self.timezone)?;
        [today.previous(), today.minus(2)].into_iter().find(|day| now >= day.reported_at(self.time))
    }
}

/// Attempts at a report when the previous day is closed meanwhile.
const TRIES: u32 = 5;

/// A report may be requested and saved for up to this many days before the first day with data; the days between get
/// theirs at night.
const DAYS_BEFORE_THE_FIRST: u64 = 31;

/// Makes the report of `day`; a closed report stays unchanged, byte for byte. Open days before it are made first, because
/// each report continues the previous one. Requesting a day shortly before the first day with data lets the reports start
/// there. If any day is already closed, or the day is earlier still, the report is made but not saved, because no other
/// report could continue it.
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

/// Makes the reports of the open days in `days`, in order, until `now` returns `None`. Reports start with the first of
/// these days.
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
        info!(date = made.report.date, state, ties_out, "a report was made");
        day = day.next();
    }
    Ok(())
}

/// Makes the report of `day`, where reports start with the day `first`.
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
                debug!(why, "another worker closed a day; making the report again");
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
        // Another worker closed the day meanwhile.
        return Ok(Made { report: row.report()?, kept });
    }
    if !report.ties_out {
        warn!(date, faults = report.faults.len(), "a report does not tie out: {}", report.faults.join("; "));
    }
    Ok(Made { report, kept })
}

/// The first day with a report: the first on which a process was listening, or anything was received, booked or reported.
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

/// Makes the reports of all open days up to `slot`, in order. Safe to run twice, also at the same time: a day is closed
/// once, after the previous day, and the result is the same.
pub async fn make_up_to(
    store: &Store,
    terms: &ReportConfig,
    slot: &str,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<(), store::Error> {
    let Some(last) = BusinessDay::parse(slot, terms.timezone) else {
        warn!(slot, "the slot of a report job is not a valid business date; the job is dropped");
        return Ok(());
    };
    let span = store.report_span().await?;
    // A new installation has no past day.
    let Some(first) = first_day(&span, terms.timezone) else { return Ok(()) };
    make_open(store, terms, &span, first..last.next(), || (!stop.is_cancelled()).then(|| clock.now())).await
}
