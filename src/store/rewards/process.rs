//! Processing a batch: claim, load, decide, save, in one transaction.
//!
//! | phase | statements |
//! |---|---|
//! | claim waiting postbacks, skipping those that other workers have claimed | 1 |
//! | load the values that people stated, if any | 1 |
//! | lock the users; load rewards, earlier tasks, cases and what is remembered | 7 at most |
//! | decide, in memory: by the caller, in `domain` | 0 |
//! | save rewards, verdicts, steps, balances, transfers, outcomes, cases, memories, tallies | 14 at most |
//! | create deliveries | 4 at most |
//!
//! A waiting postback is locked by its claim, a user by their row, a reward by its row and its unique key, so loaded data
//! cannot change before it is saved. If two workers meet on a new key, the second insert fails, nothing of that batch is
//! saved, and it starts again and reloads everything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::batch::{BatchOutcome, ExistingRewards, SourceTerms};
use domain::delivery::Subscriptions;
use domain::postback::event::{Event, Quarantine};
use domain::postback::stated::StatedBy;
use domain::time::TimestampMs;

use crate::db::deadline::PROCESS;
use crate::db::tx::{Tx, own_task};
use crate::postbacks::inbox::{Claim, WaitingPostback, claim};
use crate::postbacks::past::{self, PastCalls};
use crate::postbacks::{quarantine, source_tallies};
use crate::rewards::existing::load;
use crate::rewards::repeated::Repeated;
use crate::rewards::save;
use crate::{Result, Store};

/// A claimed postback after mapping.
#[derive(Clone, Debug)]
pub struct MappedPostback {
    /// The id of the postback.
    pub id: i64,
    /// The time of the call.
    pub received_at: TimestampMs,
    /// The event, or why the postback is quarantined.
    pub mapped: std::result::Result<Mapped, Quarantine>,
}

/// A mapped event with its source.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// From the settings.
    pub source: SourceTerms,
    /// Includes the values that people stated.
    pub event: Event,
    /// Whether the source's allowlist contains the caller; `None` without an allowlist.
    pub caller_listed: Option<bool>,
    /// The values that people stated, if any.
    pub stated: Option<StatedBy>,
}

/// A claimed batch in an open transaction.
///
/// ```text
/// Claimed ──load──▶ Loaded ──save──▶ Saved ──▶ committed by Store::process
/// ```
///
/// Dropping it before it is saved rolls everything back.
pub struct Claimed {
    /// In the order received; never empty.
    pub postbacks: Vec<WaitingPostback>,
    tx: Tx,
    subscriptions: Arc<Subscriptions>,
    repeated: Repeated,
    now: TimestampMs,
}

/// A claimed batch with all data for its decisions loaded and locked.
pub struct Loaded {
    claimed: Claimed,
}

/// A batch that is saved but not yet committed.
pub struct Saved {
    tx: Tx,
    processed: ProcessedBatch,
    notifies: bool,
}

/// A committed batch.
#[derive(Debug, Default)]
pub struct ProcessedBatch {
    /// The claimed postbacks.
    pub postbacks: Vec<WaitingPostback>,
    /// What the domain decided.
    pub outcome: BatchOutcome,
    /// How long its transaction lasted, the commit included.
    pub took: Duration,
    /// SQLite: true if another writer waited for it.
    pub was_awaited: bool,
}

impl Claimed {
    /// Loads the rewards, earlier tasks, cases and clicks that `batch` touches, and, if `remembers`, what is remembered of it;
    /// locks its users and rewards.
    pub async fn load(
        mut self,
        batch: &[MappedPostback],
        remembers: bool,
    ) -> Result<(Loaded, ExistingRewards)> {
        match load(&mut self.tx, batch, remembers).await {
            Ok(existing) => Ok((Loaded { claimed: self }, existing)),
            // Rolled back before the caller gets the error, so that all locks are released.
            Err(error) => self.tx.end(Err(error)).await,
        }
    }
}

impl Loaded {
    /// Saves the outcome. Fails unless exactly the claimed postbacks still wait and the rewards are as loaded.
    pub async fn save(self, outcome: BatchOutcome) -> Result<Saved> {
        let Claimed { postbacks, mut tx, subscriptions, repeated, now } = self.claimed;
        match save::save(&mut tx, &postbacks, &outcome, &subscriptions, &repeated, now).await {
            Ok(notifies) => {
                let processed = ProcessedBatch { postbacks, outcome, ..ProcessedBatch::default() };
                Ok(Saved { tx, processed, notifies })
            }
            Err(error) => tx.end(Err(error)).await,
        }
    }
}

impl Store {
    /// Claims `which`, runs `work` on it and commits, in one transaction in a task of its own; `None` if there was nothing
    /// to claim. On an error nothing was saved. `work` must be quick, because the transaction is open.
    pub async fn process<W>(
        &self,
        which: Claim,
        now: TimestampMs,
        work: impl FnOnce(Claimed) -> W + Send + 'static,
    ) -> Result<Option<ProcessedBatch>>
    where
        W: Future<Output = Result<Saved>> + Send + 'static,
    {
        self.process_taken(Taken::Waiting(which), now, work).await
    }

    /// Records `calls` and runs `work` on them, in one transaction: nobody else can claim them. `None` if all of them were
    /// taken before. Otherwise like [`Store::process`].
    pub async fn process_past<W>(
        &self,
        calls: PastCalls,
        now: TimestampMs,
        work: impl FnOnce(Claimed) -> W + Send + 'static,
    ) -> Result<Option<ProcessedBatch>>
    where
        W: Future<Output = Result<Saved>> + Send + 'static,
    {
        self.process_taken(Taken::Past(calls), now, work).await
    }

    async fn process_taken<W>(
        &self,
        taken: Taken,
        now: TimestampMs,
        work: impl FnOnce(Claimed) -> W + Send + 'static,
    ) -> Result<Option<ProcessedBatch>>
    where
        W: Future<Output = Result<Saved>> + Send + 'static,
    {
        let store = self.clone();
        own_task(async move {
            let processed = store.within(PROCESS, store.process_in_tx(taken, now, work)).await;
            store.commits.note(&processed);
            let processed = processed?;
            if processed.as_ref().is_some_and(|(_, notifies)| *notifies) {
                store.wake_forwarders();
            }
            Ok(processed.map(|(processed, _)| processed))
        })
        .await
    }

    async fn process_in_tx<W: Future<Output = Result<Saved>>>(
        &self,
        taken: Taken,
        now: TimestampMs,
        work: impl FnOnce(Claimed) -> W,
    ) -> Result<Option<(ProcessedBatch, bool)>> {
        let mut tx = self.begin_batch(matches!(taken, Taken::Waiting(_))).await?;
        let began = Instant::now();
        let postbacks = match taken {
            Taken::Waiting(which) => claim_with_stated(&mut tx, which).await,
            Taken::Past(calls) => past::record(&mut tx, calls, self.body_bytes_per_hour).await,
        };
        let postbacks = match postbacks {
            Ok(postbacks) if !postbacks.is_empty() => postbacks,
            nothing_or_error => return tx.end(nothing_or_error.map(|_| None)).await,
        };
        let (subscriptions, repeated) = (self.subscriptions.clone(), self.repeated.clone());
        let claimed = Claimed { postbacks, tx, subscriptions, repeated, now };
        let Saved { tx, mut processed, notifies } = work(claimed).await?;
        processed.was_awaited = tx.is_awaited();
        tx.end(Ok(())).await?;
        processed.took = began.elapsed();
        Ok(Some((processed, notifies)))
    }

    /// Quarantines a waiting postback with `reason`, because every attempt to process it failed. Does nothing if it no
    /// longer waits, or another worker has claimed it.
    pub async fn quarantine(&self, postback_id: i64, reason: String, now: TimestampMs) -> Result<()> {
        self.write(move |tx| Box::pin(async move { quarantine_waiting(tx, postback_id, &reason, now).await }))
            .await
    }
}

/// Where a batch comes from.
enum Taken {
    Waiting(Claim),
    Past(PastCalls),
}

/// Claims `which` and loads the values that people stated.
async fn claim_with_stated(tx: &mut Tx, which: Claim) -> Result<Vec<WaitingPostback>> {
    let mut postbacks = claim(tx, which).await?;
    if !postbacks.is_empty() {
        quarantine::load_stated(tx, &mut postbacks).await?;
    }
    Ok(postbacks)
}

async fn quarantine_waiting(tx: &mut Tx, postback_id: i64, reason: &str, now: TimestampMs) -> Result<()> {
    let claimed = claim(tx, Claim::Only(postback_id)).await?;
    let quarantined = claimed.iter().map(|postback| (postback.id, Quarantine { reason: reason.to_owned() }));
    let outcome = BatchOutcome::default().with_quarantined(quarantined);
    save::outcomes(tx, &outcome, &[], now).await?;
    source_tallies::add(tx, &claimed, &outcome.postbacks).await
}
