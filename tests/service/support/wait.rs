//! Waiting for something to become true, never for time to pass.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take. Far more than it takes: only a fault is this slow.
pub(crate) const DEADLINE: Duration = Duration::from_mins(3);
/// The pause between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `look` finds what it looks for; fails the test if it never does.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        thread::sleep(PAUSE);
    }
}
