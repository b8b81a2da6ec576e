//! `GET reports`, `GET reports/{date}` (also `.csv`, `.xlsx`), `POST reports/{date}/sign-off`.

use std::sync::Arc;

use bytes::Bytes;
use domain::report::Report;
use domain::report::sheets::Sheet;
use serde::{Deserialize, Serialize};
use store::reports::{ReportRow, SignOff, Signed};
use utoipa::{IntoParams, ToSchema};
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Filter, Reply};

use super::error::ApiError;
use super::page::{self, Page};
use super::request::{Call, get, json_body, post, query};
use super::shape::time;
use super::terms::{Day, DayCursor, Decimal, Limit, ReportState, SheetName, Time, Words};
use super::{Api, answer, json};
use crate::export;
use crate::files::{CSV, XLSX, download};
use crate::statements::MAX_WORDS_LEN;

/// Later than every business day.
const NO_CURSOR: &str = "9999-12-31";

pub(super) fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let list =
        warp::path!("reports").and(get(api)).and(query()).then(|call, query| answer(list(call, query)));
    let one = warp::path!("reports" / String).and(get(api)).and(query()).then(
        |name: String, call, query: String| async move {
            in_its_form(call, &name, &query).await.unwrap_or_else(ApiError::into_response)
        },
    );
    let sign_off = warp::path!("reports" / String / "sign-off")
        .and(post(api))
        .and(json_body())
        .then(|date, call, body| answer(sign_off(call, date, body)));
    list.or(one).unify().or(sign_off).unify().boxed()
}

/// Key figures of a report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportSummary {
    #[schema(value_type = Day)]
    date: String,
    #[schema(value_type = ReportState)]
    state: String,
    ties_out: bool,
    /// In USD.
    #[schema(value_type = Decimal)]
    approved: String,
    #[schema(value_type = Decimal)]
    reversed: String,
    #[schema(value_type = Decimal)]
    net: String,
    #[schema(value_type = Time)]
    made_at: String,
    signed_off: Option<SignedOff>,
}

/// The sign-off of a report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedOff {
    by: String,
    #[schema(value_type = Time)]
    at: String,
    note: String,
}

/// A report with its hash and sign-off.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeptReport {
    #[schema(value_type = Time)]
    made_at: String,
    /// SHA-256 of the stored report.
    hash: String,
    signed_off: Option<SignedOff>,
    /// Amounts are decimal strings; in a cohort, null is a cell that is still open.
    #[schema(value_type = Object)]
    report: Report,
}

/// A page of the list of reports.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportQuery {
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<DayCursor>)]
    cursor: Option<String>,
    /// Default: 200.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<Limit>)]
    limit: Option<String>,
}

/// The table of a report in a CSV file.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// Only this table, with its columns. Default: all tables, one cell per line.
    #[serde(deserialize_with = "page::filled")]
    #[param(value_type = Option<SheetName>)]
    sheet: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignOffRequest {
    #[schema(value_type = Words)]
    note: String,
}

#[utoipa::path(get, path = "/api/v1/reports", params(ReportQuery), tag = "reports",
    responses((status = 200, body = Page<ReportSummary>)))]
/// The reports, newest first.
pub(crate) async fn list(call: Call, query: String) -> Result<Page<ReportSummary>, ApiError> {
    call.reader().await?;
    let query: ReportQuery = page::parse(&query)?;
    let limit = page::limit(query.limit.as_deref())?;
    let cursor = page::day(&call.api, query.cursor.as_deref(), NO_CURSOR)?;
    let rows = call.api.store.reports(cursor, limit + 1).await?;
    Page::of(rows, limit, |row| row.business_date.clone(), summary)
}

fn summary(row: ReportRow) -> Result<ReportSummary, ApiError> {
    let report = row.report()?;
    Ok(ReportSummary {
        ties_out: report.ties_out,
        approved: report.totals.approved.amount.to_string(),
        reversed: report.totals.reversed.amount.to_string(),
        net: report.totals.net.to_string(),
        made_at: time(row.made_at),
        signed_off: signed_off(&row),
        state: row.state,
        date: row.business_date,
    })
}

fn signed_off(row: &ReportRow) -> Option<SignedOff> {
    Some(SignedOff { by: row.signed_by.clone()?, at: time(row.signed_at?), note: row.sign_note.clone()? })
}

/// A report, in one of three forms by the end of `name`: `2026-11-24`, `2026-11-24.csv`,
/// `2026-11-24.xlsx`.
async fn in_its_form(call: Call, name: &str, query: &str) -> Result<Response, ApiError> {
    call.reader().await?;
    let query: FileQuery = page::parse(query)?;
    if let Some(name) = query.sheet.as_deref().filter(|name| !Sheet::NAMES.contains(name)) {
        return Err(ApiError::invalid(format!(
            "`sheet`: `{name}` must be one of: {}",
            Sheet::NAMES.join(", ")
        )));
    }
    let name = page::segment("date", name)?;
    let (date, form) = name.split_once('.').map_or((&*name, None), |(date, form)| (date, Some(form)));
    let row = call.api.store.report(date).await?;
    let row = row.ok_or_else(|| ApiError::NotFound(format!("there is no report for `{date}`")))?;
    let report = row.report()?;
    match form {
        None => Ok(json(StatusCode::OK, &one(row, report))),
        Some("csv") => csv(date, &report, query.sheet.as_deref()),
        Some("xlsx") => xlsx(date, &report),
        Some(_) => Err(ApiError::NotFound("a report is available as JSON, .csv and .xlsx".into())),
    }
}

#[utoipa::path(get, path = "/api/v1/reports/{date}", tag = "reports",
    params(("date" = Day, Path)), responses((status = 200, body = KeptReport)))]
/// The reconciliation of one business day.
fn one(row: ReportRow, report: Report) -> KeptReport {
    KeptReport { made_at: time(row.made_at), signed_off: signed_off(&row), hash: row.content_hash, report }
}

#[utoipa::path(get, path = "/api/v1/reports/{date}.csv", tag = "reports", params(("date" = Day, Path), FileQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
/// The report as CSV: all tables with one cell per line, or one table with its columns.
fn csv(date: &str, report: &Report, only: Option<&str>) -> Result<Response, ApiError> {
    let sheets = report.sheets();
    let csv = match only {
        None => export::csv(&sheets),
        Some(name) => export::csv_of(sheet(&sheets, name)?),
    };
    Ok(download(&format!("report-{date}.csv"), CSV, csv.into_response()))
}

#[utoipa::path(get, path = "/api/v1/reports/{date}.xlsx", tag = "reports", params(("date" = Day, Path)),
    responses((status = 200, body = Vec<u8>,
               content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))]
/// The report as a workbook.
fn xlsx(date: &str, report: &Report) -> Result<Response, ApiError> {
    let xlsx = export::xlsx(&format!("Reconciliation {date}"), &report.sheets())
        .map_err(|error| ApiError::Failed(format!("the workbook cannot be written: {error}")))?;
    Ok(download(&format!("report-{date}.xlsx"), XLSX, xlsx.into_response()))
}

fn sheet<'s>(sheets: &'s [Sheet], name: &str) -> Result<&'s Sheet, ApiError> {
    sheets.iter().find(|sheet| sheet.name == name).ok_or_else(|| {
        let names: Vec<_> = sheets.iter().map(|sheet| sheet.name).collect();
        ApiError::invalid(format!("`sheet` must be one of: {}", names.join(", ")))
    })
}

#[utoipa::path(post, path = "/api/v1/reports/{date}/sign-off", tag = "reports",
    params(("date" = Day, Path)), request_body = SignOffRequest,
    responses((status = 200, body = ReportSummary), (status = 409)))]
/// Signs off the closed report of a business day, once. Requires the role finance or admin.
pub(crate) async fn sign_off(call: Call, date: String, body: Bytes) -> Result<ReportSummary, ApiError> {
    let owner = call.controller().await?;
    let date = page::segment("date", &date)?;
    let request: SignOffRequest = page::body(&body, "")?;
    let sign_off = SignOff {
        actor: owner.actor,
        note: page::words("note", request.note, MAX_WORDS_LEN)?,
        now: call.api.clock.now(),
    };
    match call.api.store.sign_off(&date, sign_off).await? {
        Signed::Done => {}
        Signed::Before(by) => {
            return Err(ApiError::Conflict(format!("`{by}` has already signed off this report")));
        }
        Signed::NotClosed => {
            return Err(ApiError::Conflict(
                "this business day is not closed: sign off when its report is final".into(),
            ));
        }
        Signed::Missing => return Err(ApiError::NotFound(format!("there is no report for `{date}`"))),
    }
    let row = call.api.store.report(&date).await?;
    summary(row.ok_or_else(|| ApiError::NotFound(format!("there is no report for `{date}`")))?)
}
