//! The built-in data: the country in which a registry (AFRINIC, APNIC, ARIN, LACNIC, RIPE NCC) delegated a block.
//! That is where a block is registered, not where it is used.

use std::net::IpAddr;

use domain::location::DatabaseBuild;

/// The name of the built-in data among the databases.
const NAME: &str = "registry";

/// The release of the built-in data. Releases of `iptocc` are snapshots of the registries' files, so its version is
/// their build date; the crate does not export it, so a test compares this constant with `Cargo.lock`.
const RELEASE: &str = "1.4.175";

/// The country in which the block of `address` is registered.
pub(crate) fn country(address: IpAddr) -> Option<String> {
    iptocc::country_code(address).and_then(crate::country::country)
}

/// The built-in data as one of the databases.
pub(crate) fn build() -> DatabaseBuild {
    DatabaseBuild { name: NAME.into(), built_at: RELEASE.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_version_that_is_locked() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
        let lock = lock.expect("the workspace has a lock file");
        let (_, after) = lock.split_once("name = \"iptocc\"\nversion = \"").expect("iptocc is locked");
        let (version, _) = after.split_once('"').expect("a quoted version");
        assert_eq!(RELEASE, version, "set RELEASE to the version of iptocc that is now locked");
    }
}
