//! What runs once and ends: migrate, verify, token; in files of their own check, deliveries, diagnose, replay, report
//! and statement.

pub(crate) mod check;
pub(crate) mod deliveries;
pub(crate) mod diagnose;
mod import;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod statement;
pub(crate) mod user;

use std::io::Write as _;

use anyhow::Context as _;
use domain::access::{Role, token_hash};
use domain::text::{count, hex};
use domain::time::TimestampMs;
use rand::TryRng as _;
use rand::rngs::SysRng;
use store::tokens::TokenOwner;

use crate::roles::Process;
use crate::{EXIT_DONE, EXIT_FAILED};

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
    process.store.migrate().await?;
    say("the schema is up to date");
    Ok(EXIT_DONE)
}

/// Proves the ledger.
pub(crate) async fn verify(process: &Process) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    let proof = process.store.prove().await?;
    for account in &proof.differing_accounts {
        say(&format!(
            "{} {}: kept {}, computed {}",
            account.account, account.currency, account.kept, account.computed
        ));
    }
    for reward in &proof.differing_rewards {
        say(&format!(
            "reward {} is {}, but its transfers leave the user {}, held {}, earned {}",
            reward.reward_id, reward.status, reward.user, reward.held, reward.earned
        ));
    }
    let [accounts, transfers, rewards] =
        [(proof.accounts, "account"), (proof.transfers, "transfer"), (proof.rewards, "reward")]
            .map(|(number, noun)| count(number.unsigned_abs(), noun));
    if proof.is_proven() {
        say(&format!("proven: {accounts}, {transfers}, {rewards}"));
        Ok(EXIT_DONE)
    } else {
        say(&format!("NOT proven: see above ({accounts}, {transfers}, {rewards})"));
        Ok(EXIT_FAILED)
    }
}

/// Makes a token and prints it alone.
pub(crate) async fn add_token(process: &Process, name: String, role: Role) -> anyhow::Result<u8> {
    anyhow::ensure!(!name.trim().is_empty() && name.len() <= 64, "a token's name has 1 to 64 characters");
    process.store.migrate().await?;
    let token = new_token()?;
    let owner = TokenOwner { name: name.clone(), role };
    let added = process.store.add_token(owner, token_hash(&token), process.clock.now()).await?;
    anyhow::ensure!(added, "there is a token named `{name}` already");
    say(&token);
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
