//! Who may do what.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// What a person or a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything and decides on held rewards.
    Risk,
    /// Reads everything, signs off reports, works on statements and payments.
    Finance,
    /// Both, and manages people.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Risk, Self::Finance, Self::Admin];

    /// The name in settings, tables and commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Risk => "risk",
            Self::Finance => "finance",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// True if it may sign off reports and work on statements and payments.
    pub fn may_settle(self) -> bool {
        matches!(self, Self::Finance | Self::Admin)
    }

    /// True if it may release and reject.
    pub fn may_review(self) -> bool {
        matches!(self, Self::Risk | Self::Admin)
    }
}

/// Actors that are not people; no person can have one of these names.
const RESERVED_NAMES: [&str; 8] =
    ["rules", "network", "policy", "nobody", "command", "worker", "gateway", "service"];

/// `name` as it looks: two names with the same result look alike to a reader.
pub fn folded(name: &str) -> String {
    // Lowercase letters of compatibility forms may themselves be composed anew.
    let lower: String = name.nfkc().flat_map(char::to_lowercase).collect();
    lower.nfkc().collect()
}

/// The longest name of a person, in bytes.
pub const MAX_PERSON_NAME_LEN: usize = 40;

/// Wrong passwords from which the person is warned; fewer are their own typing errors.
pub const MANY_FAILED_TRIES: i64 = 3;

/// Whether `name` may be a person's: short, and free of what separates names in the evidence.
pub fn is_person_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_PERSON_NAME_LEN).contains(&name.len())
        && name.bytes().all(is_plain)
        && !RESERVED_NAMES.contains(&folded(name).as_str())
}

/// The token that the forms of a session carry: derived from the session's own token, so that it ends with it.
pub fn csrf_token(session_token: &str) -> String {
    token_hash(&format!("form:{session_token}"))
}

/// Compares two texts in a time that does not depend on where they differ.
pub fn same_text(left: &str, right: &str) -> bool {
    let differences = left.bytes().zip(right.bytes()).fold(0, |sum, (left, right)| sum | (left ^ right));
    left.len() == right.len() && differences == 0
}

/// The form in which a bearer token is kept: its SHA-256. It is 256 random bits, so a slow hash would add nothing.
pub fn token_hash(token: &str) -> String {
    use sha2::{Digest, Sha256};
    crate::text::hex(&Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_the_same_are_the_same() {
        for (one, other) in [
            ("mara", "Mara"),
            ("mara", "MARA"),
            ("mara", "\u{ff4d}ara"),
            ("\u{fb01}n", "FIN"),
            ("\u{e9}", "E\u{301}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("mara"), folded("mar"));
    }

    #[test]
    fn a_name_is_short_plain_and_nobody_elses() {
        for name in ["mara", "m", "mara.m-2_x", &"x".repeat(40)] {
            assert!(is_person_name(name), "{name}");
        }
        let long = "x".repeat(41);
        for name in [
            "",
            " mara",
            "mara ",
            "ma ra",
            "mara\n",
            "ma\tra",
            "mara\0",
            "m\u{e4}ra",
            "a, b",
            "Policy",
            "RULES",
            "command",
            &long,
        ] {
            assert!(!is_person_name(name), "{name:?}");
        }
    }
}
