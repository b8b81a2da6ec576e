//! Addresses that are never called unless the settings list them.
//!
//! An operator writes the URL, but the owner of its host name decides where it leads. So the address is checked when
//! a connection is made, and everything that is not clearly public is refused.
//!
//! Sources: the special-purpose registries of IANA for IPv4 and IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What of IPv4 is not the public internet.
const SPECIAL_V4: [(Ipv4Addr, u8, &str); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a provider (CGNAT)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// What of IPv6 has a name; whatever is outside `2000::/3` is refused in any case.
const SPECIAL_V6: [(Ipv6Addr, u8, &str); 14] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "translated to IPv4 (NAT64)"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "translated to IPv4 (NAT64)"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discarded"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "reserved for protocols (Teredo and others)"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "translated to IPv4 (6to4)"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "for documentation"),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, "a segment identifier"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "unique local"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// An address that is not to be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {address} is not called: it is {what} and not listed in `deliveries.allow_networks`")]
pub struct Refused {
    /// As resolved, before IPv4-mapped IPv6 is unwrapped.
    pub address: IpAddr,
    /// Why it is not public, such as `private` or `loopback`.
    pub what: &'static str,
}

/// `Ok` if `address` may be called: it is public, or one of `allowed` holds it.
pub fn check(address: IpAddr, allowed: &[IpNet]) -> Result<(), Refused> {
    // An IPv4 address in IPv6 clothes (::ffff:10.0.0.1) is that IPv4 address: the kernel calls it.
    let called = address.to_canonical();
    match special(called) {
        Some(what) if !allowed.iter().any(|network| network.contains(&called)) => {
            Err(Refused { address, what })
        }
        _ => Ok(()),
    }
}

fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => SPECIAL_V4
            .iter()
            .find(|(network, prefix_len, _)| {
                shares_prefix(
                    u128::from(address.to_bits()) << 96,
                    u128::from(network.to_bits()) << 96,
                    *prefix_len,
                )
            })
            .map(|(_, _, what)| *what),
        IpAddr::V6(address) => {
            let named = SPECIAL_V6.iter().find(|(network, prefix_len, _)| {
                shares_prefix(address.to_bits(), network.to_bits(), *prefix_len)
            });
            let is_global = shares_prefix(address.to_bits(), 0x2000 << 112, 3);
            named.map(|(_, _, what)| *what).or((!is_global).then_some("not of the public internet"))
        }
    }
}

/// True if the first `prefix_len` bits are the same.
fn shares_prefix(one: u128, other: u128, prefix_len: u8) -> bool {
    (one ^ other).checked_shr(128 - u32::from(prefix_len)).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::caller::parse_network;

    fn what(address: &str) -> Option<&'static str> {
        check(address.parse().expect("an address"), &[]).err().map(|refused| refused.what)
    }

    #[test]
    fn what_is_not_the_public_internet_is_refused_in_all_its_clothes() {
        for (address, expected) in [
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("0.0.0.0", "this network"),
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("169.254.169.254", "link-local"),
            ("100.64.0.1", "shared by a provider (CGNAT)"),
            ("100.127.255.255", "shared by a provider (CGNAT)"),
            ("192.88.99.1", "a 6to4 relay"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.0.0.1", "private"),
            ("::ffff:169.254.169.254", "link-local"),
            ("64:ff9b::10.0.0.1", "translated to IPv4 (NAT64)"),
            ("64:ff9b::8.8.8.8", "translated to IPv4 (NAT64)"),
            ("64:ff9b:1::1", "translated to IPv4 (NAT64)"),
            ("2002:a00:1::1", "translated to IPv4 (6to4)"),
            ("2001::1", "reserved for protocols (Teredo and others)"),
            ("2001:db8::1", "for documentation"),
            ("5f00::1", "a segment identifier"),
            ("fc00::1", "unique local"),
            ("fdff::1", "unique local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            // IPv4-compatible, long out of use: still not of the public internet.
            ("::10.0.0.1", "not of the public internet"),
            ("4000::1", "not of the public internet"),
        ] {
            assert_eq!(what(address), Some(expected), "{address}");
        }
    }

    #[test]
    fn the_public_internet_is_called() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2001:4860:4860::8888",
            "2606:4700::1",
        ] {
            assert_eq!(what(address), None, "{address}");
        }
    }

    #[test]
    fn what_is_listed_is_called_and_nothing_else() {
        let allowed: Vec<_> =
            ["10.1.0.0/16", "fd00::/8"].iter().filter_map(|text| parse_network(text)).collect();
        let may = |address: &str| check(address.parse().expect("an address"), &allowed).is_ok();
        assert!(may("10.1.2.3") && may("::ffff:10.1.2.3") && may("fd12::1"));
        assert!(!may("10.2.0.1") && !may("127.0.0.1") && !may("fc00::1"));
        // A translation of a listed address is another way to it, which nobody listed.
        assert!(!may("64:ff9b::10.1.2.3") && !may("2002:a01:203::1"));
    }

    proptest! {
        #[test]
        fn an_address_and_its_mapped_form_are_judged_alike(bits in any::<u32>()) {
            let plain = Ipv4Addr::from_bits(bits);
            let mapped = IpAddr::V6(plain.to_ipv6_mapped());
            prop_assert_eq!(special(IpAddr::V4(plain)).is_some(), check(mapped, &[]).is_err());
        }
    }
}
