//! Files that cannot be opened, and records that cannot be read.

use std::fmt::{self, Write as _};
use std::fs;
use std::sync::{Arc, Mutex};

use geo::{FileError, Geo};
use mmdb_writer::{IpVersion, Writer};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::writing::{Folder, country, map, system, text};

const NETWORK: &str = "81.2.69.0/24";

#[test]
fn every_file_that_cannot_be_opened_is_named_at_once() {
    let folder = Folder::new();
    let missing = folder.path("missing.mmdb");
    let good = folder.write("good.mmdb", "GeoIP2-Country", &[(NETWORK, country("GB", []))]);
    let text = folder.path("text.mmdb");
    fs::write(&text, "not a database").expect("a file");
    let cut = folder.path("cut.mmdb");
    let whole = fs::read(&good).expect("the file");
    fs::write(&cut, &whole[..whole.len() - 60]).expect("a file");

    let error = Geo::open(&[missing.clone(), text.clone(), good, cut.clone()]).expect_err("three faults");
    assert!(matches!(&error.files()[0], FileError::Unreadable { path, .. } if *path == missing), "{error}");
    assert!(matches!(&error.files()[1], FileError::Damaged { path, .. } if *path == text), "{error}");
    assert!(matches!(&error.files()[2], FileError::Damaged { path, .. } if *path == cut), "{error}");
    assert_eq!(error.files().len(), 3);

    let message = error.to_string();
    assert!(message.starts_with("3 geo databases cannot be used:\n"), "{message}");
    for path in [missing, text, cut] {
        assert!(message.contains(path.to_str().expect("a readable path")), "{message}");
    }
    assert!(!message.contains("good.mmdb"), "{message}");
    assert!(message.contains("correct its path in the settings"), "{message}");
    assert!(message.contains("download it again"), "{message}");
}

#[test]
fn a_folder_is_not_a_file() {
    let folder = Folder::new();
    let error = Geo::open(&[folder.path("")]).expect_err("a folder");
    assert!(matches!(error.files(), [FileError::Unreadable { .. }]), "{error}");
    assert!(error.to_string().starts_with("a geo database cannot be used:\n"), "{error}");
}

#[test]
fn a_file_with_a_record_that_cannot_be_read_is_refused() {
    let folder = Folder::new();
    let path = folder.write(
        "hurt.mmdb",
        "GeoIP2-Country",
        &[(NETWORK, map([("country_code", text("GB,GB"))])), ("8.8.8.0/24", country("US", []))],
    );
    let mut bytes = fs::read(&path).expect("the file");
    let at = bytes.windows(5).position(|window| window == b"GB,GB").expect("the record");
    // No text in UTF-8 has this byte.
    bytes[at] = 0xff;
    fs::write(&path, bytes).expect("the file");
    let error = Geo::open(&[path]).expect_err("a damaged file");
    assert!(matches!(error.files(), [FileError::Damaged { .. }]), "{error}");
    // A record that is no map is of a schema that nobody here can read.
    let path = folder.write("strange.mmdb", "strange", &[(NETWORK, text("GB"))]);
    let error = Geo::open(&[path]).expect_err("a strange file");
    assert!(matches!(error.files(), [FileError::Damaged { .. }]), "{error}");
}

#[test]
fn a_file_that_is_damaged_anywhere_is_refused() {
    let folder = Folder::new();
    let networks: Vec<(String, _)> = (0..200)
        .map(|third| (format!("81.2.{third}.0/24"), country(if third % 2 == 0 { "GB" } else { "FR" }, [])))
        .collect();
    let networks: Vec<_> =
        networks.iter().map(|(network, record)| (network.as_str(), record.clone())).collect();
    let good = fs::read(folder.write("good.mmdb", "GeoIP2-Country", &networks)).expect("the file");
    let metadata = good.windows(4).rposition(|window| window == b"\xab\xcd\xefM").expect("the metadata");
    let hurt = |name: &str, bytes: &[u8]| {
        let path = folder.path(name);
        fs::write(&path, bytes).expect("a file");
        Geo::open(&[path]).expect_err(name).to_string()
    };
    let overwritten = |at: usize, len: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at..at + len].fill(byte);
        bytes
    };
    for (name, bytes) in [
        ("empty.mmdb", Vec::new()),
        ("beginning.mmdb", good[..good.len() / 2].to_vec()),
        ("end.mmdb", good[good.len() / 2..].to_vec()),
        ("cut.mmdb", good[..good.len() - 9].to_vec()),
        ("tree.mmdb", overwritten(60, 64, 0xff)),
        ("records.mmdb", overwritten(metadata - 120, 64, 0xff)),
        ("metadata.mmdb", overwritten(metadata + 8, 24, 0xff)),
        ("circle.mmdb", overwritten(0, 6, 0)),
        ("page.html", b"<html>too many requests</html>".to_vec()),
    ] {
        let said = hurt(name, &bytes);
        assert!(said.contains(name) && said.contains("download it again"), "{said}");
    }
    let none = folder.write("none.mmdb", "GeoIP2-Country", &[]);
    assert!(Geo::open(&[none]).is_err(), "no record");
}

#[test]
fn a_file_without_a_description_is_verified_all_the_same() {
    let folder = Folder::new();
    let mut writer = Writer::builder("GeoIP2-Country").build();
    writer
        .insert_value(
            "81.2.69.0/24".parse::<mmdb_writer::ipnet::IpNet>().expect("a network"),
            country("GB", []),
        )
        .expect("it can be written");
    let good = writer.to_bytes().expect("a whole file");
    let path = folder.path("bare.mmdb");
    fs::write(&path, &good).expect("a file");
    assert!(Geo::open(std::slice::from_ref(&path)).is_ok());
    let separator = good.windows(16).position(|window| window == [0; 16]).expect("a separator");
    let name = good.windows(7).position(|window| window == b"country").expect("a record");
    for (at, byte) in [(separator + 9, 1), (name - 1, 0xff), (0, 0)] {
        let mut bytes = good.clone();
        bytes[at..at + 6].fill(byte);
        fs::write(&path, bytes).expect("a file");
        assert!(Geo::open(std::slice::from_ref(&path)).is_err(), "{at}");
    }
}

#[test]
fn a_file_of_systems_under_the_name_of_countries_is_refused() {
    let folder = Folder::new();
    let records = [(NETWORK, system(5_089, "Virgin Media"))];
    let path = folder.write("GeoLite2-City.mmdb", "GeoLite2-ASN", &records);
    let error = Geo::open(&[path]).expect_err("another product");
    assert!(matches!(error.files(), [FileError::Misplaced { .. }]), "{error}");
    assert!(error.to_string().contains("`GeoLite2-ASN`"), "{error}");
    assert!(Geo::open(&[folder.write("GeoLite2-ASN.mmdb", "GeoLite2-ASN", &records)]).is_ok());
}

#[test]
fn an_ipv6_address_is_no_fault_of_a_file_without_them() {
    let folder = Folder::new();
    let path = folder.write_as(IpVersion::V4, "old.mmdb", "GeoIP2-Country", &[(NETWORK, country("GB", []))]);
    let geo = Geo::open(&[path]).expect("a file that opens");
    let log = Log::default();
    let location = tracing::subscriber::with_default(log.clone(), || geo.locate(Some("2a02:6b8::1")));
    assert_eq!((location.country, location.registry_only), (None, false));
    assert_eq!(log.0.lock().expect("the log").len(), 0);
}

/// Collects warnings of this thread, one line each with all fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().expect("the log").push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).expect("room for a line");
    }
}
