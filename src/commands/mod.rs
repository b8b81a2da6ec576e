//! What runs once and ends: migrate; in files of their own check, deliveries, diagnose, postbacks, replay, report,
//! statement, token, user and verify.

pub(crate) mod acting;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod deliveries;
pub(crate) mod diagnose;
mod import;
pub(crate) mod postbacks;
pub(crate) mod progress;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod statement;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod verify;

use std::io::Write as _;

use anyhow::Context as _;
use domain::text::hex;
use domain::time::TimestampMs;
use rand::TryRng as _;
use rand::rngs::SysRng;

use crate::EXIT_DONE;
use crate::roles::Process;

/// Bytes of a token: 256 random bits.
const TOKEN_LEN: usize = 32;
/// So that a token is known for what it is where it turns up by mistake.
const TOKEN_PREFIX: &str = "rwg_";

/// One line on standard output. A closed pipe is no reason to end.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
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
