//! Cargo's metadata of this workspace and its dependencies.

use std::process::Command;

use serde::Deserialize;

use crate::root;

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) license_file: Option<String>,
    pub(crate) manifest_path: String,
    /// Where it comes from; `None`: from this tree.
    pub(crate) source: Option<String>,
    pub(crate) rust_version: Option<String>,
    /// The registries that it may be published to; none: it never is.
    pub(crate) publish: Option<Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency of a crate.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) req: String,
    pub(crate) path: Option<String>,
}

/// Every crate that is built for `target`, also for tests; without the network.
pub(crate) fn packages(target: &str) -> Vec<Package> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", target]);
    let output = command.current_dir(root()).output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the crates for {target} are not all on this machine: cargo fetch --locked --target {target}\n{said}"
    );
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("metadata of cargo");
    metadata.packages
}
