//! Limits for callers: connections, header bytes, time. All are set under `[limits]`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::MonotonicClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// Limits for callers, as set under `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections of one listener. When all are taken, the longest idle one is closed.
    pub connections: usize,
    /// Open connections from one address (IPv6: one /64); further ones are closed at once. Trusted proxies are exempt.
    pub connections_per_address: usize,
    /// Request line and headers together, in bytes.
    pub header_bytes: usize,
    /// From the first byte of a request to the end of its headers.
    pub header_time: Duration,
    /// From the end of the headers to the end of the body.
    pub body_time: Duration,
    /// Between two requests of one connection, before the first, and without a byte taken of an answer.
    pub idle_time: Duration,
    /// From when a connection is this old on, its next answer is its last.
    pub life_time: Duration,
    /// Refused calls of one address that are kept in a minute; more are counted only.
    pub refused_per_minute: NonZeroU32,
    /// Bytes of bodies that no signature covers that are kept of one source in an hour.
    pub body_bytes_per_hour: i64,
}

/// The share of all connections that `admin_listen` gets, if it is set.
const ADMIN_PART: usize = 8;

impl Limits {
    /// The connections shared out: between the listener that networks call, and that of people and programs.
    pub fn shared_out(self) -> (Self, Self) {
        let of_admin = (self.connections / ADMIN_PART).max(1);
        let of_networks = self.connections.saturating_sub(of_admin).max(1);
        (Self { connections: of_networks, ..self }, Self { connections: of_admin, ..self })
    }
}

/// One caller: an address, or the network that one IPv6 customer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Caller(IpAddr);

impl Caller {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// The address, or the first of the network.
    pub(crate) fn address(self) -> IpAddr {
        self.0
    }
}

/// Counts the open connections of each caller.
#[derive(Clone, Debug)]
pub(crate) struct Census {
    open: Arc<Mutex<HashMap<Caller, usize>>>,
    most: usize,
}

impl Census {
    pub(crate) fn new(most: usize) -> Self {
        Self { open: Arc::default(), most }
    }

    /// Counts one more connection of `caller`, until the answer is dropped; `None` if it has too many.
    pub(crate) fn admit(&self, caller: Caller) -> Option<Counted> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(caller).or_default();
        (*count < self.most).then(|| {
            *count += 1;
            Counted { census: self.clone(), caller }
        })
    }
}

/// One counted connection; dropping it ends the count.
#[derive(Debug)]
pub(crate) struct Counted {
    census: Census,
    caller: Caller,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.census.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

/// Callers that are tracked at once; refused calls of further callers are counted, not stored.
const MAX_CALLERS: usize = 10_000;

/// Limits how many refused calls of each caller are stored.
pub struct RefusedRate(RateLimiter<Caller, HashMapStateStore<Caller>, MonotonicClock>);

impl RefusedRate {
    /// `per_minute` of each caller.
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self(RateLimiter::hashmap_with_clock(Quota::per_minute(per_minute), MonotonicClock))
    }

    /// True if this refused call of `caller` may be stored.
    pub(crate) fn admits(&self, caller: Caller) -> bool {
        if self.0.len() >= MAX_CALLERS {
            // Callers without recent calls are forgotten.
            self.0.retain_recent();
            if self.0.len() >= MAX_CALLERS {
                return false;
            }
        }
        self.0.check_key(&caller).is_ok()
    }
}

impl std::fmt::Debug for RefusedRate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "RefusedRate({} callers)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(address: &str) -> Caller {
        Caller::of(address.parse().expect("an address"))
    }

    #[test]
    fn one_ipv6_customer_is_one_caller_and_a_mapped_address_is_its_ipv4_one() {
        assert_eq!(caller("2001:db8:1:2::1"), caller("2001:db8:1:2:ffff::9"));
        assert_ne!(caller("2001:db8:1:2::1"), caller("2001:db8:1:3::1"));
        assert_eq!(caller("::ffff:203.0.113.7"), caller("203.0.113.7"));
        assert_ne!(caller("203.0.113.7"), caller("203.0.113.8"));
    }

    #[test]
    fn a_caller_with_too_many_connections_gets_no_more_until_one_ends() {
        let census = Census::new(2);
        let first = census.admit(caller("203.0.113.7")).expect("the first");
        let _second = census.admit(caller("203.0.113.7")).expect("the second");
        assert!(census.admit(caller("203.0.113.7")).is_none());
        assert!(census.admit(caller("203.0.113.8")).is_some(), "another caller is not concerned");
        drop(first);
        assert!(census.admit(caller("203.0.113.7")).is_some());
    }

    #[test]
    fn callers_that_are_gone_are_forgotten() {
        let census = Census::new(2);
        drop(census.admit(caller("203.0.113.7")));
        assert!(census.open.lock().expect("a census").is_empty());
    }

    #[test]
    fn of_one_caller_only_so_many_refused_calls_are_kept() {
        let rate = RefusedRate::new(NonZeroU32::new(3).expect("above zero"));
        let kept = (0..10).filter(|_| rate.admits(caller("203.0.113.7"))).count();
        assert_eq!(kept, 3);
        assert!(rate.admits(caller("203.0.113.8")));
    }

    #[test]
    fn the_number_of_callers_that_are_remembered_is_bounded() {
        let rate = RefusedRate::new(NonZeroU32::MIN);
        let admitted =
            (0..20_000_u32).filter(|n| rate.admits(Caller::of(IpAddr::from(n.to_be_bytes())))).count();
        assert_eq!(admitted, MAX_CALLERS);
    }
}
