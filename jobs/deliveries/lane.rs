//! One app's lane: hand in what became of calls, take what is due, send it, and again, until nothing is left to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::delivery::breaker::{Breaker, Permit};
use domain::delivery::pace::Pace;
use domain::delivery::schedule::{Class, Next, Outcome, next};
use domain::time::{Clock, TimestampMs};
use metrics::{counter, gauge, histogram};
use store::Store;
use store::deliveries::lease::{FinishedAttempt, Leased, Take};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::outgoing::{Answered, Outgoing};
use super::{Target, attempts};
use crate::metrics::seconds;

/// How long a lost hint can cost.
const POLL_INTERVAL_MS: i64 = 1_000;
/// The pause after somebody else took what was due.
const OTHERS_PAUSE_MS: i64 = 50;
/// The pause while the database is not available.
const DATABASE_PAUSE: Duration = Duration::from_millis(500);
/// What a lease lasts beyond the longest call twice over: time to hand in what became of it.
const LEASE_MARGIN_MS: i64 = 3_000;

/// What is kept of an app between two wake-ups.
struct State {
    breaker: Breaker,
    pace: Option<Pace>,
}

/// A call that has ended.
struct Sent {
    leased: Leased,
    probe: bool,
    began_at: TimestampMs,
    answered: Answered,
}

/// One app's lane.
pub(super) struct Lane {
    store: Store,
    clock: Clock,
    target: Arc<Target>,
    outgoing: Outgoing,
    stop: CancellationToken,
    state: Mutex<State>,
    /// When the lane looks again without being woken, in unix milliseconds.
    look_at_ms: AtomicI64,
}

impl Lane {
    pub(super) fn new(
        store: Store,
        clock: Clock,
        target: Target,
        outgoing: Outgoing,
        stop: CancellationToken,
    ) -> Self {
        let now = clock.now();
        let pace = target.rate_per_second.map(|per_second| Pace::new(per_second, now));
        Self {
            store,
            clock,
            target: Arc::new(target),
            outgoing,
            stop,
            state: Mutex::new(State { breaker: Breaker::default(), pace }),
            look_at_ms: AtomicI64::new(now.0),
        }
    }

    pub(super) fn app(&self) -> &str {
        &self.target.app
    }

    /// Changes whenever something may be due.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.store.deliveries_changed()
    }

    /// How long until the lane is to look without being woken.
    pub(super) fn look_again_in(&self) -> Duration {
        let in_ms = self.look_at_ms.load(Ordering::Relaxed) - self.clock.now().0;
        Duration::from_millis(u64::try_from(in_ms.clamp(1, POLL_INTERVAL_MS)).unwrap_or_default())
    }

    /// Sends until nothing is due and nothing is on its way; told to stop, only until nothing is on its way. An error
    /// means that the process must end.
    pub(super) async fn forward(&self) -> Result<(), store::Error> {
        let mut state = self.state.lock().await;
        let mut changed = self.changes();
        let mut on_its_way: JoinSet<Sent> = JoinSet::new();
        let mut ended: Vec<FinishedAttempt> = Vec::new();
        loop {
            let (room, mut look_at) = self.room(&mut state, on_its_way.len());
            // What is handed in lets others move up, so then it is worth taking without asking first.
            let hands_in = !ended.is_empty();
            if room > 0 && !hands_in {
                look_at = self.next_due().await?;
            }
            let turn = hands_in || (room > 0 && look_at <= self.clock.now());
            let mut taken = 0;
            if turn {
                match self.complete_and_lease(&mut state, &ended, room).await {
                    Ok(leased) => {
                        self.tell_if_switched_off(&ended).await;
                        ended.clear();
                        taken = leased.len();
                        self.begin(&mut state, leased, &mut on_its_way);
                    }
                    Err(error) if error.is_broken() => return Err(error),
                    Err(error) if error.is_transient() => {
                        warn!(%error, app = self.app(), "deliveries cannot be handed in or taken; waiting");
                        if self.stop.is_cancelled() && on_its_way.is_empty() {
                            // Their leases end, and they are sent again.
                            return Ok(());
                        }
                        tokio::time::sleep(DATABASE_PAUSE).await;
                        continue;
                    }
                    Err(error) => {
                        // Their leases end, and they are sent again: rather twice than never.
                        error!(%error, app = self.app(), "what became of deliveries cannot be written down");
                        ended.clear();
                        tokio::time::sleep(DATABASE_PAUSE).await;
                    }
                }
            }
            if on_its_way.is_empty() {
                if hands_in && room > 0 {
                    continue;
                }
                if turn && taken == 0 {
                    // Another process has just taken it.
                    look_at = TimestampMs(self.clock.now().0 + OTHERS_PAUSE_MS);
                }
                self.look_at_ms.store(look_at.0, Ordering::Relaxed);
                return Ok(());
            }
            let pause =
                Duration::from_millis(u64::try_from(look_at.0 - self.clock.now().0).unwrap_or(0).max(1));
            tokio::select! {
                Some(sent) = on_its_way.join_next() => {
                    let finished = std::iter::once(sent).chain(std::iter::from_fn(|| on_its_way.try_join_next()));
                    let finished: Vec<_> = finished.collect();
                    for sent in finished {
                        match sent {
                            Ok(sent) => ended.push(self.decide(&mut state, sent)),
                            Err(fault) => {
                                error!(%fault, app = self.app(), "a call ended by a fault of ours");
                                // Should it have been the probe, there is to be another one.
                                state.breaker = state.breaker.after(true, true, self.clock.now());
                            }
                        }
                    }
                }
                _ = changed.changed(), if !self.stop.is_cancelled() => {}
                () = tokio::time::sleep(pause), if !self.stop.is_cancelled() => {}
            }
        }
    }

    /// How many deliveries may be taken now; if none, when to look again.
    fn room(&self, state: &mut State, on_its_way: usize) -> (i64, TimestampMs) {
        let now = self.clock.now();
        let free = i64::try_from(self.target.concurrency.saturating_sub(on_its_way)).unwrap_or(i64::MAX);
        let permitted = match state.breaker.permit(now) {
            _ if self.stop.is_cancelled() => 0,
            Permit::All => free,
            Permit::Probe => free.min(1),
            Permit::Nothing => 0,
        };
        let room = state.pace.as_mut().map_or(permitted, |pace| pace.allowed(now).clamp(0, permitted));
        let wait_ms = match (state.breaker, &state.pace) {
            (Breaker::Open { until, .. }, _) => until.0 - now.0,
            (_, Some(pace)) => pace.wait_ms(),
            _ => POLL_INTERVAL_MS,
        };
        (room, TimestampMs(now.0 + wait_ms.clamp(1, POLL_INTERVAL_MS)))
    }

    /// When something is due, but never further than a poll away.
    async fn next_due(&self) -> Result<TimestampMs, store::Error> {
        let poll_at = TimestampMs(self.clock.now().0 + POLL_INTERVAL_MS);
        match self.store.next_due(self.app()).await {
            Ok(due_at) => Ok(due_at.map_or(poll_at, |due_at| due_at.min(poll_at))),
            Err(error) if error.is_broken() => Err(error),
            Err(error) => {
                warn!(%error, app = self.app(), "it cannot be looked up what is due; looking again");
                Ok(poll_at)
            }
        }
    }

    async fn complete_and_lease(
        &self,
        state: &mut State,
        ended: &[FinishedAttempt],
        room: i64,
    ) -> Result<Vec<Leased>, store::Error> {
        let timeout_ms = i64::try_from(self.target.timeout.as_millis()).unwrap_or(i64::MAX / 4);
        let take =
            Take { app: self.app().to_owned(), limit: room, lease_ms: timeout_ms * 2 + LEASE_MARGIN_MS };
        let leased = self.store.complete_and_lease(ended.to_vec(), take, self.clock.now()).await?;
        if let Some(pace) = &mut state.pace {
            pace.take(leased.len());
        }
        Ok(leased)
    }

    /// An app is switched off by what was handed in, in the same transaction.
    async fn tell_if_switched_off(&self, ended: &[FinishedAttempt]) {
        if !ended.iter().any(|ended| ended.class == Class::Gone) {
            return;
        }
        // Pages and the metric say so, too, should the database not answer now.
        let disabled = self.store.disabled_apps().await.unwrap_or_default();
        if let Some(off) = disabled.iter().find(|off| off.app == self.app()) {
            let (app, why) = (self.app(), off.why.as_str());
            error!(
                app,
                why, "the app is switched off: `rewardgate deliveries enable APP` switches it on again"
            );
        }
    }

    /// Begins the calls of what was taken.
    fn begin(&self, state: &mut State, leased: Vec<Leased>, on_its_way: &mut JoinSet<Sent>) {
        let probe = state.breaker.is_open() && !leased.is_empty();
        if probe {
            state.breaker = state.breaker.probing();
        }
        for leased in leased {
            let (target, outgoing, clock) = (self.target.clone(), self.outgoing.clone(), self.clock.clone());
            on_its_way.spawn(async move {
                let began_at = clock.now();
                let answered = match leased.message.call(&target.letterhead, began_at) {
                    Some(call) => {
                        let repeat = leased.may_be_booked;
                        outgoing.call(call, &target.answers, repeat, target.timeout, &clock).await
                    }
                    None => Answered::unsendable("there is no secret to sign with"),
                };
                Sent { leased, probe, began_at, answered }
            });
        }
    }

    /// What follows from a call that has ended.
    fn decide(&self, state: &mut State, sent: Sent) -> FinishedAttempt {
        let Sent { leased, probe, began_at, answered } = sent;
        let now = self.clock.now();
        let class = answered.class;
        // What was never sent says nothing of the app, but a probe has to end.
        if class != Class::Unsendable || probe {
            let down = class.is_down() || class == Class::Unsendable;
            let after = state.breaker.after(down, probe, now);
            self.tell_of_breaker(state.breaker, after);
            state.breaker = after;
        }
        let jitter_permille = i64::from(rand::random::<u16>() % 1_000);
        let outcome = Outcome { class, retry_after_ms: answered.retry_after_ms, probe, jitter_permille };
        let follows = next(&self.target.schedule, leased.attempts + 1, &outcome, now);
        self.tell(&leased, &answered, follows, began_at, now);
        FinishedAttempt {
            id: leased.id,
            app: self.app().to_owned(),
            user_id: leased.message.user_id,
            number: leased.number,
            attempts: leased.attempts,
            began_at,
            duration_ms: (now.0 - began_at.0).max(0),
            class,
            http_status: answered.http_status,
            detail: answered.detail,
            answer: answered.answer,
            next: follows,
        }
    }

    fn tell_of_breaker(&self, before: Breaker, after: Breaker) {
        if before.is_open() == after.is_open() {
            return;
        }
        let app = self.app();
        gauge!("rewardgate_app_breaker_open", "app" => app.to_owned())
            .set(f64::from(u8::from(after.is_open())));
        if after.is_open() {
            error!(app, "the app is down: its deliveries are kept, and it is probed until it answers");
        } else {
            info!(app, "the app answers again: its deliveries leave");
        }
    }

    fn tell(
        &self,
        leased: &Leased,
        answered: &Answered,
        follows: Next,
        began_at: TimestampMs,
        now: TimestampMs,
    ) {
        let (app, delivery_id, result) = (self.app(), leased.id, answered.class.name());
        attempts(app, answered.class, 1);
        histogram!("rewardgate_delivery_call_seconds", "app" => app.to_owned())
            .record(seconds(now.0 - began_at.0));
        match follows {
            Next::Done => {
                let took_ms = now.0 - leased.message.caused_at.0;
                histogram!("rewardgate_delivery_seconds", "app" => app.to_owned()).record(seconds(took_ms));
            }
            Next::GiveUp => {
                counter!("rewardgate_deliveries_failed_total", "app" => app.to_owned()).increment(1);
                if answered.class == Class::Gone {
                    warn!(
                        app,
                        delivery_id, "the app answered 410: this delivery failed and waits for a person"
                    );
                } else {
                    warn!(app, delivery_id, result, "a delivery failed and waits for a person");
                }
            }
            Next::RetryAt(_) | Next::KeepUntil(_) => {}
        }
    }
}
