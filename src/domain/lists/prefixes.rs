//! The networks that an address belongs to, out of many.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// Values by network. A look-up costs one step for each length that occurs, not for each network.
#[derive(Clone, Debug)]
pub struct Prefixes<T> {
    by_network: HashMap<IpNet, T>,
    /// The lengths that occur, the longest first.
    ipv4_lengths: Vec<u8>,
    ipv6_lengths: Vec<u8>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { by_network: HashMap::new(), ipv4_lengths: Vec::new(), ipv6_lengths: Vec::new() }
    }
}

impl<T: Default> Prefixes<T> {
    /// The value of `network`, made if there is none.
    pub fn entry(&mut self, network: IpNet) -> &mut T {
        let network = network.trunc();
        let lengths = if network.addr().is_ipv4() { &mut self.ipv4_lengths } else { &mut self.ipv6_lengths };
        if let Err(place) = lengths.binary_search_by(|length| network.prefix_len().cmp(length)) {
            lengths.insert(place, network.prefix_len());
        }
        self.by_network.entry(network).or_default()
    }
}

impl<T> Prefixes<T> {
    /// The networks that contain `address` with their values, the smallest network first.
    pub fn containing(&self, address: IpAddr) -> impl Iterator<Item = (IpNet, &T)> {
        let address = address.to_canonical();
        let lengths = if address.is_ipv4() { &self.ipv4_lengths } else { &self.ipv6_lengths };
        lengths.iter().filter_map(move |length| {
            let network = IpNet::new(address, *length).ok()?.trunc();
            self.by_network.get(&network).map(|value| (network, value))
        })
    }

    /// True if a network contains `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.containing(address).next().is_some()
    }
}
