//! A form that was sent after its session had ended: kept while signing in, shown again, and never sent automatically.

use askama::Template;
use domain::access::{csrf_token, same_text};

use crate::console::shell::answer::{Answer, Answered};
use crate::console::shell::frame::Frame;
use crate::console::shell::request::{Request, SESSION_COOKIE};
use crate::console::shell::session::{Viewer, next_page};
use crate::console::shell::visible::filters;

/// The longest form that is kept, in bytes as it is sent: it travels once more inside the form for signing in.
const MAX_KEPT_LEN: usize = 20_000;

/// The form that is kept while signing in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// Path it was sent to; empty if nothing is kept.
    pub(crate) to: String,
    /// Its fields but the token, as a form.
    pub(crate) fields: String,
}

impl Kept {
    /// Of a form that came without a session. Only if a page of the ended session made it: its token says so, and no
    /// other site can send both. Passwords are never kept.
    pub(crate) fn of(request: &Request) -> Self {
        let session = request.cookie(SESSION_COOKIE).unwrap_or_default();
        let is_ours = request.field("csrf").is_some_and(|token| same_text(token, &csrf_token(session)));
        let is_secret =
            matches!(request.path.first().map(String::as_str), Some("password" | "people" | "logout"));
        if !request.is_post() || session.is_empty() || !is_ours || is_secret {
            return Self::default();
        }
        let fields: Vec<&(String, String)> =
            request.whole_form().iter().filter(|(name, _)| name != "csrf").collect();
        match serde_urlencoded::to_string(&fields) {
            Ok(fields) if fields.len() <= MAX_KEPT_LEN => Self { to: request.target.clone(), fields },
            _ => Self::default(),
        }
    }

    /// As the form for signing in carries it.
    pub(crate) fn of_login(request: &Request) -> Self {
        match request.field("kept_to") {
            Some(to) if next_page(Some(to)) == to => {
                Self { to: to.to_owned(), fields: request.field("kept").unwrap_or_default().to_owned() }
            }
            _ => Self::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.to.is_empty()
    }
}

struct Written {
    name: String,
    label: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "kept.html")]
struct KeptPage {
    frame: Frame,
    to: String,
    place: String,
    written: Vec<Written>,
    hidden: Vec<(String, String)>,
    verb: &'static str,
}

/// Shows the kept form after signing in as `viewer`, to be sent or dropped.
pub(crate) fn page(viewer: &Viewer, kept: &Kept, place: String, token: String) -> Answered {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&kept.fields).unwrap_or_default();
    let label = |name: &str| match name {
        "note" => Some("Note"),
        "reason" => Some("Reason"),
        "amount" => Some("Amount"),
        _ => None,
    };
    let (mut written, mut hidden, mut wish) = (Vec::new(), Vec::new(), String::new());
    for (name, value) in pairs {
        if name == "do" {
            wish.clone_from(&value);
        }
        match label(&name) {
            Some(label) => written.push(Written { name, label, text: value }),
            None => hidden.push((name, value)),
        }
    }
    let verb = match wish.split('-').next().unwrap_or_default() {
        "release" => "Release now",
        "reject" => "Reject now",
        _ => "Send now",
    };
    let frame = Frame::bare(viewer, "");
    let page = KeptPage { frame, to: kept.to.clone(), place, written, hidden, verb };
    Ok(Answer::PageWithSession(page.render()?, token))
}
