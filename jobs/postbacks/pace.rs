//! How many postbacks a worker takes at once: as many as it may, but only so many that nobody who wants to record others
//! waits long for it. On SQLite there is one writer at a time.

use std::time::Duration;

/// How long a batch may keep others from writing while somebody waits.
const TURN: Duration = Duration::from_millis(10);
/// Smaller batches would mostly begin and commit.
const LEAST: i64 = 8;

/// What a worker has just taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Number of postbacks.
    pub(super) postbacks: i64,
    /// How long its transaction lasted.
    pub(super) took: Duration,
    /// True if another writer waited for it.
    pub(super) was_awaited: bool,
}

/// The size of the next batch, after one of `batch`; at most `most`.
pub(super) fn next_batch(batch: i64, most: i64, taken: &Taken) -> i64 {
    if taken.was_awaited && taken.took > TURN {
        let took_us = i64::try_from(taken.took.as_micros()).unwrap_or(i64::MAX).max(1);
        let turn_us = i64::try_from(TURN.as_micros()).unwrap_or(i64::MAX);
        let fitting = taken.postbacks.saturating_mul(turn_us) / took_us;
        return fitting.max(LEAST).min(batch).min(most);
    }
    // Half as many more while somebody waits, so that it stays near what fits; twice as many when nobody does.
    let more = if taken.was_awaited { batch / 2 } else { batch };
    batch.saturating_add(more.max(1)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(postbacks: i64, took_ms: u64, was_awaited: bool) -> Taken {
        Taken { postbacks, took: Duration::from_millis(took_ms), was_awaited }
    }

    #[test]
    fn a_batch_shrinks_to_a_turn_only_while_somebody_waits() {
        assert_eq!(next_batch(512, 512, &taken(512, 40, true)), 128);
        assert_eq!(next_batch(512, 512, &taken(512, 40, false)), 512);
        assert_eq!(next_batch(128, 512, &taken(100, 9, true)), 192);
        assert_eq!(next_batch(128, 512, &taken(128, 30, false)), 256);
    }

    #[test]
    fn a_batch_is_never_empty_and_never_beyond_the_most() {
        assert_eq!(next_batch(8, 512, &taken(8, 5_000, true)), LEAST);
        assert_eq!(next_batch(2, 4, &taken(2, 50, true)), 2);
        assert_eq!(next_batch(1, 512, &taken(1, 1, true)), 2);
        assert_eq!(next_batch(512, 512, &taken(512, 1, true)), 512);
    }
}
