//! # geo: locates IP addresses
//!
//! Reads any number of MaxMind DB files (`.mmdb`), merges what they know of an address, and answers with one
//! [`Location`]. Without a file it answers from built-in registry data: the country a block is registered in.
//!
//! It never decides what a location means (that is `domain`), never asks the network, never writes, and never logs
//! an address. No other crate reads MaxMind DB files.
//!
//! ## The map
//!
//! | module | what it is |
//! |---|---|
//! | here | [`Geo`]: every database in service, and how their answers are merged |
//! | [`refresh`] | files replaced on disk are taken up |
//! | `database` | one file in memory |
//! | `verify` | whether a file is whole, and what belongs in its place |
//! | `record` | what one record says, whichever schema it is written in |
//! | `value` | one value of a record, read so that a surprise in it costs nothing else |
//! | `registry` | the built-in data |
//! | `country` | which codes are countries |
//! | `error` | why files cannot be opened, all of them at once |

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

/// All that is in service at one time, behind one pointer: whoever looks something up has one whole set.
#[derive(Debug)]
pub(crate) struct Service {
    files: Vec<Arc<Database>>,
    /// True if no file is of a kind that carries countries. A gap in a file that does carry them is a statement of
    /// its own ("not known"), and weaker data must not paper over it.
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
    /// Opens and verifies every file; none: built-in registry data only. All faults are reported at once. Reads whole
    /// files: not for an async thread that others wait for.
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

    /// Puts other files in service; lookups in hand finish with the ones they began with.
    fn replace(&self, service: Service) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(service);
    }

    /// Everything known of `ip` as sent by a network. Not an address, or not of the public internet
    /// ([`is_public`]): an empty location that still names the databases.
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

    /// The databases in service, in order of the settings. Built-in registry data stands last, if countries come
    /// from it.
    pub fn databases(&self) -> Vec<DatabaseBuild> {
        self.service().builds.clone()
    }

    /// The name of each file in service and when it was built, in unix seconds.
    pub fn files(&self) -> Vec<(String, i64)> {
        self.service().files.iter().map(|file| (file.build().name.clone(), file.built_at_s())).collect()
    }
}

/// An IPv4 address written inside an IPv6 one is looked up as what it is: not every file has such aliases.
fn public_address(ip: &str) -> Option<IpAddr> {
    let address: IpAddr = ip.parse().ok()?;
    is_public(address).then(|| address.to_canonical())
}
