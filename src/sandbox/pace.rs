//! When each call is due: on the fixed schedule of an open loop, immediately in a closed one; and retries.
//!
//! The clock is an argument, so that a real schedule of hours is tested in milliseconds.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::call::Call;

/// Retries of calls that are not acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// Retries per call, at most [`Retries::MAX`].
    pub count: u32,
    /// From the answer, or the time-out, to the next attempt.
    pub delay: Duration,
}

impl Retries {
    /// Maximum retries of one call.
    pub const MAX: u32 = 20;

    /// Delay after failed attempt number `attempt`, from 1; `None`: no retry.
    fn delay_after(self, attempt: u32) -> Option<Duration> {
        (attempt <= self.count).then_some(self.delay)
    }
}

/// A call and the instant at which it has to be sent.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) call: Call,
    /// From 1.
    pub(super) attempt: u32,
    pub(super) at: Instant,
}

/// Hands out the calls of a plan in the order of their due time.
///
/// A connection takes the next call when it is free. A slow gateway delays calls, but never their due times: those depend
/// only on the schedule.
pub(super) struct Feed<P> {
    plan: P,
    rate_per_s: u32,
    retries: Retries,
    start: Instant,
    /// Slots of the schedule that are used.
    slots: u64,
    /// Due time of the last planned call; calls sent together share it.
    last: Instant,
    plan_ended: bool,
    /// Retries with their attempt number, by due time; the call number makes keys unique.
    again: BTreeMap<(Instant, u64), (Call, u32)>,
}

impl<P: Iterator<Item = Call>> Feed<P> {
    /// `rate_per_s` calls per second from `start` on; 0: each call is due when it is taken.
    pub(super) fn new(plan: P, rate_per_s: u32, retries: Retries, start: Instant) -> Self {
        let again = BTreeMap::new();
        Self { plan, rate_per_s, retries, start, slots: 0, last: start, plan_ended: false, again }
    }

    /// The next call; `None` at the end of the plan.
    pub(super) fn take(&mut self, now: Instant) -> Option<Due> {
        let slot = self.slot(now);
        let again_first =
            self.again.first_key_value().is_some_and(|((at, _), _)| self.plan_ended || *at <= slot);
        if again_first {
            return self.take_again();
        }
        let Some(call) = self.plan.next() else {
            self.plan_ended = true;
            return self.take_again();
        };
        self.slots += 1;
        if !call.together {
            self.last = slot;
        }
        Some(Due { call, attempt: 1, at: self.last })
    }

    /// Schedules a retry of a call that failed at `now`, if one is left.
    pub(super) fn put_back(&mut self, call: &Call, attempt: u32, now: Instant) {
        if let Some(delay) = self.retries.delay_after(attempt) {
            self.again.insert((now + delay, call.number), (call.clone(), attempt + 1));
        }
    }

    fn take_again(&mut self) -> Option<Due> {
        let ((at, _), (call, attempt)) = self.again.pop_first()?;
        Some(Due { call, attempt, at })
    }

    fn slot(&self, now: Instant) -> Instant {
        if self.rate_per_s == 0 {
            return now;
        }
        let nanos = u128::from(self.slots) * 1_000_000_000 / u128::from(self.rate_per_s);
        // Enough for five hundred years.
        self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::double::plan;

    fn ms(since: Instant, due: &Due) -> u128 {
        due.at.duration_since(since).as_millis()
    }

    #[test]
    fn due_times_do_not_depend_on_when_calls_are_taken() {
        let start = Instant::now();
        let mut feed = Feed::new(plan(1, 5, "honest"), 100, Retries::default(), start);
        let late = start + Duration::from_secs(9);
        let instants: Vec<_> =
            [start, late, late, start, late].map(|now| feed.take(now).map(|due| ms(start, &due))).into();
        assert_eq!(instants, [Some(0), Some(10), Some(20), Some(30), Some(40)]);
        assert!(feed.take(late).is_none());
    }

    #[test]
    fn calls_sent_together_share_a_due_time_and_keep_the_rate() {
        let start = Instant::now();
        let mut feed = Feed::new(plan(1, 400, "honest,repeat=0.9"), 1_000, Retries::default(), start);
        let (mut before, mut together) = (None, 0);
        for number in 0..400_u128 {
            let due = feed.take(start).expect("400 calls");
            if due.call.together {
                together += 1;
                assert_eq!(Some(ms(start, &due)), before);
            } else {
                assert_eq!(ms(start, &due), number);
            }
            before = Some(ms(start, &due));
        }
        assert!(together > 20);
    }

    #[test]
    fn in_a_closed_loop_a_call_is_due_when_it_is_taken() {
        let start = Instant::now();
        let mut feed = Feed::new(plan(1, 2, "honest"), 0, Retries::default(), start);
        let later = start + Duration::from_millis(77);
        assert_eq!(feed.take(later).map(|due| ms(start, &due)), Some(77));
    }

    #[test]
    fn retries_wait_for_their_delay_and_are_limited() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let retries = Retries { count: 2, delay: Duration::from_millis(15) };
        let mut feed = Feed::new(plan(1, 3, "honest"), 100, retries, start);
        let first = feed.take(start).expect("the first");
        feed.put_back(&first.call, first.attempt, start);
        let order: Vec<_> =
            std::iter::from_fn(|| feed.take(start)).map(|due| (due.call.number, due.attempt)).collect();
        assert_eq!(order, [(2, 1), (1, 2), (3, 1)]);
        feed.put_back(&first.call, 2, at(500));
        let last = feed.take(at(500)).expect("the second retry");
        assert_eq!((last.attempt, last.at), (3, at(515)));
        feed.put_back(&last.call, 3, at(515));
        assert!(feed.take(at(900)).is_none());
    }
}
