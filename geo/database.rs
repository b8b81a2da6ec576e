//! One MaxMind DB file in memory.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::location::DatabaseBuild;
use domain::time::{SECOND_MS, TimestampMs};
use maxminddb::{MaxMindDbError, Metadata, Reader, WithinOptions};

use crate::error::FileError;
use crate::record::Record;
use crate::verify::{Contents, verify};

/// Networks that are read to find out whether a file has countries. Files with countries have one in nearly every record;
/// reading this many takes milliseconds.
const SURVEYED_NETWORKS: usize = 10_000;

/// One file, read into memory completely: a memory-mapped file could change during a lookup when it is replaced on disk.
#[derive(Debug)]
pub(crate) struct Database {
    reader: Reader<Vec<u8>>,
    build: DatabaseBuild,
    built_at_s: i64,
    carries_countries: bool,
    contents: Contents,
    /// True once an unreadable record has been reported.
    reported: AtomicBool,
}

impl Database {
    /// Reads and verifies a whole file; a large one takes seconds.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let bytes =
            std::fs::read(path).map_err(|reason| FileError::Unreadable { path: path.into(), reason })?;
        let damaged = |reason| FileError::Damaged { path: path.into(), reason };
        let contents = verify(&bytes).map_err(damaged)?;
        let reader = Reader::from_source(bytes).map_err(|error| damaged(error.to_string()))?;
        if let Some(reason) = contents.misfits_name(path) {
            return Err(FileError::Misplaced { path: path.into(), reason });
        }
        let build = DatabaseBuild {
            name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            built_at: build_date(reader.metadata()),
        };
        let carries_countries = carries_countries(&reader);
        let built_at_s = i64::try_from(reader.metadata().build_epoch).unwrap_or(i64::MAX);
        Ok(Self { reader, build, built_at_s, carries_countries, contents, reported: AtomicBool::new(false) })
    }

    /// The record of `address`; `None` if there is none or it cannot be read.
    pub(crate) fn record(&self, address: IpAddr) -> Option<Record> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return None;
        }
        match self.reader.lookup(address).and_then(|found| found.decode()) {
            Ok(record) => record,
            Err(error) => {
                self.report(&error);
                None
            }
        }
    }

    /// Its name and build date.
    pub(crate) fn build(&self) -> &DatabaseBuild {
        &self.build
    }

    /// Checks that this may replace `old` at `path`.
    pub(crate) fn may_replace(&self, old: &Self, path: &Path) -> Result<(), FileError> {
        match self.contents.misfits_place_of(&old.contents) {
            Some(reason) => Err(FileError::Misplaced { path: path.into(), reason }),
            None => Ok(()),
        }
    }

    /// Build time in unix seconds.
    pub(crate) fn built_at_s(&self) -> i64 {
        self.built_at_s
    }

    /// True if records of the file have countries, even if some lack one.
    pub(crate) fn carries_countries(&self) -> bool {
        self.carries_countries
    }

    /// Logs an unreadable record, once per file, because a damaged file fails on every lookup. The error names offsets in the
    /// file, never the address.
    fn report(&self, error: &MaxMindDbError) {
        if !self.reported.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                database = %self.build.name,
                built_at = %self.build.built_at,
                %error,
                "this geo database has unreadable records, whose addresses count as unknown; download it again"
            );
        }
    }
}

/// True if one of the first records has a country. The type in the metadata is not reliable: it is free text, and vendors
/// reuse each other's.
fn carries_countries(reader: &Reader<Vec<u8>>) -> bool {
    reader.networks(WithinOptions::default()).is_ok_and(|networks| {
        networks
            .take(SURVEYED_NETWORKS)
            .filter_map(|found| found.and_then(|found| found.decode::<Record>()).ok().flatten())
            .any(|record| record.carries_a_country())
    })
}

/// The day of the build in UTC.
fn build_date(metadata: &Metadata) -> String {
    let seconds = i64::try_from(metadata.build_epoch).unwrap_or(i64::MAX);
    let instant = TimestampMs(seconds.saturating_mul(SECOND_MS)).rfc3339();
    instant.split_once('T').map_or(instant.as_str(), |(date, _)| date).to_owned()
}
