//! Ending in good order: what waits is told to stop, and ends at once.

use std::time::Duration;

use apalis::prelude::WorkerError;
use tokio_util::sync::CancellationToken;

/// Rests for `pause`, or until told to stop.
pub(crate) async fn rest(stop: &CancellationToken, pause: Duration) {
    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
}

/// The signal on which a worker of apalis ends: the end of its stream alone does not end it.
pub(crate) async fn until_stopped(stop: CancellationToken) -> Result<(), WorkerError> {
    stop.cancelled().await;
    Ok(())
}
