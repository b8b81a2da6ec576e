//! Whether a postback is known already, for networks that end their repeats only when they are told so.
//!
//! The reward itself says it once it is processed; until then this process remembers what it recorded. A repeat that is
//! missed is answered like any other postback, which every network takes for a success, too.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use domain::postback::event::Kind;
use domain::postback::mapping::map_stated;
use domain::postback::networks::Call;
use domain::postback::stated::Stated;
use tracing::warn;

use super::{Ingest, SourceEndpoint};

/// Events that are remembered in each of two halves. Workers are behind by less, unless they are stopped.
const MAX_EVENTS: usize = 20_000;

/// What was recorded lately.
#[derive(Debug, Default)]
pub struct RecordedLately {
    halves: Mutex<[HashSet<u64>; 2]>,
    keys: RandomState,
}

impl RecordedLately {
    /// Remembers the event; true if it was remembered already.
    fn note(&self, source: &str, key: &str, kind: Kind) -> bool {
        let event = self.keys.hash_one((source, key, kind));
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let [now, before] = &mut *halves;
        if now.len() >= MAX_EVENTS {
            *before = std::mem::take(now);
        }
        !now.insert(event) || before.contains(&event)
    }
}

/// True if the network of `endpoint` answers repeats otherwise, and `call` is one.
pub(super) async fn is_repeat(
    ingest: &Ingest,
    endpoint: &SourceEndpoint,
    call: &Call<'_>,
    source: &str,
) -> bool {
    let answers = &endpoint.definition().answers;
    if answers.repeat == answers.recorded {
        return false;
    }
    // What cannot be mapped is no repeat of anything.
    let Ok(event) = map_stated(call, &endpoint.params, &Stated::default()) else { return false };
    if event.information.is_some() {
        return false;
    }
    if ingest.recorded.note(source, event.key(), event.kind) {
        return true;
    }
    match ingest.store.is_reported(source.to_owned(), event.key().to_owned(), event.kind).await {
        Ok(is_known) => is_known,
        Err(error) => {
            warn!(%error, "whether a postback is a repeat is not known; it is answered as new");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_the_second_time_and_memory_is_bounded() {
        let lately = RecordedLately::default();
        assert!(!lately.note("s", "T", Kind::Credit) && lately.note("s", "T", Kind::Credit));
        assert!(!lately.note("s", "T", Kind::Reversal) && !lately.note("t", "T", Kind::Credit));
        for number in 0..100_000 {
            assert!(!lately.note("s", &number.to_string(), Kind::Credit));
        }
        let halves = lately.halves.lock().expect("whole");
        assert!(halves.iter().all(|half| half.len() <= MAX_EVENTS));
    }
}
