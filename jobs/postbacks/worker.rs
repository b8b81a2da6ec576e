//! Workers: apalis on a stream of wake-ups.
//!
//! A task is only a wake-up ("the inbox may have something"); the claim happens inside the transaction that also
//! saves, so a task that is lost, doubled or dropped loses and doubles nothing. Wake-ups come from the recorder of
//! the same process, from other processes through Postgres, and from a slow poll in any case.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apalis::prelude::{Data, WorkerBuilder, WorkerBuilderExt};
use futures_util::StreamExt;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::postbacks::process::Processing;
use crate::shutdown::{rest, told};

/// How long a lost hint can cost.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The pause before a worker that died is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// "The inbox may have something."
#[derive(Clone, Copy, Debug)]
struct WakeUp;

/// What the workers of one process share with their supervisor.
struct Shift {
    processing: Processing,
    /// Set by the worker that found out that the process must end.
    broken: Mutex<Option<store::Error>>,
}

/// Runs `workers` workers until `processing.stop` is cancelled; each finishes the batch in hand. An error means that
/// the process must end.
pub async fn run(processing: Processing, workers: usize) -> Result<(), store::Error> {
    let workers = processing.store.useful_workers(workers.max(1));
    let shift = Arc::new(Shift { processing, broken: Mutex::new(None) });
    let mut tasks = JoinSet::new();
    tasks.spawn(pass_on_notices(shift.clone()));
    for number in 1..=workers {
        tasks.spawn(supervise(shift.clone(), number));
    }
    while tasks.join_next().await.is_some() {}
    let broken = shift.broken.lock().map(|mut broken| broken.take()).unwrap_or_default();
    broken.map_or(Ok(()), Err)
}

/// Keeps one worker running: apalis ends a worker for good at any fault of its stream.
async fn supervise(shift: Arc<Shift>, number: usize) {
    let stop = shift.processing.stop.clone();
    let mut start = 0_u64;
    while !stop.is_cancelled() {
        start += 1;
        // A name that is new at every start: a name that comes back could be taken for the worker that died.
        let name = format!("inbox-{}-{number}-{start}", std::process::id());
        let wake_ups = wake_ups(shift.clone());
        let worker = WorkerBuilder::new(name.as_str())
            .backend(wake_ups.boxed())
            .concurrency(1)
            .data(shift.clone())
            .build(process);
        info!(worker = name, "worker started");
        match worker.run_until(told(stop.clone())).await {
            Ok(()) if stop.is_cancelled() => {}
            Ok(()) => warn!(worker = name, "worker ended by itself; starting another"),
            Err(fault) => error!(worker = name, %fault, "worker died; starting another"),
        }
        rest(&stop, RESTART_PAUSE).await;
    }
}

async fn process(_: WakeUp, shift: Data<Arc<Shift>>) {
    if let Err(error) = shift.processing.drain().await {
        error!(%error, "processing has to end");
        if let Ok(mut broken) = shift.broken.lock() {
            broken.get_or_insert(error);
        }
        shift.processing.stop.cancel();
    }
}

/// One wake-up at once, then one whenever something may have come; ends when the process is told to stop.
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

/// Listens for notices of other processes; a lost connection is taken up again.
async fn pass_on_notices(shift: Arc<Shift>) {
    let stop = &shift.processing.stop;
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            ended = shift.processing.store.pass_on_notices() => {
                if let Err(why) = ended {
                    warn!(%why, "notices of other processes are not heard; polling meanwhile");
                }
                rest(stop, RESTART_PAUSE).await;
            }
        }
    }
}
