//! When countries come from the built-in data.

use std::net::Ipv4Addr;

use domain::location::{DatabaseBuild, Location, is_public};
use geo::Geo;
use mmdb_writer::Value;

use crate::writing::{Folder, build, country, locate, map, place, system, text};

/// ARIN delegated it in the United States.
const IP: &str = "8.8.8.8";
const NETWORK: &str = "8.8.8.0/24";

fn names(builds: &[DatabaseBuild]) -> Vec<&str> {
    builds.iter().map(|build| build.name.as_str()).collect()
}

#[test]
fn without_a_file_the_registry_answers() {
    let geo = Geo::open(&[]).expect("built-in data needs no file");
    assert_eq!(names(&geo.databases()), ["registry"]);
    let expected = Location {
        country: Some("US".into()),
        databases: geo.databases(),
        registry_only: true,
        ..Location::default()
    };
    for ip in [IP, "::ffff:8.8.8.8", "2001:4860:4860::8888"] {
        assert_eq!(geo.locate(Some(ip)), expected, "{ip}");
    }
    let empty = Location { databases: geo.databases(), ..Location::default() };
    for other in [Some("10.0.0.1"), Some("nowhere"), None] {
        assert_eq!(geo.locate(other), empty, "{other:?}");
    }
}

#[test]
fn a_block_that_the_registry_gives_to_no_single_country_has_none() {
    let geo = Geo::open(&[]).expect("built-in data needs no file");
    // RIPE NCC delegated some blocks to the European Union.
    let european = (0..=u16::MAX)
        .map(|block| Ipv4Addr::from(u32::from(block) << 16))
        .find(|address| is_public((*address).into()) && iptocc::country_code(*address) == Some("EU"))
        .expect("a block of the European Union");
    let location = geo.locate(Some(&european.to_string()));
    assert_eq!((location.country, location.registry_only), (None, true), "{european}");
}

#[test]
fn if_no_file_carries_countries_the_registry_completes_them() {
    let folder = Folder::new();
    let asn = folder.write("asn.mmdb", "GeoLite2-ASN", &[(NETWORK, system(15_169, "Google LLC"))]);
    let geo = Geo::open(&[asn]).expect("a file that opens");
    let location = geo.locate(Some(IP));
    assert_eq!(location.country.as_deref(), Some("US"));
    assert!(location.registry_only);
    assert_eq!(location.asn, Some(15_169));
    assert_eq!(location.databases[0], build("asn.mmdb"));
    assert_eq!(names(&location.databases), ["asn.mmdb", "registry"]);
    // Also where that file has a gap.
    let location = geo.locate(Some("193.0.6.139"));
    assert_eq!((location.country.as_deref(), location.registry_only), (Some("NL"), true));
}

#[test]
fn a_gap_in_a_file_that_carries_countries_stays_a_gap() {
    let folder = Folder::new();
    let elsewhere = "81.2.69.0/24";
    let asn = folder.write("asn.mmdb", "GeoLite2-ASN", &[(NETWORK, system(15_169, "Google LLC"))]);
    for (name, record) in [
        ("country.mmdb", country("GB", [])),
        ("registered.mmdb", map([("registered_country", place("GB"))])),
        ("flat.mmdb", map([("country_code", text("GB"))])),
        ("unknown.mmdb", map([("country_code", text("ZZ"))])),
    ] {
        // The metadata names a kind without countries: the records decide.
        let file = folder.write(name, "GeoLite2-ASN", &[(elsewhere, record)]);
        let location = locate(&[asn.clone(), file], IP);
        assert_eq!((location.country, location.registry_only), (None, false), "{name}");
        assert_eq!(names(&location.databases), ["asn.mmdb", name]);
    }
}

#[test]
fn a_country_from_a_file_is_not_from_the_registry() {
    let folder = Folder::new();
    let file = folder.write("country.mmdb", "GeoIP2-Country", &[(NETWORK, country("GB", []))]);
    let location = locate(&[file], IP);
    assert_eq!((location.country.as_deref(), location.registry_only), (Some("GB"), false));
}

#[test]
fn the_registry_never_overrules_a_file_whose_countries_begin_late() {
    let folder = Folder::new();
    // More systems than are looked at to find out what kind of file it is, then one country.
    let systems: Vec<(String, Value)> = (0..10_001_u32)
        .map(|i| (Ipv4Addr::from(0x0100_0000 + i).to_string() + "/32", system(i + 1, "-")))
        .collect();
    let mut networks: Vec<(&str, Value)> =
        systems.iter().map(|(network, record)| (network.as_str(), record.clone())).collect();
    networks.push((NETWORK, country("GB", [])));
    let file = folder.write("late.mmdb", "GeoLite2-ASN", &networks);
    let geo = Geo::open(&[file]).expect("a file that opens");
    let location = geo.locate(Some(IP));
    assert_eq!((location.country.as_deref(), location.registry_only), (Some("GB"), false));
    let location = geo.locate(Some("193.0.6.139"));
    assert_eq!((location.country.as_deref(), location.registry_only), (Some("NL"), true));
}
