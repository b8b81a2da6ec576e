//! Files that cannot be opened, and records that cannot be read.

use std::fmt::{self, Write as _};
use std::fs;
use std::sync::{Arc, Mutex};

use geo::{FileError, Geo};
use mmdb_writer::IpVersion;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::writing::{Folder, country, map, text};

const IP: &str = "81.2.69.160";
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
    assert!(message.contains("fetch it again"), "{message}");
}

#[test]
fn a_folder_is_not_a_file() {
    let folder = Folder::new();
    let error = Geo::open(&[folder.path("")]).expect_err("a folder");
    assert!(matches!(error.files(), [FileError::Unreadable { .. }]), "{error}");
    assert!(error.to_string().starts_with("a geo database cannot be used:\n"), "{error}");
}

#[test]
fn a_record_that_cannot_be_read_is_unknown_and_reported_once_without_the_address() {
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
    let geo = Geo::open(&[path]).expect("a file that opens");

    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        for _ in 0..3 {
            let location = geo.locate(Some(IP));
            assert_eq!((location.country, location.registry_only), (None, false));
        }
        assert_eq!(geo.locate(Some("8.8.8.8")).country.as_deref(), Some("US"));
    });
    let lines = log.0.lock().expect("the log").clone();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("hurt.mmdb"), "{lines:?}");
    assert!(!lines[0].contains("81.2"), "{lines:?}");
}

#[test]
fn a_record_that_is_no_map_is_a_fault_of_its_file() {
    let folder = Folder::new();
    let path = folder.write("strange.mmdb", "strange", &[(NETWORK, text("GB"))]);
    let geo = Geo::open(&[path]).expect("a file that opens");
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || geo.locate(Some(IP)));
    assert_eq!(log.0.lock().expect("the log").len(), 1);
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
