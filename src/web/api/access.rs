//! Who calls: a bearer token becomes its owner.

use domain::access::{Role, token_hash};
use domain::time::TimestampMs;
use store::Store;
use store::tokens::TokenOwner;

use super::{Call, error::ApiError};

/// The `Authorization` header as it came, if it came.
pub(crate) struct Authorization(pub(crate) Option<String>);

/// The owner of the token that `authorization` carries.
pub(crate) async fn owner_of(
    store: &Store,
    authorization: &Authorization,
    now: TimestampMs,
) -> Result<TokenOwner, ApiError> {
    let header = authorization.0.as_deref().unwrap_or_default();
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(ApiError::Unauthorized),
    };
    // Found by its hash: what time the search takes tells nothing about the token.
    store.token_owner(&token_hash(token), now).await?.ok_or(ApiError::Unauthorized)
}

impl Call {
    /// The owner of the token. Every role may read.
    pub(crate) async fn reader(&self) -> Result<TokenOwner, ApiError> {
        owner_of(&self.api.store, &self.authorization, self.api.clock.now()).await
    }

    /// The owner of the token, who may sign reports off and settle statements.
    pub(crate) async fn controller(&self) -> Result<TokenOwner, ApiError> {
        self.owner_who(Role::may_settle, "only finance and admin sign off and settle").await
    }

    /// The owner of the token, who may decide on rewards.
    pub(crate) async fn reviewer(&self) -> Result<TokenOwner, ApiError> {
        self.owner_who(Role::may_review, "only risk and admin decide on rewards").await
    }

    async fn owner_who(&self, may: fn(Role) -> bool, else_say: &str) -> Result<TokenOwner, ApiError> {
        let owner = self.reader().await?;
        if may(owner.role) {
            return Ok(owner);
        }
        let message = format!("`{}` has the role {}: {else_say}", owner.name, owner.role.name());
        Err(ApiError::Forbidden(message))
    }
}
