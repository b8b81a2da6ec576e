//! Keeps workers running: apalis ends a worker for good at any fault of its stream or storage, so it is started again
//! until the process stops.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use apalis::prelude::WorkerError;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::shutdown::rest;

/// "Something may be due": the task of a worker that looks by itself what that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WakeUp;

/// Runs the worker that `run` makes under the name it is given, and starts another after `pause` whenever one has ended,
/// until told to stop.
pub(crate) async fn supervise<F, Running>(label: &str, stop: &CancellationToken, pause: Duration, mut run: F)
where
    F: FnMut(String) -> Running,
    Running: Future<Output = Result<(), WorkerError>>,
{
    let mut start = 0_u64;
    while !stop.is_cancelled() {
        start += 1;
        // New at every start, on every machine: a name that comes back could be taken for the worker that died, and is
        // refused until its heartbeat is old.
        let name = format!("{label}-{}-{start}-{:08x}", std::process::id(), rand::random::<u32>());
        info!(worker = name, "worker started");
        match run(name.clone()).await {
            Ok(()) if stop.is_cancelled() => {}
            Ok(()) => warn!(worker = name, "worker ended by itself; starting another"),
            Err(fault) => error!(worker = name, %fault, "worker died; starting another"),
        }
        rest(stop, pause).await;
    }
}

/// The first error because of which the process must end.
#[derive(Clone, Default)]
pub(crate) struct Fatal(Arc<Mutex<Option<store::Error>>>);

impl Fatal {
    /// Keeps `error`, unless there was one before, and tells everybody to stop.
    pub(crate) fn stop_with(&self, error: store::Error, stop: &CancellationToken) {
        if let Ok(mut first) = self.0.lock() {
            first.get_or_insert(error);
        }
        stop.cancel();
    }

    /// That error, once every worker has ended.
    pub(crate) fn result(&self) -> Result<(), store::Error> {
        let first = self.0.lock().map(|mut first| first.take()).unwrap_or_default();
        first.map_or(Ok(()), Err)
    }
}
