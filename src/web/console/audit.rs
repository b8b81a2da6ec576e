//! `/audit`: who did what, newest first. Nothing here ever changes.

use askama::Template;
use store::audit::{AuditFilter, AuditRow};

use super::Console;
use super::answer::{Answered, page as render};
use super::frame::Frame;
use super::request::Request;
use super::session::Viewer;
use super::show::{Moment, dollars_in, moment};

const PAGE: i64 = 100;

struct Row {
    at: Moment,
    line: AuditRow,
    words: String,
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
        super::said::with(&request.target, &[("after", last.id.to_string())])
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
                line: AuditRow { detail: dollars_in(&row.detail), ..row },
            })
            .collect(),
        next,
    };
    render(&page)
}
