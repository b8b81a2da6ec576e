//! `GET users/{id}/balance`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::error::ApiError;
use super::request::{Call, get, query};
use super::shape::decimal;
use super::terms::{Decimal, Text, UserId};
use super::{Api, answer, page};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    warp::path!("users" / String / "balance")
        .and(get(api))
        .and(query())
        .then(|user_id, call, query| answer(balance(call, user_id, query)))
        .boxed()
}

/// The app whose user is meant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct BalanceQuery {
    /// Optional if there is only one app.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    app: Option<String>,
}

/// What the app owes a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserBalance {
    app: String,
    user_id: String,
    /// One for each currency; empty if the user never had a reward.
    balances: Vec<Balance>,
}

/// A balance in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Balance {
    currency: String,
    /// Decimal; below zero after a reversal.
    #[schema(value_type = Decimal, example = "1500")]
    balance: String,
}

#[utoipa::path(get, path = "/api/v1/users/{id}/balance", params(("id" = UserId, Path), BalanceQuery), tag = "users",
    responses((status = 200, body = UserBalance)))]
/// What the app owes a user.
pub(crate) async fn balance(call: Call, user_id: String, query: String) -> Result<UserBalance, ApiError> {
    call.reader().await?;
    let query: BalanceQuery = page::parse(&query)?;
    let app = app(&call.api, query.app)?;
    let user_id = page::segment("user id", &user_id)?;
    let rows = call.api.store.balances(&app, &user_id).await?;
    let balances = rows
        .into_iter()
        .map(|row| Balance { currency: row.currency, balance: decimal(row.balance_micros) })
        .collect();
    Ok(UserBalance { app, user_id, balances })
}

fn app(api: &Api, asked: Option<String>) -> Result<String, ApiError> {
    let mut apps = api.apps.iter();
    match (asked, apps.next(), apps.next()) {
        (Some(app), ..) if api.apps.contains(&app) => Ok(app),
        (Some(app), ..) => Err(ApiError::NotFound(format!("there is no app `{app}`"))),
        (None, Some(app), None) => Ok(app.clone()),
        (None, ..) => {
            let names: Vec<_> = api.apps.iter().map(String::as_str).collect();
            Err(ApiError::invalid(format!("`app` must be one of {}", names.join(", "))))
        }
    }
}
