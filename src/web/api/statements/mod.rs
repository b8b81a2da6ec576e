//! Statements of networks: uploaded as CSV, matched with the ledger, paid.
//!
//! | module | calls |
//! |---|---|
//! | this one | the list, one statement as JSON or workbook, discard and restore |
//! | `intake` | upload, preview and import |
//! | `lines` | the lines of one state, also as files; accepting a difference |
//! | `payments` | payments by the network, and reversing one |
//! | `shape` | what statements look like in JSON |

pub(super) mod intake;
pub(super) mod lines;
pub(super) mod payments;
mod shape;

use std::sync::Arc;

use serde::Deserialize;
use utoipa::IntoParams;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Filter, Reply};

use super::error::ApiError;
use super::page::{self, Page};
use super::request::{Call, get, post, query};
use super::terms::{Id, Limit, NumberCursor};
use super::{Api, answer, json};
use crate::files::{XLSX, download};
use crate::statements::{self, MAX_WORDS_LEN, NotTaken, StatementSummary, workbook};
use shape::{Statement, WholeStatement, shape, whole};

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let list =
        warp::path!("statements").and(get(api)).and(query()).then(|call, query| answer(list(call, query)));
    let one = warp::path!("statements" / String).and(get(api)).then(|name: String, call| async move {
        in_its_form(call, &name).await.unwrap_or_else(ApiError::into_response)
    });
    let discard =
        warp::path!("statements" / i64 / "discard").and(post(api)).then(|id, call| answer(discard(call, id)));
    let restore =
        warp::path!("statements" / i64 / "restore").and(post(api)).then(|id, call| answer(restore(call, id)));
    list.or(one)
        .unify()
        .or(discard)
        .unify()
        .or(restore)
        .unify()
        .or(intake::routes(api))
        .unify()
        .or(lines::routes(api))
        .unify()
        .or(payments::routes(api))
        .unify()
        .boxed()
}

/// A page of the list of statements.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<NumberCursor>)]
    cursor: Option<String>,
    /// Default: 200.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/statements", params(ListQuery), tag = "statements",
    responses((status = 200, body = Page<Statement>)))]
/// The statements, newest first.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<Statement>, ApiError> {
    call.reader().await?;
    let query: ListQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let before = page::number(query.cursor.as_deref(), i64::MAX)?;
    let rows = call.api.store.statements(before, limit + 1).await?;
    Page::of(rows, limit, |row| row.id.to_string(), |row| Ok(shape(row)))
}

/// A statement, in one of two forms by the end of `name`: `7`, `7.xlsx`.
async fn in_its_form(call: Call, name: &str) -> Result<Response, ApiError> {
    call.reader().await?;
    let (id, form) = name.split_once('.').map_or((name, None), |(id, form)| (id, Some(form)));
    let id = id.parse().map_err(|_| ApiError::NotFound("no such resource".into()))?;
    let known = known(&call, id).await?;
    match form {
        None => Ok(json(StatusCode::OK, &one(known))),
        Some("xlsx") => xlsx(&call, id, &known).await,
        Some(_) => Err(ApiError::NotFound("a statement is available as JSON and .xlsx".into())),
    }
}

#[utoipa::path(get, path = "/api/v1/statements/{id}", tag = "statements",
    params(("id" = Id, Path)),
    responses((status = 200, body = WholeStatement)))]
/// A statement with its totals.
fn one(known: StatementSummary) -> WholeStatement {
    whole(known)
}

#[utoipa::path(get, path = "/api/v1/statements/{id}.xlsx", tag = "statements", params(("id" = Id, Path)),
    responses((status = 200, body = Vec<u8>,
               content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))]
/// The statement as a workbook, with a sheet for each state of its lines.
async fn xlsx(call: &Call, id: i64, known: &StatementSummary) -> Result<Response, ApiError> {
    let sheets = workbook::sheets(&call.api.store, known).await?;
    let bytes = crate::export::xlsx(&format!("Statement {id}"), &sheets)
        .map_err(|error| ApiError::Failed(format!("the workbook cannot be written: {error}")))?;
    Ok(download(&format!("statement-{id}.xlsx"), XLSX, bytes.into_response()))
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/discard", tag = "statements",
    params(("id" = Id, Path)),
    responses((status = 200, body = Statement), (status = 409)))]
/// Discards a statement: it is no longer counted, and statements that it superseded are counted again. Requires the role
/// finance or admin.
pub(crate) async fn discard(call: Call, id: i64) -> Result<Statement, ApiError> {
    let owner = call.controller().await?;
    let api = &call.api;
    let row = api.store.statement(id).await?.ok_or_else(|| none(id))?;
    let done = api.store.discard_statement(id, owner.actor, api.clock.now()).await?;
    statements::discarded(id, &done).map_err(ApiError::Conflict)?;
    Ok(shape(store::statements::StatementRow { state: "discarded".into(), superseded_by: None, ..row }))
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/restore", tag = "statements",
    params(("id" = Id, Path)),
    responses((status = 200, body = WholeStatement), (status = 409)))]
/// Counts a superseded statement again, beside the newer one; a transaction in both counts once. Requires the role finance
/// or admin.
pub(crate) async fn restore(call: Call, id: i64) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let api = &call.api;
    let done = api.store.restore_statement(id, owner.actor, api.clock.now()).await?;
    statements::restored(id, &done).map_err(|why| match done {
        store::statements::Restored::Missing => ApiError::NotFound(why),
        _ => ApiError::Conflict(why),
    })?;
    Ok(whole(known(&call, id).await?))
}

fn none(id: i64) -> ApiError {
    ApiError::NotFound(format!("there is no statement {id}"))
}

async fn known(call: &Call, id: i64) -> Result<StatementSummary, ApiError> {
    let api = &call.api;
    let known = statements::known(&api.store, &api.statements, id, api.clock.now()).await?;
    known.filter(|known| known.row.state != "receiving").ok_or_else(|| none(id))
}

fn words(name: &str, text: String) -> Result<String, ApiError> {
    page::words(name, text, MAX_WORDS_LEN)
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, ApiError> {
    page::body(body, "")
}

impl From<NotTaken> for ApiError {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::Before(..) | NotTaken::Supersedes(_) => Self::Conflict(not_taken.to_string()),
            NotTaken::Store(error) => Self::Store(error),
            NotTaken::UnknownSource(_) => Self::NotFound(not_taken.to_string()),
            NotTaken::TooLarge => Self::FileTooLarge(not_taken.to_string()),
            NotTaken::TooSlow => Self::TooSlow,
            other => Self::Invalid(other.to_string()),
        }
    }
}
