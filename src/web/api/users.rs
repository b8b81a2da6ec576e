//! `GET users/{id}/balance`.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ErrorBody};
use super::shape::decimal;
use super::{Api, Call, page};
use crate::texts;

/// Of which app.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct BalanceQuery {
    /// May be left out if there is only one app.
    #[serde(deserialize_with = "page::filled")]
    app: Option<String>,
}

/// What the app owes a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserBalance {
    app: String,
    user_id: String,
    /// One for each currency; none if the user never had a reward.
    balances: Vec<Balance>,
}

/// A balance in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Balance {
    currency: String,
    /// Decimal; below zero after a reversal.
    #[schema(example = "1500")]
    balance: String,
}

#[utoipa::path(get, path = "/api/v1/users/{id}/balance", params(("id" = String, Path), BalanceQuery), tag = "users",
    responses((status = 200, body = UserBalance), (status = 400, body = ErrorBody)))]
/// What the app owes a user.
pub(crate) async fn balance(call: Call, user_id: String, query: String) -> Result<UserBalance, ApiError> {
    call.reader().await?;
    let query: BalanceQuery = page::parse(&query)?;
    let app = app(&call.api, query.app)?;
    texts::path(&format!("users/{user_id}"))?;
    let user_id = percent_decode_str(&user_id)
        .decode_utf8()
        .map_err(|_| ApiError::invalid("the user id is not UTF-8"))?
        .into_owned();
    if user_id.contains('\0') {
        return Err(ApiError::invalid("the user id contains a NUL character"));
    }
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
