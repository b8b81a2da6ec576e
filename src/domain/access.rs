//! Who may do what.

use serde::{Deserialize, Serialize};

/// What a person or a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything and decides on held rewards.
    Risk,
    /// Reads everything, signs reports off and settles statements.
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

    /// True if it may sign reports off and settle statements.
    pub fn may_settle(self) -> bool {
        matches!(self, Self::Finance | Self::Admin)
    }

    /// True if it may release and reject.
    pub fn may_review(self) -> bool {
        matches!(self, Self::Risk | Self::Admin)
    }
}

/// The form in which a bearer token is kept: its SHA-256. It is 256 random bits, so a slow hash would add nothing.
pub fn token_hash(token: &str) -> String {
    use sha2::{Digest, Sha256};
    crate::text::hex(&Sha256::digest(token.as_bytes()))
}
