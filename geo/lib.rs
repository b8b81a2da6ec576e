//! # geo: locates IP addresses
//!
//! Reads any number of MaxMind DB files (`.mmdb`) and merges their records of an address into one [`Location`]. Without a
//! file it uses built-in registry data: the country in which a block is registered.
//!
//! It never judges a location (`domain` does), never calls the network, never writes, and never logs an address. No other
//! crate reads MaxMind DB files.
//!
//! ## The map
//!
//! | module | content |
//! |---|---|
//! | here | [`Geo`]: every database in service, and how their answers are merged |
//! | [`refresh`] | loads files that are replaced on disk |
//! | `database` | one file in memory |
//! | `verify` | checks that a file is complete and the expected product |
//! | `record` | one record, in any supported schema |
//! | `value` | one value of a record, of any type |
//! | `registry` | the built-in data |
//! | `country` | country codes |
//! | `error` | errors about files, all reported at once |

mod country;
mod database;
mod error;
mod record;
pub mod refresh;
mod registry;
mod value;
mod verify;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use domain::location::{DatabaseBuild, Location, is_public};

use crate::database::Database;
pub use crate::error::{FileError, OpenError};

/// The databases in service. Cheap to clone: clones share the files in memory, and see a replacement at once.
#[derive(Clone, Debug)]
pub struct Geo(Arc<RwLock<Arc<Service>>>);

/// The files in service at one time, behind one pointer, so that a lookup uses one consistent set.
#[derive(Debug)]
pub(crate) struct Service {
    files: Vec<Arc<Database>>,
    /// True if no file has countries. A missing country in a file that has them means "unknown" and must not be filled from
    /// weaker data.
    registry_serves_countries: bool,
    builds: Vec<DatabaseBuild>,
}

impl Service {
    pub(crate) fn of(files: Vec<Arc<Database>>) -> Self {
        let registry_serves_countries = !files.iter().any(|file| file.carries_countries());
        let registry = registry_serves_countries.then(registry::build);
        let builds = files.iter().map(|file| file.build().clone()).chain(registry).collect();
        Self { files, registry_serves_countries, builds }
    }
}

impl Geo {
    /// Opens and verifies every file; without any, only built-in registry data is used. All errors are reported at once.
    /// Reads whole files, so it must not run on an async thread.
    pub fn open(files: &[PathBuf]) -> Result<Self, OpenError> {
        let mut opened = Vec::with_capacity(files.len());
        let mut faults = Vec::new();
        for path in files {
            match Database::open(path) {
                Ok(database) => opened.push(Arc::new(database)),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(OpenError::new(faults));
        }
        Ok(Self(Arc::new(RwLock::new(Arc::new(Service::of(opened))))))
    }

    fn service(&self) -> Arc<Service> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other files in service; running lookups finish with the old ones.
    fn replace(&self, service: Service) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(service);
    }

    /// Everything known about `ip` as sent by a network. If it is not an address, or not a public one ([`is_public`]), the
    /// location is empty but still names the databases.
    pub fn locate(&self, ip: Option<&str>) -> Location {
        let service = self.service();
        let mut location = Location { databases: service.builds.clone(), ..Location::default() };
        let Some(address) = ip.and_then(public_address) else { return location };
        for file in &service.files {
            if let Some(record) = file.record(address) {
                record.complete(&mut location);
            }
        }
        location.network.sort_unstable();
        location.network.dedup();
        if location.country.is_none() && service.registry_serves_countries {
            location.country = registry::country(address);
            location.registry_only = true;
        }
        location
    }

    /// The databases in service, in order of the settings; built-in registry data is last, if countries come from it.
    pub fn databases(&self) -> Vec<DatabaseBuild> {
        self.service().builds.clone()
    }

    /// Name and build time (unix seconds) of each file in service.
    pub fn files(&self) -> Vec<(String, i64)> {
        self.service().files.iter().map(|file| (file.build().name.clone(), file.built_at_s())).collect()
    }
}

/// Parses a public address. An IPv4-mapped IPv6 address becomes IPv4, because not every file has such aliases.
fn public_address(ip: &str) -> Option<IpAddr> {
    let address: IpAddr = ip.parse().ok()?;
    is_public(address).then(|| address.to_canonical())
}
