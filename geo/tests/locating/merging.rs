//! Several files, and the addresses they are asked for.

use domain::location::{Location, NetworkTrait};
use geo::Geo;
use mmdb_writer::{IpVersion, Value};

use crate::writing::{Folder, build, country, flags, locate, map, place, system, text};

const IP: &str = "81.2.69.160";
const NETWORK: &str = "81.2.69.0/24";

#[test]
fn files_of_different_kinds_complete_each_other() {
    let folder = Folder::new();
    let files = [
        folder.write("country.mmdb", "GeoLite2-Country", &[(NETWORK, country("GB", []))]),
        folder.write("asn.mmdb", "GeoLite2-ASN", &[(NETWORK, system(5_089, "Virgin Media"))]),
        folder.write("anonymous.mmdb", "GeoIP2-Anonymous-IP", &[(NETWORK, flags(["is_tor_exit_node"]))]),
    ];
    let expected = Location {
        country: Some("GB".into()),
        asn: Some(5_089),
        organisation: Some("Virgin Media".into()),
        network: vec![NetworkTrait::Tor],
        databases: vec![build("country.mmdb"), build("asn.mmdb"), build("anonymous.mmdb")],
        ..Location::default()
    };
    assert_eq!(locate(&files, IP), expected);
}

#[test]
fn the_first_file_that_knows_a_country_wins() {
    let folder = Folder::new();
    let gap = folder.write("gap.mmdb", "GeoIP2-Country", &[("8.8.8.0/24", country("US", []))]);
    let nameless = folder.write("nameless.mmdb", "GeoIP2-Country", &[(NETWORK, country("", []))]);
    let first = folder.write("first.mmdb", "GeoIP2-Country", &[(NETWORK, country("GB", []))]);
    let also = [("registered_country", place("DE"))];
    let second = folder.write("second.mmdb", "GeoIP2-Country", &[(NETWORK, country("FR", also))]);

    let location = locate(&[gap.clone(), nameless.clone(), first.clone(), second.clone()], IP);
    assert_eq!(location.country.as_deref(), Some("GB"));
    // Each field for itself: the second file is the first to know this one.
    assert_eq!(location.registered_country.as_deref(), Some("DE"));
    assert_eq!(locate(&[second, nameless, first, gap], IP).country.as_deref(), Some("FR"));
}

#[test]
fn the_first_file_that_knows_a_system_wins_and_keeps_its_own_name() {
    let folder = Folder::new();
    let number = map([("asn", Value::from(1_u32))]);
    let nameless = folder.write("nameless.mmdb", "flat", &[(NETWORK, number)]);
    let other = folder.write("other.mmdb", "GeoLite2-ASN", &[(NETWORK, system(2, "Two"))]);
    let same = folder.write("same.mmdb", "GeoLite2-ASN", &[(NETWORK, system(1, "One"))]);

    let named = |files: &[_]| {
        let location = locate(files, IP);
        (location.asn, location.organisation)
    };
    assert_eq!(named(&[nameless.clone(), other.clone()]), (Some(1), None));
    assert_eq!(named(&[nameless, other.clone(), same.clone()]), (Some(1), Some("One".into())));
    assert_eq!(named(&[other, same]), (Some(2), Some("Two".into())));
}

#[test]
fn traits_are_the_union_over_all_files_sorted_and_without_duplicates() {
    let folder = Folder::new();
    let anycast = country("US", [("traits", flags(["is_anycast"]))]);
    let hosting = map([("user_type", text("hosting")), ("is_hosting_provider", Value::from(true))]);
    let tor_host = flags(["is_anonymous", "is_hosting_provider", "is_tor_exit_node"]);
    let files = [
        folder.write("a.mmdb", "GeoIP2-Country", &[(NETWORK, anycast)]),
        folder.write("b.mmdb", "flat", &[(NETWORK, hosting)]),
        folder.write("c.mmdb", "GeoIP2-Anonymous-IP", &[(NETWORK, tor_host)]),
    ];
    let expected = [NetworkTrait::Tor, NetworkTrait::Hosting, NetworkTrait::Anycast];
    assert_eq!(locate(&files, IP).network, expected);
}

#[test]
fn an_ipv4_address_inside_an_ipv6_one_is_looked_up_as_ipv4() {
    let folder = Folder::new();
    for version in [IpVersion::V4, IpVersion::V6] {
        let file = folder.write_as(version, "a.mmdb", "GeoIP2-Country", &[(NETWORK, country("GB", []))]);
        let location = locate(&[file], "::ffff:81.2.69.160");
        assert_eq!(location.country.as_deref(), Some("GB"), "{version:?}");
    }
}

#[test]
fn ipv6_addresses_are_located_and_a_file_without_them_is_skipped() {
    let folder = Folder::new();
    let old = folder.write_as(IpVersion::V4, "old.mmdb", "GeoIP2-Country", &[(NETWORK, country("GB", []))]);
    let new = folder.write("new.mmdb", "GeoIP2-Country", &[("2a02:6b8::/32", country("FI", []))]);
    assert_eq!(locate(&[old, new], "2a02:6b8::1").country.as_deref(), Some("FI"));
}

#[test]
fn an_address_that_is_none_of_the_public_internet_has_no_location() {
    let folder = Folder::new();
    let everywhere = [("::/0", country("GB", [("traits", flags(["is_anycast"]))]))];
    let files = [folder.write("all.mmdb", "GeoIP2-Country", &everywhere)];
    let geo = Geo::open(&files).expect("a file that opens");
    let empty = Location { databases: vec![build("all.mmdb")], ..Location::default() };
    assert_eq!(geo.locate(Some("81.2.69.160")).country.as_deref(), Some("GB"));
    for ip in [
        "10.0.0.1",
        "127.0.0.1",
        "100.64.0.1",
        "192.168.1.1",
        "::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "2001:db8::1",
        "",
        " 81.2.69.160",
        "81.2.69",
        "81.2.69.160:80",
        "[2a02:6b8::1]",
        "an address",
    ] {
        assert_eq!(geo.locate(Some(ip)), empty, "{ip}");
    }
    assert_eq!(geo.locate(None), empty);
}

#[test]
fn databases_are_listed_in_settings_order_with_their_utc_build_date() {
    let folder = Folder::new();
    let record = [(NETWORK, country("GB", []))];
    let files =
        ["z.mmdb", "a.mmdb", "other/a.mmdb"].map(|name| folder.write(name, "GeoIP2-Country", &record));
    let geo = Geo::open(&files).expect("files that open");
    let expected = [build("z.mmdb"), build("a.mmdb"), build("a.mmdb")];
    assert_eq!(geo.databases(), expected);
    assert_eq!(geo.clone().locate(Some(IP)).databases, expected);
}
