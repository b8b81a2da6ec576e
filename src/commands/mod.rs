//! What runs once and ends: migrate; in files of their own check, deliveries, diagnose, postbacks, replay, report,
//! staff, statement, token and verify.

pub(crate) mod acting;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod deliveries;
pub(crate) mod demo;
pub(crate) mod diagnose;
pub(crate) mod healthcheck;
pub(crate) mod postbacks;
pub(crate) mod progress;
pub(crate) mod replay;
pub(crate) mod report;
mod role;
pub(crate) mod sandbox;
pub(crate) mod staff;
pub(crate) mod statement;
pub(crate) mod token;
pub(crate) mod verify;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use domain::text::{hex, visible, visible_lines};
use domain::time::TimestampMs;
use rand::TryRng as _;
use rand::rngs::SysRng;

use crate::EXIT_DONE;
use crate::roles::Process;

/// Bytes of a token: 256 random bits.
const TOKEN_LEN: usize = 32;
/// So that a token is known for what it is where it turns up by mistake.
const TOKEN_PREFIX: &str = "rwg_";

/// One line on standard output, in which nothing that others wrote (a user's id, a cell, a note) can hide or end the
/// line. A closed pipe is no reason to end.
pub(crate) fn say(line: &str) {
    say_raw(&visible(line));
}

/// The same for a text of ours that has lines.
pub(crate) fn say_lines(text: &str) {
    say_raw(&visible_lines(text));
}

/// A line for programs, as it is.
pub(crate) fn say_raw(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A file of ours at `path`, empty, which nobody else on this machine can open if it is new: it holds money and people.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path)?;
    if file.metadata().is_ok_and(|data| data.permissions().mode() & 0o007 != 0) {
        let shown = path.display();
        eprintln!(
            "{shown} was there already, and every account of this machine may open it: chmod o= {shown}"
        );
    }
    Ok(file)
}

/// Brings the schema up to date.
pub(crate) async fn migrate(process: &Process) -> anyhow::Result<u8> {
    progress::during("bringing the schema up to date", process.store.migrate()).await?;
    say("the schema is up to date");
    Ok(EXIT_DONE)
}

/// A token that nobody can guess.
pub(crate) fn new_token() -> anyhow::Result<String> {
    let mut bytes = [0; TOKEN_LEN];
    SysRng.try_fill_bytes(&mut bytes).context("the system gives no random bytes")?;
    Ok(format!("{TOKEN_PREFIX}{}", hex(&bytes)))
}

/// How many random bytes a new password has: guessing is slowed down, and the hash is slow.
const PASSWORD_LEN: usize = 10;

/// A password that nobody can guess, short enough to be typed.
pub(crate) fn new_password() -> anyhow::Result<String> {
    let mut bytes = [0; PASSWORD_LEN];
    SysRng.try_fill_bytes(&mut bytes).context("the system gives no random bytes")?;
    Ok(hex(&bytes))
}

/// The instant that the flag `key` says, if it is there.
pub(crate) fn time(
    process: &Process,
    key: &str,
    text: Option<&String>,
) -> anyhow::Result<Option<TimestampMs>> {
    text.map(|text| {
        TimestampMs::parse(text, process.settings.timezone)
            .ok_or_else(|| anyhow::anyhow!("`--{key}` must be RFC 3339 or a date, `{text}` is neither"))
    })
    .transpose()
}
