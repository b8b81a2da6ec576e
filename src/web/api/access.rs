//! Authentication: a bearer token identifies its owner, and the owner's role decides what is allowed.

use std::net::IpAddr;

use domain::access::{Role, token_hash};
use domain::actor::{Actor, NOBODY, Via};
use domain::audit::Action;
use domain::review::decision::MAX_NOTE_LEN;
use domain::time::TimestampMs;
use store::Store;
use store::review::decisions::Reviewer;

use super::{Api, Call, error::ApiError, known, page};
use crate::refusals::Refusals;

/// The `Authorization` header as received; `None` without one.
pub(crate) struct Authorization(pub(crate) Option<String>);

/// The owner of a token.
#[derive(Debug)]
pub(crate) struct Owner {
    /// Recorded with every action of the owner.
    pub(crate) actor: Actor,
    /// Decides which calls are allowed.
    pub(crate) role: Role,
}

/// The owner of the token that `authorization` carries, who calls from `from`. A token that is not known is noted, as
/// often as `refusals` allows.
pub(crate) async fn owner_of(
    store: &Store,
    refusals: &Refusals,
    authorization: &Authorization,
    from: IpAddr,
    now: TimestampMs,
) -> Result<Owner, ApiError> {
    let header = authorization.0.as_deref().unwrap_or_default();
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(ApiError::Unauthorized),
    };
    // Found by its hash: what time the search takes tells nothing about the token.
    if let Some(owner) = store.token_owner(&token_hash(token), now).await? {
        let actor = Actor::new(owner.name, Via::Token(owner.token), Some(from));
        return Ok(Owner { actor, role: owner.role });
    }
    let via = Via::Token("unknown".into());
    refusals.note(store, Actor::new(NOBODY, via, Some(from)), Action::TokenRefused, "api".into(), now).await;
    Err(ApiError::Unauthorized)
}

/// Validates a reason: `text` from `field`, trimmed and not empty.
pub(crate) fn reason(field: &str, text: &str) -> Result<String, ApiError> {
    page::at_most(field, text, MAX_NOTE_LEN)?;
    let text = text.trim();
    if text.is_empty() || text.contains('\0') {
        return Err(ApiError::invalid(format!(
            "`{field}`: a reason of at most {MAX_NOTE_LEN} characters is required"
        )));
    }
    Ok(text.to_owned())
}

impl Call {
    /// `owner` as one who decides now and says why in `note`.
    pub(crate) fn deciding(&self, owner: Owner, note: &str) -> Result<Reviewer, ApiError> {
        let now = self.api.clock.now();
        let business_date = now.business_date(self.api.timezone);
        Ok(Reviewer { actor: owner.actor, note: Some(reason("note", note)?), now, business_date })
    }

    /// The owner of the token. Every role may read.
    pub(crate) async fn reader(&self) -> Result<Owner, ApiError> {
        let owner = self.owner().await?;
        self.look()?;
        Ok(owner)
    }

    async fn owner(&self) -> Result<Owner, ApiError> {
        let api = &self.api;
        owner_of(&api.store, &api.refusals, &self.authorization, self.from, api.clock.now()).await
    }

    /// Checks method, path and query. Only after the right, so that callers without it do not learn what else is wrong.
    fn look(&self) -> Result<(), ApiError> {
        known::look(&self.method, self.path.as_str(), &self.query)
    }

    /// The owner of the token, who may sign reports off and settle statements.
    pub(crate) async fn controller(&self) -> Result<Owner, ApiError> {
        self.owner_who(Role::may_settle, "sign-off and statements require the role finance or admin").await
    }

    /// The owner of the token, who may decide on rewards.
    pub(crate) async fn reviewer(&self) -> Result<Owner, ApiError> {
        self.owner_who(Role::may_review, "review requires the role risk or admin").await
    }

    async fn owner_who(&self, may: fn(Role) -> bool, else_say: &str) -> Result<Owner, ApiError> {
        let owner = self.owner().await?;
        if may(owner.role) {
            self.look()?;
            return Ok(owner);
        }
        let message = format!("`{}` has the role {}: {else_say}", owner.actor, owner.role.name());
        let Api { store, refusals, clock, .. } = &*self.api;
        let called = format!("{} {}", self.method, self.path.as_str());
        refusals.note(store, owner.actor, Action::RightRefused, called, clock.now()).await;
        Err(ApiError::Forbidden(message))
    }
}
