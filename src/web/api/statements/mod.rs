//! `POST statements?source=` (CSV), and what became of them: lines by state, accepted, paid, lists to send.

mod shape;

use std::str::FromStr;

use bytes::{Buf, Bytes};
use domain::statement::LineState;
use domain::statement::format::Format;
use domain::statement::payment;
use futures_util::Stream;
use serde::Deserialize;
use store::statements::{Accepted, Payment, Resolution, Then};
use utoipa::{IntoParams, ToSchema};
use warp::Reply;
use warp::http::StatusCode;
use warp::reply::Response;

use super::error::ApiError;
use super::page::{self, MAX_KEY_LEN, Page};
use super::terms::{
    Day, File, HeaderKey, Id, Key, Limit, LineStateName, NumberCursor, Paid, Subject, Superseded, Text, Words,
};
use super::{Call, json};
use crate::files::{XLSX, download};
use crate::statements::{
    self, First, MAX_WORDS_LEN, NotImported, NotTaken, StatementSummary, Upload, lists, workbook,
};
use shape::{
    Outlier, Preview, PreviewFault, PreviewLine, Statement, StatementLine, StatementPayment, WholeStatement,
    shape, shape_line, shape_payment, whole,
};

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

/// Which statements.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<NumberCursor>)]
    cursor: Option<String>,
    /// 200 unless told.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

/// Which lines of one.
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
    /// 200 unless told.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

/// Which lines of one, all at once.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = LineStateName, required = true)]
    state: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptRequest {
    /// `subject` of a line.
    #[schema(value_type = Subject)]
    subject: String,
    #[schema(value_type = Words)]
    reason: String,
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaidRequest {
    #[schema(value_type = Paid)]
    amount: String,
    #[schema(value_type = Words)]
    note: String,
    /// The same key books once; so does the header `Idempotency-Key`. Without one, the same amount and note book once.
    #[serde(default)]
    #[schema(value_type = Option<Key>)]
    key: Option<String>,
    /// `true`: book it although it is more than is open.
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

fn none(id: i64) -> ApiError {
    ApiError::NotFound(format!("there is no statement {id}"))
}

async fn known(call: &Call, id: i64) -> Result<StatementSummary, ApiError> {
    let api = &call.api;
    let known = statements::known(&api.store, &api.statements, id, api.clock.now()).await?;
    known.filter(|known| known.row.state != "receiving").ok_or_else(|| none(id))
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

#[utoipa::path(get, path = "/api/v1/statements/{id}", tag = "statements",
    params(("id" = Id, Path)),
    responses((status = 200, body = WholeStatement)))]
/// A statement, and what it comes to.
pub(crate) async fn one(call: Call, name: &str) -> Response {
    answered(call, name).await.unwrap_or_else(ApiError::into_response)
}

#[utoipa::path(get, path = "/api/v1/statements/{id}.xlsx", tag = "statements", params(("id" = Id, Path)),
    responses((status = 200, body = Vec<u8>,
               content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))]
/// The same as a workbook, with a sheet for each state of its lines.
#[expect(dead_code, reason = "describes `one` in the OpenAPI document, which has a path for each form")]
fn xlsx() {}

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
    params(("id" = Id, Path), LineQuery),
    responses((status = 200, body = Page<StatementLine>)))]
/// The lines of one state, and the bookings that no line speaks of.
pub(crate) async fn lines(call: Call, id: i64, query: String) -> Result<Page<StatementLine>, ApiError> {
    call.reader().await?;
    let query: LineQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let (state, after) = (state_of(query.state.as_deref())?, page::number(query.cursor.as_deref(), 0)?);
    let known = known(&call, id).await?;
    let rows = call.api.store.statement_breaks(id, &known.pending_from, state, after, limit + 1).await?;
    Page::of(rows, limit, |row| row.place.to_string(), |row| Ok(shape_line(row)))
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/missing.csv", tag = "statements", params(("id" = Id, Path)),
    responses((status = 200, body = String, content_type = "text/csv")))]
/// The list for the account manager: what the network counts and never sent.
pub(crate) async fn file(call: Call, id: i64, file: ListFile, query: &str) -> Response {
    listed(call, id, file, query).await.unwrap_or_else(ApiError::into_response)
}

#[utoipa::path(get, path = "/api/v1/statements/{id}/missing.txt", tag = "statements", params(("id" = Id, Path)),
    responses((status = 200, body = String, content_type = "text/plain")))]
/// The same as text to be sent.
#[expect(dead_code, reason = "describes `file` in the OpenAPI document, which has a path for each list")]
fn missing_text() {}

#[utoipa::path(get, path = "/api/v1/statements/{id}/lines.csv", tag = "statements",
    params(("id" = Id, Path), FileQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
/// The lines of one state as a file.
#[expect(dead_code, reason = "describes `file` in the OpenAPI document, which has a path for each list")]
fn lines_file() {}

/// A list as a file, as the last part of the path; nothing else is a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ListFile {
    Missing,
    MissingText,
    Lines,
}

impl FromStr for ListFile {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "missing.csv" => Self::Missing,
            "missing.txt" => Self::MissingText,
            "lines.csv" => Self::Lines,
            _ => return Err(()),
        })
    }
}

async fn listed(call: Call, id: i64, file: ListFile, query: &str) -> Result<Response, ApiError> {
    call.reader().await?;
    let query: FileQuery = page::parse(query)?;
    let (name, state) = match file {
        ListFile::Missing => ("missing.csv", None),
        ListFile::MissingText => ("missing.txt", None),
        ListFile::Lines => ("lines.csv", Some(state_of(query.state.as_deref())?.name())),
    };
    let known = known(&call, id).await?;
    lists::list_file(&call.api.store, &known, name, state).ok_or_else(|| none(id))
}

fn words(name: &str, text: String) -> Result<String, ApiError> {
    page::words(name, text, MAX_WORDS_LEN)
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, ApiError> {
    page::body(body, "")
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/accept", tag = "statements",
    params(("id" = Id, Path)), request_body = AcceptRequest,
    responses((status = 200, body = WholeStatement), (status = 409)))]
/// Accepts one difference with a reason; by finance or admin.
pub(crate) async fn accept(call: Call, id: i64, body: Bytes) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let request: AcceptRequest = read(&body)?;
    let (api, subject) = (&call.api, page::words("subject", request.subject, MAX_KEY_LEN)?);
    let word =
        Resolution { actor: owner.actor, reason: words("reason", request.reason)?, now: api.clock.now() };
    match api.store.accept_difference(id, subject.clone(), word).await? {
        Accepted::Done => Ok(whole(known(&call, id).await?)),
        Accepted::Before => Err(ApiError::Conflict(format!("`{subject}` was accepted before"))),
        Accepted::Missing => Err(ApiError::NotFound(format!("`{subject}` is no open difference"))),
    }
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/paid", tag = "statements",
    params(("id" = Id, Path), ("Idempotency-Key" = Option<HeaderKey>, Header)), request_body = PaidRequest,
    responses((status = 200, body = WholeStatement), (status = 409)))]
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
    let word = Resolution { actor: owner.actor, reason: words("note", request.note)?, now };
    if request.amount.trim() != request.amount {
        return Err(ApiError::invalid("`amount` has blanks around it: leave them out"));
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
/// Every payment for a statement and for what it supersedes, and what was taken back; the oldest first.
pub(crate) async fn payments(call: Call, id: i64) -> Result<Vec<StatementPayment>, ApiError> {
    call.reader().await?;
    known(&call, id).await?;
    let payments = call.api.store.statement_payments(id).await?;
    Ok(payments.into_iter().map(shape_payment).collect())
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/take-back", tag = "statements",
    params(("id" = Id, Path)), request_body = TakeBackRequest,
    responses((status = 200, body = WholeStatement), (status = 409)))]
/// Takes a payment back by the opposite transfer, once; by finance or admin.
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

#[utoipa::path(post, path = "/api/v1/statements/{id}/discard", tag = "statements",
    params(("id" = Id, Path)),
    responses((status = 200, body = Statement), (status = 409)))]
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
    params(("id" = Id, Path)),
    responses((status = 200, body = WholeStatement), (status = 409)))]
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
