//! Real address blocks of large national providers, and the country of each.
//!
//! Each block belongs to one country in the data of the regional registries and is used by households or phones there, so
//! that registry data and finer databases agree.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::{Rng, RngExt as _};

/// One block: country (ISO 3166-1 alpha-2), first address, prefix length.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) country: &'static str,
    network: IpAddr,
    prefix_bits: u32,
}

const fn v4(country: &'static str, [a, b]: [u8; 2], prefix_bits: u32) -> Block {
    Block { country, network: IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), prefix_bits }
}

const fn v6(country: &'static str, [a, b]: [u16; 2], prefix_bits: u32) -> Block {
    Block { country, network: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)), prefix_bits }
}

/// Home addresses of users. Do not reorder: a seed refers to positions.
pub(super) static HOMES: [Block; 44] = [
    // Deutsche Telekom
    v4("DE", [79, 192], 10),
    v4("DE", [84, 128], 10),
    v4("DE", [91, 0], 10),
    v6("DE", [0x2003, 0], 19),
    // Orange, Free
    v4("FR", [90, 0], 12),
    v4("FR", [86, 192], 12),
    v4("FR", [82, 64], 14),
    v6("FR", [0x2a01, 0x0e00], 26),
    // BT, Sky
    v4("GB", [81, 128], 11),
    v4("GB", [86, 128], 10),
    v6("GB", [0x2a02, 0x0c7c], 30),
    // Claro, Vivo
    v4("BR", [179, 208], 12),
    v4("BR", [187, 64], 14),
    v4("BR", [189, 120], 14),
    v6("BR", [0x2804, 0x014c], 31),
    // BSNL, Airtel, Jio
    v4("IN", [59, 88], 13),
    v4("IN", [117, 192], 10),
    v4("IN", [122, 160], 12),
    v4("IN", [157, 32], 12),
    v6("IN", [0x2405, 0x0200], 29),
    // NTT, SoftBank, KDDI
    v4("JP", [114, 144], 12),
    v4("JP", [126, 64], 10),
    v4("JP", [153, 128], 10),
    v6("JP", [0x2001, 0x0268], 32),
    // Comcast, AT&T
    v4("US", [24, 0], 12),
    v4("US", [73, 0], 8),
    v4("US", [98, 192], 10),
    v6("US", [0x2600, 0x1700], 28),
    // Rogers, Bell
    v4("CA", [99, 224], 11),
    v4("CA", [174, 88], 13),
    // Telefónica
    v4("ES", [83, 32], 11),
    v4("ES", [88, 0], 11),
    // Telecom Italia
    v4("IT", [79, 0], 10),
    v4("IT", [87, 0], 12),
    // KPN
    v4("NL", [77, 160], 13),
    // Orange Polska
    v4("PL", [83, 0], 11),
    // Telia
    v4("SE", [78, 64], 12),
    v4("SE", [90, 224], 12),
    // Türk Telekom
    v4("TR", [78, 160], 11),
    // Telstra
    v4("AU", [1, 120], 13),
    v4("AU", [101, 160], 11),
    // KT
    v4("KR", [14, 32], 11),
    v4("KR", [175, 192], 10),
    // Telmex
    v4("MX", [189, 128], 11),
];

/// Well-known public resolvers, used for wrong countries: no user lives there.
pub(super) const FAMOUS: [(IpAddr, &str); 2] =
    [(IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)), "US"), (IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)), "AU")];

impl Block {
    /// The block `ADDRESS/BITS`.
    pub(super) fn parse(country: &'static str, text: &str) -> Option<Self> {
        let (network, bits) = text.split_once('/')?;
        Some(Self { country, network: network.parse().ok()?, prefix_bits: bits.parse().ok()? })
    }

    pub(super) fn is_ipv6(&self) -> bool {
        self.network.is_ipv6()
    }

    /// A random host of the block.
    pub(super) fn host(&self, rng: &mut impl Rng) -> IpAddr {
        match self.network {
            IpAddr::V4(network) => {
                let host = rng.random::<u32>() & (u32::MAX >> self.prefix_bits);
                // Never ends in 0 or 255, which some take for network addresses.
                let last = 1 + host % 254;
                IpAddr::V4(Ipv4Addr::from(u32::from(network) | (host & !0xff) | last))
            }
            IpAddr::V6(network) => {
                let host = rng.random::<u128>() & (u128::MAX >> self.prefix_bits);
                IpAddr::V6(Ipv6Addr::from(u128::from(network) | host))
            }
        }
    }

    #[cfg(test)]
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (u32::from(network) ^ u32::from(address)) >> (32 - self.prefix_bits) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (u128::from(network) ^ u128::from(address)) >> (128 - self.prefix_bits) == 0
            }
            _ => false,
        }
    }
}

/// A random country other than `country`.
pub(super) fn elsewhere(country: &str, rng: &mut impl Rng) -> &'static str {
    let start = rng.random_range(0..HOMES.len());
    let others = HOMES.iter().cycle().skip(start).take(HOMES.len());
    others.map(|block| block.country).find(|other| *other != country).unwrap_or("US")
}

#[cfg(test)]
mod tests {
    use domain::location::is_public;
    use rand::SeedableRng as _;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn every_host_is_public_and_belongs_to_one_country() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for block in &HOMES {
            for _ in 0..500 {
                let address = block.host(&mut rng);
                assert!(is_public(address) && block.contains(address), "{address}");
                let claims = HOMES.iter().filter(|other| other.contains(address));
                assert!(claims.into_iter().all(|other| other.country == block.country), "{address}");
            }
        }
    }

    #[test]
    fn elsewhere_is_never_the_same_country() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for block in HOMES.iter().cycle().take(1_000) {
            assert_ne!(elsewhere(block.country, &mut rng), block.country);
        }
    }
}
