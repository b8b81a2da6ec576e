//! The lines of a statement by state, the lists to send to the network, and `POST …/accept`.

use std::sync::Arc;

use bytes::Bytes;
use domain::statement::LineState;
use serde::Deserialize;
use store::statements::{Accepted, Resolution};
use utoipa::{IntoParams, ToSchema};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::shape::{StatementLine, WholeStatement, shape_line, whole};
use super::{known, none, read, words};
use crate::api::error::ApiError;
use crate::api::page::{self, MAX_KEY_LEN, Page};
use crate::api::request::{Call, get, json_body, post, query};
use crate::api::terms::{Id, Limit, LineStateName, NumberCursor, Subject, Words};
use crate::api::{Api, answer};
use crate::statements::lists;

/// The one list whose state is chosen by a parameter.
const LINES_FILE: &str = "lines.csv";

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let lines = warp::path!("statements" / i64 / "lines")
        .and(get(api))
        .and(query())
        .then(|id, call, query| answer(lines(call, id, query)));
    let missing_csv = warp::path!("statements" / i64 / "missing.csv")
        .and(get(api))
        .and(query())
        .then(|id, call, query| missing_csv(call, id, query));
    let missing_text = warp::path!("statements" / i64 / "missing.txt")
        .and(get(api))
        .and(query())
        .then(|id, call, query| missing_text(call, id, query));
    let lines_file = warp::path!("statements" / i64 / "lines.csv")
        .and(get(api))
        .and(query())
        .then(|id, call, query| lines_file(call, id, query));
    let accept = warp::path!("statements" / i64 / "accept")
        .and(post(api))
        .and(json_body())
        .then(|id, call, body| answer(accept(call, id, body)));
    let files = missing_csv.or(missing_text).unify().or(lines_file).unify();
    lines.or(files).unify().or(accept).unify().boxed()
}

/// The state whose lines are listed, and the page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct LineQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = LineStateName, required = true)]
    state: Option<String>,
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<NumberCursor>)]
    cursor: Option<String>,
    /// Default: 200.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/lines", tag = "statements",
    params(("id" = Id, Path), LineQuery),
    responses((status = 200, body = Page<StatementLine>)))]
/// The lines of one state, and the bookings without a line.
pub(crate) async fn lines(call: Call, id: i64, query: String) -> Result<Page<StatementLine>, ApiError> {
    call.reader().await?;
    let query: LineQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let (state, after) = (state_of(query.state.as_deref())?, page::number(query.cursor.as_deref(), 0)?);
    let known = known(&call, id).await?;
    let rows = call.api.store.statement_breaks(id, &known.pending_from, state, after, limit + 1).await?;
    Page::of(rows, limit, |row| row.place.to_string(), |row| Ok(shape_line(row)))
}

/// The state whose lines the file holds.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = LineStateName, required = true)]
    state: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/missing.csv", tag = "statements", params(("id" = Id, Path)),
    operation_id = "file",
    responses((status = 200, body = String, content_type = "text/csv")))]
/// The list for the account manager: transactions in the statement for which no postback was received.
async fn missing_csv(call: Call, id: i64, query: String) -> Response {
    list_file(call, id, &query, "missing.csv").await
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/missing.txt", tag = "statements", params(("id" = Id, Path)),
    responses((status = 200, body = String, content_type = "text/plain")))]
/// The same list as text, ready to send.
async fn missing_text(call: Call, id: i64, query: String) -> Response {
    list_file(call, id, &query, "missing.txt").await
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/lines.csv", tag = "statements",
    params(("id" = Id, Path), FileQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
/// The lines of one state as a file.
async fn lines_file(call: Call, id: i64, query: String) -> Response {
    list_file(call, id, &query, LINES_FILE).await
}

async fn list_file(call: Call, id: i64, query: &str, name: &str) -> Response {
    let list = async {
        call.reader().await?;
        let query: FileQuery = page::parse(query)?;
        let state = match name {
            LINES_FILE => Some(state_of(query.state.as_deref())?.name()),
            _ => None,
        };
        let known = known(&call, id).await?;
        lists::list_file(&call.api.store, &known, name, state).ok_or_else(|| none(id))
    };
    list.await.unwrap_or_else(ApiError::into_response)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptRequest {
    /// `subject` of a line of the statement.
    #[schema(value_type = Subject)]
    subject: String,
    #[schema(value_type = Words)]
    reason: String,
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/accept", tag = "statements",
    params(("id" = Id, Path)), request_body = AcceptRequest,
    responses((status = 200, body = WholeStatement), (status = 409)))]
/// Accepts one difference with a reason. Requires the role finance or admin.
pub(crate) async fn accept(call: Call, id: i64, body: Bytes) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let request: AcceptRequest = read(&body)?;
    let (api, subject) = (&call.api, page::words("subject", request.subject, MAX_KEY_LEN)?);
    let word =
        Resolution { actor: owner.actor, reason: words("reason", request.reason)?, now: api.clock.now() };
    match api.store.accept_difference(id, subject.clone(), word).await? {
        Accepted::Done => Ok(whole(known(&call, id).await?)),
        Accepted::Before => Err(ApiError::Conflict(format!("`{subject}` is already accepted"))),
        Accepted::Missing => {
            Err(ApiError::NotFound(format!("`{subject}` is not an open difference of this statement")))
        }
    }
}

fn state_of(name: Option<&str>) -> Result<LineState, ApiError> {
    name.and_then(LineState::parse).ok_or_else(|| {
        let names: Vec<_> = LineState::ALL.into_iter().map(LineState::name).collect();
        ApiError::invalid(format!("`state` must be one of: {}", names.join(", ")))
    })
}
