//! The executable as a child process: started, listened to, stopped, and never left behind.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use tempfile::TempDir;

use crate::support::wait::{DEADLINE, until};

/// The executable in a folder without settings.
pub(crate) fn alone(folder: &TempDir, arguments: &[&str]) -> Output {
    alone_knowing(folder, &[], arguments)
}

/// The same, with these variables in its environment and no others.
pub(crate) fn alone_knowing(folder: &TempDir, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rewardgate"));
    command.env_clear().envs(variables.iter().copied()).current_dir(folder.path()).args(arguments);
    command.output().expect("the executable runs")
}

/// A running process. When it goes out of scope it is killed, and its log is shown if the test has failed.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its standard error goes into the file `log`.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let stderr = File::create(&log).expect("a file for the log");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("the executable starts");
        let stdout = child.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, log }
    }

    /// The next line on standard output; `None` if it is closed instead.
    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("waited in vain for a line on standard output"),
        }
    }

    /// SIGTERM, by the shell's own `kill`: every system has that one.
    pub(crate) fn terminate(&self) {
        let signalled =
            Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()]).status();
        assert!(signalled.expect("a shell").success(), "the process ended before it was asked to");
    }

    /// SIGKILL: it gets no chance to finish anything.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a process that runs");
        self.child.wait().expect("a process that ended");
    }

    /// Waits for its end.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        until("the end of the process", || self.child.try_wait().expect("a process"))
    }

    /// Stops it, and asserts that its exit code is 0.
    pub(crate) fn stop(&mut self) {
        self.terminate();
        assert_eq!(self.exit().code(), Some(0), "a stopped process ends with 0");
    }

    /// True while it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a process").is_none()
    }

    /// The most memory it has had so far, where the system tells.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Everything it has written to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- {}\n{}---", self.log.display(), self.log());
        }
    }
}
