//! `POST statements?source=` (CSV), and what became of them: lines by state, accepted, paid, lists to send.

mod shape;

use bytes::{Buf, Bytes};
use domain::statement::LineState;
use domain::statement::format::Format;
use domain::statement::payment;
use futures_util::Stream;
use serde::Deserialize;
use store::statements::{Accepted, Payment, Then, Word};
use utoipa::{IntoParams, ToSchema};
use warp::Reply;
use warp::http::StatusCode;
use warp::reply::Response;

use super::error::{ApiError, ErrorBody};
use super::page::{self, Page};
use super::{Call, json};
use crate::files::{XLSX, download};
use crate::statements::{self, First, Known, MAX_WORDS_LEN, NotImported, NotTaken, Upload, lists, workbook};
use shape::{
    Outlier, Preview, PreviewFault, PreviewLine, Statement, StatementLine, StatementPayment, WholeStatement,
    shape, shape_line, shape_payment, whole,
};

/// About a file that is sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// The source of the settings.
    source: String,
    /// The name of the file.
    #[serde(deserialize_with = "page::filled")]
    name: Option<String>,
    /// Its first business date. Without it, that of its lines, if none of them lies far off; else it waits in
    /// `received`, with a `question`.
    #[serde(deserialize_with = "page::filled")]
    from: Option<String>,
    /// Its last business date.
    #[serde(deserialize_with = "page::filled")]
    to: Option<String>,
    /// What it counts instead of: ids with commas between them, or `none`. Without it, a statement of the same source
    /// and days with which it has at least half of its transactions in common.
    #[serde(deserialize_with = "page::filled")]
    supersedes: Option<String>,
    /// `true`: only say what would be read; the file waits to be imported by a page or `…/import`.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<bool>)]
    preview: Option<String>,
}

/// Which statements, or which lines of one.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Of lines: their state, e.g. `missing_here`.
    #[serde(deserialize_with = "page::filled")]
    state: Option<String>,
    /// `next` of the page before.
    #[serde(deserialize_with = "page::filled")]
    cursor: Option<String>,
    /// 1 to 1000; 200 unless told.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<i64>)]
    limit: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptRequest {
    /// `subject` of a line.
    subject: String,
    reason: String,
}

/// How a file that waits is imported.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Its first business date; needed where the statement has a `question`.
    #[serde(deserialize_with = "page::filled")]
    from: Option<String>,
    /// Its last business date.
    #[serde(deserialize_with = "page::filled")]
    to: Option<String>,
    /// What it counts instead of: ids with commas between them, or `none`.
    #[serde(deserialize_with = "page::filled")]
    supersedes: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaidRequest {
    /// In USD, above zero: digits, one point, at most six decimals.
    amount: String,
    note: String,
    /// The same key books once; so does the header `Idempotency-Key`. Without one, the same amount and note book once.
    #[serde(default)]
    key: Option<String>,
    /// `true`: book it although it is more than is open.
    #[serde(default)]
    confirm: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeBackRequest {
    /// The id of the payment.
    payment: i64,
    reason: String,
}

impl From<NotTaken> for ApiError {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::Before(..) => Self::Conflict(not_taken.to_string()),
            NotTaken::Store(error) => Self::Store(error),
            other => Self::Invalid(other.to_string()),
        }
    }
}

fn none(id: i64) -> ApiError {
    ApiError::NotFound(format!("there is no statement {id}"))
}

async fn known(call: &Call, id: i64) -> Result<Known, ApiError> {
    let api = &call.api;
    let known = statements::known(&api.store, &api.statements, id, api.clock.now()).await?;
    known.filter(|known| known.row.state != "receiving").ok_or_else(|| none(id))
}

#[utoipa::path(post, path = "/api/v1/statements", params(UploadQuery), tag = "statements",
    request_body(content = String, content_type = "text/csv"),
    responses((status = 202, body = Statement), (status = 200, body = Preview), (status = 409, body = ErrorBody)))]
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
        supersedes: query.supersedes.as_deref(),
        actor: &owner.actor,
        now: api.clock.now(),
    };
    let only_preview = query.preview.as_deref() == Some("true");
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

#[utoipa::path(get, path = "/api/v1/statements", params(ListQuery), tag = "statements",
    responses((status = 200, body = Page<Statement>)))]
/// The statements, newest first.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<Statement>, ApiError> {
    call.reader().await?;
    let query: ListQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let before = cursor(query.cursor.as_deref(), i64::MAX)?;
    let rows = call.api.store.statements(before, limit + 1).await?;
    Page::of(rows, limit, |row| row.id.to_string(), |row| Ok(shape(row)))
}

fn cursor(text: Option<&str>, first: i64) -> Result<i64, ApiError> {
    let Some(text) = text else { return Ok(first) };
    text.parse().map_err(|_| ApiError::invalid("`cursor` must be the `next` of a page"))
}

#[utoipa::path(get, path = "/api/v1/statements/{id}", tag = "statements",
    params(("id" = String, Path, description = "Its id; with `.xlsx` behind it a workbook")),
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody)))]
/// A statement, and what it comes to.
pub(crate) async fn one(call: Call, name: &str) -> Response {
    answered(call, name).await.unwrap_or_else(ApiError::into_response)
}

async fn answered(call: Call, name: &str) -> Result<Response, ApiError> {
    call.reader().await?;
    let (id, form) = name.split_once('.').map_or((name, None), |(id, form)| (id, Some(form)));
    let id = id.parse().map_err(|_| ApiError::NotFound("no such resource".into()))?;
    let known = known(&call, id).await?;
    match form {
        None => Ok(json(StatusCode::OK, &whole(known))),
        Some("xlsx") => {
            let sheets = workbook::sheets(&call.api.store, &known).await?;
            let bytes = crate::export::xlsx(&format!("Statement {id}"), &sheets)
                .map_err(|error| ApiError::Failed(format!("the workbook cannot be written: {error}")))?;
            Ok(download(&format!("statement-{name}"), XLSX, bytes.into_response()))
        }
        Some(_) => Err(ApiError::NotFound("a statement is there as JSON and .xlsx".into())),
    }
}

fn state_of(name: Option<&str>) -> Result<LineState, ApiError> {
    name.and_then(LineState::parse).ok_or_else(|| {
        let names: Vec<_> = LineState::ALL.into_iter().map(LineState::name).collect();
        ApiError::invalid(format!("`state` is one of: {}", names.join(", ")))
    })
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/lines", tag = "statements",
    params(("id" = i64, Path), ListQuery),
    responses((status = 200, body = Page<StatementLine>), (status = 404, body = ErrorBody)))]
/// The lines of one state, and the bookings that no line speaks of.
pub(crate) async fn lines(call: Call, id: i64, query: String) -> Result<Page<StatementLine>, ApiError> {
    call.reader().await?;
    let query: ListQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let (state, after) = (state_of(query.state.as_deref())?, cursor(query.cursor.as_deref(), 0)?);
    let known = known(&call, id).await?;
    let rows = call.api.store.statement_breaks(id, &known.pending_from, state, after, limit + 1).await?;
    Page::of(rows, limit, |row| row.place.to_string(), |row| Ok(shape_line(row)))
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/missing.csv", tag = "statements",
    params(("id" = i64, Path), ListQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = ErrorBody)))]
/// The list for the account manager: what the network counts and never sent. `missing.txt` is the same as text to be sent,
/// `lines.csv?state=` the lines of any state.
pub(crate) async fn file(call: Call, id: i64, name: &str, query: &str) -> Response {
    listed(call, id, name, query).await.unwrap_or_else(ApiError::into_response)
}

async fn listed(call: Call, id: i64, name: &str, query: &str) -> Result<Response, ApiError> {
    call.reader().await?;
    let query: ListQuery = page::parse(query)?;
    let known = known(&call, id).await?;
    lists::list_file(&call.api.store, &known, name, query.state.as_deref()).ok_or_else(|| {
        ApiError::NotFound("there is `missing.csv`, `missing.txt` and `lines.csv?state=`".into())
    })
}

fn words(name: &str, text: String) -> Result<String, ApiError> {
    if text.trim().is_empty() || text.len() > MAX_WORDS_LEN {
        return Err(ApiError::invalid(format!("`{name}` must have 1 to {MAX_WORDS_LEN} bytes")));
    }
    Ok(text)
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, ApiError> {
    page::body(body, "")
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/accept", tag = "statements",
    params(("id" = i64, Path)), request_body = AcceptRequest,
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Accepts one difference with a reason; by finance or admin.
pub(crate) async fn accept(call: Call, id: i64, body: Bytes) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let request: AcceptRequest = read(&body)?;
    let (api, subject) = (&call.api, request.subject);
    let word = Word { actor: owner.actor, reason: words("reason", request.reason)?, now: api.clock.now() };
    match api.store.accept_difference(id, subject.clone(), word).await? {
        Accepted::Done => Ok(whole(known(&call, id).await?)),
        Accepted::Before => Err(ApiError::Conflict(format!("`{subject}` was accepted before"))),
        Accepted::Missing => Err(ApiError::NotFound(format!("`{subject}` is no open difference"))),
    }
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/paid", tag = "statements",
    params(("id" = i64, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = PaidRequest,
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Books what the network paid for a statement, once for each key; more than is open needs `confirm`. By finance or
/// admin.
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
    let word = Word { actor: owner.actor, reason: words("note", request.note)?, now };
    let amount =
        payment::parse(&request.amount).map_err(|why| ApiError::invalid(format!("`amount`: {why}")))?;
    let key = key.or(request.key).map(|key| words("key", key)).transpose()?;
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
    params(("id" = i64, Path)),
    responses((status = 200, body = [StatementPayment]), (status = 404, body = ErrorBody)))]
/// Every payment for a statement and for what it supersedes, and what was taken back; the oldest first.
pub(crate) async fn payments(call: Call, id: i64) -> Result<Vec<StatementPayment>, ApiError> {
    call.reader().await?;
    known(&call, id).await?;
    let payments = call.api.store.statement_payments(id).await?;
    Ok(payments.into_iter().map(shape_payment).collect())
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/take-back", tag = "statements",
    params(("id" = i64, Path)), request_body = TakeBackRequest,
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Takes a payment back by the opposite transfer, once; by finance or admin.
pub(crate) async fn take_back(call: Call, id: i64, body: Bytes) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let request: TakeBackRequest = read(&body)?;
    let api = &call.api;
    let now = api.clock.now();
    let word = Word { actor: owner.actor, reason: words("reason", request.reason)?, now };
    let (payment, date) = (request.payment, now.business_date(api.timezone));
    let done = api.store.take_payment_back(id, payment, word, date).await?;
    statements::taken_back(id, payment, done).map_err(|why| match done {
        store::statements::TakenBack::Missing => ApiError::NotFound(why),
        _ => ApiError::Conflict(why),
    })?;
    Ok(whole(known(&call, id).await?))
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/import", tag = "statements",
    params(("id" = i64, Path), ImportQuery),
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Lets a file be read that waits, or that failed, with the settings as they are now; by finance or admin.
pub(crate) async fn import(call: Call, id: i64, query: String) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let query: ImportQuery = page::parse(&query)?;
    let api = &call.api;
    let row = api.store.statement(id).await?.ok_or_else(|| none(id))?;
    let import = statements::Import {
        from: query.from.as_deref(),
        to: query.to.as_deref(),
        supersedes: query.supersedes.as_deref(),
        actor: &owner.actor,
        now: api.clock.now(),
    };
    statements::import(&api.store, &api.statements, &row, import).await?.map_err(|not| match not {
        NotImported::Invalid(why) => ApiError::Invalid(why),
        NotImported::Conflict(why) => ApiError::Conflict(why),
    })?;
    Ok(whole(known(&call, id).await?))
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/discard", tag = "statements",
    params(("id" = i64, Path)),
    responses((status = 200, body = Statement), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Takes a statement back, whether it waits, failed or is matched: nothing of it counts, and what it superseded counts
/// again. By finance or admin.
pub(crate) async fn discard(call: Call, id: i64) -> Result<Statement, ApiError> {
    let owner = call.controller().await?;
    let api = &call.api;
    let row = api.store.statement(id).await?.ok_or_else(|| none(id))?;
    let done = api.store.discard_statement(id, owner.actor, api.clock.now()).await?;
    statements::discarded(id, &done).map_err(ApiError::Conflict)?;
    Ok(shape(store::statements::StatementRow { state: "discarded".into(), superseded_by: None, ..row }))
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/restore", tag = "statements",
    params(("id" = i64, Path)),
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Lets a superseded statement count again, beside the newer one; what both have counts once. By finance or admin.
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
