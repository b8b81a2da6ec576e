//! Which addresses a network calls from, where it publishes them.
//!
//! With a signature the list is a second opinion: lists go stale, and a caller with the right secret from a new
//! address is more often the network's new server than a thief. So an unlisted caller is flagged unless the settings
//! say otherwise.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// What an unlisted caller means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpPolicy {
    /// It is refused like a wrong signature.
    Enforce,
    /// It is taken, and the verdict says so.
    #[default]
    Flag,
    /// Nothing: the list is not looked at.
    Off,
}

/// The addresses that a network calls from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerList {
    networks: Vec<IpNet>,
    policy: IpPolicy,
}

impl CallerList {
    /// `networks` under `policy`; an empty list is the same as none.
    pub fn new(networks: Vec<IpNet>, policy: IpPolicy) -> Self {
        Self { networks, policy }
    }

    /// Whether `caller` is listed; `None` if the list is empty or not looked at.
    pub fn lists(&self, caller: IpAddr) -> Option<bool> {
        if self.policy == IpPolicy::Off || self.networks.is_empty() {
            return None;
        }
        let caller = caller.to_canonical();
        Some(self.networks.iter().any(|network| network.contains(&caller)))
    }

    /// True if `caller` is to be refused.
    pub fn refuses(&self, caller: IpAddr) -> bool {
        self.policy == IpPolicy::Enforce && self.lists(caller) == Some(false)
    }
}

/// `203.0.113.0/24`, or one address.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(networks: &[&str], policy: IpPolicy) -> CallerList {
        CallerList::new(networks.iter().map(|text| parse_network(text).expect("a network")).collect(), policy)
    }

    #[test]
    fn addresses_and_networks_of_both_families_are_listed() {
        let list = list(&["203.0.113.0/24", "198.51.100.7", "2001:db8::/32"], IpPolicy::Flag);
        for (caller, listed) in [
            ("203.0.113.255", true),
            ("203.0.114.0", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("::ffff:203.0.113.9", true),
        ] {
            assert_eq!(list.lists(caller.parse().expect("an address")), Some(listed), "{caller}");
        }
    }

    #[test]
    fn only_an_enforced_list_refuses_and_only_whom_it_does_not_list() {
        let (listed, other) = ("203.0.113.1".parse().expect("ip"), "192.0.2.1".parse().expect("ip"));
        for (policy, refused) in [(IpPolicy::Enforce, true), (IpPolicy::Flag, false), (IpPolicy::Off, false)]
        {
            let list = list(&["203.0.113.0/24"], policy);
            assert_eq!((list.refuses(other), list.refuses(listed)), (refused, false), "{policy:?}");
        }
    }

    #[test]
    fn an_empty_list_or_one_that_is_off_says_nothing() {
        let other = "192.0.2.1".parse().expect("ip");
        assert_eq!(list(&["203.0.113.0/24"], IpPolicy::Off).lists(other), None);
        assert_eq!(list(&[], IpPolicy::Enforce).lists(other), None);
        assert!(!list(&[], IpPolicy::Enforce).refuses(other));
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in ["", "203.0.113.0/33", "example.com", "203.0.113"] {
            assert_eq!(parse_network(text), None, "{text}");
        }
    }
}
