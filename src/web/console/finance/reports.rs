//! `/reports`: every business day, the newest first, and the networks' own statements.

use askama::Template;
use domain::report::figures::TotalFigures;
use domain::statement::life::State;
use serde::Deserialize;
use store::reports::ReportRow;
use store::statements::StatementRow;

use crate::console::Console;
use crate::console::shell::answer::{Answered, page as render};
use crate::console::shell::chart;
use crate::console::shell::frame::Frame;
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, counted, moment, percent, usd};

/// Days in the chart and on one page of the list.
const PAGE: i64 = 90;
/// Statements in the list.
const STATEMENTS: i64 = 20;
/// Later than every business day.
const NO_CURSOR: &str = "9999-12-31";

/// The headline of a report; the rest of it is not read.
#[derive(Debug, Deserialize)]
pub(crate) struct Headline {
    pub(crate) date: String,
    pub(crate) ties_out: bool,
    pub(crate) totals: TotalFigures,
}

impl Headline {
    /// Of a report as it is kept; `None` of one that a newer version wrote in another way.
    pub(crate) fn of(row: &ReportRow) -> Option<Self> {
        serde_json::from_str(&row.content).ok()
    }

    /// Its values for the chart.
    pub(crate) fn day(&self) -> chart::Day {
        chart::Day {
            date: self.date.clone(),
            approved_micros: self.totals.approved.amount.0,
            reversed_micros: self.totals.reversed.amount.0,
        }
    }
}

struct DayRow {
    date: String,
    state: String,
    signed: String,
    ties_out: bool,
    approved: String,
    approved_count: String,
    reversed: String,
    reversed_count: String,
    net: String,
    share: String,
}

impl DayRow {
    fn of(row: &ReportRow) -> Option<Self> {
        let report = Headline::of(row)?;
        let totals = &report.totals;
        Some(Self {
            state: row.state.clone(),
            signed: row.signed_by.clone().unwrap_or_default(),
            ties_out: report.ties_out,
            approved: usd(totals.approved.amount.0),
            approved_count: counted(totals.approved.count, "reward"),
            reversed: usd(totals.reversed.amount.0),
            reversed_count: counted(totals.reversed.count, "reward"),
            net: usd(totals.net.0),
            share: percent(totals.reversed.amount.0, totals.approved.amount.0),
            date: report.date,
        })
    }
}

pub(crate) struct StatementView {
    pub(crate) id: i64,
    pub(crate) source: String,
    pub(crate) file: String,
    pub(crate) period: String,
    pub(crate) version: i64,
    pub(crate) state: &'static str,
    pub(crate) superseded: bool,
    pub(crate) actor: String,
    pub(crate) received: Moment,
}

impl StatementView {
    pub(crate) fn of(row: StatementRow, now: domain::time::TimestampMs) -> Self {
        Self {
            id: row.id,
            period: period(&row),
            state: state_words(row.stands().unwrap_or(State::Receiving)),
            superseded: row.superseded_by.is_some(),
            received: moment(row.received_at, now),
            source: row.source,
            file: row.file_name,
            version: row.version,
            actor: row.actor,
        }
    }
}

/// The days of a statement, in words.
pub(crate) fn period(row: &StatementRow) -> String {
    match (&row.period_from, &row.period_to) {
        (Some(from), Some(to)) if from == to => from.clone(),
        (Some(from), Some(to)) => format!("{from} to {to}"),
        _ => "period not known yet".into(),
    }
}

/// The state of a statement, as text.
pub(crate) fn state_words(state: State) -> &'static str {
    match state {
        State::Receiving => "uploading",
        State::Received => "awaiting import",
        State::Importing => "importing",
        State::Matching => "matching",
        State::Matched => "matched",
        State::Superseded => "superseded",
        State::Failed => "failed",
        State::Discarded => "discarded",
    }
}

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage {
    frame: Frame,
    chart: String,
    chart_days: usize,
    days: Vec<DayRow>,
    next: String,
    statements: Vec<StatementView>,
    sources: Vec<String>,
    may_settle: bool,
    fault: String,
}

/// `GET /reports`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    show(console, viewer, request.query("before"), "").await
}

/// The page, with what went wrong on it.
pub(crate) async fn show(console: &Console, viewer: &Viewer, before: Option<&str>, fault: &str) -> Answered {
    let now = console.clock.now();
    let (rows, statements) = tokio::try_join!(
        console.store.reports(before.unwrap_or(NO_CURSOR), PAGE + 1),
        console.store.statements(i64::MAX, STATEMENTS),
    )?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let next = rows.get(page - 1).filter(|_| rows.len() > page);
    let next = next.map_or_else(String::new, |row| format!("/reports?before={}", row.business_date));
    let shown: Vec<&ReportRow> = rows.iter().take(page).collect();
    let days: Vec<chart::Day> =
        shown.iter().rev().filter_map(|row| Headline::of(row)).map(|report| report.day()).collect();
    render(&ReportsPage {
        frame: Frame::load(console, viewer, "/reports").await?,
        chart: if days.is_empty() { String::new() } else { chart::days(&days)? },
        chart_days: days.len(),
        days: shown.into_iter().filter_map(DayRow::of).collect(),
        next,
        statements: statements.into_iter().map(|row| StatementView::of(row, now)).collect(),
        sources: console.statements.keys().cloned().collect(),
        may_settle: viewer.may_settle(),
        fault: fault.to_owned(),
    })
}
