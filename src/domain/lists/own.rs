//! Hosting networks and relays that the settings name: rule N1 knows them without any geo database.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::prefixes::Prefixes;
use crate::location::{Location, NetworkTrait};

/// The most numbers or ranges in one setting.
pub const MAX_OWN: usize = 20_000;

/// `[lists]` of the settings, ready to look up.
#[derive(Clone, Debug, Default)]
pub struct OwnNetworks {
    hosting_asns: HashSet<u32>,
    hosting: Prefixes<()>,
    relays: Prefixes<()>,
}

impl OwnNetworks {
    /// From the settings.
    pub fn new(
        hosting_asns: impl IntoIterator<Item = u32>,
        hosting_ranges: impl IntoIterator<Item = IpNet>,
        relay_ranges: impl IntoIterator<Item = IpNet>,
    ) -> Self {
        let prefixes = |ranges: &mut dyn Iterator<Item = IpNet>| {
            let mut prefixes = Prefixes::default();
            for range in ranges {
                prefixes.entry(range);
            }
            prefixes
        };
        Self {
            hosting_asns: hosting_asns.into_iter().collect(),
            hosting: prefixes(&mut hosting_ranges.into_iter()),
            relays: prefixes(&mut relay_ranges.into_iter()),
        }
    }

    /// Adds to `location` what the settings know of `ip`.
    pub fn mark(&self, location: &mut Location, ip: Option<&str>) {
        let address = ip.and_then(|ip| ip.parse::<IpAddr>().ok());
        let is_hosting = address.is_some_and(|address| self.hosting.contains(address))
            || location.asn.is_some_and(|asn| self.hosting_asns.contains(&asn));
        let is_relay = address.is_some_and(|address| self.relays.contains(address));
        for (kind, applies) in [(NetworkTrait::Hosting, is_hosting), (NetworkTrait::Relay, is_relay)] {
            if applies && !location.network.contains(&kind) {
                location.network.push(kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_mark_hosting_networks_and_relays() {
        use NetworkTrait::{Hosting, Relay, Tor};
        let network = |text: &str| text.parse::<IpNet>().expect("a network");
        let own = OwnNetworks::new(
            [64_500],
            [network("198.51.100.0/24"), network("2001:db8::/32")],
            [network("172.224.0.0/12")],
        );
        let marked = |ip: &str, asn: Option<u32>, known: &[NetworkTrait]| {
            let mut location = Location { asn, network: known.to_vec(), ..Location::default() };
            own.mark(&mut location, Some(ip));
            location.network
        };
        assert_eq!(marked("198.51.100.9", None, &[]), [Hosting]);
        assert_eq!(marked("198.51.100.9", None, &[Hosting]), [Hosting]);
        assert_eq!(marked("2001:db8:5::1", None, &[]), [Hosting]);
        assert_eq!(marked("8.8.8.8", Some(64_500), &[Tor]), [Tor, Hosting]);
        assert_eq!(marked("172.224.1.1", None, &[]), [Relay]);
        assert_eq!(marked("8.8.8.8", Some(1), &[]), []);
        assert_eq!(marked("no address", None, &[]), []);
    }
}
