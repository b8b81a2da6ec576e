//! State of signing in: rate limits, password hashing, and failed attempts that are not written to the audit yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::access::token_hash;
use domain::time::TimestampMs;
use store::access::staff::FailedTries;

use crate::console::shell::hashing::Lane;
use crate::console::shell::throttle::{Allowance, Table, Throttle};
use crate::limits::Caller;

/// Audit lines for failed attempts: distributed guessing must not fill the disk or delay other commits.
const LINES: Allowance = Allowance { at_once: 60, every_ms: 1_000 };
/// One key for all: lines are limited in total.
const ALL_LINES: u64 = 0;

/// State that all sign-ins of a process share.
#[derive(Debug, Default)]
pub struct Logins {
    pub(crate) throttle: Throttle,
    /// Hashing for people at addresses where they have signed in before.
    pub(crate) known: Lane,
    /// Hashing for everybody else.
    pub(crate) strangers: Lane,
    pub(crate) failures: Failures,
}

/// The stored hash of an address from which a person signs in. It includes the name, so that people do not share one.
pub(crate) fn place(name: &str, caller: Caller) -> String {
    token_hash(&format!("place:{name}:{}", caller.address()))
}

/// Failed attempts that are not written to the audit yet. Only those for existing people are kept one by one.
#[derive(Debug)]
pub(crate) struct Failures(Mutex<Pending>);

#[derive(Debug)]
struct Pending {
    lines: Table,
    people: BTreeMap<i64, FailedTries>,
    /// Attempts since the last audit line.
    unsaid: u64,
}

/// Failed attempts to write to the audit now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// For each person, by row id.
    pub(crate) people: Vec<(i64, FailedTries)>,
    /// Further attempts since the last audit line.
    pub(crate) unsaid: u64,
}

impl Default for Failures {
    fn default() -> Self {
        Self(Mutex::new(Pending { lines: Table::new(LINES), people: BTreeMap::new(), unsaid: 0 }))
    }
}

impl Failures {
    /// Counts a failed attempt; `None` for a name that does not exist. The return value is the same for both: it is `Some`
    /// if an audit line is due.
    pub(crate) fn note(&self, person_id: Option<i64>, from: &str, now: TimestampMs) -> Option<Due> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(person_id) = person_id {
            let first = FailedTries { tries: 0, since: now, last_at: now, last_from: String::new() };
            let failed = pending.people.entry(person_id).or_insert(first);
            failed.tries += 1;
            failed.last_at = now;
            from.clone_into(&mut failed.last_from);
        }
        if pending.lines.wait_ms(ALL_LINES, now.0) > 0 {
            pending.unsaid += 1;
            return None;
        }
        pending.lines.take(ALL_LINES, now.0);
        let people = std::mem::take(&mut pending.people).into_iter().collect();
        Some(Due { people, unsaid: std::mem::take(&mut pending.unsaid) })
    }

    /// Removes and returns the unwritten failures of a person who signs in.
    pub(crate) fn take(&self, person_id: i64) -> Option<FailedTries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).people.remove(&person_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

    fn after_s(s: i64) -> TimestampMs {
        TimestampMs(NOW.0 + s * 1_000)
    }

    #[test]
    fn failures_are_audited_at_a_bounded_rate_and_none_is_lost() {
        let failures = Failures::default();
        let (mut lines, mut said, mut of_mara) = (0, 0, 0);
        for n in 0..10_000_u64 {
            let person = (n % 2 == 0).then_some(7);
            if let Some(due) = failures.note(person, "203.0.113.0/24", NOW) {
                lines += 1;
                said += 1 + due.unsaid;
                of_mara += due.people.iter().map(|(_, failed)| failed.tries).sum::<i64>();
            }
        }
        assert_eq!(lines, 60);
        let due = failures.note(Some(7), "198.51.100.0/24", after_s(5)).expect("a line");
        let (_, last) = &due.people[0];
        assert_eq!((last.since, last.last_at, last.last_from.as_str()), (NOW, after_s(5), "198.51.100.0/24"));
        assert_eq!((said + 1 + due.unsaid, of_mara + last.tries), (10_001, 5_001));
    }

    #[test]
    fn signing_in_returns_the_failures_not_written_yet() {
        let failures = Failures::default();
        for _ in 0..100 {
            failures.note(None, "203.0.113.0/24", NOW);
        }
        assert!(failures.note(Some(7), "203.0.113.0/24", NOW).is_none());
        assert_eq!(failures.take(7).map(|failed| failed.tries), Some(1));
        assert_eq!(failures.take(7), None);
    }

    #[test]
    fn a_place_belongs_to_one_person_and_one_address() {
        let caller = |address: &str| Caller::of(address.parse().expect("an address"));
        let here = place("mara", caller("2001:db8:1:2::1"));
        assert_eq!(here, place("mara", caller("2001:db8:1:2::2")));
        assert_ne!(here, place("joe", caller("2001:db8:1:2::1")));
        assert_ne!(here, place("mara", caller("2001:db8:1:3::1")));
    }
}
