//! Rate limits for failed sign-ins.
//!
//! Only failures count: each attempt takes from an allowance, and one that succeeds, or whose password was never checked,
//! gives it back. Names and addresses are stored as hashes under a key of this process, so that a long name takes no more
//! memory than a short one. A full table drops the entry that would expire next; it never refuses anybody.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use domain::time::TimestampMs;

use crate::limits::Caller;

/// Most entries of one table; about half a megabyte.
const MAX_REMEMBERED: usize = 10_000;

/// A burst of failures, then one per interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) at_once: i64,
    pub(crate) every_ms: i64,
}

/// For one person from one address (IPv6: one /64).
const OF_A_PAIR: Allowance = Allowance { at_once: 5, every_ms: 12_000 };
/// For one address, whatever the names: a whole office may share it.
const OF_AN_ADDRESS: Allowance = Allowance { at_once: 30, every_ms: 2_000 };
/// For one person from all addresses where they have not signed in before. Twice the allowance of an address, so that one
/// address alone cannot use it up.
const OF_A_PERSON: Allowance = Allowance { at_once: 60, every_ms: 6_000 };
/// For one person from an address where they have signed in before; attempts from elsewhere do not use it up.
const OF_A_KNOWN_PAIR: Allowance = Allowance { at_once: 20, every_ms: 6_000 };

/// The allowance that each key has used.
#[derive(Debug)]
pub(crate) struct Table {
    allowance: Allowance,
    /// By key: the time at which its whole allowance is available again, in unix milliseconds.
    back_at: HashMap<u64, i64>,
    /// The same, earliest first.
    by_time: BTreeSet<(i64, u64)>,
}

impl Table {
    pub(crate) fn new(allowance: Allowance) -> Self {
        Self { allowance, back_at: HashMap::new(), by_time: BTreeSet::new() }
    }

    /// The time at which the whole allowance is available again. Bounded, in case the clock was set back.
    fn back_at(&self, key: u64, now: i64) -> i64 {
        let Allowance { at_once, every_ms } = self.allowance;
        self.back_at.get(&key).map_or(now, |at| (*at).clamp(now, now + at_once * every_ms))
    }

    /// Milliseconds until one more failure is allowed; 0: now.
    pub(crate) fn wait_ms(&self, key: u64, now: i64) -> i64 {
        let Allowance { at_once, every_ms } = self.allowance;
        (self.back_at(key, now) - now - (at_once - 1) * every_ms).max(0)
    }

    /// Counts one failure, and drops expired entries.
    pub(crate) fn take(&mut self, key: u64, now: i64) {
        let at = self.back_at(key, now) + self.allowance.every_ms;
        self.set(key, at);
        while let Some((at, key)) = self.by_time.first().copied()
            && (at <= now || self.by_time.len() > MAX_REMEMBERED)
        {
            self.by_time.remove(&(at, key));
            self.back_at.remove(&key);
        }
    }

    fn give_back(&mut self, key: u64) {
        if let Some(at) = self.back_at.get(&key).copied() {
            self.set(key, at - self.allowance.every_ms);
        }
    }

    fn set(&mut self, key: u64, at: i64) {
        if let Some(before) = self.back_at.insert(key, at) {
            self.by_time.remove(&(before, key));
        }
        self.by_time.insert((at, key));
    }
}

#[derive(Debug)]
struct Tables {
    pairs: Table,
    addresses: Table,
    people: Table,
    known_pairs: Table,
}

/// Recent failed sign-ins. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    tables: Arc<Mutex<Tables>>,
    key: RandomState,
}

impl Default for Throttle {
    fn default() -> Self {
        let tables = Tables {
            pairs: Table::new(OF_A_PAIR),
            addresses: Table::new(OF_AN_ADDRESS),
            people: Table::new(OF_A_PERSON),
            known_pairs: Table::new(OF_A_KNOWN_PAIR),
        };
        Self { tables: Arc::new(Mutex::new(tables)), key: RandomState::new() }
    }
}

/// The name and address of an attempt, as hashes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    pub(crate) pair: u64,
    pub(crate) address: u64,
    person: u64,
}

/// An admitted attempt. It is given back when dropped, unless it was [spent](Ticket::spend).
#[derive(Debug)]
pub(crate) struct Ticket {
    throttle: Throttle,
    keys: Keys,
    is_known: bool,
    costs: bool,
}

impl Throttle {
    /// The keys of an attempt to sign in as `name` from `caller`.
    pub(crate) fn keys(&self, name: &str, caller: Caller) -> Keys {
        Keys {
            pair: self.key.hash_one((caller, name)),
            address: self.key.hash_one(caller),
            person: self.key.hash_one(name),
        }
    }

    /// Admits an attempt; the error is the milliseconds until the next one is allowed. `is_known`: the person has signed
    /// in from this address before.
    pub(crate) fn admit(&self, keys: Keys, is_known: bool, now: TimestampMs) -> Result<Ticket, i64> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = tables.counted(keys, is_known);
        let wait_ms = counted.iter().map(|(table, key)| table.wait_ms(*key, now.0)).max().unwrap_or_default();
        if wait_ms > 0 {
            return Err(wait_ms);
        }
        for (table, key) in counted {
            table.take(key, now.0);
        }
        Ok(Ticket { throttle: self.clone(), keys, is_known, costs: false })
    }
}

impl Tables {
    /// The tables and keys under which an attempt counts.
    fn counted(&mut self, keys: Keys, is_known: bool) -> Vec<(&mut Table, u64)> {
        if is_known {
            vec![(&mut self.known_pairs, keys.pair)]
        } else {
            vec![
                (&mut self.pairs, keys.pair),
                (&mut self.addresses, keys.address),
                (&mut self.people, keys.person),
            ]
        }
    }
}

impl Ticket {
    /// The attempt counts from now on, even if the caller hangs up: its password is being checked.
    pub(crate) fn spend(&mut self) {
        self.costs = true;
    }

    /// The password was correct: the attempt does not count.
    pub(crate) fn give_back(mut self) {
        self.costs = false;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.costs {
            return;
        }
        let mut tables = self.throttle.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for (table, key) in tables.counted(self.keys, self.is_known) {
            table.give_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

    fn caller(address: &str) -> Caller {
        Caller::of(address.parse().expect("an address"))
    }

    fn nth(n: u32) -> Caller {
        Caller::of(IpAddr::from((0x0a00_0000 + n).to_be_bytes()))
    }

    /// The number of `tries` failed attempts that are admitted.
    fn failed(throttle: &Throttle, name: &str, from: Caller, is_known: bool, tries: usize) -> usize {
        let one = || throttle.admit(throttle.keys(name, from), is_known, NOW);
        (0..tries).filter(|_| one().map(|mut ticket| ticket.spend()).is_ok()).count()
    }

    fn admits(throttle: &Throttle, name: &str, from: Caller, is_known: bool) -> bool {
        throttle.admit(throttle.keys(name, from), is_known, NOW).is_ok()
    }

    #[test]
    fn guessing_is_limited_by_person_and_address_and_by_address() {
        let throttle = Throttle::default();
        assert_eq!(failed(&throttle, "mara", nth(1), false, 20), 5);
        assert!(!admits(&throttle, "mara", nth(1), false));
        assert!(admits(&throttle, "mara", nth(2), false), "other addresses are not affected");
        assert!(admits(&throttle, "joe", nth(1), false));
        let names = (0..100).filter(|n| failed(&throttle, &format!("name {n}"), nth(3), false, 1) == 1);
        assert_eq!(names.count(), 30, "many names from one address");
    }

    #[test]
    fn one_ipv6_customer_is_one_address() {
        let throttle = Throttle::default();
        assert_eq!(failed(&throttle, "mara", caller("2001:db8:1:2::1"), false, 20), 5);
        assert!(!admits(&throttle, "mara", caller("2001:db8:1:2:ffff::9"), false));
        assert!(admits(&throttle, "mara", caller("2001:db8:1:3::1"), false));
    }

    #[test]
    fn an_attempt_that_succeeds_or_is_never_checked_does_not_count() {
        let throttle = Throttle::default();
        let keys = throttle.keys("mara", nth(1));
        for _ in 0..100 {
            let mut ticket = throttle.admit(keys, false, NOW).expect("admitted");
            ticket.spend();
            ticket.give_back();
            drop(throttle.admit(keys, false, NOW).expect("admitted"));
        }
        assert_eq!(failed(&throttle, "mara", nth(1), false, 20), 5);
    }

    #[test]
    fn simultaneous_attempts_count_before_any_has_failed() {
        let throttle = Throttle::default();
        let keys = throttle.keys("mara", nth(1));
        let in_hand: Vec<_> = (0..200).filter_map(|_| throttle.admit(keys, false, NOW).ok()).collect();
        assert_eq!(in_hand.len(), 5);
    }

    #[test]
    fn attempts_from_elsewhere_do_not_lock_out_a_known_person() {
        let throttle = Throttle::default();
        for n in 0..40 {
            failed(&throttle, "mara", nth(n), false, 5);
        }
        assert!(!admits(&throttle, "mara", nth(1_000), false), "guessing from many addresses is limited");
        assert!(admits(&throttle, "mara", nth(7), true));
        assert!(admits(&throttle, "joe", nth(1_000), false), "other people are not affected");
    }

    #[test]
    fn one_address_cannot_use_up_the_allowance_of_a_person() {
        let throttle = Throttle::default();
        for second in 0..3_600 {
            let now = TimestampMs(NOW.0 + second * 1_000);
            if let Ok(mut ticket) = throttle.admit(throttle.keys("mara", nth(1)), false, now) {
                ticket.spend();
            }
            assert!(throttle.admit(throttle.keys("mara", nth(2)), false, now).is_ok(), "second {second}");
        }
    }

    #[test]
    fn the_wait_ends_when_the_allowance_is_available_again() {
        let throttle = Throttle::default();
        let keys = throttle.keys("mara", nth(1));
        failed(&throttle, "mara", nth(1), false, 5);
        let wait_ms = throttle.admit(keys, false, NOW).expect_err("used up");
        assert_eq!(wait_ms, 12_000);
        assert!(throttle.admit(keys, false, TimestampMs(NOW.0 + wait_ms - 1)).is_err());
        assert!(throttle.admit(keys, false, TimestampMs(NOW.0 + wait_ms)).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out_for_long() {
        let throttle = Throttle::default();
        failed(&throttle, "mara", nth(1), false, 5);
        let keys = throttle.keys("mara", nth(1));
        let yesterday = TimestampMs(NOW.0 - 86_400_000);
        assert!(throttle.admit(keys, false, yesterday).expect_err("used up") <= 12_000);
    }

    #[test]
    fn a_full_table_drops_the_oldest_and_refuses_nobody() {
        let throttle = Throttle::default();
        failed(&throttle, "mara", nth(0), false, 5);
        for n in 1..=50_000 {
            let name = format!("{n}{}", "x".repeat(60));
            assert_eq!(failed(&throttle, &name, nth(n), false, 1), 1, "{n}");
        }
        let tables = throttle.tables.lock().expect("whole");
        for table in [&tables.pairs, &tables.addresses, &tables.people] {
            assert_eq!((table.back_at.len(), table.by_time.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        }
        drop(tables);
        assert!(!admits(&throttle, "mara", nth(0), false), "the entry that expires last is kept longest");
    }

    #[test]
    fn expired_entries_are_dropped() {
        let throttle = Throttle::default();
        for n in 0..1_000 {
            failed(&throttle, "mara", nth(n), true, 1);
        }
        let later = TimestampMs(NOW.0 + 3_600_000);
        throttle.admit(throttle.keys("joe", nth(1)), true, later).expect("admitted").spend();
        assert_eq!(throttle.tables.lock().expect("whole").known_pairs.back_at.len(), 1);
    }
}
