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

/// About a file that is sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// A source of the settings.
    #[param(value_type = Text, required = true)]
    source: String,
    /// The name of the file.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Text>)]
    name: Option<String>,
    /// Its first business date. Without it, that of its lines, if none of them lies far off; else it waits in
    /// `received`, with a `question`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Day>)]
    from: Option<String>,
    /// Its last business date.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Day>)]
    to: Option<String>,
    /// What it counts instead of: ids with commas between them, or `none`. Without it, a statement of the same source
    /// and days with which it has at least half of its transactions in common.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Superseded>)]
    supersedes: Option<String>,
    /// `true`: only say what would be read; the file waits to be imported by a page or `…/import`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<bool>)]
    preview: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/statements", params(UploadQuery), tag = "statements",
    request_body(content((File = "text/csv"), (File = "text/*"), (File = "application/*")), description = "The file itself, in no envelope"),
    responses((status = 202, body = Statement), (status = 200, body = Preview), (status = 404), (status = 409)))]
/// Takes a CSV file of up to a million lines in; a worker reads and matches it. The same file twice is refused.
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

/// How many lines a preview shows.
const PREVIEW_LINES: usize = 20;

async fn preview(call: &Call, id: i64) -> Result<Preview, ApiError> {
    let row = call.api.store.statement(id).await?.ok_or_else(|| none(id))?;
    let format: Format =
        serde_json::from_str(&row.format).map_err(|error| ApiError::Failed(error.to_string()))?;
    let first = statements::first_lines(&call.api.store, id, &format).await?;
    let First { read, told } = first.map_err(|why| ApiError::Invalid(why.to_string()))?;
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
        reading: told,
    })
}

/// How a file that waits is imported.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Its first business date; needed where the statement has a `question`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Day>)]
    from: Option<String>,
    /// Its last business date.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Day>)]
    to: Option<String>,
    /// What it counts instead of: ids with commas between them, or `none`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Superseded>)]
    supersedes: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/import", tag = "statements",
    params(("id" = Id, Path), ImportQuery),
    responses((status = 200, body = WholeStatement), (status = 409)))]
/// Lets a file be read that waits, or that failed, with the settings as they are now; by finance or admin.
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
