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
//! | `database` | one file in memory |
//! | `record` | what one record says, whichever schema it is written in |
//! | `value` | one value of a record, read so that a surprise in it costs nothing else |
//! | `registry` | the built-in data |
//! | `country` | which codes are countries |
//! | `error` | why files cannot be opened, all of them at once |

mod country;
mod database;
mod error;
mod record;
mod registry;
mod value;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use domain::location::{DatabaseBuild, Location, is_public};

use crate::database::Database;
pub use crate::error::{FileError, OpenError};

/// The databases in service. Cheap to clone: clones share the files in memory.
#[derive(Clone, Debug)]
pub struct Geo(Arc<Service>);

/// All that one opening yields, behind one pointer: replacing the files later means replacing this.
#[derive(Debug)]
struct Service {
    files: Vec<Database>,
    /// True if no file is of a kind that carries countries. A gap in a file that does carry them is a statement of
    /// its own ("not known"), and weaker data must not paper over it.
    registry_serves_countries: bool,
    builds: Vec<DatabaseBuild>,
}

impl Geo {
    /// Opens every file; none: built-in registry data only. All faults are reported at once.
    pub fn open(files: &[PathBuf]) -> Result<Self, OpenError> {
        let mut opened = Vec::with_capacity(files.len());
        let mut faults = Vec::new();
        for path in files {
            match Database::open(path) {
                Ok(database) => opened.push(database),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(OpenError::new(faults));
        }
        let registry_serves_countries = !opened.iter().any(Database::carries_countries);
        let registry = registry_serves_countries.then(registry::build);
        let builds = opened.iter().map(|database| database.build().clone()).chain(registry).collect();
        Ok(Self(Arc::new(Service { files: opened, registry_serves_countries, builds })))
    }

    /// Everything known of `ip` as sent by a network. Not an address, or not of the public internet
    /// ([`is_public`]): an empty location that still names the databases.
    pub fn locate(&self, ip: Option<&str>) -> Location {
        let mut location = Location { databases: self.0.builds.clone(), ..Location::default() };
        let Some(address) = ip.and_then(public_address) else { return location };
        for file in &self.0.files {
            if let Some(record) = file.record(address) {
                record.complete(&mut location);
            }
        }
        location.network.sort_unstable();
        location.network.dedup();
        if location.country.is_none() && self.0.registry_serves_countries {
            location.country = registry::country(address);
            location.registry_only = true;
        }
        location
    }

    /// The databases in service, in order of the settings. Built-in registry data stands last, if countries come
    /// from it.
    pub fn databases(&self) -> &[DatabaseBuild] {
        &self.0.builds
    }
}

/// An IPv4 address written inside an IPv6 one is looked up as what it is: not every file has such aliases.
fn public_address(ip: &str) -> Option<IpAddr> {
    let address: IpAddr = ip.parse().ok()?;
    is_public(address).then(|| address.to_canonical())
}
