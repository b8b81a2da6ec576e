//! The one place that asks the machine for the time.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::{Clock, TimestampMs};

/// The machine's clock.
pub(crate) fn system() -> Clock {
    Clock::new(|| {
        #[expect(clippy::disallowed_methods, reason = "the edge that everyone else is pointed to")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimestampMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
