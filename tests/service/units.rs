//! The systemd units are units: `systemd-analyze` finds nothing wrong with them.

use std::fs;
use std::process::Command;

use crate::support::gate::text;

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

/// A proxy that looks at a decoded path lets `/reports/..%2fpb%2fx` through to whatever listens behind it.
#[test]
fn proxies_decide_by_the_path_as_it_was_sent() {
    let nginx = include_str!("../../src/config/running/nginx.conf");
    let caddy = include_str!("../../src/config/running/Caddyfile");
    let directives = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    let (nginx, caddy) = (directives(nginx), directives(caddy));
    for line in ["map $request_uri $is_postback {", r#""~^/pb(/|\?|$)" 1;"#, "if ($is_postback = 0) {"] {
        assert!(nginx.iter().any(|known| known == line), "{line}");
    }
    assert!(!nginx.iter().any(|line| line.starts_with("location") && line.contains("/pb/")), "{nginx:?}");
    assert!(caddy.iter().any(|line| line == r"@postback vars_regexp {http.request.uri} ^/pb(/|\?|$)"));
    assert!(!caddy.iter().any(|line| line.contains("/pb/*")), "{caddy:?}");
    // The console stands behind TLS, and says so.
    for line in ["server_name gate.example.com;", "proxy_set_header X-Forwarded-Proto $scheme;"] {
        assert!(nginx.iter().any(|known| known == line), "{line}");
    }
    assert!(caddy.iter().any(|line| line == "gate.example.com {"));
    let hsts = |lines: &[String]| lines.iter().any(|line| line.contains("Strict-Transport-Security"));
    assert!(hsts(&nginx) && hsts(&caddy));
}
