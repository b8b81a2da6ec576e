//! `/audit`: who did what, newest first. Nothing here ever changes.

use askama::Template;
use domain::actor::words;
use store::access::audit::{AuditFilter, AuditRow, ExportFilter};
use warp::Reply as _;

use crate::audit_file;
use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, page as render};
use crate::console::shell::frame::Frame;
use crate::console::shell::request::Request;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{Moment, dollars_in, moment};
use crate::files::{CSV, download};

const PAGE: i64 = 100;

struct Row {
    at: Moment,
    line: AuditRow,
    words: String,
    /// The channel (page, token, command line) and the network address.
    by: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    rows: Vec<Row>,
    actors: Vec<(String, bool)>,
    actions: Vec<(String, bool)>,
    is_set: bool,
    next: String,
    /// Link to the same lines as CSV.
    file: String,
}

/// `GET /audit`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let now = console.clock.now();
    let text = |name: &str| request.query(name).map(str::to_owned);
    let filter = AuditFilter {
        actor: text("actor"),
        action: text("action"),
        before: request.query("after").and_then(|after| after.parse().ok()),
    };
    let (rows, (actors, actions)) =
        tokio::try_join!(console.store.audit(&filter, PAGE), console.store.audit_choices())?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
    let next = rows.last().filter(|_| full).map_or_else(String::new, |last| {
        crate::console::shell::said::with(&request.target, &[("after", last.id.to_string())])
    });
    let chosen = |names: Vec<String>, chosen: &Option<String>| {
        names.into_iter().map(|name| (name.clone(), chosen.as_ref() == Some(&name))).collect()
    };
    let page = AuditPage {
        frame: Frame::load(console, viewer, "/audit").await?,
        is_set: filter.actor.is_some() || filter.action.is_some(),
        actors: chosen(actors, &filter.actor),
        actions: chosen(actions, &filter.action),
        rows: rows
            .into_iter()
            .map(|row| Row {
                at: moment(row.happened_at, now),
                words: row.action.replace('_', " "),
                by: by(&row),
                line: AuditRow { detail: dollars_in(&row.detail), ..row },
            })
            .collect(),
        next,
        file: crate::console::shell::said::with(
            &request.target.replacen("/audit", "/audit/audit.csv", 1),
            &[],
        ),
    };
    render(&page)
}

/// The channel (page, token, command line) and the network address.
fn by(row: &AuditRow) -> String {
    let by = words(&row.actor, row.via.as_deref(), row.via_name.as_deref());
    match &row.from_network {
        Some(network) => format!("{by} from {network}"),
        None => by,
    }
}

/// `GET /audit/audit.csv`: the lines of the filter as a file, the oldest first. Whole addresses are for admins.
pub(crate) async fn file(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    let text = |name: &str| request.query(name).map(str::to_owned);
    let filter = ExportFilter { actor: text("actor"), action: text("action"), ..ExportFilter::default() };
    let now = console.clock.now();
    audit_file::note_export(&console.store, &viewer.actor(), &filter, "CSV", now).await?;
    let lines = audit_file::stream(console.store.clone(), filter, viewer.is_admin());
    Ok(Answer::Download(download("audit.csv", CSV, warp::reply::stream(lines).into_response())))
}
