//! URLs that are called with a body again and again.
//!
//! Only a few bodies of a URL are kept, and the store knows which. Whoever repeats one signed call with ever new bodies
//! must not make it look at each of them: beyond so many in a minute they are left out at once.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use domain::time::TimestampMs;

/// Bodies of one URL that are looked at in a minute. A network that repeats a call does so after minutes, and three
/// bodies of a URL are kept at most.
const BODIES_A_MINUTE: u8 = 16;
const MINUTE_MS: i64 = 60_000;
/// Most URLs that are counted; beyond it the counts of the previous minute are dropped early.
const MAX_URLS: usize = 10_000;

/// The reason why such a body is not kept, as shown beside the postback.
pub(super) const WHY: &str = "too many calls of this URL with a body in a minute";

/// Calls with a body for each URL, in this minute and the previous one.
#[derive(Debug, Default)]
pub struct CalledAgain {
    state: Mutex<State>,
    /// Keyed anew in each process, so that nobody can choose URLs that count as one.
    keys: RandomState,
}

#[derive(Debug, Default)]
struct State {
    this_minute: HashMap<u64, u8>,
    minute_before: HashMap<u64, u8>,
    began_at_ms: i64,
}

impl CalledAgain {
    /// Counts a call with a body; true if its body is to be looked at.
    pub(super) fn admits(&self, source: &str, target: &str, now: TimestampMs) -> bool {
        let url = self.keys.hash_one((source, target));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let age_ms = now.0.saturating_sub(state.began_at_ms);
        if !(0..MINUTE_MS).contains(&age_ms) || state.this_minute.len() >= MAX_URLS {
            let ended = std::mem::take(&mut state.this_minute);
            state.minute_before = if (0..2 * MINUTE_MS).contains(&age_ms) { ended } else { HashMap::new() };
            state.began_at_ms = now.0;
        }
        let before = state.minute_before.get(&url).copied().unwrap_or_default();
        let count = state.this_minute.entry(url).or_insert(before.min(BODIES_A_MINUTE / 2));
        let is_admitted = *count < BODIES_A_MINUTE;
        *count = count.saturating_add(1);
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_so_many_bodies_a_minute_and_others_are_not_concerned() {
        let again = CalledAgain::default();
        let admitted = |target: &str, at: i64| again.admits("s", target, TimestampMs(at));
        assert_eq!((0..100).filter(|_| admitted("/1", 0)).count(), 16);
        assert!(admitted("/2", 1) && again.admits("t", "/1", TimestampMs(1)));
        assert_eq!((0..100).filter(|_| admitted("/1", MINUTE_MS)).count(), 8, "it goes on as it did");
        assert_eq!((0..100).filter(|_| admitted("/1", 9 * MINUTE_MS)).count(), 16);
        assert_eq!((0..100).filter(|_| admitted("/1", 0)).count(), 16, "a clock that is set back");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let again = CalledAgain::default();
        for number in 0..30_000 {
            assert!(again.admits("s", &number.to_string(), TimestampMs(0)));
        }
        let state = again.state.lock().expect("whole");
        assert!(state.this_minute.len() + state.minute_before.len() <= 2 * MAX_URLS);
    }
}
