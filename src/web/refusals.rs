//! Refusals in the audit: missing rights and unknown tokens. Callers can cause any number of them, so the lines are limited
//! per hour, for each person or address and in all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::actor::Actor;
use domain::audit::Action;
use domain::time::TimestampMs;
use store::Store;
use store::access::audit::Line;
use tracing::warn;

use crate::limits::Caller;

const HOUR_MS: i64 = 60 * 60 * 1_000;
/// Lines per hour for one person, or for one address (or /64) if the person is unknown.
const AN_HOUR_OF_ONE: u32 = 10;
/// People and addresses with lines within one hour: with ten lines each a process adds at most 10,000 per hour.
const ONES_AN_HOUR: usize = 1_000;

/// The person or address that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum One {
    Known(String),
    Unknown(Option<Caller>),
}

/// Limits the audit lines about refusals.
#[derive(Debug, Default)]
pub struct Refusals {
    hour: Mutex<(i64, HashMap<One, u32>)>,
}

impl Refusals {
    /// Notes in the audit that `actor` was refused `subject`, up to the limit of the hour. The refusal itself does not depend
    /// on it.
    pub(crate) async fn note(
        &self,
        store: &Store,
        actor: Actor,
        action: Action,
        subject: String,
        now: TimestampMs,
    ) {
        let one = if actor.name() == domain::actor::NOBODY {
            One::Unknown(actor.address().map(Caller::of))
        } else {
            One::Known(actor.name().to_owned())
        };
        let Some(number) = self.count(one, now) else { return };
        let detail = if number == AN_HOUR_OF_ONE {
            format!("refusal {number} in this hour: more of them are not noted")
        } else {
            String::new()
        };
        let subject: String = subject.chars().take(MAX_SUBJECT_CHARS).collect();
        if let Err(error) = store.note_in_audit(Line::new(&actor, action, subject, detail), now).await {
            warn!(%error, actor = %actor, action = action.name(), "a refusal could not be noted in the audit");
        }
    }

    /// The number of this refusal within the hour; `None` beyond the limit.
    fn count(&self, one: One, now: TimestampMs) -> Option<u32> {
        let mut kept = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now.0.div_euclid(HOUR_MS);
        if kept.0 != hour {
            *kept = (hour, HashMap::new());
        }
        if kept.1.len() >= ONES_AN_HOUR && !kept.1.contains_key(&one) {
            return None;
        }
        let number = kept.1.entry(one).or_insert(0);
        *number = number.saturating_add(1);
        (*number <= AN_HOUR_OF_ONE).then_some(*number)
    }
}

/// Characters of a path that are noted; the caller chooses it.
const MAX_SUBJECT_CHARS: usize = 200;

/// A refused address, for tests of the limit.
#[cfg(test)]
fn of(address: [u8; 4]) -> One {
    One::Unknown(Some(Caller::of(address.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_bounded_for_each_one_and_in_all() {
        let refusals = Refusals::default();
        let at = TimestampMs;
        let known = || One::Known("mara".into());
        let noted = (0..50).filter(|_| refusals.count(known(), at(1)).is_some()).count();
        assert_eq!(noted, 10);
        assert_eq!(refusals.count(of([203, 0, 113, 7]), at(2)), Some(1), "another one");
        assert_eq!(refusals.count(known(), at(HOUR_MS)), Some(1), "the next hour");
        let many =
            (0..5_000_u32).filter(|n| refusals.count(of(n.to_be_bytes()), at(HOUR_MS)).is_some()).count();
        assert_eq!(many, ONES_AN_HOUR - 1);
    }
}
