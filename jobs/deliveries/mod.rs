//! Deliveries: every credit and every reversal is sent to its app.
//!
//! There is one lane for each app, so that an app that is slow or down does not block others. A lane is an apalis worker
//! on a stream of wake-ups: from transactions of this process, from other processes through Postgres, when the next
//! delivery is due, and from a slow poll. The lease from `store` decides which deliveries a lane gets, so a lost or
//! repeated wake-up does no harm.
//!
//! | module | what it does |
//! |---|---|
//! | here | starts the lanes and keeps them running |
//! | `lane` | completes attempts, leases deliveries, sends them; circuit breaker and rate limit |
//! | [`outgoing`] | the HTTP client, which refuses forbidden addresses when it connects |
//! | [`trial`] | a test call that credits nothing |

mod lane;
pub mod outgoing;
pub mod trial;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{Data, WorkerBuilder, WorkerBuilderExt};
use domain::delivery::answer::Answers;
use domain::delivery::message::Letterhead;
use domain::delivery::schedule::{Class, Schedule};
use domain::time::Clock;
use futures_util::StreamExt;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use lane::Lane;
use outgoing::Outgoing;

use crate::shutdown::until_stopped;
use crate::supervise::{Fatal, WakeUp, supervise};

/// Pause before a failed lane is restarted.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// An app and how to call it.
#[derive(Clone, Debug)]
pub struct Target {
    /// As in the settings.
    pub app: String,
    /// Form, URL and secrets of its calls.
    pub letterhead: Letterhead,
    /// How its answers are read.
    pub answers: Answers,
    /// When a delivery is retried.
    pub schedule: Schedule,
    /// Limit of concurrent calls from each process.
    pub concurrency: usize,
    /// Limit of calls a second from each process; `None`: no limit.
    pub rate_per_second: Option<u32>,
    /// From the start of a call to the end of its answer.
    pub timeout: Duration,
}

/// Everything that deliveries need.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// Where deliveries are leased and completed.
    pub store: Store,
    /// The source of the current time.
    pub clock: Clock,
    /// The apps to notify.
    pub targets: Vec<Target>,
    /// The HTTP client.
    pub outgoing: Outgoing,
    /// Ends the lanes when cancelled, after their running calls.
    pub stop: CancellationToken,
}

/// What a lane shares with its supervisor.
struct Shift {
    lane: Lane,
    stop: CancellationToken,
    fatal: Fatal,
}

/// Sends deliveries until `forwarding.stop` is cancelled. An error means that the process must end.
pub async fn run(forwarding: Forwarding) -> Result<(), store::Error> {
    let fatal = Fatal::default();
    let mut lanes = JoinSet::new();
    for target in forwarding.targets {
        let lane = Lane::new(
            forwarding.store.clone(),
            forwarding.clock.clone(),
            target,
            forwarding.outgoing.clone(),
            forwarding.stop.clone(),
        );
        lanes.spawn(work(Shift { lane, stop: forwarding.stop.clone(), fatal: fatal.clone() }));
    }
    while lanes.join_next().await.is_some() {}
    fatal.result()
}

/// Keeps one lane running.
async fn work(shift: Shift) {
    let shift = Arc::new(shift);
    supervise(&format!("forward-{}", shift.lane.app()), &shift.stop, RESTART_PAUSE, |name| {
        let worker = WorkerBuilder::new(name.as_str())
            .backend(wake_ups(shift.clone()).boxed())
            .concurrency(1)
            .data(shift.clone())
            .build(forward);
        worker.run_until(until_stopped(shift.stop.clone()))
    })
    .await;
}

async fn forward(_: WakeUp, shift: Data<Arc<Shift>>) {
    if let Err(error) = shift.lane.forward().await {
        error!(%error, app = shift.lane.app(), "sending deliveries stops, and the process ends");
        shift.fatal.stop_with(error, &shift.stop);
    }
}

/// One wake-up at once, then one whenever a delivery may be due; ends when the process stops.
fn wake_ups(shift: Arc<Shift>) -> impl futures_util::Stream<Item = Result<WakeUp, Infallible>> + Send {
    let changed: Option<watch::Receiver<()>> = None;
    futures_util::stream::unfold((shift, changed), |(shift, changed)| async move {
        let changed = match changed {
            None => shift.lane.changes(),
            Some(mut changed) => {
                tokio::select! {
                    () = shift.stop.cancelled() => {}
                    _ = changed.changed() => {}
                    () = tokio::time::sleep(shift.lane.look_again_in()) => {}
                }
                changed
            }
        };
        (!shift.stop.is_cancelled()).then_some((Ok(WakeUp), (shift, Some(changed))))
    })
}

/// Describes the metrics of deliveries, and creates every series with 0.
pub fn announce_metrics<'a>(apps: impl Iterator<Item = &'a str>) {
    describe_counter!("rewardgate_delivery_attempts_total", "Calls to apps by result");
    describe_counter!("rewardgate_deliveries_failed_total", "Deliveries that failed and wait for a person");
    describe_histogram!("rewardgate_delivery_call_seconds", "One call to an app, from start to end");
    describe_histogram!("rewardgate_delivery_seconds", "From the cause of a delivery to its acknowledgement");
    describe_gauge!("rewardgate_app_breaker_open", "1 while an app is not called because it is down");
    for app in apps {
        for class in Class::ALL {
            attempts(app, class, 0);
        }
        counter!("rewardgate_deliveries_failed_total", "app" => app.to_owned()).absolute(0);
        gauge!("rewardgate_app_breaker_open", "app" => app.to_owned()).set(0.0);
    }
}

fn attempts(app: &str, class: Class, count: u64) {
    counter!("rewardgate_delivery_attempts_total", "app" => app.to_owned(), "result" => class.name())
        .increment(count);
}
