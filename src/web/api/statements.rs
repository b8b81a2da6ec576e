//! `POST statements?source=` (CSV), and what became of them: lines by state, accepted, paid, lists to send.

use bytes::{Buf, Bytes};
use domain::money::{Micros, Positive};
use domain::report::amount::Amount;
use domain::statement::LineState;
use domain::statement::format::Format;
use domain::statement::pieces::Piece;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use store::statements::{Accepted, BreakRow, StatementRow, Then, Word};
use utoipa::{IntoParams, ToSchema};
use warp::Reply;
use warp::http::StatusCode;
use warp::reply::Response;

use super::error::{ApiError, ErrorBody};
use super::page::{self, Page};
use super::shape::time;
use super::{Call, json};
use crate::files::{CSV, TEXT, XLSX, download};
use crate::statements::{self, Known, NotTaken, Upload, lists, workbook};

/// The longest reason or note, in bytes.
const MAX_WORDS_LEN: usize = 4_096;

/// A statement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statement {
    id: i64,
    source: String,
    file: String,
    /// SHA-256 of the file.
    hash: Option<String>,
    /// received, importing, matching or matched
    state: String,
    version: i64,
    superseded_by: Option<i64>,
    from: Option<String>,
    to: Option<String>,
    received_by: String,
    received_at: String,
}

/// A statement, and what it comes to. Amounts are in USD.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeStatement {
    #[serde(flatten)]
    statement: Statement,
    lines: i64,
    faulty: i64,
    theirs: String,
    ours: String,
    /// Theirs less ours: the sum of the five below.
    difference: String,
    in_tolerance: String,
    accepted: String,
    counted_elsewhere: String,
    pending: String,
    open: String,
    open_count: i64,
    paid: String,
    /// What the file says of itself and its lines do not come to.
    gaps: Vec<String>,
    states: Vec<OfState>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OfState {
    state: &'static str,
    count: i64,
    accepted: i64,
    theirs: String,
    ours: String,
}

/// One line, or one booking that no line speaks of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatementLine {
    subject: String,
    state: String,
    /// The rule that decided: id, facts, day or period.
    rule: String,
    kind: String,
    tx_id: Option<String>,
    user_id: Option<String>,
    offer_id: Option<String>,
    amount: String,
    currency: String,
    time: Option<String>,
    day: Option<String>,
    reward_id: Option<i64>,
    theirs: String,
    ours: String,
    difference: String,
    closed_at: Option<String>,
    counted_in: Option<i64>,
    accepted_by: Option<String>,
    accepted_reason: Option<String>,
}

/// What would be read of a file, from its beginning.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    lines: Vec<PreviewLine>,
    faults: Vec<PreviewFault>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewLine {
    line: i64,
    kind: &'static str,
    tx_id: Option<String>,
    user_id: Option<String>,
    offer_id: Option<String>,
    event_id: Option<String>,
    amount: String,
    currency: String,
    day: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewFault {
    line: i64,
    reason: String,
}

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
    /// Its first business date; from its lines unless told.
    #[serde(deserialize_with = "page::filled")]
    from: Option<String>,
    /// Its last business date.
    #[serde(deserialize_with = "page::filled")]
    to: Option<String>,
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaidRequest {
    /// In USD, above zero.
    amount: String,
    note: String,
}

fn shape(row: StatementRow) -> Statement {
    Statement {
        id: row.id,
        source: row.source,
        file: row.file_name,
        hash: row.file_hash,
        state: row.state,
        version: row.version,
        superseded_by: row.superseded_by,
        from: row.period_from,
        to: row.period_to,
        received_by: row.actor,
        received_at: time(row.received_at),
    }
}

impl From<NotTaken> for ApiError {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::Before(_) => Self::Conflict(not_taken.to_string()),
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
        actor: &owner.name,
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
    let piece = call
        .api
        .store
        .statement_piece(id, 0)
        .await?
        .unwrap_or(Piece { first_line: 1, content: String::new() });
    let format: Format =
        serde_json::from_str(&row.format).map_err(|error| ApiError::Failed(error.to_string()))?;
    let reader = format.reader_of(&piece.content).map_err(ApiError::Invalid)?;
    let read = format.read(&reader, &piece);
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
    Ok(Preview {
        lines: read.lines.into_iter().take(PREVIEW_LINES).map(line).collect(),
        faults: read.faults.into_iter().take(PREVIEW_LINES).map(fault).collect(),
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

fn whole(known: Known) -> WholeStatement {
    let totals = known.totals;
    let gap = |gap: &domain::statement::controls::Gap| {
        format!("{}: the file says {}, its lines come to {}", gap.what, gap.stated, gap.found)
    };
    WholeStatement {
        lines: known.lines,
        faulty: known.faulty,
        theirs: totals.theirs.to_string(),
        ours: totals.ours.to_string(),
        difference: totals.difference.to_string(),
        in_tolerance: totals.in_tolerance.to_string(),
        accepted: totals.accepted.to_string(),
        counted_elsewhere: totals.elsewhere.to_string(),
        pending: totals.pending.to_string(),
        open: totals.open.to_string(),
        open_count: totals.open_count,
        paid: Micros(known.paid_micros).to_string(),
        gaps: known.gaps.iter().map(gap).collect(),
        states: totals
            .states
            .iter()
            .map(|of| OfState {
                state: of.state.name(),
                count: of.count,
                accepted: of.accepted_count,
                theirs: of.theirs.to_string(),
                ours: of.ours.to_string(),
            })
            .collect(),
        statement: shape(known.row),
    }
}

fn state_of(name: Option<&str>) -> Result<LineState, ApiError> {
    name.and_then(LineState::parse).ok_or_else(|| {
        let names: Vec<_> = LineState::ALL.into_iter().map(LineState::name).collect();
        ApiError::invalid(format!("`state` is one of: {}", names.join(", ")))
    })
}

fn shape_line(row: BreakRow) -> StatementLine {
    let (theirs, ours) = (Amount(row.theirs_micros), Amount(row.ours_micros));
    StatementLine {
        subject: row.subject,
        state: row.state,
        rule: row.rule,
        kind: row.kind,
        tx_id: row.tx_id,
        user_id: row.user_id,
        offer_id: row.offer_id,
        amount: Amount(row.amount_micros).to_string(),
        currency: row.currency,
        time: row.happened_at.map(time),
        day: row.day,
        reward_id: row.reward_id,
        theirs: theirs.to_string(),
        ours: ours.to_string(),
        difference: (theirs - ours).to_string(),
        closed_at: row.closed_at.map(time),
        counted_in: row.counted_in,
        accepted_by: row.accepted_by,
        accepted_reason: row.accepted_reason,
    }
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

#[utoipa::path(get, path = "/api/v1/statements/{id}/{list}", tag = "statements",
    params(("id" = i64, Path), ("list" = String, Path,
        description = "`missing.csv` or `missing.txt`: the list for the account manager; `lines.csv?state=`"), ListQuery),
    responses((status = 200, body = String), (status = 404, body = ErrorBody)))]
/// A list of lines as a file.
pub(crate) async fn file(call: Call, id: i64, name: &str, query: &str) -> Response {
    listed(call, id, name, query).await.unwrap_or_else(ApiError::into_response)
}

async fn listed(call: Call, id: i64, name: &str, query: &str) -> Result<Response, ApiError> {
    call.reader().await?;
    let query: ListQuery = page::parse(query)?;
    let known = known(&call, id).await?;
    list_file(&call.api.store, &known, name, query.state.as_deref()).ok_or_else(|| {
        ApiError::NotFound("there is `missing.csv`, `missing.txt` and `lines.csv?state=`".into())
    })
}

/// A list of a statement as a file; `None` if there is none of that name.
pub(crate) fn list_file(
    store: &store::Store,
    known: &Known,
    name: &str,
    state: Option<&str>,
) -> Option<Response> {
    let missing = LineState::MissingHere;
    let head = lists::missing_text_head(&known.row.file_name);
    let (state, head, write, kind): (_, _, fn(&BreakRow) -> String, _) = match name {
        "missing.csv" => (missing, lists::MISSING_HEAD.to_owned(), lists::missing_csv_line, CSV),
        "missing.txt" => (missing, head, lists::missing_text_line, TEXT),
        "lines.csv" => (LineState::parse(state?)?, lists::LINES_HEAD.to_owned(), lists::line, CSV),
        _ => return None,
    };
    let list = lists::listed(store.clone(), known.row.id, known.pending_from.clone(), state, head, write);
    Some(download(
        &format!("statement-{}-{name}", known.row.id),
        kind,
        warp::reply::stream(list).into_response(),
    ))
}

fn words(name: &str, text: String) -> Result<String, ApiError> {
    if text.trim().is_empty() || text.len() > MAX_WORDS_LEN {
        return Err(ApiError::invalid(format!("`{name}` must have 1 to {MAX_WORDS_LEN} bytes")));
    }
    Ok(text)
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::invalid(error.to_string()))
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/accept", tag = "statements",
    params(("id" = i64, Path)), request_body = AcceptRequest,
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Accepts one difference with a reason; by finance or admin.
pub(crate) async fn accept(call: Call, id: i64, body: Bytes) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let request: AcceptRequest = read(&body)?;
    let (api, subject) = (&call.api, request.subject);
    let word = Word { actor: owner.name, reason: words("reason", request.reason)?, now: api.clock.now() };
    match api.store.accept_difference(id, subject.clone(), word).await? {
        Accepted::Done => Ok(whole(known(&call, id).await?)),
        Accepted::Before => Err(ApiError::Conflict(format!("`{subject}` was accepted before"))),
        Accepted::Missing => Err(ApiError::NotFound(format!("`{subject}` is no open difference"))),
    }
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/paid", tag = "statements",
    params(("id" = i64, Path)), request_body = PaidRequest,
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody)))]
/// Books what the network paid for a statement; by finance or admin.
pub(crate) async fn paid(call: Call, id: i64, body: Bytes) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let request: PaidRequest = read(&body)?;
    let api = &call.api;
    let now = api.clock.now();
    let word = Word { actor: owner.name, reason: words("note", request.note)?, now };
    let amount = paid_amount(&request.amount)
        .ok_or_else(|| ApiError::invalid("`amount` must be above zero, with six decimals at most"))?;
    if !api.store.pay_statement(id, amount, word, now.business_date(api.timezone)).await? {
        return Err(none(id));
    }
    Ok(whole(known(&call, id).await?))
}

#[utoipa::path(post, path = "/api/v1/statements/{id}/import", tag = "statements",
    params(("id" = i64, Path)),
    responses((status = 200, body = WholeStatement), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Lets a file be read that was only previewed; by finance or admin.
pub(crate) async fn import(call: Call, id: i64) -> Result<WholeStatement, ApiError> {
    let owner = call.controller().await?;
    let api = &call.api;
    let row = api.store.statement(id).await?.ok_or_else(|| none(id))?;
    if !api.store.confirm_statement(id, row.format, owner.name, api.clock.now()).await? {
        return Err(ApiError::Conflict("it was said before that it is to be read".into()));
    }
    Ok(whole(known(&call, id).await?))
}

/// An amount that can have been paid.
pub(crate) fn paid_amount(text: &str) -> Option<Positive> {
    Micros::parse(text).ok().filter(|parsed| !parsed.rounded).and_then(|parsed| Positive::new(parsed.amount))
}
