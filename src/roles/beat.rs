//! A web process notes every few seconds that it can acknowledge; the gaps are loss windows.

use std::time::Duration;

use domain::report::losses::BEAT_MS;
use domain::time::TimestampMs;
use tracing::warn;

use crate::process::Process;

/// Pause after a beat that could not be saved.
const BEAT_RETRY: Duration = Duration::from_secs(2);

/// Saves a beat every [`BEAT_MS`]. After a failure, when the database could not be written, the process continues under a
/// new name: the time in between is a loss window.
pub(super) async fn keep_beating(process: &Process) {
    let Process { store, clock, stop, .. } = process;
    let mut since: Option<(String, TimestampMs)> = None;
    while !stop.is_cancelled() {
        let now = clock.now();
        let (name, began_at) = since
            .take()
            .unwrap_or_else(|| (format!("web-{}-{:016x}", std::process::id(), rand::random::<u64>()), now));
        match store.note_listening(name.clone(), began_at, now).await {
            Ok(()) => since = Some((name, began_at)),
            Err(error) => warn!(%error, "cannot save that this process is listening"),
        }
        // After a failure, retry soon: readiness depends on the last write, and no postback may come to make one.
        let pause = if since.is_some() { Duration::from_millis(BEAT_MS.unsigned_abs()) } else { BEAT_RETRY };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
