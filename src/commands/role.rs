//! The values of `--role`, for people and for tokens.

use clap::ValueEnum;
use domain::access::Role;

/// What a person or a token may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RoleArg {
    /// Read everything and decide on held rewards.
    Risk,
    /// Read everything; people also sign off and settle.
    Finance,
    /// Everything.
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Risk => Self::Risk,
            RoleArg::Finance => Self::Finance,
            RoleArg::Admin => Self::Admin,
        }
    }
}
