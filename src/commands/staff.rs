//! `rewardgate staff`: the people who sign in to the web pages.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Context as _;
use clap::Subcommand;
use domain::access::{Role, is_person_name};
use domain::time::TimestampMs;
use store::access::staff::{NewPerson, PersonChange};
use web::console::password;

use super::acting::command_line;
use super::role::RoleArg;
use super::{new_password, say};
use crate::EXIT_DONE;
use crate::process::Process;

/// Adding people, and changing what they may do.
#[derive(Debug, Subcommand)]
pub(crate) enum StaffCommand {
    /// Add a person. The password is read from the first line of standard input; otherwise one is generated and
    /// printed.
    Add {
        /// Name that decisions are signed with: letters, digits, dots, dashes, underscores.
        name: String,
        /// Role: risk decides on holds; finance signs off; admin does both and manages people.
        #[arg(long)]
        role: RoleArg,
    },
    /// List all people.
    List,
    /// Prevent a person from signing in, and end their sessions.
    Disable {
        /// Name of the person.
        name: String,
    },
    /// Allow a disabled person to sign in again.
    Enable {
        /// Name of the person.
        name: String,
    },
    /// Set a new password, as `add` does, and end the person's sessions.
    Passwd {
        /// Name of the person.
        name: String,
    },
    /// Change a person's role, and end their sessions.
    Role {
        /// Name of the person.
        name: String,
        /// New role.
        #[arg(long)]
        role: RoleArg,
    },
    /// List or end a person's sessions.
    Sessions {
        /// Name of the person.
        name: String,
        /// End all sessions of this person.
        #[arg(long)]
        end: bool,
    },
}

/// Runs `command`.
pub(crate) async fn staff(process: &Process, command: StaffCommand) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match command {
        StaffCommand::Add { name, role } => add(process, name, role.into()).await,
        StaffCommand::List => list(process).await,
        StaffCommand::Disable { name } => change(process, name, PersonChange::Disable).await,
        StaffCommand::Enable { name } => change(process, name, PersonChange::Enable).await,
        StaffCommand::Role { name, role } => change(process, name, PersonChange::Role(role.into())).await,
        StaffCommand::Sessions { name, end } => sessions(process, name, end).await,
        StaffCommand::Passwd { name } => {
            let (password, is_new) = read_password()?;
            let code = change(process, name, PersonChange::Password(hash(&password)?)).await?;
            print_new(&password, is_new);
            Ok(code)
        }
    }
}

async fn add(process: &Process, name: String, role: Role) -> anyhow::Result<u8> {
    anyhow::ensure!(
        is_person_name(&name),
        "`{name}` is not a valid name: use 1 to 40 letters, digits, dots, dashes or underscores, and no name that RewardGate reserves"
    );
    let (password, is_new) = read_password()?;
    let person = NewPerson { name: name.clone(), role, password_hash: hash(&password)? };
    let added = process.store.add_person(person, command_line(), process.clock.now()).await?;
    anyhow::ensure!(
        added,
        "a person or a service has or had the name `{name}` or one that looks the same; names are never given again: choose \
         another"
    );
    print_new(&password, is_new);
    Ok(EXIT_DONE)
}

async fn list(process: &Process) -> anyhow::Result<u8> {
    for person in process.store.people().await? {
        let state = person.disabled_at.map_or_else(String::new, |at| format!("  disabled {}", at.rfc3339()));
        say(&format!("{:<24} {:<8} {}{state}", person.name, person.role.name(), person.created_at.rfc3339()));
    }
    Ok(EXIT_DONE)
}

async fn change(process: &Process, name: String, change: PersonChange) -> anyhow::Result<u8> {
    let now = process.clock.now();
    let changed = process.store.change_person(name.clone(), change, command_line(), now).await?;
    anyhow::ensure!(changed, "nobody is named `{name}`, or there is nothing to change");
    Ok(EXIT_DONE)
}

async fn sessions(process: &Process, name: String, end: bool) -> anyhow::Result<u8> {
    let Process { store, clock, .. } = process;
    let people = store.people().await?;
    anyhow::ensure!(people.iter().any(|person| person.name == name), "nobody is named `{name}`");
    if end {
        let ended = store.end_sessions(name, None, command_line(), clock.now()).await?;
        say(&format!("sessions ended: {ended}"));
        return Ok(EXIT_DONE);
    }
    for row in store.sessions_of(&name, clock.now()).await? {
        let (began, used) = (TimestampMs(row.began_at).rfc3339(), TimestampMs(row.seen_at).rfc3339());
        let from = row.began_from.unwrap_or_else(|| "unknown".into());
        say(&format!("{}  from {from:<20} began {began}  last used {used}", row.id));
    }
    Ok(EXIT_DONE)
}

/// The first line of standard input if it is not a terminal, else a generated password; true if it is generated.
fn read_password() -> anyhow::Result<(String, bool)> {
    let mut line = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().lock().read_line(&mut line).context("the password cannot be read")?;
    }
    let given = line.trim_end_matches(['\r', '\n']);
    if given.is_empty() {
        return Ok((new_password()?, true));
    }
    password::check(given)?;
    Ok((given.to_owned(), false))
}

fn hash(password: &str) -> anyhow::Result<String> {
    password::hash(password).map_err(|error| anyhow::anyhow!("the password cannot be hashed: {error}"))
}

/// Prints a generated password; it is not stored and cannot be printed again.
fn print_new(password: &str, is_new: bool) {
    if is_new {
        say(password);
    }
}
