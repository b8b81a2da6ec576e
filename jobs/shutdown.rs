//! Stopping: pauses and workers end at once when the process stops.

use std::time::Duration;

use apalis::prelude::WorkerError;
use tokio_util::sync::CancellationToken;

/// Sleeps for `pause`, or until `stop` is cancelled.
pub(crate) async fn rest(stop: &CancellationToken, pause: Duration) {
    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
}

/// The signal that ends an apalis worker; the end of its stream alone does not.
pub(crate) async fn until_stopped(stop: CancellationToken) -> Result<(), WorkerError> {
    stop.cancelled().await;
    Ok(())
}
