//! Every schema, one file at a time.

use domain::location::{Location, NetworkTrait};
use mmdb_writer::Value;

use crate::writing::{Folder, build, country, flags, locate, map, place, system, text};

const IP: &str = "81.2.69.160";
const NETWORK: &str = "81.2.69.0/24";

/// What a file with this one record knows.
fn read(kind: &str, record: Value) -> Location {
    let folder = Folder::new();
    locate(&[folder.write("file.mmdb", kind, &[(NETWORK, record)])], IP)
}

fn network(kind: &str, record: Value) -> Vec<NetworkTrait> {
    read(kind, record).network
}

#[test]
fn a_country_file_knows_three_countries_and_its_traits() {
    let represented = map([("iso_code", text("us")), ("type", text("military"))]);
    let record = country(
        "GB",
        [
            ("registered_country", place("FR")),
            ("represented_country", represented),
            ("traits", flags(["is_anonymous_proxy", "is_anycast", "is_satellite_provider"])),
        ],
    );
    let expected = Location {
        country: Some("GB".into()),
        registered_country: Some("FR".into()),
        represented_country: Some("US".into()),
        network: vec![NetworkTrait::Anonymous, NetworkTrait::Satellite, NetworkTrait::Anycast],
        databases: vec![build("file.mmdb")],
        ..Location::default()
    };
    assert_eq!(read("GeoIP2-Country", record), expected);
}

#[test]
fn a_city_file_is_read_past_its_names_and_places() {
    let record = country(
        "GB",
        [
            ("city", place("XX")),
            (
                "location",
                map([("latitude", Value::from(51.5_f64)), ("accuracy_radius", Value::from(10_u16))]),
            ),
            ("postal", map([("code", text("US"))])),
            ("registered_country", place("US")),
            ("subdivisions", Value::array([place("ENG"), place("WBK")])),
        ],
    );
    let location = read("GeoLite2-City", record);
    assert_eq!(location.country.as_deref(), Some("GB"));
    assert_eq!(location.registered_country.as_deref(), Some("US"));
    assert_eq!(location.network, []);
}

#[test]
fn an_enterprise_file_names_the_system_and_the_network_among_its_traits() {
    let traits = map([
        ("autonomous_system_number", Value::from(1_221_u32)),
        ("autonomous_system_organization", text("Telstra Pty Ltd")),
        ("connection_type", text("Cellular")),
        ("domain", text("telstra.com")),
        ("is_hosting_provider", Value::from(true)),
        ("is_legitimate_proxy", Value::from(true)),
        ("isp", text("Telstra Internet")),
        ("organization", text("A customer of it")),
        ("user_type", text("hosting")),
    ]);
    let location = read("GeoIP2-Enterprise", country("AU", [("traits", traits)]));
    assert_eq!(location.country.as_deref(), Some("AU"));
    assert_eq!(location.asn, Some(1_221));
    assert_eq!(location.organisation.as_deref(), Some("Telstra Pty Ltd"));
    assert_eq!(location.network, [NetworkTrait::Hosting, NetworkTrait::Cellular]);
}

#[test]
fn an_asn_file_names_the_system() {
    let location = read("GeoLite2-ASN", system(5_089, " Virgin Media "));
    assert_eq!(location.asn, Some(5_089));
    assert_eq!(location.organisation.as_deref(), Some("Virgin Media"));
}

#[test]
fn an_isp_file_names_the_system_rather_than_its_customer() {
    let isp = [("isp", text("Telstra")), ("organization", text("A customer"))];
    let with_system = Value::merge_top_level(&system(1_221, "Telstra Pty Ltd"), &map(isp.clone()));
    let location = read("GeoIP2-ISP", with_system);
    assert_eq!((location.asn, location.organisation.as_deref()), (Some(1_221), Some("Telstra Pty Ltd")));
    let location = read("GeoIP2-ISP", map(isp));
    assert_eq!((location.asn, location.organisation.as_deref()), (None, Some("A customer")));
}

#[test]
fn an_anonymous_ip_file_says_in_which_way_an_address_is_anonymous() {
    let kind = "GeoIP2-Anonymous-IP";
    for (flag, expected) in [
        ("is_anonymous_vpn", NetworkTrait::Vpn),
        ("is_hosting_provider", NetworkTrait::Hosting),
        ("is_public_proxy", NetworkTrait::PublicProxy),
        ("is_residential_proxy", NetworkTrait::ResidentialProxy),
        ("is_tor_exit_node", NetworkTrait::Tor),
    ] {
        assert_eq!(network(kind, flags(["is_anonymous", flag])), [expected], "{flag}");
    }
    let every = flags([
        "is_anonymous",
        "is_anonymous_vpn",
        "is_hosting_provider",
        "is_public_proxy",
        "is_residential_proxy",
        "is_tor_exit_node",
    ]);
    let expected = [
        NetworkTrait::Tor,
        NetworkTrait::Vpn,
        NetworkTrait::PublicProxy,
        NetworkTrait::ResidentialProxy,
        NetworkTrait::Hosting,
    ];
    assert_eq!(network(kind, every), expected);
}

#[test]
fn an_address_that_is_anonymous_in_no_named_way_is_anonymous() {
    let kind = "GeoIP2-Anonymous-IP";
    assert_eq!(network(kind, flags(["is_anonymous"])), [NetworkTrait::Anonymous]);
    let unset = map([("is_anonymous", Value::from(true)), ("is_anonymous_vpn", Value::from(false))]);
    assert_eq!(network(kind, unset), [NetworkTrait::Anonymous]);
    assert_eq!(network(kind, map([("is_anonymous", Value::from(false))])), []);
    // What kind of user it is does not say how it is anonymous.
    let user = map([("is_anonymous", Value::from(true)), ("user_type", text("hosting"))]);
    assert_eq!(network(kind, user), [NetworkTrait::Anonymous, NetworkTrait::Hosting]);
}

#[test]
fn the_anonymizer_object_is_read_like_the_flags_it_replaces() {
    let anonymizer = map([
        ("confidence", Value::from(99_u16)),
        ("is_anonymous", Value::from(true)),
        ("is_anonymous_vpn", Value::from(true)),
        ("network_last_seen", text("2026-11-01")),
        ("provider_name", text("a provider")),
    ]);
    assert_eq!(network("GeoIP2-Precision", country("GB", [("anonymizer", anonymizer)])), [NetworkTrait::Vpn]);
}

#[test]
fn a_connection_type_file_knows_mobile_and_satellite_networks() {
    for (kind, expected) in [
        ("Cellular", &[NetworkTrait::Cellular][..]),
        ("Satellite", &[NetworkTrait::Satellite]),
        ("Cable/DSL", &[]),
        ("Corporate", &[]),
        ("Dialup", &[]),
    ] {
        let record = map([("connection_type", text(kind))]);
        assert_eq!(network("GeoIP2-Connection-Type", record), expected, "{kind}");
    }
}

#[test]
fn db_ip_files_have_the_same_shapes() {
    let location = read("DBIP-Country-Lite", country("GB", []));
    assert_eq!(location.country.as_deref(), Some("GB"));
    let location = read("DBIP-ASN-Lite (compat=GeoLite2-ASN)", system(5_089, "Virgin Media Limited"));
    assert_eq!(location.asn, Some(5_089));
    let traits = map([
        ("autonomous_system_number", Value::from(5_089_u32)),
        ("connection_type", text("cellular")),
        ("isp", text("Virgin Media")),
        ("organization", text("Virgin Media")),
    ]);
    let location = read("DBIP-Location-ISP (compat=Enterprise)", country("GB", [("traits", traits)]));
    assert_eq!(location.country.as_deref(), Some("GB"));
    assert_eq!(location.asn, Some(5_089));
    assert_eq!(location.organisation.as_deref(), Some("Virgin Media"));
    assert_eq!(location.network, [NetworkTrait::Cellular]);
    // An unknown country.
    assert_eq!(read("DBIP-Country", country("ZZ", [])).country, None);
}

#[test]
fn a_flat_file_has_everything_at_the_top() {
    let lite = map([
        ("as_domain", text("virginmedia.com")),
        ("as_name", text("Virgin Media Limited")),
        ("asn", text("AS5089")),
        ("continent", text("Europe")),
        ("continent_code", text("EU")),
        ("country", text("United Kingdom")),
        ("country_code", text("GB")),
    ]);
    let location = read("ipinfo lite", lite);
    assert_eq!(location.country.as_deref(), Some("GB"));
    assert_eq!(location.asn, Some(5_089));
    assert_eq!(location.organisation.as_deref(), Some("Virgin Media Limited"));
    assert_eq!(read("flat", map([("country_code", text("gb"))])).country.as_deref(), Some("GB"));
    assert_eq!(read("flat", map([("country", text("GB"))])).country.as_deref(), Some("GB"));
    for name in ["as_organization", "organization"] {
        let numbered = map([("asn", Value::from(5_089_u32)), (name, text("Virgin Media"))]);
        let location = read("flat", numbered);
        assert_eq!(location.asn, Some(5_089), "{name}");
        assert_eq!(location.organisation.as_deref(), Some("Virgin Media"), "{name}");
    }
}

#[test]
fn an_address_that_no_system_announces_has_none() {
    let location = read("flat", map([("asn", Value::from(0_u32)), ("as_name", text("Not routed"))]));
    assert_eq!((location.asn, location.organisation), (None, None));
}

#[test]
fn only_two_letters_are_a_country() {
    for code in ["USA", "U", "", "A1", "United States"] {
        assert_eq!(read("GeoIP2-Country", country(code, [])).country, None, "{code}");
        assert_eq!(read("flat", map([("country_code", text(code))])).country, None, "{code}");
    }
}

#[test]
fn a_value_of_an_unexpected_type_costs_nothing_else() {
    let odd: [Value; 9] = [
        text("odd"),
        Value::from(7_u16),
        Value::from(-7_i32),
        Value::from(u128::MAX),
        Value::from(0.5_f64),
        Value::from(0.5_f32),
        Value::from(vec![1_u8]),
        Value::array([text("odd")]),
        map([("iso_code", map([("iso_code", text("US"))])), ("odd", text("odd"))]),
    ];
    for value in odd {
        for key in [
            "registered_country",
            "asn",
            "organization",
            "connection_type",
            "is_anycast",
            "is_anonymous",
            "traits",
            "anonymizer",
        ] {
            // In the order of keys the odd value stands before `country_code` or before `user_type`.
            let sane = [("country_code", text("GB")), ("user_type", text("cellular")), (key, value.clone())];
            let location = read("flat", map(sane));
            assert_eq!(location.country.as_deref(), Some("GB"), "{key}: {value:?}");
            assert_eq!(location.network, [NetworkTrait::Cellular], "{key}: {value:?}");
            assert_eq!(location.registered_country, None, "{key}: {value:?}");
            let number = (key == "asn" && value == Value::from(7_u16)).then_some(7);
            assert_eq!(location.asn, number, "{key}: {value:?}");
        }
    }
}
