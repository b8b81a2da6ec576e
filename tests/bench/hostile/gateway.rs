//! The real executable as it faces the internet, on SQLite and with the default limits.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// The origin in the signatures of postbacks.
pub(crate) const ORIGIN: &str = "https://gw.example.com";
/// Their secret.
pub(crate) const SECRET: &str = "benchmark-secret";
/// Who may sign in, and how.
pub(crate) const PERSON: &str = "mara";
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Gateway {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Gateway {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("rewardgate.toml");
        let settings = format!(
            "listen = \"127.0.0.1:0\"\npublic_url = \"{ORIGIN}\"\ndatabase_url = \"sqlite://{}/bench.db\"\n\
             log = \"error\"\n[[sources]]\nname = \"bench\"\nnetwork = \"targo\"\nsecret = \"env:BENCH_SECRET\"\n\
             currency = \"coins\"\n",
            folder.path().display()
        );
        std::fs::write(&config, settings).expect("settings");
        let command = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_rewardgate"));
            command.arg("--config").arg(&config).env("BENCH_SECRET", SECRET).stdout(Stdio::piped());
            command
        };
        assert!(command().arg("migrate").status().expect("starts").success());
        let mut add = command();
        add.args(["staff", "add", PERSON, "--role", "finance"]).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut add = add.spawn().expect("starts");
        writeln!(add.stdin.take().expect("piped"), "{PASSWORD}").expect("it listens");
        assert!(add.wait().expect("ends").success());
        let mut child = command().spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a first line");
        let address = line.trim().strip_prefix("listening on http://").expect("it listens");
        Self { child, address: address.parse().expect("an address"), _folder: folder }
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(self.child.wait().expect("ends").success(), "it ends in good order");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
