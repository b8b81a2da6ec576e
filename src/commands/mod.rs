//! The subcommands, one module each with its arguments; `migrate` is here. `up`, `web` and `worker` are in `main.rs`.

pub(crate) mod acting;
pub(crate) mod assess;
pub(crate) mod audit;
pub(crate) mod baseline;
pub(crate) mod captured;
pub(crate) mod check;
mod counters;
pub(crate) mod deliveries;
pub(crate) mod demo;
pub(crate) mod diagnose;
pub(crate) mod healthcheck;
pub(crate) mod import;
pub(crate) mod lists;
pub(crate) mod networks;
mod past;
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
use crate::process::Process;

/// Random bytes of a token.
const TOKEN_LEN: usize = 32;
/// Makes a leaked token recognisable.
const TOKEN_PREFIX: &str = "rwg_";

/// Arguments that make no sense together, or name what is not there: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadUsage(String);

/// Ends the command with exit code 2 and `message`: what is wrong and what to do.
pub(crate) fn bad_usage(message: String) -> anyhow::Error {
    BadUsage(message).into()
}

/// Prints one line on standard output. Control characters are escaped, so that foreign text (a user's id, a note) cannot
/// hide or break the line. A closed pipe is ignored.
pub(crate) fn say(line: &str) {
    say_raw(&visible(line));
}

/// Like [`say`], for our own text of several lines.
pub(crate) fn say_lines(text: &str) {
    say_raw(&visible_lines(text));
}

/// Prints a line for programs, unescaped.
pub(crate) fn say_raw(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Creates or empties the file at `path`. A new one is readable by its owner only: it holds money and personal data.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path)?;
    if file.metadata().is_ok_and(|data| data.permissions().mode() & 0o007 != 0) {
        let shown = path.display();
        eprintln!("{shown} already existed, and every account of this machine may open it: chmod o= {shown}");
    }
    Ok(file)
}

/// Brings the schema up to date.
pub(crate) async fn migrate(process: &Process) -> anyhow::Result<u8> {
    progress::during("updating the schema", process.store.migrate()).await?;
    say("the schema is up to date");
    Ok(EXIT_DONE)
}

/// A token that nobody can guess.
pub(crate) fn new_token() -> anyhow::Result<String> {
    let mut bytes = [0; TOKEN_LEN];
    SysRng.try_fill_bytes(&mut bytes).context("the operating system returned no random bytes")?;
    Ok(format!("{TOKEN_PREFIX}{}", hex(&bytes)))
}

/// Random bytes of a generated password: enough, because sign-ins are rate-limited and the hash is slow.
const PASSWORD_LEN: usize = 10;

/// A password that nobody can guess, short enough to be typed.
pub(crate) fn new_password() -> anyhow::Result<String> {
    let mut bytes = [0; PASSWORD_LEN];
    SysRng.try_fill_bytes(&mut bytes).context("the operating system returned no random bytes")?;
    Ok(hex(&bytes))
}

/// Parses the value of `--{key}`, if it was given.
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
