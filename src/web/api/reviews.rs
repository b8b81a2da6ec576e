//! `POST rewards/{id}/release`, `POST rewards/{id}/reject` and `POST rewards/{id}/undo`.

use std::sync::Arc;

use bytes::Bytes;
use domain::review::decision::Review;
use serde::Deserialize;
use store::review::decisions::{Reviewed, Reviewer, Undone};
use utoipa::ToSchema;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::error::ApiError;
use super::page;
use super::request::{Call, json_body, post};
use super::rewards::whole;
use super::shape::RewardWhole;
use super::terms::{Id, Note};
use super::{Api, answer};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let release = warp::path!("rewards" / i64 / "release")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(release(call, id, body)));
    let reject = warp::path!("rewards" / i64 / "reject")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(reject(call, id, body)));
    let undo = warp::path!("rewards" / i64 / "undo")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(undo(call, id, body)));
    release.or(reject).unify().or(undo).unify().boxed()
}

/// A decision on one reward.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewRequest {
    /// The reason; recorded in the history of the reward.
    #[schema(value_type = Note, example = "played with the user on the phone")]
    note: String,
}

#[utoipa::path(post, path = "/api/v1/rewards/{id}/release", params(("id" = Id, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 409)))]
/// Releases a held or rejected reward to the user. Requires the role risk or admin.
async fn release(call: Call, id: i64, body: Bytes) -> Result<RewardWhole, ApiError> {
    decide(call, id, Review::Release, &body).await
}

#[utoipa::path(post, path = "/api/v1/rewards/{id}/reject", params(("id" = Id, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 409)))]
/// Rejects a held reward. Requires the role risk or admin.
async fn reject(call: Call, id: i64, body: Bytes) -> Result<RewardWhole, ApiError> {
    decide(call, id, Review::Reject, &body).await
}

#[utoipa::path(post, path = "/api/v1/rewards/{id}/undo", params(("id" = Id, Path)), tag = "rewards",
    request_body = ReviewRequest,
    responses((status = 200, body = RewardWhole), (status = 409)))]
/// Undoes your last decision during its grace period, before the app is notified. Requires the role risk or admin.
async fn undo(call: Call, id: i64, body: Bytes) -> Result<RewardWhole, ApiError> {
    let reviewer = reviewer(&call, &body).await?;
    match call.api.store.undo(id, reviewer).await {
        Ok(Undone::Done) => whole(&call.api, id).await,
        Ok(Undone::NotFound) => Err(no_reward(id)),
        Ok(Undone::NotYours(by)) => Err(ApiError::Conflict(format!(
            "the last decision on reward {id} was made by {by}: only {by} can undo it"
        ))),
        Ok(Undone::NotUndoable(why)) => Err(ApiError::Conflict(why.to_string())),
        Err(error) => Err(failed(error)),
    }
}

/// Decides on the reward `id` and answers with the reward as it is afterwards.
async fn decide(call: Call, id: i64, decision: Review, body: &[u8]) -> Result<RewardWhole, ApiError> {
    let reviewer = reviewer(&call, body).await?;
    match call.api.store.review(id, decision, reviewer).await {
        Ok(Reviewed::Done) => whole(&call.api, id).await,
        Ok(Reviewed::NotFound) => Err(no_reward(id)),
        Ok(Reviewed::Waits) => Err(ApiError::Conflict(
            "this reward needs two people: your decision is saved as an opinion until a second person agrees; an opinion \
             given with a service's token does not count"
                .into(),
        )),
        Ok(Reviewed::Claimed(person)) => {
            Err(ApiError::Conflict(format!("reward {id} is claimed by `{person}`")))
        }
        Ok(Reviewed::NotAllowed(why)) => Err(ApiError::Conflict(why.to_string())),
        Err(error) => Err(failed(error)),
    }
}

/// The caller, who decides now for the reason in `body`.
async fn reviewer(call: &Call, body: &[u8]) -> Result<Reviewer, ApiError> {
    let owner = call.reviewer().await?;
    let request: ReviewRequest = page::body(body, "the body must be {\"note\": \"…\"}: ")?;
    call.deciding(owner, &request.note)
}

fn no_reward(id: i64) -> ApiError {
    ApiError::NotFound(format!("there is no reward {id}"))
}

fn failed(error: store::Error) -> ApiError {
    match error {
        store::Error::Contended(_) => ApiError::Conflict(
            "someone else changed this reward at the same time: load it and try again".into(),
        ),
        error => error.into(),
    }
}
