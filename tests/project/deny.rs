//! `.deny.toml` holds: licences, bans and sources of everything that this tree is built from, for each of its targets.
//! Known weaknesses are not looked up here: that needs the network and `cargo deny`.

use std::path::Path;

use crate::licence::{Licence, of_text};
use crate::metadata::{Package, packages};
use crate::{none_of, read, read_toml, root};

/// Where crates come from unless `.deny.toml` says otherwise.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The keys that these tests check; an unknown key would be a rule without a check.
const KNOWN: [(&str, &[&str]); 5] = [
    ("graph", &["targets"]),
    ("advisories", &["yanked"]),
    ("licenses", &["allow", "confidence-threshold"]),
    ("bans", &["multiple-versions", "wildcards", "allow-wildcard-paths", "deny"]),
    ("sources", &["unknown-registry", "unknown-git"]),
];

struct Rules {
    targets: Vec<String>,
    licences: Vec<String>,
    /// Crates that may not be used, and why.
    banned: Vec<(String, String)>,
}

fn texts(value: &toml::Value) -> Vec<String> {
    let list = value.as_array().expect("a list");
    list.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn rules() -> Rules {
    let file = read_toml(".deny.toml");
    for (section, keys) in &file {
        let known = KNOWN.iter().find(|(name, _)| name == section).map_or(&[][..], |(_, keys)| *keys);
        for key in keys.as_table().expect("a section").keys() {
            assert!(
                known.contains(&key.as_str()),
                "`{section}.{key}` of .deny.toml is not checked here: teach tests/project/deny.rs"
            );
        }
    }
    for (section, key) in [("bans", "wildcards"), ("sources", "unknown-registry"), ("sources", "unknown-git")]
    {
        assert_eq!(file[section][key].as_str(), Some("deny"), "`{section}.{key}` of .deny.toml");
    }
    let banned = file["bans"]["deny"].as_array().expect("a list").iter().map(|ban| {
        let text = |key: &str| ban[key].as_str().expect("a text").to_owned();
        (text("crate"), text("reason"))
    });
    Rules {
        targets: texts(&file["graph"]["targets"]),
        licences: texts(&file["licenses"]["allow"]),
        banned: banned.collect(),
    }
}

/// The licence of a crate: from its manifest, else from its text.
fn licence(package: &Package) -> Result<Licence, String> {
    if let Some(expression) = &package.license {
        return Licence::parse(expression);
    }
    let file = package.license_file.as_deref().ok_or("names no licence")?;
    let folder = Path::new(&package.manifest_path).parent().unwrap_or_else(|| root());
    let text =
        std::fs::read_to_string(folder.join(file)).map_err(|why| format!("{file} cannot be read: {why}"))?;
    let known = [("MIT", read("LICENSE-MIT")), ("Apache-2.0", read("LICENSE-APACHE"))];
    let known = known.each_ref().map(|(name, text)| (*name, text.as_str()));
    of_text(&text, &known).ok_or_else(|| format!("{file} is no licence that is known here"))
}

/// What `.deny.toml` says against a crate.
fn faults(package: &Package, rules: &Rules) -> Vec<String> {
    let mut faults = Vec::new();
    match licence(package) {
        Ok(licence) if licence.is_allowed(&rules.licences) => {}
        Ok(_) => {
            let shown = package.license.as_deref().unwrap_or("of its text");
            faults.push(format!("its licence {shown} is not accepted"));
        }
        Err(why) => faults.push(format!("its licence cannot be told: {why}")),
    }
    if let Some((_, reason)) = rules.banned.iter().find(|(banned, _)| *banned == package.name) {
        faults.push(format!("it is banned: {reason}"));
    }
    let is_published = package.publish.as_ref().is_none_or(|registries| !registries.is_empty());
    for dependency in package.dependencies.iter().filter(|dependency| dependency.req == "*") {
        if dependency.path.is_none() || is_published {
            faults.push(format!("it takes any version of {}", dependency.name));
        }
    }
    match &package.source {
        None if Path::new(&package.manifest_path).starts_with(root()) => {}
        None => faults.push("it comes from a folder outside this repository".to_owned()),
        Some(source) if source == CRATES_IO => {}
        Some(source) => faults.push(format!("it comes from {source}")),
    }
    faults.into_iter().map(|fault| format!("{} {}: {fault}", package.name, package.version)).collect()
}

#[test]
fn licences_bans_and_sources_hold_for_each_target() {
    let rules = rules();
    let mut found = Vec::new();
    for target in &rules.targets {
        let packages = packages(target);
        assert!(packages.len() > 100, "{target}: {}", packages.len());
        found.extend(packages.iter().flat_map(|package| faults(package, &rules)));
    }
    found.sort();
    found.dedup();
    none_of(&found);
}

#[test]
fn a_crate_that_breaks_a_rule_is_found() {
    use crate::metadata::Dependency;

    let rules = Rules {
        targets: Vec::new(),
        licences: vec!["MIT".to_owned()],
        banned: vec![("openssl-sys".to_owned(), "TLS is rustls".to_owned())],
    };
    let good = || Package {
        name: "good".to_owned(),
        version: "1.0.0".to_owned(),
        license: Some("MIT OR GPL-3.0".to_owned()),
        license_file: None,
        manifest_path: "/registry/good/Cargo.toml".to_owned(),
        source: Some(CRATES_IO.to_owned()),
        rust_version: None,
        publish: None,
        dependencies: Vec::new(),
    };
    let any = |path: Option<&str>| {
        vec![Dependency { name: "x".to_owned(), req: "*".to_owned(), path: path.map(str::to_owned) }]
    };
    assert_eq!(faults(&good(), &rules), Vec::<String>::new());
    let private = Package { publish: Some(Vec::new()), dependencies: any(Some("/x")), ..good() };
    assert_eq!(faults(&private, &rules), Vec::<String>::new());
    for (package, says) in [
        (Package { license: Some("GPL-3.0".to_owned()), ..good() }, "GPL-3.0 is not accepted"),
        (Package { license: Some("MIT OR".to_owned()), ..good() }, "cannot be told"),
        (Package { license: None, ..good() }, "names no licence"),
        (Package { license: None, license_file: Some("none".to_owned()), ..good() }, "cannot be read"),
        (Package { name: "openssl-sys".to_owned(), ..good() }, "TLS is rustls"),
        (Package { dependencies: any(None), ..good() }, "any version of x"),
        (Package { dependencies: any(Some("/x")), ..good() }, "any version of x"),
        (Package { source: Some("git+https://example.com/x".to_owned()), ..good() }, "comes from git+"),
        (Package { source: None, ..good() }, "outside this repository"),
    ] {
        let found = faults(&package, &rules);
        assert!(found.len() == 1 && found[0].contains(says), "{says}: {found:?}");
    }
}
