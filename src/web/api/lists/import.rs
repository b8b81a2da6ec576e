//! `POST lists/import`: the entries of a CSV file, all or none.

use std::sync::Arc;

use bytes::Buf;
use domain::lists::file::{self, MAX_FILE_BYTES};
use domain::lists::too_many;
use domain::text::sha256;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use store::lists::change::ListAdded;
use utoipa::{IntoParams, ToSchema};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::HeaderMap;
use warp::reply::Response;

use crate::api::error::ApiError;
use crate::api::request::{Call, file, post, query, unread_body};
use crate::api::terms::File;
use crate::api::{Api, answer, page};
use crate::body::whole;
use crate::listing;

pub(super) fn route(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    warp::path!("lists" / "import")
        .and(post(api))
        .and(query())
        .and(file())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|call, query, headers, body| answer(import(call, query, headers, body)))
        .boxed()
}

/// How to take the file.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// `true`: only check the file; nothing is changed.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
}

/// What became of a file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListImport {
    /// Entries of the file.
    entries: usize,
    /// How many of them replaced another; 0 if the file was only checked.
    replaced: usize,
    /// True if nothing was changed.
    dry_run: bool,
}

#[utoipa::path(post, path = "/api/v1/lists/import", params(ImportQuery), tag = "lists",
    request_body(content((File = "text/csv"), (File = "text/*"), (File = "application/*")), description = "The file itself, without multipart"),
    responses((status = 200, body = ListImport), (status = 409)))]
/// Adds the entries of a CSV file of up to 20,000 lines, all or none. Its heading names the columns: kind, value, effect,
/// reason, and if wanted source, app, expires. 409: a line has a fault, each of which is named, or there is no room.
/// Requires the role risk or admin.
pub(crate) async fn import<B: Buf>(
    call: Call,
    query: String,
    headers: HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> Result<ListImport, ApiError> {
    let owner = call.reviewer().await?;
    let query: ImportQuery = page::parse(&query)?;
    let dry_run = page::switch("dry_run", query.dry_run.as_deref())?;
    let too_large =
        || ApiError::FileTooLarge(format!("the file is larger than {} MiB; split it", MAX_FILE_BYTES >> 20));
    let bytes = whole(&headers, body, MAX_FILE_BYTES).await.map_err(|bad| unread_body(bad, too_large()))?;
    let api = &call.api;
    let now = api.clock.now();
    let known = listing::known(&api.stating, &api.apps, api.timezone);
    let read = file::read(&bytes, &known, now);
    let entries =
        read.map_err(|faults| ApiError::Conflict(format!("nothing was added: {}", faults.join("; "))))?;
    let number = entries.len();
    if dry_run {
        return Ok(ListImport { entries: number, replaced: 0, dry_run });
    }
    match api.store.import_list_entries(entries, sha256(&bytes), owner.actor, now).await? {
        ListAdded::Done { replaced, .. } => Ok(ListImport { entries: number, replaced, dry_run }),
        ListAdded::TooMany { in_force } => Err(ApiError::Conflict(too_many(in_force))),
    }
}
