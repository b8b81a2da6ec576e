//! Who calls: a bearer token becomes its owner.

use domain::access::token_hash;
use store::tokens::TokenOwner;

use super::{Call, error::ApiError};

/// The `Authorization` header as it came, if it came.
pub(crate) struct Authorization(pub(crate) Option<String>);

impl Call {
    /// The owner of the token. Every role may read.
    pub(crate) async fn reader(&self) -> Result<TokenOwner, ApiError> {
        let header = self.authorization.0.as_deref().unwrap_or_default();
        let token = match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(ApiError::Unauthorized),
        };
        // Found by its hash: what time the search takes tells nothing about the token.
        self.api.store.token_owner(&token_hash(token)).await?.ok_or(ApiError::Unauthorized)
    }

    /// The owner of the token, who may decide on rewards.
    pub(crate) async fn reviewer(&self) -> Result<TokenOwner, ApiError> {
        let owner = self.reader().await?;
        if owner.role.may_review() {
            return Ok(owner);
        }
        let message = format!(
            "`{}` has the role {}: only risk and admin decide on rewards",
            owner.name,
            owner.role.name()
        );
        Err(ApiError::Forbidden(message))
    }
}
