//! The only place that reads the system time.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::{Clock, TimestampMs};

/// The system clock.
pub(crate) fn system() -> Clock {
    Clock::new(|| {
        #[expect(clippy::disallowed_methods, reason = "all other code gets this clock as an argument")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimestampMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
