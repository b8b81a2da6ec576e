//! `rust-version` is the version that the workspace really needs.

use crate::metadata::packages;
use crate::{none_of, read, read_toml};

/// `1.94` or `1.94.0`, comparable.
fn version(text: &str) -> Vec<u64> {
    let mut parts: Vec<u64> =
        text.split('.').map(|part| part.parse().unwrap_or_else(|_| panic!("{text}"))).collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn no_dependency_needs_a_newer_rust_than_the_manifest_says() {
    let manifest = read_toml("Cargo.toml");
    let ours = manifest["workspace"]["package"]["rust-version"].as_str().expect("a version");
    let targets = read_toml(".deny.toml");
    let targets = targets["graph"]["targets"].as_array().expect("a list");
    let mut found = Vec::new();
    for target in targets {
        for package in packages(target.as_str().expect("a target")) {
            match &package.rust_version {
                Some(theirs) if package.source.is_none() && version(theirs) != version(ours) => {
                    found.push(format!("{} says {theirs}, the workspace {ours}", package.name));
                }
                None if package.source.is_none() => {
                    found.push(format!("{}: add `rust-version.workspace = true`", package.name));
                }
                Some(theirs) if version(theirs) > version(ours) => {
                    found.push(format!(
                        "{} {} needs {theirs}, the manifest says {ours}",
                        package.name, package.version
                    ));
                }
                _ => {}
            }
        }
    }
    found.sort();
    found.dedup();
    none_of(&found);
    let contributing = read(".github/CONTRIBUTING.md");
    assert!(
        contributing.contains(&format!("Rust {ours} or newer")),
        "CONTRIBUTING.md names another version than {ours}"
    );
}

#[test]
fn versions_are_compared_by_number() {
    assert!(version("1.100") > version("1.94.3"));
    assert_eq!(version("1.94"), version("1.94.0"));
}
