//! `POST statements?source=` takes a file; `POST statements/{id}/import` imports one that waits.

use std::sync::Arc;

use bytes::Buf;
use domain::statement::format::Format;
use futures_util::Stream;
use serde::Deserialize;
use store::statements::Then;
use utoipa::IntoParams;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::shape::{Outlier, Preview, PreviewFault, PreviewLine, Statement, WholeStatement, shape, whole};
use super::{known, none};
use crate::api::error::ApiError;
use crate::api::page;
use crate::api::request::{Call, file, post, query};
use crate::api::terms::{Day, File, Id, Superseded, Text};
use crate::api::{Api, answer, json};
use crate::statements::{self, First, NotImported, Upload};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let upload = warp::path!("statements")
        .and(post(api))
        .and(query())
        .and(file())
        .and(warp::body::stream())
        .then(upload);
    let import = warp::path!("statements" / i64 / "import")
        .and(post(api))
        .and(query())
        .then(|id, call, query| answer(import(call, id, query)));
    upload.or(import).unify().boxed()
}

/// Properties of the uploaded file.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// A source that the settings define.
    #[param(value_type = Text, required = true)]
    source: String,
    /// File name. Default: `statement.csv`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    name: Option<String>,
    /// First business date. Default: that of the lines, unless some lie far off; then the statement stays
    /// `received`, with a `question`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Day>)]
    from: Option<String>,
    /// Last business date.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Day>)]
    to: Option<String>,
    /// The statements that it replaces: ids separated by commas, or `none`. Default: a statement of the same source
    /// and days that shares at least half of its transactions.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Superseded>)]
    supersedes: Option<String>,
    /// `true`: only show a preview; the file waits for `…/import`, or for a person to import it on its page.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<bool>)]
    preview: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/statements", params(UploadQuery), tag = "statements",
    request_body(content((File = "text/csv"), (File = "text/*"), (File = "application/*")), description = "The file itself, without multipart"),
    responses((status = 202, body = Statement), (status = 200, body = Preview), (status = 404), (status = 409)))]
/// Uploads a CSV file of up to a million lines; a worker reads and matches it. The same file is refused twice.
pub(crate) async fn upload<B: Buf>(
    call: Call,
    query: String,
    bytes: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    uploaded(call, &query, bytes).await.unwrap_or_else(ApiError::into_response)
}

async fn uploaded<B: Buf>(
    call: Call,
    query: &str,
    bytes: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Response, ApiError> {
    let owner = call.controller().await?;
    let query: UploadQuery = page::parse(query)?;
    let api = &call.api;
    let upload = Upload {
        source: &query.source,
        file_name: query.name.as_deref().unwrap_or("statement.csv"),
        from: query.from.as_deref(),
        to: query.to.as_deref(),
        supersedes: page::supersedes(query.supersedes.as_deref())?,
        actor: &owner.actor,
        now: api.clock.now(),
    };
    let only_preview = page::switch("preview", query.preview.as_deref())?;
    let then = if only_preview { Then::Ask } else { Then::Import };
    let id = statements::take(&api.store, &api.statements, upload, bytes, then).await?;
    if only_preview {
        return preview(&call, id).await.map(|preview| json(StatusCode::OK, &preview));
    }
    let row = api.store.statement(id).await?.ok_or_else(|| none(id))?;
    Ok(json(StatusCode::ACCEPTED, &shape(row)))
}

/// Lines in a preview.
const PREVIEW_LINES: usize = 20;

async fn preview(call: &Call, id: i64) -> Result<Preview, ApiError> {
    let row = call.api.store.statement(id).await?.ok_or_else(|| none(id))?;
    let format: Format =
        serde_json::from_str(&row.format).map_err(|error| ApiError::Failed(error.to_string()))?;
    let first = statements::first_lines(&call.api.store, id, &format).await?;
    let First { read, reading } = first.map_err(|why| ApiError::Invalid(why.to_string()))?;
    let line = |line: domain::statement::StatementLine| PreviewLine {
        line: line.number,
        kind: domain::statement::kind_name(line.kind),
        tx_id: line.tx_id,
        user_id: line.user_id,
        offer_id: line.offer_id,
        event_id: line.event_id,
        amount: line.amount.to_string(),
        currency: line.currency,
        day: line.day,
    };
    let fault = |(line, reason)| PreviewFault { line, reason };
    let proposal = row.proposal();
    let question = proposal.question().filter(|_| row.period_stated == 0);
    let proposed = row.period().or(proposal.period);
    Ok(Preview {
        id,
        from: proposed.as_ref().map(|period| period.from.clone()),
        to: proposed.map(|period| period.to),
        outliers: proposal.outliers.into_iter().map(|it| Outlier { day: it.day, lines: it.lines }).collect(),
        question,
        lines: read.lines.into_iter().take(PREVIEW_LINES).map(line).collect(),
        faults: read.faults.into_iter().take(PREVIEW_LINES).map(fault).collect(),
        not_transactions: read.asides.into_iter().take(PREVIEW_LINES).map(fault).collect(),
        remarks: read.marks.into_iter().take(PREVIEW_LINES).map(fault).collect(),
        proposals: read.proposals,
        reading,
    })
}

/// Options of an import.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// First business date; required if the statement has a `question`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Day>)]
    from: Option<String>,
    /// Last business date.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Day>)]
    to: Option<String>,
    /// The statements that it replaces: ids separated by commas, or `none`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Superseded>)]
    supersedes: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/import", tag = "statements",
    params(("id" = Id, Path), ImportQuery),
    responses((status = 200, body = WholeStatement), (status = 409)))]
/// Imports a received or failed statement with the current settings. Requires the role finance or admin.
pub(crate) async fn import(call: Call, id: i64, query: String) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let query: ImportQuery = page::parse(&query)?;
    let api = &call.api;
    let row = api.store.statement(id).await?.ok_or_else(|| none(id))?;
    let import = statements::Import {
        from: query.from.as_deref(),
        to: query.to.as_deref(),
        supersedes: page::supersedes(query.supersedes.as_deref())?,
        actor: &owner.actor,
        now: api.clock.now(),
    };
    statements::import(&api.store, &api.statements, &row, import).await?.map_err(|not| match not {
        NotImported::Invalid(why) => ApiError::Invalid(why),
        NotImported::Conflict(why) => ApiError::Conflict(why),
    })?;
    Ok(whole(known(&call, id).await?))
}
