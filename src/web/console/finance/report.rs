//! `/reports/{date}`: the reconciliation of one business day.

use askama::Template;
use domain::report::amount::Amount;
use domain::report::day::BusinessDay;
use domain::report::sheets::Sheet;
use domain::report::{Report, State};
use store::reports::{ReportRow, SignOff, Signed};
use warp::Reply;

use crate::console::Console;
use crate::console::finance::tables::{HeatMap, Table};
use crate::console::shell::answer::{Answer, Answered, PageError, page as render};
use crate::console::shell::chart::{self, Bar};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, moment, usd};
use crate::export;
use crate::files::{CSV, XLSX, download};
use crate::statements::MAX_WORDS_LEN;

struct Section {
    title: &'static str,
    words: &'static str,
    table: Table,
    /// Shown only when asked for.
    folded: bool,
}

struct SignedView {
    by: String,
    at: Moment,
    note: String,
}

struct StatementLine {
    id: i64,
    source: String,
    file: String,
    open: String,
    open_count: i64,
    states: Vec<(&'static str, &'static str, String, String)>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    frame: Frame,
    date: String,
    facts: String,
    is_final: bool,
    faults: Vec<String>,
    made: Moment,
    hash: String,
    signed: Option<SignedView>,
    may_sign: bool,
    before: String,
    after: String,
    waterfall: String,
    figures: Table,
    cohorts: Vec<HeatMap>,
    sections: Vec<Section>,
    statements: Vec<StatementLine>,
    fault: String,
}

/// Sections below the figures: sheet, title, description, and whether it is folded.
const SECTIONS: [(&str, &str, &str, bool); 12] = [
    (
        "Receivable",
        "Network receivables",
        "Opening + approved − reversed − settled = closing, in US dollars.",
        false,
    ),
    (
        "Users hold",
        "User balances",
        "Opening + credited + released − reversed = closing, including negative balances.",
        false,
    ),
    (
        "Users owe",
        "Owed by users",
        "Negative balances: rewards that were reversed after the user spent them.",
        false,
    ),
    ("Holds", "Holds by age", "Age in business days since the hold.", false),
    (
        "Forecast",
        "Expected reversals",
        "Estimated from the reversals of earlier cohorts of each age. Exposure is the part that users can spend.",
        false,
    ),
    ("Top reversals", "Top reversals of 30 days", "By offer, country and sub1.", false),
    ("Prior periods", "Prior-period entries", "Booked on this day for conversions of an earlier day.", false),
    (
        "Late entries",
        "Late entries",
        "A closed day never changes. Entries that arrived after its close are counted on this day.",
        false,
    ),
    (
        "Postbacks",
        "Postback outcomes",
        "Acknowledged = credits + holds + reversals + repeats + conflicts + quarantined + information.",
        false,
    ),
    (
        "Loss windows",
        "Outages",
        "No postback could be acknowledged. If an outage is longer than the network's retry window, postbacks may be lost: ask the \
         network to send them again.",
        false,
    ),
    ("Negative balances", "Largest negative balances", "The users who owe most.", true),
    ("Accounts", "All accounts", "Opening + movement = closing. User accounts are combined.", true),
];

/// `GET /reports/{date}`
pub(crate) async fn page(console: &Console, viewer: &Viewer, name: &str) -> Answered {
    let (date, form) = name.split_once('.').map_or((name, None), |(date, form)| (date, Some(form)));
    let Some(row) = console.store.report(date).await? else {
        let words = "A report is created in the night after its day. To create one now, run `rewardgate report DATE`.";
        return Ok(refusal(viewer, 404, "Report not found", words));
    };
    match form {
        None => show(console, viewer, &row, "").await,
        Some(form) => file(viewer, &row, name, form),
    }
}

fn file(viewer: &Viewer, row: &ReportRow, name: &str, form: &str) -> Answered {
    let sheets = row.report()?.sheets();
    let name = format!("report-{name}");
    Ok(match form {
        "csv" => Answer::Download(download(&name, CSV, export::csv(&sheets).into_response())),
        "xlsx" => {
            let bytes = export::xlsx(&format!("Reconciliation {}", row.business_date), &sheets)
                .map_err(|error| PageError::File(error.to_string()))?;
            Answer::Download(download(&name, XLSX, bytes.into_response()))
        }
        _ => refusal(viewer, 404, "File not found", "A report can be downloaded as .csv and .xlsx."),
    })
}

async fn show(console: &Console, viewer: &Viewer, row: &ReportRow, fault: &str) -> Answered {
    let now = console.clock.now();
    let report = row.report()?;
    let sheets = report.sheets();
    let sheet = |name: &str| sheets.iter().find(|sheet| sheet.name == name);
    let sections = SECTIONS
        .into_iter()
        .filter_map(|(name, title, words, folded)| {
            let sheet: &Sheet = sheet(name).filter(|sheet| !sheet.rows.is_empty())?;
            Some(Section { title, words, table: Table::of(sheet), folded })
        })
        .collect();
    let neighbour = |day: Option<BusinessDay>| day.map_or_else(String::new, |day| day.date().to_string());
    let day = BusinessDay::parse(&report.date, console.timezone);
    let signed = row.signed_by.clone().zip(row.signed_at).map(|(by, at)| SignedView {
        by,
        at: moment(at, now),
        note: row.sign_note.clone().unwrap_or_default(),
    });
    let is_final = report.state == State::Final;
    let hours = if report.hours == 24 { String::new() } else { format!(" · {} hours", report.hours) };
    let policies: Vec<String> =
        report.inputs.policies.iter().map(|policy| policy.chars().take(12).collect()).collect();
    render(&ReportPage {
        frame: Frame::load(console, viewer, "/reports").await?,
        facts: format!(
            "{}{hours} · transfers to {} · policy {}",
            report.zone,
            report.inputs.transfers_upto,
            if policies.is_empty() { "–".to_owned() } else { policies.join(", ") }
        ),
        is_final,
        made: moment(row.made_at, now),
        hash: row.content_hash.clone(),
        may_sign: is_final && signed.is_none() && viewer.may_settle(),
        signed,
        before: neighbour(day.map(BusinessDay::previous)),
        after: neighbour(day.map(BusinessDay::next)),
        waterfall: waterfall(&report)?,
        figures: sheet("Figures")
            .map_or_else(|| Table { columns: Vec::new(), rows: Vec::new() }, Table::of_figures),
        cohorts: report.cohorts.iter().map(HeatMap::of).collect(),
        sections,
        statements: statements(console, &report.date).await?,
        fault: fault.to_owned(),
        faults: report.faults,
        date: report.date,
    })
}

/// Chart of the day: approved, reversed, net, settled, open.
fn waterfall(report: &Report) -> Result<String, PageError> {
    let settled = report.receivables.iter().map(|roll| roll.settled).sum::<Amount>().0;
    let bar = |name, is_balance, micros, series| Bar { name, is_balance, micros, series };
    let totals = &report.totals;
    let (approved, reversed, net) = (totals.approved.amount.0, totals.reversed.amount.0, totals.net.0);
    chart::waterfall(&[
        bar("Approved", false, approved, 2),
        bar("Reversed", false, -reversed, 1),
        bar("Net", true, net, 0),
        bar("Settled", false, -settled, 1),
        bar("Open", true, net.saturating_sub(settled), 0),
    ])
}

/// The statements that have the day in their period.
async fn statements(console: &Console, date: &str) -> Result<Vec<StatementLine>, PageError> {
    let now = console.clock.now();
    let mut lines = Vec::new();
    for row in console.store.statements_of_day(date).await? {
        let known = crate::statements::known(&console.store, &console.statements, row.id, now).await?;
        let Some(known) = known else { continue };
        let states = known.totals.states.iter().map(|of| {
            let difference = of.theirs - of.ours;
            (
                of.state.name(),
                of.state.title(),
                crate::console::shell::show::number(of.count),
                usd(difference.0),
            )
        });
        lines.push(StatementLine {
            id: row.id,
            source: row.source,
            file: row.file_name,
            open: usd(known.totals.open.0),
            open_count: known.totals.open_count,
            states: states.collect(),
        });
    }
    Ok(lines)
}

/// `POST /reports/{date}/sign-off`
pub(crate) async fn sign_off(console: &Console, viewer: &Viewer, request: &Request, date: &str) -> Answered {
    if !viewer.may_settle() {
        return Ok(refusal(
            viewer,
            403,
            "Finance role required",
            "Nothing was changed: signing off requires the role finance or admin.",
        ));
    }
    let note = request.field("note").unwrap_or_default();
    let said = if note.is_empty() || note.len() > MAX_WORDS_LEN {
        "Not signed off: a note is required, at most 4,096 bytes.".to_owned()
    } else {
        let sign_off = SignOff { actor: viewer.actor(), note: note.to_owned(), now: console.clock.now() };
        match console.store.sign_off(date, sign_off).await? {
            Signed::Done => return Ok(Answer::To(format!("/reports/{date}"))),
            Signed::Before(by) => format!("Nothing was changed: {by} has already signed off this day."),
            Signed::NotClosed => {
                "Not signed off: the day is not closed yet, and its report may still change.".into()
            }
            Signed::Missing => "There is no report for this day.".into(),
        }
    };
    match console.store.report(date).await? {
        Some(row) => show(console, viewer, &row, &said).await,
        None => Ok(refusal(viewer, 404, "Report not found", &said)),
    }
}
