//! `/reports/statements/{id}`: a network's own statement: what would be read of it, how far it is, what it comes to,
//! and every line.
//!
//! | module | what stands there |
//! |---|---|
//! | this one | the page, and its files |
//! | `waiting` | the preview, and how far reading is |
//! | `outcome` | what it comes to |
//! | `acts` | what people say of it |

mod acts;
mod outcome;
mod waiting;

use askama::Template;
use domain::statement::life::{Act, State};
use warp::Reply;

use crate::console::Console;
use crate::console::finance::reports::StatementView;
use crate::console::shell::answer::{Answer, Answered, PageError, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::visible::filters;
use crate::export;
use crate::files::{CSV, XLSX, download};
use crate::statements::{StatementSummary, known, lists, workbook};
pub(crate) use acts::act;
use outcome::{Ask, Outcome, outcome_of};
use waiting::{Preview, Progress, previewed, progress_of};

#[derive(Template)]
#[template(path = "statement.html")]
struct StatementPage {
    frame: Frame,
    statement: StatementView,
    superseded_by: Option<i64>,
    /// Reason of a failure; empty unless it failed.
    failure: String,
    hash: String,
    preview: Option<Preview>,
    progress: Option<Progress>,
    outcome: Option<Outcome>,
    may_settle: bool,
    may_discard: bool,
    may_restore: bool,
    fault: String,
}

/// Messages at the top of a page.
#[derive(Default)]
struct Said {
    /// An error; may be empty.
    fault: String,
    /// A payment that a person is asked about.
    ask: Option<Ask>,
}

fn none(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        404,
        "Statement not found",
        "It may have been discarded. All statements are listed under Reports.",
    )
}

fn not_yours(viewer: &Viewer) -> Answer {
    refusal(
        viewer,
        403,
        "Finance role required",
        "Nothing was changed: importing, accepting and booking payments require the role finance or admin.",
    )
}

/// `GET /reports/statements/{id}`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request, id: &str) -> Answered {
    match id.parse() {
        Ok(id) => show(console, viewer, request, id, Said::default()).await,
        Err(_) => Ok(none(viewer)),
    }
}

async fn show(console: &Console, viewer: &Viewer, request: &Request, id: i64, said: Said) -> Answered {
    let now = console.clock.now();
    let row = console.store.statement(id).await?.filter(|row| row.state != "receiving");
    let Some(row) = row else { return Ok(none(viewer)) };
    let (mut preview, mut progress, mut outcome) = (None, None, None);
    let state = row.stands()?;
    match state {
        State::Received | State::Failed => preview = Some(previewed(console, &row).await?),
        State::Matched | State::Superseded => {
            outcome = outcome_of(console, viewer, request, &row, now, said.ask).await?;
        }
        _ => progress = Some(progress_of(console, &row, now).await?),
    }
    let may = |act: Act| viewer.may_settle() && act.is_allowed(state);
    render(&StatementPage {
        frame: Frame::load(console, viewer, "/reports").await?,
        superseded_by: row.superseded_by,
        failure: row.failure.clone().filter(|_| state == State::Failed).unwrap_or_default(),
        hash: row.file_hash.clone().unwrap_or_default(),
        statement: StatementView::of(row, now),
        preview,
        progress,
        outcome,
        may_settle: viewer.may_settle(),
        may_discard: may(Act::Discard),
        may_restore: may(Act::Restore),
        fault: said.fault,
    })
}

/// `GET /reports/statements/{id}/{file}`
pub(crate) async fn file(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    id: &str,
    name: &str,
) -> Answered {
    let Ok(id) = id.parse::<i64>() else { return Ok(none(viewer)) };
    let now = console.clock.now();
    let found = known(&console.store, &console.statements, id, now).await?;
    let Some(known) = found.filter(|known| known.row.state != "receiving") else { return Ok(none(viewer)) };
    if let Some(list) = lists::list_file(&console.store, &known, name, request.query("state")) {
        return Ok(Answer::Download(list));
    }
    match name {
        "original.csv" => {
            let body = warp::reply::stream(lists::file(console.store.clone(), id)).into_response();
            Ok(Answer::Download(download(&known.row.file_name, CSV, body)))
        }
        "statement.xlsx" => workbook_of(console, &known).await,
        _ => Ok(none(viewer)),
    }
}

async fn workbook_of(console: &Console, known: &StatementSummary) -> Answered {
    let sheets = workbook::sheets(&console.store, known).await?;
    let name = format!("statement-{}.xlsx", known.row.id);
    let bytes = export::xlsx(&format!("Statement {}", known.row.id), &sheets)
        .map_err(|error| PageError::File(error.to_string()))?;
    Ok(Answer::Download(download(&name, XLSX, bytes.into_response())))
}
