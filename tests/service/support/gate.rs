//! One RewardGate of one test: a database, settings, and the processes that use them.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::api::Api;
use crate::support::database::{Database, Kind};
use crate::support::process::Process;
use crate::support::settings::Settings;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";

/// The settings and the database of a test; starts its processes.
pub(crate) struct Gate {
    // Before the folder, because what is in the folder goes with it.
    pub(crate) database: Database,
    folder: TempDir,
    settings: RefCell<Settings>,
    started: Cell<usize>,
}

/// A process that listens.
pub(crate) struct Listening {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Gate {
    /// With the usual settings.
    pub(crate) fn new(on: Kind) -> Self {
        Self::with(on, |settings| settings)
    }

    /// With settings that `change` makes of the usual ones.
    pub(crate) fn with(on: Kind, change: impl FnOnce(Settings) -> Settings) -> Self {
        let folder = TempDir::new().expect("a folder for this test");
        let database = Database::new(on, folder.path());
        Self::in_folder(folder, database, change)
    }

    /// On this database.
    pub(crate) fn on(database: Database, change: impl FnOnce(Settings) -> Settings) -> Self {
        Self::in_folder(TempDir::new().expect("a folder for this test"), database, change)
    }

    fn in_folder(folder: TempDir, database: Database, change: impl FnOnce(Settings) -> Settings) -> Self {
        let settings = change(Settings::new(&database.url()));
        let gate = Self { database, folder, settings: RefCell::new(settings), started: Cell::new(0) };
        gate.change(|settings| settings);
        gate
    }

    /// A path in the folder of this test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes the settings for the processes that start from now on.
    pub(crate) fn change(&self, change: impl FnOnce(Settings) -> Settings) {
        let settings = change(self.settings.borrow().clone());
        fs::write(self.path("settings.toml"), settings.text()).expect("room for the settings");
        self.settings.replace(settings);
    }

    /// The executable with these arguments and with nothing of the environment of whoever runs the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rewardgate"));
        command.env_clear().current_dir(self.folder.path());
        for name in ["PATH", "HOME"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(&self.settings.borrow().environment);
        command.arg("--config").arg(self.path("settings.toml")).args(arguments);
        command
    }

    /// Runs a subcommand that ends.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the executable runs")
    }

    /// Starts a process and does not wait for it to be ready.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        self.started.set(self.started.get() + 1);
        let log = self.path(&format!("{}-{}.log", self.started.get(), arguments.first().unwrap_or(&"")));
        Process::start(self.command(arguments), log)
    }

    /// Starts the role `web`.
    pub(crate) fn web(&self) -> Listening {
        listening(self.start(&["web"]))
    }

    /// Starts the role `worker`.
    pub(crate) fn worker(&self) -> Process {
        ready(self.start(&["worker"]))
    }

    /// Starts `rewardgate` alone, which listens and works.
    pub(crate) fn up(&self) -> Listening {
        let Listening { process, address } = listening(self.start(&[]));
        Listening { process: ready(process), address }
    }

    /// A new token of this role.
    pub(crate) fn token(&self, role: &str) -> String {
        self.new_token(&["--role", role])
    }

    /// A token with which a person acts.
    pub(crate) fn token_of(&self, role: &str, owner: &str) -> String {
        self.new_token(&["--role", role, "--owner", owner])
    }

    fn new_token(&self, terms: &[&str]) -> String {
        let name = format!("{}-{:08x}", terms[1], rand::random::<u32>());
        let output = self.run(&[&["token", "add", &name], terms].concat());
        let (token, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{errors}");
        let token = token.strip_suffix('\n').expect("one line");
        assert!(!token.is_empty() && !token.contains(char::is_whitespace), "not a token alone: {token:?}");
        token.to_owned()
    }

    /// Adds somebody with the password [`PASSWORD`], who has been there for two days: whoever is new is no second person.
    pub(crate) fn add_person(&self, name: &str, role: &str) {
        self.add_new_person(name, role);
        let days = 2 * 86_400_000_i64;
        self.database.execute(&format!(
            "UPDATE people SET created_at = created_at - {days}, since = since - {days} WHERE name = '{name}'"
        ));
    }

    /// Adds somebody with the password [`PASSWORD`] now.
    pub(crate) fn add_new_person(&self, name: &str, role: &str) {
        let output = self.run_with_input(&["staff", "add", name, "--role", role], PASSWORD);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    /// Runs a subcommand that ends and reads `line`.
    pub(crate) fn run_with_input(&self, arguments: &[&str], line: &str) -> Output {
        let mut command = self.command(arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the executable runs");
        writeln!(child.stdin.take().expect("its input"), "{line}").expect("it listens");
        child.wait_with_output().expect("it ends")
    }

    /// The API at `address`, as somebody who may do everything sees it.
    pub(crate) fn api(&self, address: SocketAddr) -> Api {
        Api { address, token: self.token("admin") }
    }

    /// Demands that the books are in order.
    pub(crate) fn assert_proven(&self) {
        let output = self.run(&["verify"]);
        assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    }
}

/// A process that has announced where it listens.
pub(crate) fn listening(process: Process) -> Listening {
    announced(process).expect("a process that listens says so")
}

/// A process that has said where it listens; `None` if it ended instead.
pub(crate) fn announced(process: Process) -> Option<Listening> {
    let line = process.line()?;
    let address = line.strip_prefix("listening on http://").and_then(|address| address.parse().ok());
    let address = address.unwrap_or_else(|| panic!("instead of where it listens it said {line:?}"));
    Some(Listening { process, address })
}

/// A worker that has announced that it works.
pub(crate) fn ready(process: Process) -> Process {
    assert_eq!(process.line().as_deref(), Some("worker ready"));
    process
}

/// What a process wrote.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}
