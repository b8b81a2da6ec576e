//! The addresses that a network calls from, if it publishes them.
//!
//! With a signature the list is a second opinion: lists go stale, and a caller with the right secret from a new
//! address is more often the network's new server than a thief. So an unlisted caller is flagged unless the settings
//! say otherwise.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
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

/// How much of a network is on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Every address.
    All,
    /// Some addresses.
    Part,
    /// No address.
    None,
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

    /// The addresses that are listed.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Whether `caller` is listed; `None` if the list is empty or not looked at.
    pub fn lists(&self, caller: IpAddr) -> Option<bool> {
        if self.policy == IpPolicy::Off || self.networks.is_empty() {
            return None;
        }
        let caller = caller.to_canonical();
        Some(self.networks.iter().any(|network| network.contains(&caller)))
    }

    /// Whether the addresses of `network` are listed; `None` if the list is empty or not looked at.
    pub fn lists_network(&self, network: IpNet) -> Option<Listed> {
        if self.policy == IpPolicy::Off || self.networks.is_empty() {
            return None;
        }
        let is_part = |listed: &IpNet| network.contains(listed);
        Some(match () {
            () if self.networks.iter().any(|listed| listed.contains(&network)) => Listed::All,
            () if self.networks.iter().any(is_part) => Listed::Part,
            () => Listed::None,
        })
    }

    /// True if `caller` is to be refused.
    pub fn refuses(&self, caller: IpAddr) -> bool {
        self.policy == IpPolicy::Enforce && self.lists(caller) == Some(false)
    }
}

/// `203.0.113.0/24`, or one address. An IPv4 network inside IPv6 (`::ffff:203.0.113.0/120`) is what it is, as every
/// caller is.
pub fn parse_network(text: &str) -> Option<IpNet> {
    /// How many bits stand before an IPv4 address inside an IPv6 one.
    const MAPPED_BITS: u8 = 96;
    let text = text.trim();
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let mapped = match network {
        IpNet::V6(inside) => inside.addr().to_ipv4_mapped().zip(inside.prefix_len().checked_sub(MAPPED_BITS)),
        IpNet::V4(_) => None,
    };
    match mapped {
        Some((address, prefix_len)) => Ipv4Net::new(address, prefix_len).ok().map(IpNet::V4),
        None => Some(network),
    }
}

/// The address of one hop as proxies write it: alone, with a port, in brackets, in quotes, with the zone of a network
/// card. `None`: the hop says nothing (`unknown`, `_hidden`), or cannot be read.
pub fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    let address = match text.strip_prefix('[') {
        // [2001:db8::7], [2001:db8::7]:443
        Some(rest) => {
            let (inside, after) = rest.split_once(']')?;
            let is_port = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
            address_of(inside).filter(|address| is_port && address.is_ipv6())
        }
        None => address_of(text).or_else(|| {
            // 203.0.113.5:51008. Of IPv6 without brackets a port can be told only where the whole is no address.
            let (host, port) = text.rsplit_once(':')?;
            address_of(host).filter(|_| is_port(port))
        }),
    };
    address.map(|address| address.to_canonical())
}

/// An address, without its zone if it has one.
fn address_of(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

/// A port, or what a proxy writes that hides it (RFC 7239: `_` and a name).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(name) => {
            !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
        }
        None => text.bytes().all(|digit| digit.is_ascii_digit()) && text.parse::<u16>().is_ok(),
    }
}

/// The hop that the outermost of `trusted` proxies wrote, of all `lines` of `X-Forwarded-For` in order.
///
/// Each proxy appends the address that it saw, so that hop stands `trusted` from the end, whatever the caller claims
/// further left. Empty entries are no hops. `None`: there are fewer hops.
pub fn trusted_hop<'a>(lines: impl Iterator<Item = &'a str>, trusted: usize) -> Option<&'a str> {
    let hops: Vec<&str> =
        lines.flat_map(|line| line.split(',')).map(str::trim).filter(|hop| !hop.is_empty()).collect();
    hops.len().checked_sub(trusted.max(1)).and_then(|index| hops.get(index).copied())
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
    fn a_network_is_listed_whole_partly_or_not_at_all() {
        let list = list(&["203.0.113.0/24", "198.51.100.7", "2001:db8::/32"], IpPolicy::Flag);
        for (network, listed) in [
            ("203.0.113.0/24", Listed::All),
            ("203.0.113.16/28", Listed::All),
            ("198.51.100.0/24", Listed::Part),
            ("192.0.2.0/24", Listed::None),
            ("2001:db8:1::/48", Listed::All),
        ] {
            let network = parse_network(network).expect("a network");
            assert_eq!(list.lists_network(network), Some(listed), "{network}");
        }
        let off = super::CallerList { policy: IpPolicy::Off, ..list };
        assert_eq!(off.lists_network(parse_network("203.0.113.0/24").expect("a network")), None);
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
    fn a_hop_is_read_however_a_proxy_writes_it() {
        for (text, address) in [
            ("203.0.113.5", "203.0.113.5"),
            (" 203.0.113.5\t", "203.0.113.5"),
            ("203.0.113.5:51008", "203.0.113.5"),
            ("203.0.113.5:0", "203.0.113.5"),
            ("203.0.113.5:65535", "203.0.113.5"),
            ("203.0.113.5:_port", "203.0.113.5"),
            ("\"203.0.113.5:51008\"", "203.0.113.5"),
            ("2001:db8::7", "2001:db8::7"),
            ("2001:DB8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("\"[2001:db8::7]:443\"", "2001:db8::7"),
            ("[2001:db8::7]:_obfuscated", "2001:db8::7"),
            ("2001:db8:0:0:0:0:0:7:443", "2001:db8::7"),
            ("2001:db8::7:51008", "2001:db8::7"),
            ("::ffff:203.0.113.5", "203.0.113.5"),
            ("[::ffff:203.0.113.5]:443", "203.0.113.5"),
            ("::ffff:203.0.113.5:443", "203.0.113.5"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
        ] {
            assert_eq!(parse_hop(text), Some(address.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn a_hop_that_says_nothing_or_cannot_be_read_is_none() {
        for text in [
            "",
            "\"\"",
            "unknown",
            "_hidden",
            "localhost",
            "203.0.113",
            "203.0.113.5.6",
            "203.0.113.256",
            "203.0.113.05",
            "203.0.113.5:",
            "203.0.113.5:65536",
            "203.0.113.5:x",
            "203.0.113.5:_",
            "203.0.113.5:80:80",
            "203.0.113.5%eth0",
            "203.0.113.5/32",
            "[203.0.113.5]:80",
            "[2001:db8::7",
            "2001:db8::7]",
            "[2001:db8::7]443",
            "[2001:db8::7]:",
            "[]",
            "fe80::1%",
            "for=203.0.113.5",
            "http://203.0.113.5",
        ] {
            assert_eq!(parse_hop(text), None, "{text}");
        }
    }

    #[test]
    fn the_hop_of_the_outermost_trusted_proxy_is_found_from_the_end() {
        for (lines, trusted, hop) in [
            (&["9.9.9.9"][..], 1, Some("9.9.9.9")),
            (&["6.6.6.6, 9.9.9.9"], 1, Some("9.9.9.9")),
            (&["6.6.6.6", "9.9.9.9, 10.0.0.2"], 2, Some("9.9.9.9")),
            (&["6.6.6.6,", " , 9.9.9.9:80 , "], 1, Some("9.9.9.9:80")),
            (&["", ",,"], 1, None),
            (&["9.9.9.9"], 2, None),
            (&[], 1, None),
            (&["\u{fffd}\u{fffd}, 9.9.9.9"], 1, Some("9.9.9.9")),
        ] {
            assert_eq!(trusted_hop(lines.iter().copied(), trusted), hop, "{lines:?} {trusted}");
        }
    }

    #[test]
    fn a_listed_network_of_ipv4_inside_ipv6_is_one_of_ipv4() {
        let list = list(&["::ffff:203.0.113.0/120", "::ffff:198.51.100.7"], IpPolicy::Enforce);
        for (caller, refused) in [
            ("203.0.113.9", false),
            ("::ffff:203.0.113.9", false),
            ("198.51.100.7", false),
            ("198.51.100.8", true),
        ] {
            assert_eq!(list.refuses(caller.parse().expect("an address")), refused, "{caller}");
        }
        assert_eq!(parse_network("::/0"), Some("::/0".parse().expect("all of IPv6")));
    }

    #[test]
    fn text_that_is_not_a_network_is_refused() {
        for text in ["", "203.0.113.0/33", "example.com", "203.0.113"] {
            assert_eq!(parse_network(text), None, "{text}");
        }
    }
}
