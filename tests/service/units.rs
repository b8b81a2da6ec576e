//! The systemd units are units: `systemd-analyze` finds nothing wrong with them.

use std::fs;
use std::process::Command;

use crate::gate::text;

#[test]
fn the_systemd_units_are_valid() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let units = [
        ("rewardgate-web.service", include_str!("../../src/config/running/rewardgate-web.service")),
        ("rewardgate-worker.service", include_str!("../../src/config/running/rewardgate-worker.service")),
    ];
    for (name, unit) in units {
        let installed = "ExecStart=/usr/local/bin/rewardgate";
        assert!(unit.contains(installed), "{name}");
        // Whether the program is installed on this machine is not the question.
        let here = unit.replace(installed, &format!("ExecStart={}", env!("CARGO_BIN_EXE_rewardgate")));
        let path = folder.path().join(name);
        fs::write(&path, here).expect("room for a unit");
        let verified = Command::new("systemd-analyze").arg("verify").arg(&path).output();
        let verified = verified.expect("systemd-analyze, which tests/run installs");
        let said = text(&verified.stderr);
        assert!(verified.status.success() && !said.contains(name), "{name}: {said}");
    }
}
