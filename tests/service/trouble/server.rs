//! A Postgres server of one test, which may be stopped, and run on a machine in trouble.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::support::gate::text;

/// A server that runs until the end of the test.
pub(crate) struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    environment: Vec<(&'static str, String)>,
}

impl Server {
    /// A new one, with the settings of Postgres itself as far as money is concerned.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// A new one in a folder that `prepare` may put things into; it runs with the environment that `prepare` says.
    pub(crate) fn start_with(prepare: impl FnOnce(&std::path::Path) -> Vec<(&'static str, String)>) -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.expect("a free port").port();
        let environment = prepare(folder.path());
        let server = Self { folder, programs: programs(), port, environment };
        if is_root() {
            // Postgres refuses to be run by root; tests/run makes this user.
            server.must(Command::new("chown").arg("-R").arg("postgres").arg(server.folder.path()));
        }
        let data = server.data();
        server.must(server.unprivileged("initdb").arg("-D").arg(data).args([
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]));
        server.go_on();
        server
    }

    /// A database on it that any user may connect to.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops it at once, as a crash does: it recovers from its log when it goes on.
    pub(crate) fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Starts it again.
    pub(crate) fn go_on(&self) {
        let folder = self.folder.path().display();
        let options = format!(
            "-p {} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=60 -c shared_buffers=16MB",
            self.port
        );
        self.control(&["-l", &format!("{folder}/log"), "-o", &options, "start"]);
    }

    fn control(&self, arguments: &[&str]) {
        self.must(self.unprivileged("pg_ctl").arg("-D").arg(self.data()).args(["-w", "-s"]).args(arguments));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn unprivileged(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .current_dir(self.folder.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn must(&self, command: &mut Command) {
        let log = fs::File::create(self.folder.path().join("said")).expect("room for a log");
        // Into a file: a server that inherited a pipe would hold it open.
        let status = command.stdout(log.try_clone().expect("a file")).stderr(log).status();
        let said = || text(&fs::read(self.folder.path().join("said")).unwrap_or_default());
        assert!(status.is_ok_and(|status| status.success()), "{command:?}: {}", said());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be down already.
        let mut stop = self.unprivileged("pg_ctl");
        let _ = stop.arg("-D").arg(self.data()).args(["-s", "-m", "immediate", "stop"]).status();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    text(&id.stdout).trim() == "0"
}

/// The newest Postgres that is installed.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("Postgres, which tests/run installs");
    let versions = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max().expect("Postgres, which tests/run installs");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}
