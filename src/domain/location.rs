//! What the geo databases say of an IP address, and whether it matches the country that the network reports.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Everything that the geo databases say of one address, merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Where the user is believed to be (ISO 3166-1 alpha-2, upper case).
    pub country: Option<String>,
    /// Where the block is registered.
    pub registered_country: Option<String>,
    /// The country that a military base or embassy at this address represents.
    pub represented_country: Option<String>,
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Name of the autonomous system's organisation.
    pub organisation: Option<String>,
    /// Kinds of network; empty if no database lists it.
    pub network: Vec<NetworkTrait>,
    /// Which databases were asked, each with its build date.
    pub databases: Vec<DatabaseBuild>,
    /// True if the country comes from registry data alone: where a block is registered, not where it is used.
    pub registry_only: bool,
}

/// One geo database as it was when it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseBuild {
    /// File name, or `registry` for the built-in data.
    pub name: String,
    /// Build date from its metadata, `YYYY-MM-DD`; for the built-in data its release.
    pub built_at: String,
}

/// A property of the network behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkTrait {
    /// A Tor exit.
    Tor,
    /// A VPN endpoint.
    Vpn,
    /// An open proxy.
    PublicProxy,
    /// A proxy on a household's line.
    ResidentialProxy,
    /// Anonymous in some way that the database does not name further.
    Anonymous,
    /// A hosting provider or data centre.
    Hosting,
    /// A satellite link.
    Satellite,
    /// Announced from many places at once: its location means little.
    Anycast,
    /// A mobile carrier.
    Cellular,
    /// A relay that the settings name, such as a privacy service of a phone's maker: many honest people share it.
    Relay,
}

impl NetworkTrait {
    /// The trait in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Tor => "a Tor exit",
            Self::Vpn => "a VPN",
            Self::PublicProxy => "a public proxy",
            Self::ResidentialProxy => "a residential proxy",
            Self::Anonymous => "an anonymiser",
            Self::Hosting => "a hosting network",
            Self::Satellite => "a satellite link",
            Self::Anycast => "an anycast network",
            Self::Cellular => "a mobile network",
            Self::Relay => "a relay that the settings name",
        }
    }
}

/// Whether the address and the reported country match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeoResult {
    /// The same country.
    Match,
    /// A territory of the same state, or the registered or represented country agrees.
    Compatible,
    /// Two different countries.
    Mismatch,
    /// One of the two is not known.
    Unknown,
    /// Not an address of the public internet: private, reserved, carrier-grade NAT, or no address at all.
    Invalid,
}

impl GeoResult {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Match, Self::Compatible, Self::Mismatch, Self::Unknown, Self::Invalid];

    /// The result of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.name() == name)
    }

    /// The name in tables, files and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Compatible => "compatible",
            Self::Mismatch => "mismatch",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        }
    }
}

/// Compares the address `ip` (as sent), located at `location`, with the country code `reported`.
pub fn compare(ip: Option<&str>, location: &Location, reported: Option<&str>) -> GeoResult {
    match ip.map(str::parse::<IpAddr>) {
        Some(Ok(address)) if is_public(address) => {}
        Some(_) => return GeoResult::Invalid,
        None => return GeoResult::Unknown,
    }
    let Some(reported) = reported.and_then(country_code) else { return GeoResult::Unknown };
    let Some(located) = location.country.as_deref().or(location.registered_country.as_deref()) else {
        return GeoResult::Unknown;
    };
    let same = |country: &Option<String>| country.as_deref() == Some(reported.as_str());
    if located == reported {
        GeoResult::Match
    } else if state_of(located) == state_of(&reported)
        || same(&location.registered_country)
        || same(&location.represented_country)
    {
        GeoResult::Compatible
    } else {
        GeoResult::Mismatch
    }
}

/// How much an address speaks against a reward, to compare those of a list: another country first, then the kind of
/// network, then what is not known.
pub fn suspicion(location: &Location, geo: GeoResult) -> (bool, u8, bool) {
    let weight = |kind: &NetworkTrait| match kind {
        NetworkTrait::Tor => 3,
        NetworkTrait::Vpn
        | NetworkTrait::Anonymous
        | NetworkTrait::PublicProxy
        | NetworkTrait::ResidentialProxy => 2,
        NetworkTrait::Hosting => 1,
        NetworkTrait::Satellite | NetworkTrait::Anycast | NetworkTrait::Cellular | NetworkTrait::Relay => 0,
    };
    let is_relay = location.network.contains(&NetworkTrait::Relay);
    let network = location.network.iter().map(weight).max().filter(|_| !is_relay).unwrap_or(0);
    (geo == GeoResult::Mismatch && !is_relay, network, matches!(geo, GeoResult::Unknown | GeoResult::Invalid))
}

/// The country of a two-letter code in any case, in upper case: see [`crate::country::of_code`].
pub fn country_code(text: &str) -> Option<String> {
    crate::country::of_code(text).map(str::to_owned)
}

/// Territories with a code of their own, and the state whose networks they share; also countries whose numbers and
/// networks databases file under a neighbour (Kosovo, Palestine, Western Sahara, Monaco, …). A plain comparison of
/// codes would turn each of them into fraud. It says whose networks are used, and nothing about whose land it is.
const TERRITORIES: [(&str, &[&str]); 15] = [
    ("US", &["PR", "GU", "VI", "AS", "MP", "UM"]),
    ("FR", &["GP", "MQ", "GF", "RE", "YT", "BL", "MF", "PM", "NC", "PF", "WF", "TF", "MC"]),
    ("CN", &["HK", "MO"]),
    ("GB", &["GG", "JE", "IM", "GI", "FK", "SH", "IO", "GS", "PN"]),
    ("NL", &["AW", "CW", "SX", "BQ"]),
    ("DK", &["FO", "GL"]),
    ("NO", &["SJ", "BV"]),
    ("FI", &["AX"]),
    ("AU", &["NF", "CX", "CC", "HM"]),
    ("NZ", &["CK", "NU", "TK"]),
    ("RS", &["XK"]),
    ("IL", &["PS"]),
    ("MA", &["EH"]),
    ("CH", &["LI"]),
    ("IT", &["VA", "SM"]),
];

fn state_of(code: &str) -> &str {
    TERRITORIES.iter().find(|(_, territories)| territories.contains(&code)).map_or(code, |(state, _)| state)
}

/// True for an address of the public internet. Refused: private, loopback, link-local, carrier-grade NAT,
/// documentation, benchmarking, multicast and reserved ranges (IANA special-purpose registries), also when an IPv4
/// address is written inside an IPv6 one.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || (a == 192 && b == 0 && c == 0))
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            // Global unicast is 2000::/3; inside it, documentation and the ORCHID ranges are not in use.
            (0x2000..0x4000).contains(&first)
                && !(first == 0x2001 && (second == 0x0db8 || (0x10..0x30).contains(&second)))
                && !(first == 0x3fff && second < 0x1000)
        }
    }
}

/// Bits of an address that say where it is, and not whose it is.
const IPV4_NETWORK_BITS: u8 = 24;
const IPV6_NETWORK_BITS: u8 = 48;

/// The network of `address`, for logs and for what is kept beyond the term of personal data: `203.0.113.0/24`,
/// `2001:db8:1::/48`.
pub fn shortened(address: IpAddr) -> IpNet {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { IPV4_NETWORK_BITS } else { IPV6_NETWORK_BITS };
    // A length within the family's own cannot fail; the whole address would still be an answer of the right type.
    IpNet::new(address, bits).map_or_else(|_| IpNet::from(address), |network| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_address_names_its_network_and_not_its_host() {
        for (address, network) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ] {
            assert_eq!(shortened(address.parse().expect("an address")).to_string(), network);
        }
    }

    fn located(country: &str, registered: &str, represented: &str) -> Location {
        let code = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Location {
            country: code(country),
            registered_country: code(registered),
            represented_country: code(represented),
            ..Location::default()
        }
    }

    #[test]
    fn the_five_results() {
        for (ip, country, registered, represented, reported, expected) in [
            ("8.8.8.8", "US", "", "", "US", GeoResult::Match),
            ("8.8.8.8", "US", "", "", "us", GeoResult::Match),
            ("8.8.8.8", "GB", "", "", "UK", GeoResult::Match),
            ("8.8.8.8", "", "US", "", "US", GeoResult::Match),
            ("8.8.8.8", "PR", "", "", "US", GeoResult::Compatible),
            ("8.8.8.8", "US", "", "", "PR", GeoResult::Compatible),
            ("8.8.8.8", "GP", "", "", "RE", GeoResult::Compatible),
            ("8.8.8.8", "HK", "", "", "CN", GeoResult::Compatible),
            ("8.8.8.8", "BR", "US", "", "US", GeoResult::Compatible),
            ("8.8.8.8", "DE", "DE", "US", "US", GeoResult::Compatible),
            ("8.8.8.8", "RS", "", "", "XK", GeoResult::Compatible),
            ("8.8.8.8", "XK", "RS", "", "RS", GeoResult::Compatible),
            ("8.8.8.8", "IL", "", "", "PS", GeoResult::Compatible),
            ("8.8.8.8", "PS", "", "", "IL", GeoResult::Compatible),
            ("8.8.8.8", "MA", "", "", "EH", GeoResult::Compatible),
            ("8.8.8.8", "FR", "", "", "MC", GeoResult::Compatible),
            ("8.8.8.8", "CH", "", "", "LI", GeoResult::Compatible),
            ("8.8.8.8", "GR", "", "", "EL", GeoResult::Match),
            ("8.8.8.8", "RS", "", "", "PS", GeoResult::Mismatch),
            ("8.8.8.8", "US", "", "", "T1", GeoResult::Unknown),
            ("8.8.8.8", "US", "", "", "QQ", GeoResult::Unknown),
            ("8.8.8.8", "BR", "BR", "", "US", GeoResult::Mismatch),
            ("8.8.8.8", "HK", "", "", "TW", GeoResult::Mismatch),
            ("8.8.8.8", "", "", "", "US", GeoResult::Unknown),
            ("8.8.8.8", "US", "", "", "", GeoResult::Unknown),
            ("8.8.8.8", "US", "", "", "USA", GeoResult::Unknown),
            ("8.8.8.8", "US", "", "", "XX", GeoResult::Unknown),
            ("10.0.0.1", "US", "", "", "US", GeoResult::Invalid),
            ("not an address", "", "", "", "US", GeoResult::Invalid),
        ] {
            let reported_code = (!reported.is_empty()).then_some(reported);
            let result = compare(Some(ip), &located(country, registered, represented), reported_code);
            assert_eq!(result, expected, "{ip} {country}/{registered}/{represented} against {reported}");
        }
        assert_eq!(compare(None, &Location::default(), Some("US")), GeoResult::Unknown);
    }

    #[test]
    fn another_country_is_more_suspicious_than_any_network() {
        let in_network = |kind| Location { network: vec![kind], ..located("US", "", "") };
        let rising = [
            (located("US", "", ""), GeoResult::Match),
            (located("", "", ""), GeoResult::Unknown),
            (in_network(NetworkTrait::Hosting), GeoResult::Match),
            (in_network(NetworkTrait::Vpn), GeoResult::Match),
            (in_network(NetworkTrait::Tor), GeoResult::Match),
            (located("BR", "", ""), GeoResult::Mismatch),
        ];
        assert!(rising.is_sorted_by_key(|(location, geo)| suspicion(location, *geo)));
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_located() {
        for public in ["8.8.8.8", "100.128.0.1", "2a00:1450::1", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for other in [
            "10.1.2.3",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "0.1.2.3",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "2001:db8::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
        ] {
            assert!(!is_public(other.parse().expect("an address")), "{other}");
        }
    }
}
