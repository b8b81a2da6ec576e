//! `POST postbacks/{id}/state`, `…/confirm`, `…/decline`, `…/set-aside` and `…/take-up`: finishing quarantined postbacks.

use std::sync::Arc;

use bytes::Bytes;
use domain::actor::Actor;
use domain::postback::networks::Field;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::postbacks::quarantine::{ActRow, Acted, By};
use utoipa::ToSchema;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::error::ApiError;
use super::page;
use super::postbacks::one_of;
use super::request::{Call, json_body, post};
use super::shape::{Postback, time};
use super::terms::{ActName, Id, KindName, Note, OptionalNote, StateResult, StatedAmount, StatedText, Time};
use super::{Api, answer};
use crate::stating::{self, Refused};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let state = warp::path!("postbacks" / i64 / "state")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(Box::pin(state(call, id, body))));
    let confirm = warp::path!("postbacks" / i64 / "confirm")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(Box::pin(confirm(call, id, body))));
    let decline = warp::path!("postbacks" / i64 / "decline")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(Box::pin(decline(call, id, body))));
    let set_aside = warp::path!("postbacks" / i64 / "set-aside")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(Box::pin(set_aside(call, id, body))));
    let take_up = warp::path!("postbacks" / i64 / "take-up")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(Box::pin(take_up(call, id, body))));
    state.or(confirm).unify().or(decline).unify().or(set_aside).unify().or(take_up).unify().boxed()
}

/// Values for the missing or unreadable fields of a postback.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateRequest {
    #[serde(default)]
    #[schema(value_type = StatedText)]
    user_id: String,
    #[serde(default)]
    #[schema(value_type = StatedText)]
    tx_id: String,
    #[serde(default)]
    #[schema(value_type = KindName, example = "credit")]
    status: String,
    /// In the user's currency.
    #[serde(default)]
    #[schema(value_type = StatedAmount, example = "1234.50")]
    reward: String,
    /// In USD.
    #[serde(default)]
    #[schema(value_type = StatedAmount)]
    payout: String,
    /// Where the values come from. Optional for a preview.
    #[serde(default)]
    #[schema(value_type = OptionalNote, example = "their mail of 2 December")]
    reason: String,
    /// Only show the result; nothing is changed.
    #[serde(default)]
    preview: bool,
}

/// Setting a postback aside, or returning it to quarantine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AsideRequest {
    #[schema(value_type = Note, example = "a test call of the network")]
    reason: String,
}

/// A second person agrees to a proposal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmRequest {
    /// `proposal` of the answer to the proposal.
    #[serde(deserialize_with = "page::one_id")]
    #[schema(value_type = Id)]
    proposal: i64,
    #[serde(default)]
    #[schema(value_type = OptionalNote)]
    reason: String,
}

/// A person declines a proposal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclineRequest {
    /// `proposal` of the answer to the proposal.
    #[serde(deserialize_with = "page::one_id")]
    #[schema(value_type = Id)]
    proposal: i64,
    #[schema(value_type = Note)]
    reason: String,
}

/// The result of entering values.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StateDone {
    id: i64,
    /// preview; stated or confirmed: the postback waits in the inbox again; proposed: a second person must agree
    #[schema(value_type = StateResult, example = "stated")]
    result: &'static str,
    /// What happens to the postback, as a sentence.
    outlook: String,
    /// True if a second person must agree.
    needs_second: bool,
    /// Id to confirm or decline the proposal with; null unless the result is `proposed`.
    proposal: Option<i64>,
}

/// One action of a person on a quarantined postback.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantineAct {
    id: i64,
    #[schema(value_type = ActName)]
    act: String,
    /// Confirmed and declined only: the proposal.
    proposal: Option<i64>,
    user_id: Option<String>,
    tx_id: Option<String>,
    status: Option<String>,
    reward: Option<String>,
    payout: Option<String>,
    actor: String,
    reason: String,
    #[schema(value_type = Time)]
    at: String,
}

impl From<ActRow> for QuarantineAct {
    fn from(row: ActRow) -> Self {
        let ActRow { id, act, proposal_id, user_id, tx_id, status, reward, payout, actor, reason, .. } = row;
        let at = time(row.acted_at);
        Self { id, act, proposal: proposal_id, user_id, tx_id, status, reward, payout, actor, reason, at }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Store(error) => Self::Store(error),
            Refused::NotFound(_) => Self::NotFound(refused.to_string()),
            Refused::NotStated(_) => Self::Invalid(refused.to_string()),
            _ => Self::Conflict(refused.to_string()),
        }
    }
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    page::body(body, "the body cannot be read: ")
}

fn by(call: &Call, actor: Actor, reason: &str, required: bool) -> Result<By, ApiError> {
    let reason = stating::reason(reason, required).map_err(Refused::NotStated)?;
    Ok(By { actor, reason, now: call.api.clock.now() })
}

#[utoipa::path(post, path = "/api/v1/postbacks/{id}/state", params(("id" = Id, Path)), tag = "postbacks",
    request_body = StateRequest,
    responses((status = 200, body = StateDone), (status = 409)))]
/// Enters the missing or unreadable values of a quarantined postback and returns it to the inbox; or proposes them, if the
/// settings require a second person. Values that were received and are valid are never replaced. Requires the role risk or
/// admin.
pub(crate) async fn state(call: Call, id: i64, body: Bytes) -> Result<StateDone, ApiError> {
    let owner = call.reviewer().await?;
    let request: StateRequest = parse(&body)?;
    let by = by(&call, owner.actor, &request.reason, !request.preview)?;
    for (name, text) in
        [("status", &request.status), ("reward", &request.reward), ("payout", &request.payout)]
    {
        if text.trim() != text {
            return Err(ApiError::invalid(format!("`{name}` begins or ends with blanks: remove them")));
        }
    }
    let typed = [
        (Field::UserId, request.user_id.as_str()),
        (Field::TxId, request.tx_id.as_str()),
        (Field::Status, request.status.as_str()),
        (Field::Reward, request.reward.as_str()),
        (Field::Payout, request.payout.as_str()),
    ];
    let look = call.api.stating.look(&call.api.store, id, &typed, by.now).await?;
    let acted = if request.preview {
        None
    } else {
        Some(call.api.stating.state(&call.api.store, id, &look, by).await?)
    };
    Ok(StateDone {
        id,
        result: match acted {
            None => "preview",
            Some(Acted::Proposed(_)) => "proposed",
            Some(Acted::Confirmed) => "confirmed",
            Some(_) => "stated",
        },
        proposal: match acted {
            Some(Acted::Proposed(proposal)) => Some(proposal),
            _ => None,
        },
        outlook: look.outlook.sentence,
        needs_second: look.needs_second,
    })
}

#[utoipa::path(post, path = "/api/v1/postbacks/{id}/confirm", params(("id" = Id, Path)), tag = "postbacks",
    request_body = ConfirmRequest,
    responses((status = 200, body = Postback),
              (status = 409)))]
/// Agrees to the proposal of another person. Requires the role risk or admin.
pub(crate) async fn confirm(call: Call, id: i64, body: Bytes) -> Result<Postback, ApiError> {
    let owner = call.reviewer().await?;
    let request: ConfirmRequest = parse(&body)?;
    let by = by(&call, owner.actor, &request.reason, false)?;
    one_of(&call.api, id).await?;
    call.api.stating.confirm(&call.api.store, id, request.proposal, by).await?;
    one_of(&call.api, id).await
}

#[utoipa::path(post, path = "/api/v1/postbacks/{id}/decline", params(("id" = Id, Path)), tag = "postbacks",
    request_body = DeclineRequest,
    responses((status = 200, body = Postback),
              (status = 409)))]
/// Declines a proposal, or withdraws your own. Requires the role risk or admin.
pub(crate) async fn decline(call: Call, id: i64, body: Bytes) -> Result<Postback, ApiError> {
    let owner = call.reviewer().await?;
    let request: DeclineRequest = parse(&body)?;
    let by = by(&call, owner.actor, &request.reason, true)?;
    one_of(&call.api, id).await?;
    stating::decline(&call.api.store, id, request.proposal, by).await?;
    one_of(&call.api, id).await
}

#[utoipa::path(post, path = "/api/v1/postbacks/{id}/set-aside", params(("id" = Id, Path)), tag = "postbacks",
    request_body = AsideRequest,
    responses((status = 200, body = Postback),
              (status = 409)))]
/// Sets a quarantined postback aside: it needs no more work. Requires the role risk or admin.
pub(crate) async fn set_aside(call: Call, id: i64, body: Bytes) -> Result<Postback, ApiError> {
    let owner = call.reviewer().await?;
    let request: AsideRequest = parse(&body)?;
    stating::set_aside(&call.api.store, id, by(&call, owner.actor, &request.reason, true)?).await?;
    one_of(&call.api, id).await
}

#[utoipa::path(post, path = "/api/v1/postbacks/{id}/take-up", params(("id" = Id, Path)), tag = "postbacks",
    request_body = AsideRequest,
    responses((status = 200, body = Postback),
              (status = 409)))]
/// Returns a postback that was set aside to quarantine. Requires the role risk or admin.
pub(crate) async fn take_up(call: Call, id: i64, body: Bytes) -> Result<Postback, ApiError> {
    let owner = call.reviewer().await?;
    let request: AsideRequest = parse(&body)?;
    stating::take_up(&call.api.store, id, by(&call, owner.actor, &request.reason, true)?).await?;
    one_of(&call.api, id).await
}
