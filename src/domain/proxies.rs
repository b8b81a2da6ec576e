//! Which proxies are trusted to name the caller.
//!
//! Anybody can send a forwarding header. It counts only on a connection from a trusted proxy, and only the entries
//! that trusted proxies wrote: each appends the address that it saw, so the last entries are theirs.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::caller::{parse_hop, trusted_hop};

/// The most proxies in a row.
pub const MAX_HOPS: usize = 16;

/// The proxies in front of one listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxies {
    /// No proxy: no forwarding header is trusted.
    #[default]
    None,
    /// Any peer is a trusted proxy: only safe where nobody else can connect.
    Anyone {
        /// How many entries at the end of the header proxies wrote.
        hops: usize,
    },
    /// Only proxies with these addresses.
    Listed {
        /// Addresses and networks of the proxies.
        networks: Vec<IpNet>,
        /// How many entries were written by them; without it, entries count from the end as long as they are listed.
        hops: Option<usize>,
    },
}

impl Proxies {
    /// True if `peer` is a trusted proxy.
    pub fn believes(&self, peer: IpAddr) -> bool {
        match self {
            Self::None => false,
            Self::Anyone { .. } => true,
            Self::Listed { networks, .. } => contains(networks, peer),
        }
    }

    /// The entry of all `lines` of `X-Forwarded-For` that names the caller; `None` if there are too few.
    pub fn hop<'a>(&self, lines: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Anyone { hops } | Self::Listed { hops: Some(hops), .. } => trusted_hop(lines, *hops),
            Self::Listed { networks, hops: None } => {
                let hops = lines.flat_map(|line| line.split(',')).map(str::trim);
                let hops: Vec<&str> = hops.filter(|hop| !hop.is_empty()).collect();
                let is_theirs = |hop: &&&str| parse_hop(hop).is_some_and(|hop| contains(networks, hop));
                // Where a proxy itself asks, all of them are proxies: then the first one asked.
                hops.iter().rev().find(|hop| !is_theirs(hop)).or_else(|| hops.first()).copied()
            }
        }
    }
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// What is trusted, for `rewardgate check`.
impl std::fmt::Display for Proxies {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let networks = match self {
            Self::None => return out.write_str("no forwarding header is believed"),
            Self::Anyone { hops } => {
                return write!(out, "X-Forwarded-For is believed from whoever connects, {hops} from its end");
            }
            Self::Listed { networks, .. } => networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        };
        write!(out, "X-Forwarded-For is believed from {}", networks.join(", "))?;
        match self {
            Self::Listed { hops: Some(hops), .. } => write!(out, ", {hops} from its end"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::parse_network;

    fn listed(networks: &[&str], hops: Option<usize>) -> Proxies {
        let networks = networks.iter().map(|text| parse_network(text).expect("a network")).collect();
        Proxies::Listed { networks, hops }
    }

    #[test]
    fn only_a_listed_peer_is_believed() {
        let proxies = listed(&["127.0.0.1/32", "2001:db8::/64"], None);
        for (peer, is_believed) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("2001:db8::9", true),
            ("127.0.0.2", false),
            ("2001:db9::9", false),
        ] {
            let peer = peer.parse().expect("an address");
            assert_eq!(proxies.believes(peer), is_believed, "{peer}");
            assert!(!Proxies::None.believes(peer) && Proxies::Anyone { hops: 1 }.believes(peer));
        }
    }

    #[test]
    fn the_caller_is_the_last_entry_that_no_listed_proxy_made() {
        for (lines, hop) in [
            (&["9.9.9.9"][..], Some("9.9.9.9")),
            (&["6.6.6.6, 9.9.9.9"], Some("9.9.9.9")),
            (&["6.6.6.6, 9.9.9.9, 10.0.0.2"], Some("9.9.9.9")),
            (&["6.6.6.6", "9.9.9.9, 10.0.0.2", "10.0.0.3:80, "], Some("9.9.9.9")),
            (&["6.6.6.6, unknown, 10.0.0.2"], Some("unknown")),
            (&["10.0.0.9, 10.0.0.2"], Some("10.0.0.9")),
            (&["", " , "], None),
            (&[], None),
        ] {
            assert_eq!(listed(&["10.0.0.0/8"], None).hop(lines.iter().copied()), hop, "{lines:?}");
        }
    }

    #[test]
    fn a_number_of_hops_beside_addresses_counts_exactly_so_many() {
        let proxies = listed(&["10.0.0.0/8"], Some(2));
        assert_eq!(proxies.hop(["9.9.9.9, 10.0.0.7, 10.0.0.2"].into_iter()), Some("10.0.0.7"));
        assert_eq!(proxies.hop(["9.9.9.9"].into_iter()), None);
    }
}
