//! `POST rewards/{id}/release`, `POST rewards/{id}/reject` and `POST rewards/{id}/undo`.

use std::str::FromStr;

use bytes::Bytes;
use domain::review::decision::Review;
use serde::Deserialize;
use store::review::decisions::{Reviewed, Reviewer, Undone};
use utoipa::ToSchema;

use super::Call;
use super::error::ApiError;
use super::page;
use super::rewards::whole;
use super::shape::RewardWhole;
use super::terms::{Id, Note};

/// Why the decision is made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewRequest {
    /// For whoever reads the steps later.
    #[schema(value_type = Note, example = "played with the user on the phone")]
    note: String,
}

/// What is decided, as the last part of the path; nothing else is a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    Release,
    Reject,
    Undo,
}

impl FromStr for Decision {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "release" => Self::Release,
            "reject" => Self::Reject,
            "undo" => Self::Undo,
            _ => return Err(()),
        })
    }
}

/// Decides on the reward `id` and answers with it as it stands then.
pub(crate) async fn review(
    call: Call,
    id: i64,
    decision: Decision,
    body: Bytes,
) -> Result<RewardWhole, ApiError> {
    let owner = call.reviewer().await?;
    let request: ReviewRequest = page::body(&body, "the body must be {\"note\": \"…\"}: ")?;
    let reviewer = call.deciding(owner, &request.note)?;
    let decision = match decision {
        Decision::Release => Review::Release,
        Decision::Reject => Review::Reject,
        Decision::Undo => return take_back(&call, id, reviewer).await,
    };
    match call.api.store.review(id, decision, reviewer).await {
        Ok(Reviewed::Done) => whole(&call.api, id).await,
        Ok(Reviewed::NotFound) => Err(ApiError::NotFound(format!("there is no reward {id}"))),
        Ok(Reviewed::Waits) => Err(ApiError::Conflict(
            "this reward needs two persons: the decision is kept as an opinion, and waits for another person's; one \
             by a token that belongs to no person counts as nobody's"
                .into(),
        )),
        Ok(Reviewed::Claimed(person)) => {
            Err(ApiError::Conflict(format!("`{person}` has the reward open in the queue")))
        }
        Ok(Reviewed::NotAllowed(why)) => Err(ApiError::Conflict(why.to_string())),
        Err(store::Error::Contended(_)) => {
            Err(ApiError::Conflict("the reward was changed at the same moment; look at it again".into()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes the last decision back.
async fn take_back(call: &Call, id: i64, reviewer: Reviewer) -> Result<RewardWhole, ApiError> {
    match call.api.store.undo(id, reviewer).await {
        Ok(Undone::Done) => whole(&call.api, id).await,
        Ok(Undone::NotFound) => Err(ApiError::NotFound(format!("there is no reward {id}"))),
        Ok(Undone::NotYours(by)) => Err(ApiError::Conflict(format!(
            "the last decision on reward {id} is of {by}: only whoever decided takes it back"
        ))),
        Ok(Undone::NotUndoable(why)) => Err(ApiError::Conflict(why.to_string())),
        Err(store::Error::Contended(_)) => {
            Err(ApiError::Conflict("the reward was changed at the same moment; look at it again".into()))
        }
        Err(error) => Err(error.into()),
    }
}

#[utoipa::path(post, path = "/api/v1/rewards/{id}/release", params(("id" = Id, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 409)))]
/// Gives the user a held reward, or one that was rejected before. Needs the role risk or admin.
#[expect(
    dead_code,
    reason = "describes `review` in the OpenAPI document, which has a path for each decision"
)]
fn release() {}

#[utoipa::path(post, path = "/api/v1/rewards/{id}/reject", params(("id" = Id, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 409)))]
/// Refuses a held reward. Needs the role risk or admin.
#[expect(
    dead_code,
    reason = "describes `review` in the OpenAPI document, which has a path for each decision"
)]
fn reject() {}

#[utoipa::path(post, path = "/api/v1/rewards/{id}/undo", params(("id" = Id, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 409)))]
/// Takes back the last decision of a person while its grace lasts, before anybody is told of it. Needs the role risk or
/// admin.
#[expect(
    dead_code,
    reason = "describes `review` in the OpenAPI document, which has a path for each decision"
)]
fn undo() {}
