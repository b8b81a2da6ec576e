//! Keeps workers running: apalis ends a worker at any error of its stream or storage, so it is restarted until the process
//! stops.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use apalis::prelude::WorkerError;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::shutdown::rest;

/// The task of a worker: something may be due; the worker itself checks what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WakeUp;

/// Runs the worker that `run` makes for a name, and starts another after `pause` whenever one ends, until `stop` is
/// cancelled.
pub(crate) async fn supervise<F, Running>(label: &str, stop: &CancellationToken, pause: Duration, mut run: F)
where
    F: FnMut(String) -> Running,
    Running: Future<Output = Result<(), WorkerError>>,
{
    let mut start = 0_u64;
    while !stop.is_cancelled() {
        start += 1;
        // Unique for every start and machine: apalis would take a reused name for the dead worker and refuse it until
        // its heartbeat is old.
        let name = format!("{label}-{}-{start}-{:08x}", std::process::id(), rand::random::<u32>());
        info!(worker = name, "worker started");
        match run(name.clone()).await {
            Ok(()) if stop.is_cancelled() => {}
            Ok(()) => warn!(worker = name, "worker ended unexpectedly; starting another"),
            Err(error) => error!(worker = name, %error, "worker failed; starting another"),
        }
        rest(stop, pause).await;
    }
}

/// The first error that forces the process to end.
#[derive(Clone, Default)]
pub(crate) struct Fatal(Arc<Mutex<Option<store::Error>>>);

impl Fatal {
    /// Keeps `error` if it is the first, and cancels `stop`.
    pub(crate) fn stop_with(&self, error: store::Error, stop: &CancellationToken) {
        if let Ok(mut first) = self.0.lock() {
            first.get_or_insert(error);
        }
        stop.cancel();
    }

    /// `Err` with that error; to be called after all workers have ended.
    pub(crate) fn result(&self) -> Result<(), store::Error> {
        let first = self.0.lock().map(|mut first| first.take()).unwrap_or_default();
        first.map_or(Ok(()), Err)
    }
}
