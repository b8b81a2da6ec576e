//! Where users are: addresses whose country RewardGate finds with its built-in registry data.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::chance::{Chance, zipf};
use super::population::Population;
use crate::addresses::{Block, HOMES};

/// Homes to look at until one has IPv6.
const ATTEMPTS: usize = 1_000;
/// Address bits of a /64.
const HOST_BITS: u32 = 64;

/// Ranges of hosting companies, and their country in the data of the registries.
pub const HOSTING: [(&str, &str); 10] = [
    // Hetzner
    ("DE", "88.198.0.0/16"),
    ("DE", "78.46.0.0/15"),
    ("DE", "2a01:4f8::/32"),
    // OVH
    ("FR", "91.121.0.0/16"),
    ("FR", "37.187.0.0/16"),
    // DigitalOcean
    ("US", "104.131.0.0/16"),
    ("US", "45.55.0.0/16"),
    // Linode
    ("US", "45.33.0.0/17"),
    ("US", "2600:3c00::/32"),
    // LeaseWeb
    ("NL", "85.17.0.0/16"),
];

/// The blocks of homes in a country; empty if there are none.
pub(super) fn blocks(country: &str) -> Vec<&'static Block> {
    HOMES.iter().filter(|block| block.country == country).collect()
}

/// An address and the country that the network reports for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) country: &'static str,
    pub(super) address: IpAddr,
}

impl Place {
    /// The address of a device here, if this is a home: privacy extensions change the lower half of IPv6.
    pub(super) fn device(self, chance: &mut Chance) -> Self {
        let address = match self.address {
            IpAddr::V6(network) => {
                IpAddr::V6(Ipv6Addr::from(u128::from(network) | u128::from(chance.bits())))
            }
            address @ IpAddr::V4(_) => address,
        };
        Self { address, ..self }
    }
}

/// The addresses of mobile carriers, by country.
#[derive(Debug)]
pub(super) struct Places {
    /// The blocks of each country, the busiest first, and running sums of how busy.
    countries: Vec<Vec<&'static Block>>,
    busy: Vec<f64>,
    carriers: BTreeMap<&'static str, Vec<IpAddr>>,
    hosting: Vec<Block>,
}

impl Places {
    pub(super) fn of(population: &Population, chance: &mut Chance) -> Self {
        let mut carriers = BTreeMap::new();
        for block in HOMES.iter().filter(|block| !block.is_ipv6()) {
            carriers.entry(block.country).or_insert_with(|| {
                // Neighbours in one /24, as carriers' gateways are.
                let IpAddr::V4(first) = block.host(chance.rng()) else { return Vec::new() };
                let network = u32::from(first) & !0xff;
                (1..=population.users.carrier_addresses)
                    .map(|host| IpAddr::V4(Ipv4Addr::from(network | host)))
                    .collect()
            });
        }
        let hosting = HOSTING.iter().filter_map(|(country, range)| Block::parse(country, range));
        let countries: Vec<_> = population.countries.iter().map(|country| blocks(country)).collect();
        let busy = zipf(countries.len(), population.zipf);
        Self { countries, busy, carriers, hosting: hosting.collect() }
    }

    /// A home: an address, or of IPv6 the first of its /64, in this share of the homes where the country has any.
    pub(super) fn home(&self, ipv6: f64, chance: &mut Chance) -> Place {
        let country = &self.countries[chance.weighted(&self.busy)];
        let wants_ipv6 = chance.is(ipv6);
        let fitting: Vec<_> = country.iter().filter(|block| block.is_ipv6() == wants_ipv6).collect();
        let fitting = if fitting.is_empty() { country.iter().collect() } else { fitting };
        let block = fitting[chance.below(fitting.len())];
        let address = match block.host(chance.rng()) {
            IpAddr::V6(host) => IpAddr::V6(Ipv6Addr::from(u128::from(host) >> HOST_BITS << HOST_BITS)),
            address @ IpAddr::V4(_) => address,
        };
        Place { country: block.country, address }
    }

    /// A home with IPv6; `None` if none of many has it.
    pub(super) fn ipv6_home(&self, chance: &mut Chance) -> Option<Place> {
        (0..ATTEMPTS).map(|_| self.home(1.0, chance)).find(|home| home.address.is_ipv6())
    }

    /// A user's address at a carrier of the country: one of three neighbours.
    pub(super) fn mobile(&self, country: &'static str, user: u32, chance: &mut Chance) -> Option<Place> {
        let addresses = self.carriers.get(country).filter(|addresses| !addresses.is_empty())?;
        let slot = usize::try_from(user).unwrap_or(0) * 7 + chance.below(3);
        Some(Place { country, address: addresses[slot % addresses.len()] })
    }

    /// An address in a hosting range.
    pub(super) fn hosted(&self, chance: &mut Chance) -> Option<Place> {
        let block = self.hosting.get(chance.below(self.hosting.len().max(1)))?;
        Some(Place { country: block.country, address: block.host(chance.rng()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hosting_range_is_read() {
        for (country, range) in HOSTING {
            assert!(Block::parse(country, range).is_some(), "{range}");
        }
    }
}
