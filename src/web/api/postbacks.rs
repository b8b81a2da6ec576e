//! `GET postbacks`.

use serde::Deserialize;
use store::postbacks::{OutcomeFilter, PostbackFilter};
use utoipa::IntoParams;

use super::Call;
use super::error::{ApiError, ErrorBody};
use super::page::{self, Page};
use super::shape::Postback;

/// Which postbacks to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PostbackQuery {
    /// received, processed, repeat, quarantined or refused; without it everything that was accepted
    #[serde(deserialize_with = "page::filled")]
    outcome: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    source: Option<String>,
    /// `next` of the page before.
    #[serde(deserialize_with = "page::filled")]
    cursor: Option<String>,
    /// 1 to 1000; 200 unless told.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<i64>)]
    limit: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/postbacks", params(PostbackQuery), tag = "postbacks",
    responses((status = 200, body = Page<Postback>), (status = 400, body = ErrorBody)))]
/// Postbacks as received, newest first, with what became of each.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<Postback>, ApiError> {
    call.reader().await?;
    let query: PostbackQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let outcome = query.outcome.map(|name| {
        OutcomeFilter::parse(&name).ok_or_else(|| {
            ApiError::invalid("`outcome` must be received, processed, repeat, quarantined or refused")
        })
    });
    let before_id = query.cursor.as_deref().map(str::parse).transpose();
    let before_id = before_id.map_err(|_| ApiError::invalid("`cursor` must be the `next` of a page"))?;
    let filter = PostbackFilter { outcome: outcome.transpose()?, source: query.source, before_id };
    let rows = call.api.store.postbacks(&filter, limit + 1).await?;
    Page::of(rows, limit, |row| row.id.to_string(), |row| Ok(row.into()))
}
