//! Workers: apalis on a stream of wake-ups.
//!
//! A task is only a wake-up ("the inbox may have something"). Postbacks are claimed in the transaction that also saves
//! them, so a lost or repeated task does no harm. Wake-ups come from the recorder of this process, from other processes
//! through Postgres, and from a slow poll.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{Data, WorkerBuilder, WorkerBuilderExt};
use futures_util::StreamExt;
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::postbacks::process::Processing;
use crate::shutdown::{rest, until_stopped};
use crate::supervise::{Fatal, WakeUp, supervise};

/// The longest delay that a lost wake-up causes.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Pause before a failed worker or listener is restarted.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// What the workers of one process share with their supervisor.
struct Shift {
    processing: Processing,
    fatal: Fatal,
}

/// Runs `workers` workers until `processing.stop` is cancelled; each finishes its current batch. An error means that the
/// process must end.
pub async fn run(processing: Processing, workers: usize) -> Result<(), store::Error> {
    let workers = processing.store.useful_workers(workers.max(1));
    let shift = Arc::new(Shift { processing, fatal: Fatal::default() });
    let mut tasks = JoinSet::new();
    tasks.spawn(pass_on_notices(shift.clone()));
    for number in 1..=workers {
        tasks.spawn(work(shift.clone(), number));
    }
    while tasks.join_next().await.is_some() {}
    shift.fatal.result()
}

/// Keeps one worker running.
async fn work(shift: Arc<Shift>, number: usize) {
    let stop = shift.processing.stop.clone();
    supervise(&format!("inbox-{number}"), &stop, RESTART_PAUSE, |name| {
        let worker = WorkerBuilder::new(name.as_str())
            .backend(wake_ups(shift.clone()).boxed())
            .concurrency(1)
            .data(shift.clone())
            .build(process);
        worker.run_until(until_stopped(stop.clone()))
    })
    .await;
}

async fn process(_: WakeUp, shift: Data<Arc<Shift>>) {
    if let Err(error) = shift.processing.drain().await {
        error!(%error, "processing stops, and the process ends");
        shift.fatal.stop_with(error, &shift.processing.stop);
    }
}

/// One wake-up at once, then one whenever the inbox may have something; ends when the process stops.
fn wake_ups(shift: Arc<Shift>) -> impl futures_util::Stream<Item = Result<WakeUp, Infallible>> + Send {
    futures_util::stream::unfold((shift, true), |(shift, first)| async move {
        if !first {
            tokio::select! {
                () = shift.processing.stop.cancelled() => {}
                () = shift.processing.store.woken() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
        (!shift.processing.stop.is_cancelled()).then_some((Ok(WakeUp), (shift, false)))
    })
}

/// Listens for notifications of other processes; reconnects when the connection is lost.
async fn pass_on_notices(shift: Arc<Shift>) {
    let stop = &shift.processing.stop;
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            ended = shift.processing.store.pass_on_notices() => {
                if let Err(why) = ended {
                    warn!(%why, "LISTEN connection lost; polling every second until it is back");
                }
                rest(stop, RESTART_PAUSE).await;
            }
        }
    }
}
