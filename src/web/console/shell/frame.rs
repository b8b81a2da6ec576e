//! The frame of every page: navigation, person, and the state of the gateway.

use askama::Template;
use store::postbacks::list::{OutcomeFilter, PostbackFilter};

use crate::console::Console;
use crate::console::shell::account::Warning;
use crate::console::shell::answer::{Answer, PageError, fault, script_path, style_path};
use crate::console::shell::help;
use crate::console::shell::session::Viewer;
use crate::console::shell::show::{moment, number, span};

/// A page in the side bar.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) here: bool,
    /// Count of waiting items with a sign; may be empty.
    pub(crate) count: String,
    pub(crate) class: &'static str,
    pub(crate) line_after: bool,
}

/// The parts around a page: side bar, help link, notices, footer.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) csrf: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) entries: Vec<Entry>,
    /// Link to the handbook; empty if no chapter explains the page.
    pub(crate) help: &'static str,
    /// Failed sign-ins with this name since the last notice.
    pub(crate) warning: Option<Warning>,
    /// Inbox and deliveries in one line.
    pub(crate) health: String,
    /// The instants of that line.
    pub(crate) health_exact: String,
}

const PAGES: [(&str, &str); 11] = [
    ("/", "Today"),
    ("/review", "Review"),
    ("/rewards", "Rewards"),
    ("/postbacks", "Postbacks"),
    ("/sources", "Sources"),
    ("/deliveries", "Deliveries"),
    ("/reports", "Reports"),
    ("/lists", "Lists"),
    ("/policy", "Policy"),
    ("/audit", "Audit"),
    ("/help", "Help"),
];

impl Frame {
    /// The frame of the page at `here`.
    pub(crate) async fn load(console: &Console, viewer: &Viewer, here: &str) -> Result<Self, PageError> {
        let (held, inbox, backlog, quarantined) = tokio::try_join!(
            console.store.hold_count(),
            console.store.inbox_depth(),
            console.store.backlog(),
            quarantined(console),
        )?;
        let now = console.clock.now();
        let of = |status: &str| -> i64 {
            backlog.iter().filter(|row| row.status == status).map(|row| row.deliveries).sum()
        };
        let oldest = inbox
            .oldest_received_at
            .map_or_else(String::new, |at| format!(" · oldest {}", span(now.0 - at.0)));
        let oldest_created_at =
            backlog.iter().filter(|row| row.status != "failed").filter_map(|row| row.oldest_created_at).min();
        let late = oldest_created_at.map_or_else(String::new, |at| format!(" (oldest {})", span(now.0 - at)));
        let health = format!(
            "inbox {}{oldest} · deliveries {} due{late}, {} failed",
            number(inbox.waiting),
            number(of("waiting") + of("behind")),
            number(of("failed"))
        );
        let count = |path: &str| match path {
            "/review" if held > 0 => (format!("{} ◐", number(held)), "wait"),
            "/postbacks" if quarantined > 0 => (format!("{quarantined} ⚠"), "wait"),
            "/deliveries" if of("failed") > 0 => (format!("{} ⚠", number(of("failed"))), "bad"),
            _ => (String::new(), ""),
        };
        let exact = [
            ("oldest in the inbox", inbox.oldest_received_at.map(|at| at.0)),
            ("oldest delivery due", oldest_created_at),
        ]
        .into_iter()
        .filter_map(|(what, at)| Some(format!("{what}: {}", moment(at?, now).exact)));
        let health_exact = exact.collect::<Vec<_>>().join("; ");
        let mut frame = Self { health, health_exact, ..Self::bare(viewer, here) };
        for entry in &mut frame.entries {
            (entry.count, entry.class) = count(entry.path);
        }
        Ok(frame)
    }

    /// A frame without counts, which needs no database.
    pub(crate) fn bare(viewer: &Viewer, here: &str) -> Self {
        let people = viewer.is_admin().then_some(("/people", "Staff"));
        let entries = PAGES
            .into_iter()
            .chain(people)
            .map(|(path, name)| Entry {
                path,
                name,
                here: path == here,
                count: String::new(),
                class: "",
                line_after: name == "Policy",
            })
            .collect();
        Self {
            style: style_path(),
            script: script_path(),
            csrf: viewer.csrf.clone(),
            name: viewer.person.name.clone(),
            role: viewer.person.role.name(),
            entries,
            help: help::of(here),
            warning: Warning::of(viewer),
            health: String::new(),
            health_exact: String::new(),
        }
    }
}

/// Number of quarantined postbacks, counted up to 99.
async fn quarantined(console: &Console) -> store::Result<usize> {
    let outcome = Some(OutcomeFilter::Quarantined);
    let rows = console.store.postbacks(&PostbackFilter { outcome, ..PostbackFilter::default() }, 99).await?;
    Ok(rows.len())
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    frame: Frame,
    title: &'static str,
    words: String,
}

/// A page that says why something was not done.
pub(crate) fn refusal(viewer: &Viewer, status: u16, title: &'static str, words: &str) -> Answer {
    let page = RefusalPage { frame: Frame::bare(viewer, ""), title, words: words.to_owned() };
    page.render().map_or_else(|error| fault(&error.into()), |page| Answer::Page(status, page))
}
