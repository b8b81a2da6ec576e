//! The circuit breaker of one app: after a run of failures only an occasional probe is sent.
//!
//! While it is open no attempts are used up: events wait until the app is back. Only failures of the app as a whole
//! count ([`super::schedule::Class::is_down`]): a refusal of one event says nothing about the next.

use crate::time::{SECOND_MS, TimestampMs};

/// Failures in a row that open the breaker. Not chance: at one failure in four it would take a million calls.
const RUN_OF_FAILURES: u32 = 10;
/// The first pause before a probe; each probe that fails doubles it.
const FIRST_PAUSE_MS: i64 = 2 * SECOND_MS;
/// The longest pause, and so the longest wait of an app that is back.
const LONGEST_PAUSE_MS: i64 = 120 * SECOND_MS;

/// The state of one app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// The app is called as usual.
    Closed {
        /// Failures in a row so far; any answer resets it.
        failures: u32,
    },
    /// The app is not called.
    Open {
        /// The time of the next probe.
        until: TimestampMs,
        /// The pause that ends then, in milliseconds.
        pause_ms: i64,
    },
    /// A probe is in flight.
    HalfOpen {
        /// The pause before this probe, in milliseconds; doubled if the probe fails.
        pause_ms: i64,
    },
}

/// How many calls may start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// As many as the pace allows.
    All,
    /// One call, to see whether the app is back.
    Probe,
    /// None until the pause or the probe is over.
    Nothing,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// What may be sent at `now`.
    pub fn permit(&self, now: TimestampMs) -> Permit {
        match self {
            Self::Closed { .. } => Permit::All,
            Self::Open { until, .. } if now >= *until => Permit::Probe,
            Self::Open { .. } | Self::HalfOpen { .. } => Permit::Nothing,
        }
    }

    /// The state once the probe has been sent.
    #[must_use]
    pub fn probing(self) -> Self {
        match self {
            Self::Open { pause_ms, .. } => Self::HalfOpen { pause_ms },
            other => other,
        }
    }

    /// After a call has ended. `probe` says whether it was sent as one; any other was sent before the breaker opened.
    #[must_use]
    pub fn after(self, down: bool, probe: bool, now: TimestampMs) -> Self {
        match self {
            // The app answers.
            _ if !down => Self::Closed { failures: 0 },
            Self::Closed { failures } if failures + 1 < RUN_OF_FAILURES => {
                Self::Closed { failures: failures + 1 }
            }
            Self::Closed { .. } => Self::open(FIRST_PAUSE_MS, now),
            Self::HalfOpen { pause_ms } if probe => Self::open((pause_ms * 2).min(LONGEST_PAUSE_MS), now),
            open => open,
        }
    }

    /// True unless the app is called as usual.
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Closed { .. })
    }

    fn open(pause_ms: i64, now: TimestampMs) -> Self {
        Self::Open { until: TimestampMs(now.0 + pause_ms), pause_ms }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: TimestampMs = TimestampMs(1_000_000);

    fn opened() -> Breaker {
        (0..RUN_OF_FAILURES).fold(Breaker::default(), |breaker, _| breaker.after(true, false, NOW))
    }

    #[test]
    fn a_run_of_failures_opens_it_and_one_answer_in_between_does_not_let_it() {
        let almost =
            (1..RUN_OF_FAILURES).fold(Breaker::default(), |breaker, _| breaker.after(true, false, NOW));
        assert_eq!(almost.permit(NOW), Permit::All);
        assert_eq!(almost.after(false, false, NOW), Breaker::default());
        assert_eq!(almost.after(true, false, NOW).permit(NOW), Permit::Nothing);
    }

    #[test]
    fn after_a_pause_one_probe_is_sent_and_its_answer_decides() {
        let open = opened();
        let later = TimestampMs(NOW.0 + FIRST_PAUSE_MS);
        assert_eq!(open.permit(TimestampMs(later.0 - 1)), Permit::Nothing);
        assert_eq!(open.permit(later), Permit::Probe);
        let probing = open.probing();
        assert_eq!(probing.permit(later), Permit::Nothing, "one at a time");
        assert_eq!(probing.after(false, true, later), Breaker::default());
        let Breaker::Open { until, pause_ms } = probing.after(true, true, later) else { panic!("closed") };
        assert_eq!((until.0, pause_ms), (later.0 + 2 * FIRST_PAUSE_MS, 2 * FIRST_PAUSE_MS));
    }

    #[test]
    fn calls_that_were_on_their_way_when_it_opened_change_nothing_by_failing() {
        let open = opened();
        assert_eq!(open.after(true, false, TimestampMs(NOW.0 + 500)), open);
        let probing = open.probing();
        assert_eq!(probing.after(true, false, NOW), probing, "the probe is still out");
        assert_eq!(open.after(false, false, NOW), Breaker::default(), "an answer is an answer");
    }

    proptest! {
        #[test]
        fn the_next_probe_is_never_further_than_the_longest_pause(
            calls in proptest::collection::vec((any::<bool>(), 0_i64..200_000), 0..200)
        ) {
            let (mut breaker, mut now) = (Breaker::default(), NOW);
            for (down, passed_ms) in calls {
                now.0 += passed_ms;
                let probe = breaker.permit(now) == Permit::Probe;
                breaker = if probe { breaker.probing() } else { breaker };
                breaker = breaker.after(down, probe, now);
                if let Breaker::Open { until, .. } = breaker {
                    prop_assert!(until.0 - now.0 <= LONGEST_PAUSE_MS);
                }
                prop_assert!(!matches!(breaker, Breaker::HalfOpen { .. }), "a probe that ended decides");
            }
        }
    }
}
