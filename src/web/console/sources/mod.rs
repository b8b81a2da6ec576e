//! `/sources`: each source with its URL, what it sends, what its signature protects and who calls; and a box in which a
//! captured call is tried.

mod list;
pub(super) mod odd;
mod tried;

use askama::Template;
use domain::postback::networks::pasted::MAX_PASTED_LEN;

use self::list::Source;
use self::tried::Tried;
use crate::console::Console;
use crate::console::shell::answer::{Answered, page as render};
use crate::console::shell::frame::{Frame, refusal};
use crate::console::shell::request::Request;
use crate::console::shell::said::message;
use crate::console::shell::session::Viewer;
use crate::console::shell::visible::filters;

/// The page's address.
pub(crate) const PATH: &str = "/sources";

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    frame: Frame,
    /// What was done with a list.
    said: Vec<String>,
    sources: Vec<Source>,
    may_try: bool,
    max_len: usize,
    /// The source that was chosen in the box.
    chosen: String,
    tried: Option<Tried>,
}

/// `GET /sources`
pub(crate) async fn page(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    show(console, viewer, request, String::new(), None).await
}

/// `POST /sources`: what the pasted call would become. Nothing of it is stored or logged.
pub(crate) async fn try_call(console: &Console, viewer: &Viewer, request: &Request) -> Answered {
    if !viewer.may_review() {
        return Ok(refusal(
            viewer,
            403,
            "Risk role required",
            "Nothing was read: trying a captured call requires the role risk or admin.",
        ));
    }
    let chosen = request.field("source").unwrap_or_default().to_owned();
    let text = request.field("call").unwrap_or_default().to_owned();
    let tried = tried::try_text(console, &text, &chosen).await;
    show(console, viewer, request, chosen, Some(tried)).await
}

async fn show(
    console: &Console,
    viewer: &Viewer,
    request: &Request,
    chosen: String,
    tried: Option<Tried>,
) -> Answered {
    render(&SourcesPage {
        frame: Frame::load(console, viewer, PATH).await?,
        said: message(viewer, request),
        sources: list::sources(console).await?,
        may_try: viewer.may_review(),
        max_len: MAX_PASTED_LEN,
        chosen,
        tried,
    })
}
