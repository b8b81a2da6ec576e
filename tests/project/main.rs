//! Rules of the repository itself: what stands in its files fits together, and what it is built from may be used.

#[cfg(test)]
mod deny;
#[cfg(test)]
mod licence;
#[cfg(test)]
mod links;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod networks;
#[cfg(test)]
mod package;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod versions;

#[cfg(test)]
use std::path::{Path, PathBuf};

/// The folder of the repository.
#[cfg(test)]
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
#[cfg(test)]
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path} cannot be read: {why}"))
}

/// A TOML file of the repository.
#[cfg(test)]
fn read_toml(path: &str) -> toml::Table {
    read(path).parse().unwrap_or_else(|why| panic!("{path} is not TOML: {why}"))
}

/// Every file below the repository whose name ends with `ending`, apart from what is built or belongs to Git.
#[cfg(test)]
fn files(ending: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if entry.is_dir() && !["target", ".git"].contains(&name.as_str()) {
                folders.push(entry);
            } else if name.ends_with(ending) {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

/// Fails with all of `faults`, if there are any.
#[cfg(test)]
fn none_of(faults: &[String]) {
    assert!(faults.is_empty(), "{} found:\n  {}", faults.len(), faults.join("\n  "));
}
