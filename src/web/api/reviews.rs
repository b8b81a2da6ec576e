//! `POST rewards/{id}/release`, `POST rewards/{id}/reject` and `POST rewards/{id}/undo`.

use bytes::Bytes;
use domain::review::decision::Review;
use serde::Deserialize;
use store::review::reviews::{Reviewed, Reviewer, Undone};
use utoipa::ToSchema;

use super::Call;
use super::error::{ApiError, ErrorBody};
use super::page;
use super::rewards::whole;
use super::shape::RewardWhole;

/// Why the decision is made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewRequest {
    /// For whoever reads the steps later; at most 2,000 bytes.
    #[schema(example = "played with the user on the phone")]
    note: String,
}

/// Decides on the reward `id` and answers with it as it stands then.
pub(crate) async fn review(
    call: Call,
    id: i64,
    decision: String,
    body: Bytes,
) -> Result<RewardWhole, ApiError> {
    let decision = match decision.as_str() {
        "release" => Some(Review::Release),
        "reject" => Some(Review::Reject),
        "undo" => None,
        other => {
            return Err(ApiError::NotFound(format!("`{other}` is no decision: release, reject or undo")));
        }
    };
    let owner = call.reviewer().await?;
    let request: ReviewRequest = page::body(&body, "the body must be {\"note\": \"…\"}: ")?;
    let reviewer = call.deciding(owner, &request.note)?;
    let Some(decision) = decision else { return take_back(&call, id, reviewer).await };
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

#[utoipa::path(post, path = "/api/v1/rewards/{id}/release", params(("id" = i64, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Gives the user a held reward, or one that was rejected before. Needs the role risk or admin.
#[expect(
    dead_code,
    reason = "describes `review` in the OpenAPI document, which has a path for each decision"
)]
fn release() {}

#[utoipa::path(post, path = "/api/v1/rewards/{id}/reject", params(("id" = i64, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Refuses a held reward. Needs the role risk or admin.
#[expect(
    dead_code,
    reason = "describes `review` in the OpenAPI document, which has a path for each decision"
)]
fn reject() {}

#[utoipa::path(post, path = "/api/v1/rewards/{id}/undo", params(("id" = i64, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Takes back the last decision of a person while its grace lasts, before anybody is told of it. Needs the role risk or
/// admin.
#[expect(
    dead_code,
    reason = "describes `review` in the OpenAPI document, which has a path for each decision"
)]
fn undo() {}
