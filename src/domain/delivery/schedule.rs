//! What to do after an attempt: done, retry later, or give up until a person decides.

use crate::time::{DAY_MS, SECOND_MS, TimestampMs};

/// The first pause of the default schedule; each further one is three times as long.
const FIRST_PAUSE_MS: i64 = 10 * SECOND_MS;
const PAUSE_FACTOR: i64 = 3;
/// The longest pause of the default schedule, and the pause of `TarGo`'s.
const SIX_HOURS_MS: i64 = 6 * 3_600 * SECOND_MS;
/// How long the default schedule lasts: a weekend without staff.
const SPAN_MS: i64 = 3 * DAY_MS;
/// What jitter adds to a pause of the default schedule at most, in thousandths: calls that failed together come back
/// apart. It is only ever added, so an app is never called sooner than the schedule says.
const MAX_JITTER_PERMILLE: i64 = 200;
/// How often `TarGo` retries.
const TARGO_RETRIES: usize = 5;
/// The longest wait that an app can ask for: a wrong clock must not postpone an event for ever.
pub const MAX_RETRY_AFTER_MS: i64 = DAY_MS;
/// The longest list of pauses, and the longest pause in it.
pub const MAX_PAUSES: usize = 100;
/// The longest pause of a list.
pub const MAX_PAUSE_MS: i64 = 7 * DAY_MS;

/// When a delivery that was not acknowledged is retried. The first attempt is always immediate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// With exponential backoff up to six hours apart, for three days.
    #[default]
    Exponential,
    /// As the network does: every six hours, five times.
    Targo,
    /// After each of these pauses, in milliseconds.
    List(Vec<i64>),
}

impl Schedule {
    /// The pause after this many attempts of the round; `None` if that was the last one.
    fn pause_ms(&self, counted_attempts: i64, jitter_permille: i64) -> Option<i64> {
        let made = usize::try_from(counted_attempts.max(1)).unwrap_or(usize::MAX);
        match self {
            Self::Exponential => {
                let (mut pause_ms, mut waited_ms) = (FIRST_PAUSE_MS, FIRST_PAUSE_MS);
                for _ in 1..made {
                    pause_ms = (pause_ms * PAUSE_FACTOR).min(SIX_HOURS_MS);
                    waited_ms += pause_ms;
                    if waited_ms > SPAN_MS {
                        return None;
                    }
                }
                Some(pause_ms + pause_ms * jitter_permille.clamp(0, MAX_JITTER_PERMILLE) / 1_000)
            }
            Self::Targo => (made <= TARGO_RETRIES).then_some(SIX_HOURS_MS),
            Self::List(pauses) => pauses.get(made - 1).copied(),
        }
    }
}

/// The form of the calls to an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The network's own: a URL with macros, a hash at its end.
    #[default]
    Postback,
    /// <https://www.standardwebhooks.com>: JSON and three headers.
    StandardWebhooks,
}

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The app acknowledged it.
    Delivered,
    /// The app answered a repeat with "already received".
    Duplicate,
    /// The app answered without acknowledging it.
    NotAcknowledged,
    /// A status of 400 to 499, or "I have it already" where nothing was sent before.
    Rejected,
    /// A redirect; redirects are never followed.
    Redirected,
    /// 410: the user, or the whole app, no longer exists.
    Gone,
    /// 429: too many calls.
    SlowDown,
    /// A status of 500 to 599.
    ServerError,
    /// The connection failed: DNS, refused or unreachable.
    Unreachable,
    /// The URL resolves to an address that [`super::address`] refuses.
    AddressRefused,
    /// The app's certificate is not trusted.
    Tls,
    /// No answer within the app's timeout.
    Timeout,
    /// The connection was closed without an answer.
    Closed,
    /// No valid call can be made from this reward.
    Unsendable,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 14] = [
        Self::Delivered,
        Self::Duplicate,
        Self::NotAcknowledged,
        Self::Rejected,
        Self::Redirected,
        Self::Gone,
        Self::SlowDown,
        Self::ServerError,
        Self::Unreachable,
        Self::AddressRefused,
        Self::Tls,
        Self::Timeout,
        Self::Closed,
        Self::Unsendable,
    ];

    /// True if the app itself seems down. A refusal of one event says nothing about the next.
    pub fn is_down(self) -> bool {
        match self {
            Self::SlowDown
            | Self::ServerError
            | Self::Unreachable
            | Self::AddressRefused
            | Self::Tls
            | Self::Timeout
            | Self::Closed => true,
            Self::Delivered
            | Self::Duplicate
            | Self::NotAcknowledged
            | Self::Rejected
            | Self::Redirected
            | Self::Gone
            | Self::Unsendable => false,
        }
    }

    /// True if the app has the event.
    pub fn is_yes(self) -> bool {
        matches!(self, Self::Delivered | Self::Duplicate)
    }

    /// True if the app cannot have booked it: the call never arrived, or the app said no.
    pub fn is_not_booked(self) -> bool {
        match self {
            Self::Unreachable
            | Self::AddressRefused
            | Self::Tls
            | Self::Unsendable
            | Self::Rejected
            | Self::Redirected
            | Self::Gone
            | Self::SlowDown => true,
            // An app may fail, or hang up, or say something else after it has booked.
            Self::Delivered
            | Self::Duplicate
            | Self::NotAcknowledged
            | Self::ServerError
            | Self::Timeout
            | Self::Closed => false,
        }
    }

    /// The name in tables, metrics and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Duplicate => "duplicate",
            Self::NotAcknowledged => "not_acknowledged",
            Self::Rejected => "rejected",
            Self::Redirected => "redirected",
            Self::Gone => "gone",
            Self::SlowDown => "slow_down",
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::AddressRefused => "address_refused",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Unsendable => "unsendable",
        }
    }
}

/// The result of an attempt, as far as the next step depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The result of the attempt.
    pub class: Class,
    /// The app's `Retry-After`, in milliseconds.
    pub retry_after_ms: Option<i64>,
    /// True if the call was a probe of the circuit breaker.
    pub probe: bool,
    /// A random number, 0 to 999.
    pub jitter_permille: i64,
}

/// What to do with the delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is delivered.
    Done,
    /// Retry at this time; the attempt counts.
    RetryAt(TimestampMs),
    /// Retry at this time; the attempt does not count, because the app is down.
    KeepUntil(TimestampMs),
    /// No more retries; a person decides.
    GiveUp,
}

/// What to do after the attempt that was number `counted_attempts` of its round.
pub fn next(schedule: &Schedule, counted_attempts: i64, outcome: &Outcome, now: TimestampMs) -> Next {
    let asked_ms = outcome.retry_after_ms.unwrap_or(0).clamp(0, MAX_RETRY_AFTER_MS);
    let at = |pause_ms: i64| TimestampMs(now.0.saturating_add(pause_ms.max(asked_ms)));
    match outcome.class {
        Class::Delivered | Class::Duplicate => Next::Done,
        // A retry would not help, and later deliveries must not wait for this one.
        Class::Gone => Next::GiveUp,
        class if class.is_down() && outcome.probe => Next::KeepUntil(at(0)),
        _ => match schedule.pause_ms(counted_attempts, outcome.jitter_permille) {
            Some(pause_ms) => Next::RetryAt(at(pause_ms)),
            None => Next::GiveUp,
        },
    }
}

/// Reads `Retry-After`: seconds, or a date. Answers with milliseconds from `now`, at most [`MAX_RETRY_AFTER_MS`].
pub fn retry_after_ms(header: &str, now: TimestampMs) -> Option<i64> {
    let header = header.trim();
    let wait_ms = if header.bytes().all(|byte| byte.is_ascii_digit()) && !header.is_empty() {
        header.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(SECOND_MS)
    } else {
        TimestampMs::parse_http_date(header)?.0.saturating_sub(now.0)
    };
    Some(wait_ms.clamp(0, MAX_RETRY_AFTER_MS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: TimestampMs = TimestampMs(1_795_428_000_000);

    fn outcome(class: Class) -> Outcome {
        Outcome { class, retry_after_ms: None, probe: false, jitter_permille: 0 }
    }

    /// The pauses of a schedule in seconds, until it gives up.
    fn pauses(schedule: &Schedule) -> Vec<i64> {
        let answers = (1..1_000).map(|made| next(schedule, made, &outcome(Class::ServerError), NOW));
        answers
            .map_while(|next| match next {
                Next::RetryAt(at) => Some((at.0 - NOW.0) / SECOND_MS),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_default_schedule_grows_to_six_hours_and_ends_within_three_days() {
        let pauses = pauses(&Schedule::Exponential);
        assert_eq!(pauses[..8], [10, 30, 90, 270, 810, 2_430, 7_290, 21_600]);
        assert!(pauses[8..].iter().all(|pause| *pause == 21_600));
        let days = pauses.iter().sum::<i64>() * SECOND_MS;
        assert!(days <= SPAN_MS && days > SPAN_MS - SIX_HOURS_MS, "{pauses:?}");
    }

    #[test]
    fn the_networks_own_schedule_has_five_retries_six_hours_apart() {
        assert_eq!(pauses(&Schedule::Targo), [21_600; 5]);
    }

    #[test]
    fn a_list_is_followed_to_its_end() {
        assert_eq!(pauses(&Schedule::List(vec![0, 5_000, 60_000])), [0, 5, 60]);
        assert_eq!(pauses(&Schedule::List(vec![])), [0_i64; 0]);
    }

    #[test]
    fn retry_after_lengthens_a_pause_and_never_shortens_it() {
        let schedule = Schedule::List(vec![30_000]);
        for (asked_ms, pause_ms) in
            [(0, 30_000), (5_000, 30_000), (90_000, 90_000), (i64::MAX, MAX_RETRY_AFTER_MS)]
        {
            let outcome = Outcome { retry_after_ms: Some(asked_ms), ..outcome(Class::SlowDown) };
            assert_eq!(next(&schedule, 1, &outcome, NOW), Next::RetryAt(TimestampMs(NOW.0 + pause_ms)));
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let at = |text| retry_after_ms(text, NOW);
        assert_eq!(at("120"), Some(120_000));
        assert_eq!(at(" 0 "), Some(0));
        assert_eq!(at("99999999999999999999"), Some(MAX_RETRY_AFTER_MS));
        // NOW is 2026-11-23T10:00:00Z.
        assert_eq!(at("Mon, 23 Nov 2026 10:00:30 GMT"), Some(30_000));
        assert_eq!(at("Sun, 22 Nov 2026 10:00:30 GMT"), Some(0), "what is over is over");
        for text in ["", "soon", "-5", "1.5"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn a_delivery_answered_with_410_is_not_retried() {
        for schedule in [Schedule::Exponential, Schedule::Targo, Schedule::List(vec![0; 9])] {
            for probe in [false, true] {
                let gone = Outcome { probe, retry_after_ms: Some(5_000), ..outcome(Class::Gone) };
                assert_eq!(next(&schedule, 1, &gone, NOW), Next::GiveUp);
            }
        }
    }

    #[test]
    fn a_duplicate_is_done() {
        assert_eq!(next(&Schedule::List(vec![0]), 2, &outcome(Class::Duplicate), NOW), Next::Done);
    }

    #[test]
    fn a_probe_that_fails_costs_no_attempt() {
        let probe = Outcome { probe: true, ..outcome(Class::Timeout) };
        assert_eq!(next(&Schedule::List(vec![]), 9, &probe, NOW), Next::KeepUntil(NOW));
        // An app that answers is back, whatever it says of this one event.
        let answered = Outcome { probe: true, ..outcome(Class::Rejected) };
        assert_eq!(next(&Schedule::List(vec![]), 1, &answered, NOW), Next::GiveUp);
    }

    proptest! {
        #[test]
        fn nothing_is_ever_due_before_now_and_every_schedule_ends(
            counted_attempts in 1_i64..1_000_000, jitter in -10_i64..5_000, asked in proptest::option::of(any::<i64>()),
            index in 0..Class::ALL.len(), probe in any::<bool>(),
        ) {
            let class = Class::ALL[index];
            let outcome = Outcome { class, retry_after_ms: asked, probe, jitter_permille: jitter };
            for schedule in [Schedule::Exponential, Schedule::Targo, Schedule::List(vec![1, 2])] {
                match next(&schedule, counted_attempts, &outcome, NOW) {
                    Next::RetryAt(at) => prop_assert!(at > NOW && at.0 - NOW.0 <= MAX_RETRY_AFTER_MS),
                    Next::KeepUntil(at) => prop_assert!(at >= NOW),
                    Next::Done => prop_assert!(class.is_yes()),
                    Next::GiveUp => prop_assert!(counted_attempts >= 3 || class == Class::Gone),
                }
            }
        }
    }
}
