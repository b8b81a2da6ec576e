//! Who a command acts as. The command line asks for no password: `--as` names a person who may do the same on the web
//! pages, and the audit records that it was a command and which user of the operating system ran it.

use std::os::unix::fs::MetadataExt as _;

use anyhow::Context as _;
use domain::access::Role;
use domain::actor::{Actor, COMMAND_LINE, Via};

use crate::process::Process;

/// The actor of commands that have no `--as`.
pub(crate) fn command_line() -> Actor {
    Actor::new(COMMAND_LINE, Via::Command(system_user()), None)
}

/// The person named by `--as`, who must exist, be enabled and have a role that `may` do `what`, a verb phrase.
pub(crate) async fn named(
    process: &Process,
    name: &str,
    may: fn(Role) -> bool,
    what: &str,
) -> anyhow::Result<Actor> {
    let people = process.store.people().await?;
    let person = people.into_iter().find(|person| person.name == name && person.disabled_at.is_none());
    let person = person.with_context(|| {
        format!("`--as`: nobody named `{name}` may sign in; `rewardgate staff list` lists everybody")
    })?;
    let roles: Vec<&str> = Role::ALL.into_iter().filter(|role| may(*role)).map(Role::name).collect();
    anyhow::ensure!(
        may(person.role),
        "`--as`: {name} has the role {}; only {} may {what}",
        person.role.name(),
        roles.join(" and ")
    );
    Ok(Actor::new(person.name, Via::Command(system_user()), None))
}

/// The user of the operating system who runs this process, according to the kernel: the environment can be forged.
fn system_user() -> String {
    let Ok(me) = std::fs::metadata("/proc/self") else { return "unknown".into() };
    let uid = me.uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&users, uid).unwrap_or_else(|| format!("uid {uid}"))
}

/// The name of `uid` in a file like `/etc/passwd`.
fn name_of(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, found) = (fields.next()?, fields.nth(1)?);
        (found.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_the_system_is_named_as_its_users_are() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7:7::/:\ndeploy:x:1000:1000::/home/deploy:/bin/sh\n";
        assert_eq!(name_of(users, 0).as_deref(), Some("root"));
        assert_eq!(name_of(users, 1000).as_deref(), Some("deploy"));
        assert_eq!((name_of(users, 7), name_of(users, 8)), (None, None));
    }
}
