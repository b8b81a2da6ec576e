//! Writes MaxMind DB files, and the records that vendors put into them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use domain::location::{DatabaseBuild, Location};
use geo::Geo;
use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{IpVersion, Ipv4Aliasing, Value, Writer};
use tempfile::TempDir;

/// The last second of a day in UTC: any other zone's date would be seen.
pub(crate) const BUILT_AT: u64 = 1_795_391_999;
/// [`BUILT_AT`] as databases name it.
pub(crate) const BUILT_ON: &str = "2026-11-22";

/// Files of one test; they go when it ends.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a folder for this test"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with these networks, all of them reachable only as what they are: IPv4 addresses have no aliases.
    pub(crate) fn write(&self, name: &str, kind: &str, networks: &[(&str, Value)]) -> PathBuf {
        self.write_as(IpVersion::V6, name, kind, networks)
    }

    pub(crate) fn write_as(
        &self,
        version: IpVersion,
        name: &str,
        kind: &str,
        networks: &[(&str, Value)],
    ) -> PathBuf {
        self.write_at(version, name, kind, BUILT_AT, networks)
    }

    /// The same, built at this unix second.
    pub(crate) fn write_built(
        &self,
        name: &str,
        kind: &str,
        built_at: u64,
        networks: &[(&str, Value)],
    ) -> PathBuf {
        self.write_at(IpVersion::V6, name, kind, built_at, networks)
    }

    fn write_at(
        &self,
        version: IpVersion,
        name: &str,
        kind: &str,
        built_at: u64,
        networks: &[(&str, Value)],
    ) -> PathBuf {
        let mut writer = Writer::builder(kind)
            .description(&[("en", "of a test")])
            .ip_version(version)
            .ipv4_aliasing(Ipv4Aliasing::Disabled)
            .build_epoch(UNIX_EPOCH + Duration::from_secs(built_at))
            .build();
        for (network, record) in networks {
            let network: IpNet = network.parse().expect("a network");
            writer.insert_value(network, record.clone()).expect("a network that can be written");
        }
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the file");
        fs::write(&path, writer.to_bytes().expect("a whole file")).expect("room for the file");
        path
    }
}

/// What `files` know of `ip`.
pub(crate) fn locate(files: &[PathBuf], ip: &str) -> Location {
    Geo::open(files).expect("files that open").locate(Some(ip))
}

/// The entry of a file written here.
pub(crate) fn build(name: &str) -> DatabaseBuild {
    DatabaseBuild { name: name.into(), built_at: BUILT_ON.into() }
}

pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::map(entries)
}

pub(crate) fn text(text: &str) -> Value {
    Value::from(text)
}

/// A place as GeoIP2 writes it: its code, and its names in several languages.
pub(crate) fn place(code: &str) -> Value {
    let names =
        ["de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN"].map(|language| (language, text("国 Länd")));
    map([("geoname_id", Value::from(6_252_001_u32)), ("iso_code", text(code)), ("names", Value::map(names))])
}

/// A record of GeoIP2 Country, with entries to add.
pub(crate) fn country<const N: usize>(code: &str, more: [(&str, Value); N]) -> Value {
    let base = map([
        ("continent", map([("code", text("NA")), ("geoname_id", Value::from(6_255_149_u32))])),
        ("country", place(code)),
    ]);
    Value::merge_top_level(&base, &map(more))
}

/// A record of GeoLite2 ASN.
pub(crate) fn system(number: u32, organisation: &str) -> Value {
    map([
        ("autonomous_system_number", Value::from(number)),
        ("autonomous_system_organization", text(organisation)),
    ])
}

/// A map of flags that are all set.
pub(crate) fn flags<const N: usize>(names: [&str; N]) -> Value {
    Value::map(names.map(|name| (name, Value::from(true))))
}
