//! Who acts, by what means, and from where: recorded with every act and every line of the audit.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

/// By what means somebody acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// RewardGate itself: a rule of the settings, or a worker.
    Gateway,
    /// Signed in, on a page.
    Page,
    /// An API token of this name.
    Token(String),
    /// A command on the machine, run by this user of the operating system.
    Command(String),
}

impl Via {
    /// The name in the audit.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Page => "page",
            Self::Token(_) => "token",
            Self::Command(_) => "command",
        }
    }

    /// Which token, or which user of the operating system.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Gateway | Self::Page => None,
            Self::Token(name) | Self::Command(name) => Some(name),
        }
    }
}

/// Who acts. Reads as the name that steps are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    name: String,
    via: Via,
    from: Option<IpAddr>,
}

/// The actor of a command that names nobody.
pub const COMMAND_LINE: &str = "command line";
/// The actor of acts whose author is unknown.
pub const NOBODY: &str = "nobody";

impl Actor {
    /// Somebody who acts by `via`.
    pub fn new(name: impl Into<String>, via: Via, from: Option<IpAddr>) -> Self {
        Self { name: name.into(), via, from: from.map(|from| from.to_canonical()) }
    }

    /// The person, the service, or the part of RewardGate.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Page, token, command, or RewardGate itself.
    pub fn via(&self) -> &Via {
        &self.via
    }

    /// The address, if the act came over the network.
    pub fn address(&self) -> Option<IpAddr> {
        self.from
    }
}

impl Deref for Actor {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// A part of RewardGate, which acts by no means but itself. Whoever acts for a person says by what: [`Actor::new`].
impl From<&str> for Actor {
    fn from(name: &str) -> Self {
        Self::new(name, Via::Gateway, None)
    }
}

/// As for `&str`.
impl From<String> for Actor {
    fn from(name: String) -> Self {
        Self::new(name, Via::Gateway, None)
    }
}

/// By what means something was done, in words: for pages and terminals. Empty for lines that were written before this was
/// kept.
pub fn words(actor: &str, via: Option<&str>, detail: Option<&str>) -> String {
    match (via, detail) {
        (Some("page"), _) => "on a page".into(),
        (Some("token"), Some(token)) => format!("by the token {token}"),
        (Some("command"), Some(user)) if actor == COMMAND_LINE => {
            format!("by command on the machine (user {user})")
        }
        (Some("command"), Some(user)) => format!("by command on the machine, as {actor} (user {user})"),
        (Some("gateway"), _) => "by RewardGate itself".into(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_of_an_act_are_said_in_words() {
        for (name, via, said) in [
            ("mara", Via::Page, "on a page"),
            ("mara", Via::Token("laptop".into()), "by the token laptop"),
            ("mara", Via::Command("root".into()), "by command on the machine, as mara (user root)"),
            (COMMAND_LINE, Via::Command("root".into()), "by command on the machine (user root)"),
            ("policy", Via::Gateway, "by RewardGate itself"),
        ] {
            assert_eq!(words(name, Some(via.name()), via.detail()), said);
        }
        assert_eq!(words("mara", None, None), "");
    }

    #[test]
    fn an_actor_reads_as_its_name_and_an_address_is_one_address() {
        let mapped = "::ffff:203.0.113.7".parse().ok();
        let actor = Actor::new("mara", Via::Page, mapped);
        assert_eq!((&*actor, actor.to_string().as_str()), ("mara", "mara"));
        assert_eq!(actor.address(), "203.0.113.7".parse().ok());
    }
}
