//! Processing a batch: claim, load, decide, save, in one transaction.
//!
//! | phase | statements |
//! |---|---|
//! | claim what waits, skipping what others have claimed | 1 |
//! | what people stated of it, only if they stated anything | 1 |
//! | lock the users, load the rewards, earlier tasks and cases it touches | 5 at most |
//! | decide, in memory: by the caller, in `domain` | 0 |
//! | save rewards, verdicts, steps, balances, transfers, outcomes, cases, tallies | 11 at most |
//! | write down what apps are to be told of it | 4 at most |
//!
//! A row that waits is locked by its claim, a user by their row, a reward by its row and its unique key, so what was
//! loaded cannot change before it is saved. Should two workers meet on a new key all the same, the second one's
//! insert fails, nothing of it is saved, and it starts again with fresh facts.

use std::sync::Arc;

use domain::batch::{BatchOutcome, ExistingRewards, SourceTerms};
use domain::delivery::Subscriptions;
use domain::postback::event::{Event, Quarantine};
use domain::postback::stated::StatedBy;
use domain::time::TimestampMs;

use crate::db::deadline::PROCESS;
use crate::db::tx::{Tx, own_task};
use crate::postbacks::inbox::{Claim, WaitingPostback, claim};
use crate::postbacks::quarantine;
use crate::rewards::existing::load;
use crate::rewards::save;
use crate::{Result, Store};

/// A claimed postback with what it says.
#[derive(Clone, Debug)]
pub struct MappedPostback {
    /// Its row.
    pub id: i64,
    /// When.
    pub received_at: TimestampMs,
    /// What it says, or why it says nothing.
    pub mapped: std::result::Result<Mapped, Quarantine>,
}

/// An event of a source that is in the settings.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// The source.
    pub source: SourceTerms,
    /// What it reports.
    pub event: Event,
    /// Whether the source's list names the caller; `None` without a list.
    pub caller_listed: Option<bool>,
    /// What people stated of it, if they did; the event says it, too.
    pub stated: Option<StatedBy>,
}

/// A batch in hand: claimed, in an open transaction, so that nobody else can change what it touches.
///
/// ```text
/// Claimed ──load──▶ Loaded ──save──▶ Saved ──▶ committed by Store::process
/// ```
///
/// Dropped before it is saved, all of it is as it was.
pub struct Claimed {
    /// What was claimed, in the order received; never empty.
    pub postbacks: Vec<WaitingPostback>,
    tx: Tx,
    subscriptions: Arc<Subscriptions>,
    now: TimestampMs,
}

/// A claimed batch of which everything is known that decides.
pub struct Loaded {
    claimed: Claimed,
}

/// A batch that is saved, but not yet durable.
pub struct Saved {
    tx: Tx,
    processed: ProcessedBatch,
    notifies: bool,
}

/// A batch that is durable.
#[derive(Debug, Default)]
pub struct ProcessedBatch {
    /// What was claimed.
    pub postbacks: Vec<WaitingPostback>,
    /// What was decided.
    pub outcome: BatchOutcome,
}

impl Claimed {
    /// Loads the rewards, earlier tasks, cases and clicks that `batch` touches, and locks its users and rewards.
    pub async fn load(mut self, batch: &[MappedPostback]) -> Result<(Loaded, ExistingRewards)> {
        match load(&mut self.tx, batch).await {
            Ok(existing) => Ok((Loaded { claimed: self }, existing)),
            // Whoever hears of it finds everything let go of.
            Err(error) => self.tx.end(Err(error)).await,
        }
    }
}

impl Loaded {
    /// Saves what was decided. Exactly the claimed postbacks must still wait, and the rewards still be as loaded.
    pub async fn save(self, outcome: BatchOutcome) -> Result<Saved> {
        let Claimed { postbacks, mut tx, subscriptions, now } = self.claimed;
        match save::save(&mut tx, &outcome, &subscriptions, now).await {
            Ok(notifies) => Ok(Saved { tx, processed: ProcessedBatch { postbacks, outcome }, notifies }),
            Err(error) => tx.end(Err(error)).await,
        }
    }
}

impl Store {
    /// Claims `which`, does `work` with it and makes it durable, in one transaction and in a task of its own; `None` if
    /// there was nothing to claim. Any error means that nothing was saved. `work` must be quick: the transaction is open.
    pub async fn process<W>(
        &self,
        which: Claim,
        now: TimestampMs,
        work: impl FnOnce(Claimed) -> W + Send + 'static,
    ) -> Result<Option<ProcessedBatch>>
    where
        W: Future<Output = Result<Saved>> + Send + 'static,
    {
        let store = self.clone();
        own_task(async move {
            let processed = store.within(PROCESS, store.process_in_tx(which, now, work)).await;
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
        which: Claim,
        now: TimestampMs,
        work: impl FnOnce(Claimed) -> W,
    ) -> Result<Option<(ProcessedBatch, bool)>> {
        let mut tx = self.begin().await?;
        let postbacks = match claim_filled(&mut tx, which).await {
            Ok(postbacks) if !postbacks.is_empty() => postbacks,
            nothing => return tx.end(nothing.map(|_| None)).await,
        };
        let subscriptions = self.subscriptions.clone();
        let Saved { tx, processed, notifies } = work(Claimed { postbacks, tx, subscriptions, now }).await?;
        tx.end(Ok(())).await?;
        Ok(Some((processed, notifies)))
    }

    /// Puts a postback aside with `reason`, without judging it: it made every attempt fail. Does nothing if it does
    /// not wait any more, or another worker has it in hand.
    pub async fn quarantine(&self, postback_id: i64, reason: String, now: TimestampMs) -> Result<()> {
        self.write(move |tx| Box::pin(async move { put_aside(tx, postback_id, &reason, now).await })).await
    }
}

/// What `which` claims, with what people stated of it.
async fn claim_filled(tx: &mut Tx, which: Claim) -> Result<Vec<WaitingPostback>> {
    let mut postbacks = claim(tx, which).await?;
    if !postbacks.is_empty() {
        quarantine::load_stated(tx, &mut postbacks).await?;
    }
    Ok(postbacks)
}

async fn put_aside(tx: &mut Tx, postback_id: i64, reason: &str, now: TimestampMs) -> Result<()> {
    let claimed = claim(tx, Claim::Only(postback_id)).await?;
    let quarantined = claimed.iter().map(|postback| (postback.id, Quarantine { reason: reason.to_owned() }));
    let outcome = BatchOutcome::default().with_quarantined(quarantined);
    save::outcomes(tx, &outcome, &[], now).await
}
