//! The lane of an app: complete finished attempts, lease due deliveries, send them, and repeat until nothing is due.

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

/// The longest delay that a lost wake-up causes.
const POLL_INTERVAL_MS: i64 = 1_000;
/// Pause after other processes leased everything that was due.
const OTHERS_PAUSE_MS: i64 = 50;
/// Pause while the database is unavailable.
const DATABASE_PAUSE: Duration = Duration::from_millis(500);
/// A lease lasts twice the time-out of a call plus this, to save the result.
const LEASE_MARGIN_MS: i64 = 3_000;

/// The state of an app between two wake-ups.
struct State {
    breaker: Breaker,
    pace: Option<Pace>,
}

/// A finished call.
struct Sent {
    leased: Leased,
    probe: bool,
    began_at: TimestampMs,
    answered: Answered,
}

/// What a lane does next.
struct Plan {
    /// How many deliveries may be leased now.
    room: i64,
    /// True if there are attempts to complete.
    completes: bool,
    /// True if it is time to access the database.
    turn: bool,
    /// When to check again at the latest.
    look_at: TimestampMs,
}

/// The result of a database access.
enum Exchanged {
    /// Attempts are completed; these deliveries are leased.
    Leased(Vec<Leased>),
    /// The database refused the results of attempts.
    Refused,
    /// The database is unavailable.
    TryAgain,
}

/// The lane of one app.
pub(super) struct Lane {
    store: Store,
    clock: Clock,
    target: Arc<Target>,
    outgoing: Outgoing,
    stop: CancellationToken,
    state: Mutex<State>,
    /// When the lane checks again without a wake-up, in unix milliseconds.
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

    /// Signals that a delivery may be due.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.store.deliveries_changed()
    }

    /// The time until the lane checks again without a wake-up.
    pub(super) fn look_again_in(&self) -> Duration {
        let in_ms = self.look_at_ms.load(Ordering::Relaxed) - self.clock.now().0;
        Duration::from_millis(u64::try_from(in_ms.clamp(1, POLL_INTERVAL_MS)).unwrap_or_default())
    }

    /// Sends until nothing is due and no call is in flight; once the process stops, only until no call is in flight. An
    /// error means that the process must end.
    pub(super) async fn forward(&self) -> Result<(), store::Error> {
        let mut state = self.state.lock().await;
        let mut changed = self.changes();
        let mut calls: JoinSet<Sent> = JoinSet::new();
        let mut finished: Vec<FinishedAttempt> = Vec::new();
        loop {
            let plan = self.plan(&mut state, &finished, calls.len()).await?;
            let mut taken = 0;
            if plan.turn {
                match self.exchange(&mut state, &mut finished, plan.room).await? {
                    Exchanged::Leased(leased) => {
                        taken = leased.len();
                        self.begin(&mut state, leased, &mut calls);
                    }
                    Exchanged::Refused => {}
                    Exchanged::TryAgain if self.stop.is_cancelled() && calls.is_empty() => return Ok(()),
                    Exchanged::TryAgain => {
                        tokio::time::sleep(DATABASE_PAUSE).await;
                        continue;
                    }
                }
            }
            if calls.is_empty() {
                if plan.completes && plan.room > 0 {
                    continue;
                }
                let is_taken_by_others = plan.turn && taken == 0;
                let look_at = if is_taken_by_others {
                    TimestampMs(self.clock.now().0 + OTHERS_PAUSE_MS)
                } else {
                    plan.look_at
                };
                self.look_at_ms.store(look_at.0, Ordering::Relaxed);
                return Ok(());
            }
            self.wait(&mut state, &mut calls, &mut changed, plan.look_at, &mut finished).await;
        }
    }

    /// Plans the next step: whether to access the database now, and how many deliveries may be leased.
    async fn plan(
        &self,
        state: &mut State,
        finished: &[FinishedAttempt],
        in_flight: usize,
    ) -> Result<Plan, store::Error> {
        let (room, pause_until) = self.room(state, in_flight);
        // Completed deliveries unblock others, so leasing is worthwhile without checking first.
        let completes = !finished.is_empty();
        let look_at = if room > 0 && !completes { self.next_due().await? } else { pause_until };
        let turn = completes || (room > 0 && look_at <= self.clock.now());
        Ok(Plan { room, completes, turn, look_at })
    }

    /// Completes finished attempts and leases due deliveries, in one transaction.
    async fn exchange(
        &self,
        state: &mut State,
        finished: &mut Vec<FinishedAttempt>,
        room: i64,
    ) -> Result<Exchanged, store::Error> {
        match self.complete_and_lease(state, finished, room).await {
            Ok(leased) => {
                self.log_if_disabled(finished).await;
                finished.clear();
                Ok(Exchanged::Leased(leased))
            }
            Err(error) if error.is_broken() => Err(error),
            Err(error) if error.is_transient() => {
                // If the process stops now, the leases end and these deliveries are sent again.
                warn!(%error, app = self.app(), "deliveries cannot be completed or leased; trying again");
                Ok(Exchanged::TryAgain)
            }
            Err(error) => {
                // Their leases end and they are sent again: twice is better than never.
                error!(%error, app = self.app(), "results of deliveries cannot be saved; the deliveries are sent again");
                finished.clear();
                tokio::time::sleep(DATABASE_PAUSE).await;
                Ok(Exchanged::Refused)
            }
        }
    }

    /// Waits until a call ends, a delivery may be due, or it is time to check.
    async fn wait(
        &self,
        state: &mut State,
        calls: &mut JoinSet<Sent>,
        changed: &mut watch::Receiver<()>,
        look_at: TimestampMs,
        finished: &mut Vec<FinishedAttempt>,
    ) {
        let pause = u64::try_from(look_at.0 - self.clock.now().0).unwrap_or(0).max(1);
        tokio::select! {
            Some(first) = calls.join_next() => {
                let ended = std::iter::once(first).chain(std::iter::from_fn(|| calls.try_join_next()));
                for sent in ended {
                    match sent {
                        Ok(sent) => finished.push(self.decide(state, sent)),
                        Err(fault) => {
                            error!(%fault, app = self.app(), "an internal error ended a call; the delivery is sent again");
                            // If it was the probe, another one is needed.
                            state.breaker = state.breaker.after(true, true, self.clock.now());
                        }
                    }
                }
            }
            _ = changed.changed(), if !self.stop.is_cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(pause)), if !self.stop.is_cancelled() => {}
        }
    }

    /// How many deliveries may be leased now, and when to check again if none.
    fn room(&self, state: &mut State, in_flight: usize) -> (i64, TimestampMs) {
        let now = self.clock.now();
        let free = i64::try_from(self.target.concurrency.saturating_sub(in_flight)).unwrap_or(i64::MAX);
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

    /// When the next delivery is due, but at most one poll interval away.
    async fn next_due(&self) -> Result<TimestampMs, store::Error> {
        let poll_at = TimestampMs(self.clock.now().0 + POLL_INTERVAL_MS);
        match self.store.next_due(self.app()).await {
            Ok(due_at) => Ok(due_at.map_or(poll_at, |due_at| due_at.min(poll_at))),
            Err(error) if error.is_broken() => Err(error),
            Err(error) => {
                warn!(%error, app = self.app(), "due deliveries cannot be loaded; trying again");
                Ok(poll_at)
            }
        }
    }

    async fn complete_and_lease(
        &self,
        state: &mut State,
        finished: &[FinishedAttempt],
        room: i64,
    ) -> Result<Vec<Leased>, store::Error> {
        let timeout_ms = i64::try_from(self.target.timeout.as_millis()).unwrap_or(i64::MAX / 4);
        let take =
            Take { app: self.app().to_owned(), limit: room, lease_ms: timeout_ms * 2 + LEASE_MARGIN_MS };
        let leased = self.store.complete_and_lease(finished.to_vec(), take, self.clock.now()).await?;
        if let Some(pace) = &mut state.pace {
            pace.take(leased.len());
        }
        Ok(leased)
    }

    /// Logs if the app was disabled in the transaction that completed these attempts.
    async fn log_if_disabled(&self, finished: &[FinishedAttempt]) {
        if !finished.iter().any(|attempt| attempt.class == Class::Gone) {
            return;
        }
        // An error does not matter: pages and the metric show it too.
        let disabled = self.store.disabled_apps().await.unwrap_or_default();
        if let Some(off) = disabled.iter().find(|off| off.app == self.app()) {
            let (app, why) = (self.app(), off.why.as_str());
            error!(
                app,
                why, "the app is disabled; run `rewardgate deliveries enable APP` to enable it again"
            );
        }
    }

    /// Starts the calls of leased deliveries.
    fn begin(&self, state: &mut State, leased: Vec<Leased>, calls: &mut JoinSet<Sent>) {
        let probe = state.breaker.is_open() && !leased.is_empty();
        if probe {
            state.breaker = state.breaker.probing();
        }
        for leased in leased {
            let (target, outgoing, clock) = (self.target.clone(), self.outgoing.clone(), self.clock.clone());
            calls.spawn(async move {
                let began_at = clock.now();
                let answered = match leased.message.call(&target.letterhead, began_at) {
                    Some(call) => {
                        let repeat = leased.may_be_booked;
                        outgoing.call(call, &target.answers, repeat, target.timeout, &clock).await
                    }
                    None => Answered::unsendable("the app has no secret to sign with"),
                };
                Sent { leased, probe, began_at, answered }
            });
        }
    }

    /// Decides what follows from a finished call.
    fn decide(&self, state: &mut State, sent: Sent) -> FinishedAttempt {
        let Sent { leased, probe, began_at, answered } = sent;
        let now = self.clock.now();
        let class = answered.class;
        // A call that was not sent says nothing about the app, but a probe must end.
        if class != Class::Unsendable || probe {
            let down = class.is_down() || class == Class::Unsendable;
            let after = state.breaker.after(down, probe, now);
            self.report_breaker(state.breaker, after);
            state.breaker = after;
        }
        let jitter_permille = i64::from(rand::random::<u16>() % 1_000);
        let outcome = Outcome { class, retry_after_ms: answered.retry_after_ms, probe, jitter_permille };
        let follows = next(&self.target.schedule, leased.counted_attempts + 1, &outcome, now);
        self.report(&leased, &answered, follows, began_at, now);
        FinishedAttempt {
            id: leased.id,
            app: self.app().to_owned(),
            user_id: leased.message.user_id,
            number: leased.number,
            counted_attempts: leased.counted_attempts,
            began_at,
            duration_ms: (now.0 - began_at.0).max(0),
            class,
            http_status: answered.http_status,
            detail: answered.detail,
            answer: answered.answer,
            next: follows,
        }
    }

    fn report_breaker(&self, before: Breaker, after: Breaker) {
        if before.is_open() == after.is_open() {
            return;
        }
        let app = self.app();
        gauge!("rewardgate_app_breaker_open", "app" => app.to_owned())
            .set(f64::from(u8::from(after.is_open())));
        if after.is_open() {
            error!(app, "the app is down; its deliveries wait, and it is probed until it answers");
        } else {
            info!(app, "the app answers again; its deliveries are sent");
        }
    }

    fn report(
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
                        delivery_id, "the app answered 410; the delivery failed and waits for a person"
                    );
                } else {
                    warn!(app, delivery_id, result, "a delivery failed and waits for a person");
                }
            }
            Next::RetryAt(_) | Next::KeepUntil(_) => {}
        }
    }
}
