//! The Debian package: what `[package.metadata.deb]` names is there, and where `cargo deb` is installed it is built.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{none_of, read, read_toml, root};

/// Where cargo puts what it builds; `cargo deb` replaces it by the target folder that is used.
const BUILT: &str = "target/release/";
const SCRIPTS: &str = "src/config/running/debian";

/// One file of the package.
struct Asset {
    source: String,
    /// Its path in the package, without a slash in front.
    target: String,
    mode: String,
}

fn metadata() -> toml::Table {
    read_toml("Cargo.toml")["package"]["metadata"]["deb"].as_table().expect("a section").clone()
}

fn assets() -> Vec<Asset> {
    let text = |value: &toml::Value| value.as_str().expect("a text").to_owned();
    let list = metadata()["assets"].as_array().expect("a list").clone();
    list.iter()
        .map(|asset| {
            let [source, target, mode] = [0, 1, 2].map(|part| text(&asset[part]));
            let name = Path::new(&source).file_name().expect("a name").to_string_lossy().into_owned();
            let target = if target.ends_with('/') { target + &name } else { target };
            Asset { source, target, mode }
        })
        .collect()
}

/// The commands of a unit that start it.
fn starts(unit: &str) -> Vec<&str> {
    unit.lines()
        .filter_map(|line| line.strip_prefix("ExecStart="))
        .filter(|start| !start.is_empty())
        .collect()
}

#[test]
fn every_file_that_the_package_names_exists() {
    let assets = assets();
    let mut found = Vec::new();
    for asset in &assets {
        match asset.source.strip_prefix(BUILT) {
            Some("rewardgate") => {}
            Some(binary) => found.push(format!("{binary} is not built by this tree")),
            None if root().join(&asset.source).is_file() => {}
            None => found.push(format!("there is no {}", asset.source)),
        }
    }
    for path in metadata()["conf-files"].as_array().expect("a list") {
        let path = path.as_str().expect("a text").trim_start_matches('/');
        if !assets.iter().any(|asset| asset.target == path) {
            found.push(format!("/{path} is a file of settings that no asset brings"));
        }
    }
    for target in [
        "usr/bin/rewardgate",
        "etc/rewardgate/rewardgate.toml",
        "usr/lib/systemd/system/rewardgate-web.service",
        "usr/lib/systemd/system/rewardgate-worker.service",
        "usr/share/doc/rewardgate/copyright",
    ] {
        if !assets.iter().any(|asset| asset.target == target) {
            found.push(format!("nothing brings /{target}"));
        }
    }
    none_of(&found);
    assert_eq!(metadata()["maintainer-scripts"].as_str(), Some(SCRIPTS));
}

#[test]
fn the_scripts_of_the_package_are_shell() {
    for name in ["postinst", "prerm", "postrm"] {
        let path = root().join(SCRIPTS).join(name);
        let checked = Command::new("sh").arg("-n").arg(&path).output().expect("a shell");
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
        assert!(read(&format!("{SCRIPTS}/{name}")).starts_with("#!/bin/sh\nset -e\n"), "{name}");
    }
}

#[test]
fn the_packaged_units_start_what_the_units_start() {
    for role in ["web", "worker"] {
        let unit = read(&format!("src/config/running/rewardgate-{role}.service"));
        let packaged = read(&format!("{SCRIPTS}/rewardgate-{role}.conf"));
        let moved: Vec<_> =
            starts(&unit).iter().map(|start| start.replace("/usr/local/bin/", "/usr/bin/")).collect();
        assert_eq!(moved, starts(&packaged), "{role}");
        // Without an empty line first there would be two commands.
        assert!(packaged.contains("\nExecStart=\nExecStart=/usr/bin/"), "{role}");
    }
}

#[test]
fn systemd_takes_the_units_as_the_package_installs_them() {
    if !is_here("systemd-analyze", &["--version"]) {
        println!("systemd-analyze is not installed: the units are not verified");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for role in ["web", "worker"] {
        let name = format!("rewardgate-{role}.service");
        let unit = folder.path().join(&name);
        fs::write(&unit, read(&format!("src/config/running/{name}"))).expect("a unit");
        let changes = folder.path().join(format!("{name}.d"));
        fs::create_dir(&changes).expect("a folder");
        // Whether the program is installed on this machine is not the question.
        let packaged = read(&format!("{SCRIPTS}/rewardgate-{role}.conf"));
        let here = packaged.replace("/usr/bin/rewardgate", env!("CARGO_BIN_EXE_rewardgate"));
        fs::write(changes.join("package.conf"), here).expect("a change");
        let verified = Command::new("systemd-analyze").arg("verify").arg(&unit).output().expect("it runs");
        let said = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success() && !said.contains(&name), "{name}: {said}");
    }
}

/// Whether the program is installed.
fn is_here(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// The output of a program, or why it failed.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_package_can_be_built_and_holds_its_files() {
    if !is_here(env!("CARGO"), &["deb", "--version"]) || !is_here("dpkg-deb", &["--version"]) {
        println!("cargo-deb or dpkg-deb is not installed: the package is not built");
        return;
    }
    // The program as it was built for the tests stands in for the one that a release builds; without what only a
    // debugger reads it is packed sooner.
    let folder = tempfile::tempdir().expect("a folder");
    let built = folder.path().join("release");
    fs::create_dir(&built).expect("a folder");
    let program = env!("CARGO_BIN_EXE_rewardgate");
    said(Command::new("strip").arg("-o").arg(built.join("rewardgate")).arg(program));
    let package = folder.path().join("rewardgate.deb");
    let mut deb = Command::new(env!("CARGO"));
    deb.args(["deb", "--no-build", "--no-strip", "--fast", "--locked", "--offline", "--output"])
        .arg(&package);
    said(deb.env("CARGO_TARGET_DIR", folder.path()).current_dir(root()));

    let contents = said(Command::new("dpkg-deb").arg("--contents").arg(&package));
    for asset in assets() {
        let line = contents.lines().find(|line| line.ends_with(&format!(" ./{}", asset.target)));
        let line = line.unwrap_or_else(|| panic!("/{} is not in the package:\n{contents}", asset.target));
        let rights = match asset.mode.as_str() {
            "755" => "-rwxr-xr-x",
            "640" => "-rw-r-----",
            _ => "-rw-r--r--",
        };
        assert!(line.starts_with(rights) && line.contains(" 0/0 "), "{line}");
    }
    let control = folder.path().join("control");
    said(Command::new("dpkg-deb").arg("--control").arg(&package).arg(&control));
    let part =
        |name: &str| fs::read_to_string(control.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!(part("conffiles").trim(), "/etc/rewardgate/rewardgate.toml");
    let about = part("control");
    for line in ["Package: rewardgate\n", "Section: net\n", "ca-certificates"] {
        assert!(about.contains(line), "{line}: {about}");
    }
    for script in ["postinst", "prerm", "postrm"] {
        assert_eq!(part(script), read(&format!("{SCRIPTS}/{script}")), "{script}");
    }
}
