//! Retention: deletes expired data in small steps with pauses.

use std::time::{Duration, Instant};

use domain::time::TimestampMs;
use domain::traffic::silence;
use metrics::counter;
use store::Store;
use store::operations::retention::{PostbackTerms, Purged};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Pause between two steps, which gives way to postbacks.
const STEP_PAUSE: Duration = Duration::from_millis(50);
/// Interval of log lines about the progress.
const LOG_EVERY: Duration = Duration::from_secs(10);
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Retention of apalis's rows of finished jobs.
const FINISHED_JOBS_DAYS: u32 = 7;
/// Retention of the hourly counts of data rules and stored bodies.
const TALLIES_DAYS: u32 = 7;

/// Retention periods in days; 0 means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPeriods {
    /// Raw postbacks that were processed, repeats and information.
    pub postbacks_days: u32,
    /// Postbacks that could not be mapped.
    pub quarantined_days: u32,
    /// Refused calls.
    pub refused_days: u32,
    /// Full addresses of users and in the audit.
    pub addresses_days: u32,
}

/// Data from before this time has expired; `None` if it never expires.
fn before(now: TimestampMs, days: u32) -> Option<TimestampMs> {
    (days > 0).then(|| TimestampMs(now.0.saturating_sub(i64::from(days) * DAY_MS)))
}

/// Deletes expired data until nothing is left, or `stop` is cancelled. Safe to run twice, also at the same time.
pub(crate) async fn purge(
    store: &Store,
    terms: RetentionPeriods,
    now: TimestampMs,
    stop: &CancellationToken,
) -> Result<(), store::Error> {
    let postbacks = PostbackTerms {
        processed_before: before(now, terms.postbacks_days),
        quarantined_before: before(now, terms.quarantined_days),
    };
    let due = [
        Some(Due::Postbacks(postbacks)),
        before(now, terms.refused_days).map(Due::Refused),
        before(now, terms.addresses_days).map(Due::Addresses),
        before(now, terms.addresses_days).map(Due::AuditAddresses),
    ];
    for due in due.into_iter().flatten() {
        due.step_by_step(store, stop).await?;
    }
    if let Some(before) = before(now, TALLIES_DAYS) {
        store.forget_tallies(before).await?;
    }
    if let Some(before) = before(now, silence::KEPT_DAYS) {
        store.forget_source_tallies(before).await?;
    }
    while !stop.is_cancelled() && store.forget_sightings(now, terms.addresses_days).await? {
        tokio::time::sleep(STEP_PAUSE).await;
    }
    if let Some(before) = before(now, FINISHED_JOBS_DAYS) {
        store.prune_jobs(before).await?;
    }
    Ok(())
}

/// A kind of expired data, with the time before which it has expired.
#[derive(Clone, Copy)]
enum Due {
    Postbacks(PostbackTerms),
    Refused(TimestampMs),
    Addresses(TimestampMs),
    AuditAddresses(TimestampMs),
}

impl Due {
    async fn step_by_step(self, store: &Store, stop: &CancellationToken) -> Result<(), store::Error> {
        let (mut rows, mut next) = (0, Some(0));
        let (began, mut logged_at) = (Instant::now(), Instant::now());
        while let Some(after) = next.filter(|_| !stop.is_cancelled()) {
            let purged = self.step(store, after).await?;
            counter!("rewardgate_purged_total", "what" => self.name()).increment(purged.rows);
            rows += purged.rows;
            next = purged.next;
            if logged_at.elapsed() >= LOG_EVERY {
                logged_at = Instant::now();
                info!(
                    what = self.name(),
                    rows,
                    seconds = began.elapsed().as_secs(),
                    "expired data is being deleted"
                );
            }
            if next.is_some() {
                tokio::time::sleep(STEP_PAUSE).await;
            }
        }
        if rows > 0 {
            info!(what = self.name(), rows, "expired data was deleted");
        }
        Ok(())
    }

    async fn step(self, store: &Store, after: i64) -> Result<Purged, store::Error> {
        match self {
            Self::Postbacks(terms) => store.purge_postbacks(terms, after).await,
            Self::Refused(before) => store.purge_refused(before).await,
            Self::Addresses(before) => store.shorten_addresses(before).await,
            Self::AuditAddresses(before) => store.forget_audit_addresses(before).await,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postbacks(_) => "postbacks",
            Self::Refused(_) => "refused",
            Self::Addresses(_) => "addresses",
            Self::AuditAddresses(_) => "audit_addresses",
        }
    }
}
