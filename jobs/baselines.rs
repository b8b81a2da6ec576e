//! Baselines: made every night from what is settled, and taken up by every process that decides.

use std::time::Duration;

use domain::baseline::completion::{ClickKey, Completion, Gaps};
use domain::baseline::shares::{SHARES_DAYS, odd_shares};
use domain::baseline::sharing::{SHARING_DAYS, SharedNetwork, Sharing};
use domain::baseline::{Baseline, Gathering, LOCATED_DAYS};
use domain::policy::BaselineTerms;
use domain::time::{Clock, DAY_MS, TimestampMs};
use store::Store;
use store::rewards::completions::{CompletionRow, Cursor};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::current::Current;
use crate::shutdown::rest;

/// Completions that are read at once.
const READ_AT_ONCE: i64 = 5_000;
/// Sub ids and offers that are compared with their network: the largest.
const MOST_SHARES: i64 = 20_000;
/// How often a process looks for a newer baseline; it is used within a minute.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A baseline that was made.
#[derive(Debug)]
pub struct Made {
    /// The figures.
    pub baseline: Baseline,
    /// Completions that it was made from.
    pub completions: u64,
    /// False if it says the same as one that was there.
    pub is_new: bool,
}

/// Makes the baseline as of `now` and keeps it; `None` if `stop` was cancelled meanwhile. `on_read` is called with the
/// number of completions after each page. Safe to run twice, also at the same time: the same completions make the same
/// baseline.
pub async fn make(
    store: &Store,
    terms: BaselineTerms,
    now: TimestampMs,
    stop: &CancellationToken,
    on_read: impl Fn(usize) + Sync,
) -> Result<Option<Made>, store::Error> {
    let window = Gathering::window(now);
    let mut gathering = Gathering::new(now, terms.settled_after_days);
    let (mut gaps, mut cursor, mut completions) = (Gaps::default(), Cursor::at(window.start), 0);
    loop {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let rows = store.completions(cursor, window.end, READ_AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        cursor = last.cursor();
        on_read(rows.len());
        completions += u64::try_from(rows.len()).unwrap_or_default();
        for row in rows {
            gathering.add(completion(row, &mut gaps));
        }
    }
    let located = store.located_sources(TimestampMs(now.0 - LOCATED_DAYS * DAY_MS)).await?;
    let (shares, whole) = store.shares(TimestampMs(now.0 - SHARES_DAYS * DAY_MS), MOST_SHARES).await?;
    let Some(shared_networks) = shared_networks(store, now, stop).await? else { return Ok(None) };
    let baseline = gathering.with(odd_shares(&shares, &whole), shared_networks).finish(&located);
    let (version, content) = (baseline.version().to_owned(), baseline.content());
    let is_new = store.keep_baseline(version, content, now).await?;
    Ok(Some(Made { baseline, completions, is_new }))
}

/// The networks whose addresses many share; `None` if `stop` was cancelled meanwhile.
async fn shared_networks(
    store: &Store,
    now: TimestampMs,
    stop: &CancellationToken,
) -> Result<Option<Vec<SharedNetwork>>, store::Error> {
    let (mut sharing, mut cursor) =
        (Sharing::default(), Cursor::at(TimestampMs(now.0 - SHARING_DAYS * DAY_MS)));
    loop {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let rows = store.addresses(cursor, READ_AT_ONCE).await?;
        let Some(last) = rows.last() else { return Ok(Some(sharing.finish())) };
        cursor = last.cursor();
        for row in &rows {
            if let Some(ip) = &row.ip {
                sharing.add(&row.app, &row.user_id, ip, TimestampMs(row.received_at));
            }
        }
    }
}

fn completion(row: CompletionRow, gaps: &mut Gaps) -> Completion {
    let (offer_id, received_at) = (row.offer_id, TimestampMs(row.received_at));
    let since_the_last = |clicked_at: i64| {
        let clicked_at = TimestampMs(clicked_at);
        let (source, user_id, offer_id) = (row.source.clone(), row.user_id, offer_id.clone());
        gaps.since_the_last(&ClickKey { source, user_id, offer_id, clicked_at }, received_at)
    };
    Completion {
        // A click ahead of our clock says nothing of the time taken.
        took_ms: row
            .clicked_at
            .map(|clicked_at| row.received_at - clicked_at)
            .filter(|took_ms| *took_ms >= 0),
        gap_ms: row.clicked_at.and_then(since_the_last),
        source: row.source,
        offer_id,
        event_id: row.event_id,
        tx: row.tx,
        received_at,
        reward: row.reward_micros.map(domain::money::Micros),
        payout: row.payout_micros.map(domain::money::Micros),
    }
}

/// Takes up the newest baseline if it is not the current one.
pub async fn take_up(
    store: &Store,
    current: &Current<Baseline>,
    now: TimestampMs,
) -> Result<(), store::Error> {
    let version = current.get().version().to_owned();
    let Some(newer) = store.newest_baseline(&version).await? else { return Ok(()) };
    match Baseline::parse(&newer.content) {
        Ok(baseline) => {
            // Before it decides anything: a baseline that verdicts name is kept for good.
            store.use_baseline(newer.version, now).await?;
            info!(version = baseline.version(), offers = baseline.offers().len(), "a baseline was taken up");
            current.replace(baseline);
        }
        Err(error) => {
            warn!(version = newer.version, %error, "the newest baseline cannot be read; the one before stays in use");
        }
    }
    Ok(())
}

/// Takes up every new baseline until `stop` is cancelled.
pub async fn follow(store: &Store, current: &Current<Baseline>, clock: &Clock, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = take_up(store, current, clock.now()).await {
            warn!(%error, "whether there is a newer baseline is unknown; trying again");
        }
        rest(stop, LOOK_EVERY).await;
    }
}
