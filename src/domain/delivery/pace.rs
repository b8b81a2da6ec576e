//! The rate limit of one app, in calls per second.

use crate::time::{SECOND_MS, TimestampMs};

/// An allowance that fills with time, up to a second's worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    per_second: i64,
    /// Thousandths of a call.
    allowance_milli: i64,
    filled_at: TimestampMs,
}

impl Pace {
    /// `per_second` calls a second, a second's worth of them at once.
    pub fn new(per_second: u32, now: TimestampMs) -> Self {
        let per_second = i64::from(per_second);
        Self { per_second, allowance_milli: per_second * 1_000, filled_at: now }
    }

    /// How many calls may start at `now`. A clock that goes back adds and removes nothing.
    pub fn allowed(&mut self, now: TimestampMs) -> i64 {
        let passed_ms = (now.0 - self.filled_at.0).clamp(0, SECOND_MS);
        self.allowance_milli =
            (self.allowance_milli + passed_ms * self.per_second).min(self.per_second * 1_000);
        self.filled_at = now;
        self.allowance_milli / 1_000
    }

    /// Takes `calls` out of the allowance.
    pub fn take(&mut self, calls: usize) {
        let calls = i64::try_from(calls).unwrap_or(i64::MAX);
        self.allowance_milli = self.allowance_milli.saturating_sub(calls.saturating_mul(1_000));
    }

    /// Milliseconds until one more call may start.
    pub fn wait_ms(&self) -> i64 {
        let missing_milli = (1_000 - self.allowance_milli).max(0);
        // Rounded up, so that whoever waits does not come too early.
        missing_milli.saturating_add(self.per_second - 1) / self.per_second.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_a_seconds_worth_and_no_more() {
        let mut pace = Pace::new(5, TimestampMs(0));
        assert_eq!(pace.allowed(TimestampMs(0)), 5);
        pace.take(5);
        assert_eq!((pace.allowed(TimestampMs(0)), pace.wait_ms()), (0, 200));
        assert_eq!(pace.allowed(TimestampMs(199)), 0);
        assert_eq!(pace.allowed(TimestampMs(200)), 1);
        assert_eq!(pace.allowed(TimestampMs(60_000)), 5, "what was not used is not saved up");
        assert_eq!(pace.allowed(TimestampMs(0)), 5, "a clock that goes back changes nothing");
    }

    #[test]
    fn over_a_minute_the_rate_is_kept_however_often_it_is_asked() {
        for step_ms in [1, 7, 50, 333] {
            let (mut pace, mut begun, mut now) = (Pace::new(30, TimestampMs(0)), 0, 0);
            while now <= 60_000 {
                let allowed = pace.allowed(TimestampMs(now));
                pace.take(usize::try_from(allowed).expect("not negative"));
                begun += allowed;
                now += step_ms;
            }
            assert!((1_800..=1_831).contains(&begun), "{begun} in steps of {step_ms} ms");
        }
    }
}
