//! Processing: waiting postbacks become rewards, verdicts and ledger entries.
//!
//! `store` loads and saves, `domain` decides. [`Processor`] combines the pure parts; [`Processing`] runs them batch by
//! batch.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use domain::baseline::Baseline;
use domain::batch::{BatchOutcome, ExistingRewards, Incoming, SourceTerms};
use domain::caller::CallerList;
use domain::lists::hit::addresses;
use domain::lists::matcher::{Lists, Subject};
use domain::lists::own::OwnNetworks;
use domain::location::{compare, suspicion};
use domain::policy::Policy;
use domain::postback::event::{Params, Quarantine};
use domain::postback::mapping::map_stated;
use domain::time::{Clock, TimestampMs};
use geo::Geo;
use metrics::{counter, gauge, histogram};
use store::Store;
use store::postbacks::inbox::{Claim, WaitingPostback};
use store::rewards::process::{Claimed, Mapped, MappedPostback, ProcessedBatch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::pace::{Taken, next_batch};
use crate::current::Current;
use crate::lists::LiveLists;
use crate::metrics::{record, seconds};
use crate::shutdown::rest;

/// Retries of a batch after another worker was first; after that its postbacks are processed one by one.
const CONTENDED_TRIES: u32 = 10;
/// The first and the longest pause while the database is unavailable.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The settings of a source for processing.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// App, currency and rates.
    pub terms: SourceTerms,
    /// Names of the network's parameters.
    pub params: Params,
    /// The network's published addresses; may be empty.
    pub callers: CallerList,
}

/// Everything that processing needs besides the database.
pub struct Processor {
    /// By name.
    pub sources: BTreeMap<String, SourceSettings>,
    /// The current policy.
    pub policy: Policy,
    /// Locates addresses.
    pub geo: Geo,
    /// What is normal; replaced when there is a newer one.
    pub baseline: Current<Baseline>,
    /// The lists of people.
    pub lists: LiveLists,
    /// Hosting networks and relays that the settings name.
    pub own_networks: OwnNetworks,
    /// The time zone of business days.
    pub timezone: Tz,
    /// Called after each committed batch.
    pub observer: Option<Observer>,
}

impl fmt::Debug for Processor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Processor({} sources, policy {})", self.sources.len(), self.policy.version())
    }
}

impl Processor {
    /// Maps a postback to an event, or to the reason for its quarantine.
    pub fn map(&self, postback: &WaitingPostback) -> MappedPostback {
        let mapped = match self.sources.get(&postback.source) {
            Some(source) => {
                let stated = postback.stated.as_ref().map(|by| by.stated.clone()).unwrap_or_default();
                let mapped = postback.kept().with("", |call| map_stated(call, &source.params, &stated));
                mapped.map(|event| Mapped {
                    source: source.terms.clone(),
                    event,
                    caller_listed: caller_listed(source, &postback.remote_ip),
                    stated: postback.stated.clone(),
                })
            }
            None => {
                Err(Quarantine { reason: format!("the source `{}` is not in the settings", postback.source) })
            }
        };
        MappedPostback { id: postback.id, received_at: TimestampMs(postback.received_at), mapped }
    }

    /// Decides on a batch, given the existing rewards.
    pub fn decide(
        &self,
        batch: Vec<MappedPostback>,
        existing: ExistingRewards,
        now: TimestampMs,
    ) -> BatchOutcome {
        let (mut incoming, mut quarantined) = (Vec::with_capacity(batch.len()), Vec::new());
        let mut stated = BTreeMap::new();
        // One of each for the whole batch.
        let (lists, baseline) = (self.lists.current(), self.baseline.get());
        for MappedPostback { id, received_at, mapped } in batch {
            match mapped {
                Ok(mut mapped) => {
                    stated.extend(mapped.stated.take().map(|by| (id, by)));
                    incoming.push(self.locate(id, received_at, mapped, (&lists, &baseline), now));
                }
                Err(reason) => quarantined.push((id, reason)),
            }
        }
        BatchOutcome::of(incoming, existing, &self.policy, self.timezone, now)
            .signed_by(&stated)
            .with_quarantined(quarantined)
    }
}

/// Claims `which`, loads what it touches, decides and saves, in one transaction.
pub async fn process(
    store: &Store,
    processor: Arc<Processor>,
    which: Claim,
    now: TimestampMs,
) -> Result<ProcessedBatch, store::Error> {
    let load_decide_save = async move |claimed: Claimed| {
        let batch: Vec<_> = claimed.postbacks.iter().map(|postback| processor.map(postback)).collect();
        let (loaded, existing) = claimed.load(&batch, processor.policy.remembers()).await?;
        let outcome = processor.decide(batch, existing, now);
        loaded.save(outcome).await
    };
    Ok(store.process(which, now, load_decide_save).await?.unwrap_or_default())
}

fn caller_listed(source: &SourceSettings, remote_ip: &str) -> Option<bool> {
    remote_ip.parse().ok().and_then(|caller| source.callers.lists(caller))
}

impl Processor {
    fn locate(
        &self,
        postback_id: i64,
        received_at: TimestampMs,
        mapped: Mapped,
        (lists, baseline): (&Lists, &Baseline),
        now: TimestampMs,
    ) -> Incoming {
        let Mapped { source, event, caller_listed, stated: _ } = mapped;
        let look = |ip: Option<&str>| {
            let mut location = self.geo.locate(ip);
            self.own_networks.mark(&mut location, ip);
            let geo = compare(ip, &location, event.country_code.as_deref());
            (location, geo)
        };
        let (mut location, mut geo) = look(event.ip.as_deref());
        // The first address of a list can be forged, so the most suspicious one counts.
        for other in &event.other_ips {
            let (other_location, other_geo) = look(Some(&other.to_string()));
            if suspicion(&other_location, other_geo) > suspicion(&location, geo) {
                (location, geo) = (other_location, other_geo);
            }
        }
        let normal = baseline.look(&source.name, &event);
        let addresses = addresses(event.ip.as_deref(), &event.other_ips);
        let subject = Subject {
            app: &source.app,
            source: &source.name,
            user_id: &event.user_id,
            addresses: &addresses,
            asn: location.asn,
            sub1: event.sub1.as_deref(),
            offer_id: event.offer_id.as_deref(),
        };
        let listed = lists.hits(&subject, now);
        Incoming { postback_id, source, received_at, event, location, geo, listed, caller_listed, normal }
    }
}

/// Called with every outcome after it is saved.
pub type Observer = Arc<dyn Fn(&BatchOutcome) + Send + Sync>;

/// The processing of one process, shared by its workers.
pub struct Processing {
    /// Where postbacks are claimed and outcomes saved.
    pub store: Store,
    /// The mapping and the decisions.
    pub processor: Arc<Processor>,
    /// The source of the current time.
    pub clock: Clock,
    /// Limit of postbacks in a batch.
    pub batch: i64,
    /// Ends the workers when cancelled, after their current batch.
    pub stop: CancellationToken,
    /// When a worker last checked the inbox, in unix milliseconds.
    pub last_beat_ms: Arc<AtomicI64>,
}

impl Processing {
    /// Processes until nothing waits, or `stop` is cancelled. Waits while the database is unavailable. An error means that
    /// the process must end.
    pub async fn drain(&self) -> Result<(), store::Error> {
        let (mut pause, mut contended) = (PAUSE_MIN, 0);
        let mut batch = self.batch;
        while !self.stop.is_cancelled() {
            match self.process(Claim::First(batch)).await {
                Ok(Taken { postbacks: 0, .. }) => return Ok(()),
                Ok(taken) => {
                    (pause, contended) = (PAUSE_MIN, 0);
                    let is_full = taken.postbacks == batch;
                    batch = next_batch(batch, self.batch, &taken);
                    if is_full {
                        // More waits than one batch holds.
                        self.store.wake_workers();
                    }
                }
                Err(error) if error.is_broken() => return Err(error),
                Err(store::Error::Contended(why)) if contended < CONTENDED_TRIES => {
                    debug!(why, "another worker was first; processing the batch again");
                    contended += 1;
                }
                Err(error) if error.is_too_late() && batch > 1 => {
                    // An unreachable database or too large a batch: the same batch could miss the deadline again.
                    batch /= 2;
                    warn!(%error, batch, "a batch missed its deadline; trying a smaller one");
                }
                Err(store::Error::Unavailable(why)) => {
                    warn!(%why, pause_ms = pause.as_millis(), "the database is unavailable; waiting");
                    rest(&self.stop, pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) => {
                    warn!(%error, "a batch could not be saved; processing its postbacks one by one");
                    self.one_by_one().await?;
                    contended = 0;
                }
            }
        }
        Ok(())
    }

    /// Processes the postbacks of a batch one by one, and quarantines those that cannot be saved, so that a single postback
    /// never blocks the others. Returns at the first error that a postback did not cause.
    async fn one_by_one(&self) -> Result<(), store::Error> {
        let Ok(waiting) = self.store.first_waiting(self.batch).await else { return Ok(()) };
        for postback_id in waiting {
            match self.process(Claim::Only(postback_id)).await {
                Ok(_) => {}
                Err(error) if error.is_broken() => return Err(error),
                Err(error) if error.is_transient() => return Ok(()),
                Err(error) => {
                    error!(postback_id, %error, "a postback cannot be processed and is quarantined");
                    let reason = format!("it could not be saved: {error}");
                    match self.store.quarantine(postback_id, reason, self.clock.now()).await {
                        Err(error) if error.is_broken() => return Err(error),
                        Ok(()) | Err(_) => {}
                    }
                }
            }
        }
        Ok(())
    }

    async fn process(&self, which: Claim) -> Result<Taken, store::Error> {
        let (began, now) = (Instant::now(), self.clock.now());
        let ProcessedBatch { postbacks, outcome, took, was_awaited } =
            process(&self.store, self.processor.clone(), which, now)
                .await
                .inspect_err(|_| counter!("rewardgate_batches_failed_total").increment(1))?;
        self.beat();
        if !postbacks.is_empty() {
            histogram!("rewardgate_batch_seconds").record(began.elapsed());
            record(&postbacks, &outcome, now);
            if let Some(observer) = &self.processor.observer {
                observer(&outcome);
            }
        }
        let postbacks = i64::try_from(outcome.postbacks.len()).unwrap_or(i64::MAX);
        Ok(Taken { postbacks, took, was_awaited })
    }

    fn beat(&self) {
        let now = self.clock.now();
        self.last_beat_ms.store(now.0, Ordering::Relaxed);
        gauge!("rewardgate_worker_last_beat_seconds").set(seconds(now.0));
    }
}
