//! `rewardgate token`: bearer tokens of the API.

use clap::Subcommand;
use domain::access::{Role, is_person_name, token_hash};
use domain::time::{DAY_MS, TimestampMs};
use store::access::staff::Person;
use store::access::tokens::{NewToken, TokenRow};

use super::acting::command_line;
use super::role::RoleArg;
use super::{new_token, say, say_raw};
use crate::EXIT_DONE;
use crate::process::Process;

/// Making, listing and revoking tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print it. It cannot be printed again.
    Add {
        /// Name of the token, which signs what a service does: letters, digits, dots, dashes, underscores.
        name: String,
        /// Role: finance reads; risk also decides; admin does both.
        #[arg(long)]
        role: RoleArg,
        /// Person who owns the token: where two people must agree, the token counts as its owner. Default: the person
        /// with the token's name; otherwise the token belongs to a service.
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
        /// Term in days or hours, e.g. 90d or 12h. Default: 365d.
        #[arg(long, value_name = "TERM")]
        expires: Option<String>,
    },
    /// List all tokens with owner, expiry and last use.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token. It is refused immediately.
    Revoke {
        /// Name of the token.
        name: String,
    },
}

/// The term of a token without `--expires`.
const DEFAULT_TERM: &str = "365d";
const HOUR_MS: i64 = DAY_MS / 24;
/// The longest term: ten years.
const MAX_TERM_MS: i64 = 3_650 * DAY_MS;

/// Runs `command`.
pub(crate) async fn token(process: &Process, command: TokenCommand) -> anyhow::Result<u8> {
    process.store.assert_migrated().await?;
    match command {
        TokenCommand::Add { name, role, owner, expires } => {
            add(process, name, role.into(), owner, expires).await
        }
        TokenCommand::List { json } => list(process, json).await,
        TokenCommand::Revoke { name } => {
            let revoked =
                process.store.revoke_token(name.clone(), command_line(), process.clock.now()).await?;
            anyhow::ensure!(revoked, "there is no token named `{name}`, or it is revoked already");
            Ok(EXIT_DONE)
        }
    }
}

/// Creates a token and prints only the token on standard output; the explanation goes to standard error.
async fn add(
    process: &Process,
    name: String,
    role: Role,
    owner: Option<String>,
    expires: Option<String>,
) -> anyhow::Result<u8> {
    anyhow::ensure!(
        is_person_name(&name),
        "`{name}` is not a valid token name: use 1 to 40 letters, digits, dots, dashes or underscores, and no name that RewardGate reserves"
    );
    let now = process.clock.now();
    let expires_at = Some(expiry(expires.as_deref().unwrap_or(DEFAULT_TERM), now)?);
    let owner = match owner_of(process, &name, owner.as_deref()).await? {
        Some(person) => {
            anyhow::ensure!(
                person.role == Role::Admin || person.role == role,
                "`{}` has the role {}: a token may not do more than its owner; use --role {}",
                person.name,
                person.role.name(),
                person.role.name()
            );
            Some(person.name)
        }
        None => None,
    };
    let token = new_token()?;
    let new = NewToken { name: name.clone(), owner: owner.clone(), role, expires_at };
    let added = process.store.add_token(new, token_hash(&token), command_line(), now).await?;
    anyhow::ensure!(
        added,
        "a token or a person has or had the name `{name}` or one that looks the same; names are never given again: choose another"
    );
    match owner {
        Some(owner) => {
            eprintln!("the token `{name}` belongs to {owner}: its actions count as those of {owner}");
        }
        None => eprintln!(
            "the token `{name}` belongs to a service, which cannot be one of two people who must agree; --owner PERSON \
             creates a token of a person"
        ),
    }
    say(&token);
    Ok(EXIT_DONE)
}

/// The person who will own the token: the one named by `--owner`, or the one who has the token's name.
async fn owner_of(process: &Process, name: &str, owner: Option<&str>) -> anyhow::Result<Option<Person>> {
    let people = process.store.people().await?;
    let person = people.into_iter().find(|person| person.name == owner.unwrap_or(name));
    match (owner, person) {
        (Some(owner), None) => {
            anyhow::bail!(
                "`--owner`: there is nobody named `{owner}`; add them with `rewardgate staff add {owner} --role ROLE`"
            )
        }
        (_, Some(person)) if person.disabled_at.is_some() => {
            anyhow::bail!("`{}` is disabled, so their token would be refused: enable them first", person.name)
        }
        (_, person) => Ok(person),
    }
}

/// `now` plus `term`, e.g. `90d` or `12h`.
fn expiry(term: &str, now: TimestampMs) -> anyhow::Result<TimestampMs> {
    let unit = match term.chars().last() {
        Some('d') => Some(DAY_MS),
        Some('h') => Some(HOUR_MS),
        _ => None,
    };
    let number = term
        .get(..term.len().saturating_sub(1))
        .filter(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    let term_ms = unit.zip(number).and_then(|(unit, number)| number.parse::<i64>().ok()?.checked_mul(unit));
    match term_ms.filter(|term_ms| (1..=MAX_TERM_MS).contains(term_ms)) {
        Some(term_ms) => Ok(TimestampMs(now.0.saturating_add(term_ms))),
        None => anyhow::bail!(
            "`--expires` must be a number of days or hours such as 90d or 12h, at most 3650d, not `{term}`"
        ),
    }
}

async fn list(process: &Process, json: bool) -> anyhow::Result<u8> {
    let now = process.clock.now();
    let day = |at: i64| TimestampMs(at).rfc3339();
    let tokens = process.store.tokens().await?;
    if json {
        let tokens: Vec<_> = tokens.iter().map(|token| as_json(token, now)).collect();
        say_raw(&serde_json::to_string_pretty(&tokens)?);
        return Ok(EXIT_DONE);
    }
    if tokens.is_empty() {
        say("there are no tokens; `rewardgate token add NAME --role ROLE` creates one");
        return Ok(EXIT_DONE);
    }
    say(&format!(
        "{:<24} {:<8} {:<24} {:<20} {:<20} {}",
        "NAME", "ROLE", "OWNER", "ADDED", "LAST USED", "STATE"
    ));
    for token in tokens {
        say(&format!(
            "{:<24} {:<8} {:<24} {:<20} {:<20} {}",
            token.name.escape_debug().to_string(),
            token.role,
            token.owner.as_deref().unwrap_or("(a service)"),
            day(token.created_at),
            token.last_used_at.map_or_else(|| "never".to_owned(), day),
            state(&token, now)
        ));
    }
    Ok(EXIT_DONE)
}

fn as_json(token: &TokenRow, now: TimestampMs) -> serde_json::Value {
    let at = |at: Option<i64>| at.map(|at| TimestampMs(at).rfc3339());
    serde_json::json!({
        "name": token.name,
        "role": token.role,
        "owner": token.owner,
        "added_at": at(Some(token.created_at)),
        "expires_at": at(token.expires_at),
        "revoked_at": at(token.revoked_at),
        "last_used_at": at(token.last_used_at),
        "in_force": token.revoked_at.is_none() && token.expires_at.is_none_or(|expires| expires > now.0),
    })
}

fn state(token: &TokenRow, now: TimestampMs) -> String {
    let at = |at: i64| TimestampMs(at).rfc3339();
    match (token.revoked_at, token.expires_at) {
        (Some(revoked_at), _) => format!("revoked {}", at(revoked_at)),
        (None, Some(expires_at)) if expires_at <= now.0 => format!("expired {}", at(expires_at)),
        (None, Some(expires_at)) => format!("in force until {}", at(expires_at)),
        (None, None) => "in force".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_a_number_of_days_or_hours() {
        let now = TimestampMs(1_000);
        assert_eq!(expiry("90d", now).ok(), Some(TimestampMs(1_000 + 90 * DAY_MS)));
        assert_eq!(expiry("12h", now).ok(), Some(TimestampMs(1_000 + 12 * HOUR_MS)));
        for wrong in
            ["", "d", "90", "0d", "-1d", "+1d", "1.5d", "90 d", "3651d", "99999999999999999999d", "9€"]
        {
            let error = expiry(wrong, now).expect_err(wrong).to_string();
            assert!(error.contains("such as 90d or 12h"), "{error}");
        }
    }
}
