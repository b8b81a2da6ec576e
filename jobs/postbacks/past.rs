//! Calls of the past, recorded and processed at the time they came, by the code that processes live ones.
//!
//! Between two days of the past (UTC) runs what the night does. A batch never crosses midnight, so that what is learned then
//! is the same as it would have been.

use std::sync::Arc;

use domain::time::{DAY_MS, TimestampMs};
use store::Store;
use store::postbacks::inbox::NewPostback;
use store::postbacks::past::PastCalls;
use store::rewards::process::{Claimed, ProcessedBatch};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::process::Processor;
use crate::baselines;

/// Postbacks that are recorded and processed at once: about as many as a worker takes, because larger statements take memory.
pub const BATCH: usize = 250;
/// Retries of a batch after a worker was first.
const CONTENDED_TRIES: u32 = 10;

/// The actor of steps that settle what was paid long ago.
pub const ACTOR_IMPORT: &str = "import";
/// Why it releases what the rules hold.
const PAID_BEFORE: &str = "imported as settled history: it was paid before";

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

/// What becomes of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What the rules decide, as if they had come live.
    Assess,
    /// What the network said, whatever the rules decide; a call that was imported before is left out.
    Settle,
}

/// A call that cannot be saved, and why.
#[derive(Clone, Debug)]
pub struct Unsaved {
    /// As it was given.
    pub postback: NewPostback,
    /// For people.
    pub reason: String,
}

/// Calls that were processed together, or none of them.
#[derive(Debug, Default)]
pub struct Processed {
    /// Batches in their order.
    pub batches: Vec<ProcessedBatch>,
    /// Calls that cannot be saved, not even alone.
    pub unsaved: Vec<Unsaved>,
    /// Calls that are done: processed, unsaved, or imported before.
    pub done: usize,
}

/// Takes calls in the order of their time.
pub struct Past {
    store: Store,
    processor: Arc<Processor>,
    purpose: Purpose,
    batch: Vec<NewPostback>,
}

impl Past {
    /// Processes into `store`.
    pub fn new(store: Store, processor: Arc<Processor>, purpose: Purpose) -> Self {
        Self { store, processor, purpose, batch: Vec::with_capacity(BATCH) }
    }

    /// Takes the next call, whose time must not be before that of the last one. Returns what was processed, if a batch was
    /// full or a part of the day is over.
    pub async fn take(&mut self, postback: NewPostback) -> Result<Processed, store::Error> {
        let mut processed = Processed::default();
        if let Some(last) = self.batch.last().map(|last| last.received_at) {
            let next = postback.received_at;
            let is_over = last.0.div_euclid(DAY_MS) != next.0.div_euclid(DAY_MS);
            if self.batch.len() >= BATCH || is_over {
                processed = self.flush().await?;
            }
            // History that is settled is learned from at once, at its end.
            if is_over && self.purpose == Purpose::Assess {
                self.pass(last, next).await?;
            }
        }
        self.batch.push(postback);
        Ok(processed)
    }

    /// Processes what was taken. If that cannot be saved together, each call is processed alone.
    pub async fn flush(&mut self) -> Result<Processed, store::Error> {
        let batch = std::mem::take(&mut self.batch);
        let mut processed = Processed { done: batch.len(), ..Processed::default() };
        match self.process(&batch).await {
            Ok(done) => processed.batches.extend(done),
            Err(error) if error.is_broken() || error.is_transient() => return Err(error),
            Err(_) => {
                for postback in batch {
                    match self.process(std::slice::from_ref(&postback)).await {
                        Ok(done) => processed.batches.extend(done),
                        Err(error) if error.is_broken() || error.is_transient() => return Err(error),
                        Err(error) => {
                            let reason = format!("it cannot be saved: {error}");
                            processed.unsaved.push(Unsaved { postback, reason });
                        }
                    }
                }
            }
        }
        Ok(processed)
    }

    /// Processes `postbacks` together; again, if a worker was first at one of their rewards.
    async fn process(&self, postbacks: &[NewPostback]) -> Result<Option<ProcessedBatch>, store::Error> {
        for _ in 0..CONTENDED_TRIES {
            match self.process_once(postbacks.to_vec()).await {
                Err(store::Error::Contended(why)) => debug!(why, "a worker was first; processing again"),
                done => return done,
            }
        }
        self.process_once(postbacks.to_vec()).await
    }

    async fn process_once(
        &self,
        postbacks: Vec<NewPostback>,
    ) -> Result<Option<ProcessedBatch>, store::Error> {
        let Some(now) = postbacks.last().map(|last| last.received_at) else { return Ok(None) };
        let (processor, is_settled) = (self.processor.clone(), self.purpose == Purpose::Settle);
        let load_decide_save = async move |claimed: Claimed| {
            let batch: Vec<_> = claimed.postbacks.iter().map(|postback| processor.map(postback)).collect();
            let (loaded, existing) = claimed.load(&batch, processor.policy.remembers()).await?;
            let outcome = processor.decide(batch, existing, now);
            let outcome = if is_settled {
                outcome.with_holds_released(ACTOR_IMPORT, PAID_BEFORE, now)
            } else {
                outcome
            };
            loaded.save(outcome).await
        };
        let calls = PastCalls { postbacks, once: is_settled };
        self.store.process_past(calls, now, load_decide_save).await
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
