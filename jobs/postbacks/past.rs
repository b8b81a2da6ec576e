//! Calls of the past, recorded and processed at the time they came, by the code that processes live ones.
//!
//! Between two days of the past (UTC) runs what the night does. A batch never crosses midnight, so that what is learned then
//! is the same as it would have been.

use std::sync::Arc;

use domain::time::{DAY_MS, TimestampMs};
use store::Store;
use store::postbacks::inbox::{Claim, NewPostback};
use store::rewards::process::ProcessedBatch;
use tokio_util::sync::CancellationToken;

use super::process::{Processor, process};
use crate::baselines;

/// Postbacks that are recorded and processed at once.
pub const BATCH: usize = 500;
/// Runs after the last call of a day and before the first of the next: what the night does for the day that ended. What is
/// normal is learned from it, and decides from then on.
async fn between_days(
    store: &Store,
    processor: &Processor,
    day_end: TimestampMs,
) -> Result<(), store::Error> {
    let terms = processor.policy.baseline;
    baselines::make(store, terms, day_end, &CancellationToken::new(), |_| {}).await?;
    baselines::take_up(store, &processor.baseline, day_end).await?;
    while store.forget_sightings(day_end, 0).await? {}
    Ok(())
}

/// Takes calls in the order of their time.
pub struct Past {
    store: Store,
    processor: Arc<Processor>,
    batch: Vec<NewPostback>,
}

impl Past {
    /// Processes into `store`.
    pub fn new(store: Store, processor: Arc<Processor>) -> Self {
        Self { store, processor, batch: Vec::with_capacity(BATCH) }
    }

    /// Takes the next call, whose time must not be before that of the last one. Returns what was processed, if a batch was
    /// full or a part of the day is over.
    pub async fn take(&mut self, postback: NewPostback) -> Result<Vec<ProcessedBatch>, store::Error> {
        let mut processed = Vec::new();
        if let Some(last) = self.batch.last().map(|last| last.received_at) {
            let next = postback.received_at;
            let is_over = last.0.div_euclid(DAY_MS) != next.0.div_euclid(DAY_MS);
            if self.batch.len() >= BATCH || is_over {
                processed = self.flush().await?;
            }
            if is_over {
                self.pass(last, next).await?;
            }
        }
        self.batch.push(postback);
        Ok(processed)
    }

    /// Processes what was taken.
    pub async fn flush(&mut self) -> Result<Vec<ProcessedBatch>, store::Error> {
        let batch = std::mem::take(&mut self.batch);
        let Some(now) = batch.last().map(|last| last.received_at) else { return Ok(Vec::new()) };
        self.store.record(Arc::new(batch)).await?;
        drain(&self.store, &self.processor, now).await
    }

    /// What runs between `last` and `next`, which are of different days. Of a pause of many days only the nights at its ends
    /// count: in between nothing happened.
    async fn pass(&self, last: TimestampMs, next: TimestampMs) -> Result<(), store::Error> {
        let first = (last.0.div_euclid(DAY_MS) + 1) * DAY_MS;
        let midnight = next.0.div_euclid(DAY_MS) * DAY_MS;
        between_days(&self.store, &self.processor, TimestampMs(first)).await?;
        if first < midnight {
            between_days(&self.store, &self.processor, TimestampMs(midnight)).await?;
        }
        Ok(())
    }
}

/// Processes everything that waits. Postbacks of a batch that cannot be saved are processed one by one, and those that cannot
/// be saved alone are quarantined.
async fn drain(
    store: &Store,
    processor: &Arc<Processor>,
    now: TimestampMs,
) -> Result<Vec<ProcessedBatch>, store::Error> {
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let mut all = Vec::new();
    loop {
        match process(store, processor.clone(), Claim::First(limit), now).await {
            Ok(batch) if batch.postbacks.is_empty() => return Ok(all),
            Ok(batch) => all.push(batch),
            Err(error) if error.is_broken() || error.is_transient() => return Err(error),
            Err(_) => {
                for id in store.first_waiting(limit).await? {
                    match process(store, processor.clone(), Claim::Only(id), now).await {
                        Ok(batch) => all.push(batch),
                        Err(error) if error.is_broken() || error.is_transient() => return Err(error),
                        Err(error) => {
                            store.quarantine(id, format!("it could not be saved: {error}"), now).await?;
                        }
                    }
                }
            }
        }
    }
}
