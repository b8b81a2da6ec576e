//! The handler that most publishers write, of `naive/`.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::processes::{ORIGIN, Running, SECRET};

/// Where it is installed.
const HOME: &str = "target/bench/naive";

/// Installs the handler; false, and said, where npm cannot.
pub(super) fn install() -> bool {
    let from = "tests/bench/naive";
    std::fs::create_dir_all(HOME).expect("a folder");
    for file in ["package.json", "server.js"] {
        std::fs::copy(format!("{from}/{file}"), format!("{HOME}/{file}")).expect("copied");
    }
    if Path::new(HOME).join("node_modules/express").exists() {
        return true;
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(HOME);
    let is_installed = npm.status().is_ok_and(|status| status.success());
    if !is_installed {
        println!("skipped: Express 5 and pg, because npm cannot install them");
    }
    is_installed
}

/// Starts the installed handler on a database of its own.
pub(super) fn start(database_url: &str) -> Running {
    let mut command = Command::new("node");
    command.arg("server.js").current_dir(HOME).stderr(Stdio::inherit());
    command.envs([
        ("DATABASE_URL", database_url),
        ("SECRET", SECRET),
        ("ORIGIN", ORIGIN),
        ("NODE_ENV", "production"),
    ]);
    Running::start(command)
}
