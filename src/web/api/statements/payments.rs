//! Payments of the network for a statement: `POST …/paid`, `GET …/payments`, `POST …/take-back`.

use std::sync::Arc;

use bytes::Bytes;
use domain::statement::payment;
use serde::Deserialize;
use store::statements::{Payment, Resolution};
use utoipa::ToSchema;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::shape::{StatementPayment, WholeStatement, shape_payment, whole};
use super::{known, read, words};
use crate::api::error::ApiError;
use crate::api::page::{self, MAX_KEY_LEN};
use crate::api::request::{Call, get, json_body, post};
use crate::api::terms::{HeaderKey, Id, Key, Paid, Words};
use crate::api::{Api, answer};
use crate::statements;

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let paid = warp::path!("statements" / i64 / "paid")
        .and(post(api))
        .and(warp::header::optional::<String>("idempotency-key"))
        .and(json_body())
        .then(|id, call, key, body| answer(paid(call, id, key, body)));
    let payments = warp::path!("statements" / i64 / "payments")
        .and(get(api))
        .then(|id, call| answer(payments(call, id)));
    let take_back = warp::path!("statements" / i64 / "take-back")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(take_back(call, id, body)));
    paid.or(payments).unify().or(take_back).unify().boxed()
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaidRequest {
    #[schema(value_type = Paid)]
    amount: String,
    #[schema(value_type = Words)]
    note: String,
    /// Idempotency key, as in the header `Idempotency-Key`: one key books once. Without a key, the same amount and note
    /// book once.
    #[serde(default)]
    #[schema(value_type = Option<Key>)]
    key: Option<String>,
    /// `true`: book more than the open amount.
    #[serde(default)]
    confirm: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeBackRequest {
    /// The id of the payment.
    #[serde(deserialize_with = "page::one_id")]
    #[schema(value_type = Id)]
    payment: i64,
    #[schema(value_type = Words)]
    reason: String,
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/paid", tag = "statements",
    params(("id" = Id, Path), ("Idempotency-Key" = Option<HeaderKey>, Header)), request_body = PaidRequest,
    responses((status = 200, body = WholeStatement), (status = 409)))]
/// Books a payment by the network, once for each key; more than the open amount needs `confirm`. Requires the role finance
/// or admin.
pub(crate) async fn paid(
    call: Call,
    id: i64,
    key: Option<String>,
    body: Bytes,
) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let request: PaidRequest = read(&body)?;
    let api = &call.api;
    let now = api.clock.now();
    let word = Resolution { actor: owner.actor, reason: words("note", request.note)?, now };
    if request.amount.trim() != request.amount {
        return Err(ApiError::invalid("`amount` begins or ends with blanks: remove them"));
    }
    let amount =
        payment::parse(&request.amount).map_err(|why| ApiError::invalid(format!("`amount`: {why}")))?;
    let key = key.or(request.key).map(|key| page::words("key", key, MAX_KEY_LEN)).transpose()?;
    let payment = Payment { amount, key, confirmed: request.confirm };
    known(&call, id).await?;
    let done = api.store.pay_statement(id, payment, word, now.business_date(api.timezone)).await?;
    statements::paid(id, &done, amount).map_err(|why| {
        let asks = matches!(done, store::statements::Paid::Asks(_));
        ApiError::Conflict(if asks { format!("{why} by \"confirm\": true") } else { why })
    })?;
    Ok(whole(known(&call, id).await?))
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/payments", tag = "statements",
    params(("id" = Id, Path)),
    responses((status = 200, body = [StatementPayment])))]
/// Payments and reversed payments for a statement and the statements that it supersedes, oldest first.
pub(crate) async fn payments(call: Call, id: i64) -> Result<Vec<StatementPayment>, ApiError> {
    call.reader().await?;
    known(&call, id).await?;
    let payments = call.api.store.statement_payments(id).await?;
    Ok(payments.into_iter().map(shape_payment).collect())
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/take-back", tag = "statements",
    params(("id" = Id, Path)), request_body = TakeBackRequest,
    responses((status = 200, body = WholeStatement), (status = 409)))]
/// Reverses a payment with the opposite transfer, once. Requires the role finance or admin.
pub(crate) async fn take_back(call: Call, id: i64, body: Bytes) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let request: TakeBackRequest = read(&body)?;
    let api = &call.api;
    let now = api.clock.now();
    let word = Resolution { actor: owner.actor, reason: words("reason", request.reason)?, now };
    let (payment, date) = (request.payment, now.business_date(api.timezone));
    let done = api.store.take_payment_back(id, payment, word, date).await?;
    statements::taken_back(id, payment, done).map_err(|why| match done {
        store::statements::TakenBack::Missing => ApiError::NotFound(why),
        _ => ApiError::Conflict(why),
    })?;
    Ok(whole(known(&call, id).await?))
}
