//! Requests that no page can answer: unknown address, unreadable form, wrong method.

use std::borrow::Cow;

use warp::http::{HeaderMap, HeaderValue, Method};
use warp::reply::Response;

use super::Console;
use super::shell::request::{BadRequest, Request};
use super::shell::{answer, frame, session};
use crate::caller::{self, Peer};

/// A refusal that does not depend on the viewer.
pub(super) struct Unfit {
    pub(super) status: u16,
    pub(super) title: &'static str,
    pub(super) words: Cow<'static, str>,
}

pub(super) const NO_SUCH_PAGE: Unfit = Unfit {
    status: 404,
    title: "Page not found",
    words: Cow::Borrowed("Check the address, or go to Today."),
};
pub(super) const TOO_LARGE: Unfit = Unfit {
    status: 413,
    title: "This form is too large",
    words: Cow::Borrowed(
        "Nothing was changed: a form has at most 64 KiB. Select fewer rewards or shorten the text.",
    ),
};
pub(super) const TOO_SLOW: Unfit = Unfit {
    status: 408,
    title: "The form timed out",
    words: Cow::Borrowed(
        "Nothing was changed: the connection is slow or was interrupted. Go back and try again.",
    ),
};
pub(super) const BROKEN: Unfit = Unfit {
    status: 400,
    title: "The form is incomplete",
    words: Cow::Borrowed("Nothing was changed: the connection was interrupted. Go back and try again."),
};
pub(super) const NO_FORM: Unfit = Unfit {
    status: 415,
    title: "Unsupported form",
    words: Cow::Borrowed("Nothing was changed: a form must be sent as application/x-www-form-urlencoded."),
};
pub(super) const NO_SUCH_METHOD: Unfit = Unfit {
    status: 405,
    title: "Method not allowed",
    words: Cow::Borrowed("Nothing was changed: pages support GET, HEAD and POST."),
};

/// The refusal of a request that is not valid text.
pub(super) fn unreadable(bad: &BadRequest) -> Unfit {
    let words = match bad {
        BadRequest::Text(bad) => format!("Nothing was changed: {bad}. Go back and try again."),
        _ => "Nothing was changed: it contains bytes that are not UTF-8 text. Go back and try again.".into(),
    };
    Unfit { status: 400, title: "Invalid address or form", words: words.into() }
}

/// The page of a refusal; with the side bar if the viewer is signed in.
pub(super) async fn unfit(console: &Console, headers: &HeaderMap, peer: Peer, unfit: &Unfit) -> Response {
    let address = caller::address(peer, headers, &console.trusted_proxies);
    let viewer = match Request::read(Method::GET, "/", "", headers, &[], address, peer.is_https) {
        Ok(request) => session::viewer(console, &request).await.ok().flatten(),
        Err(_) => None,
    };
    let answer = viewer.map_or_else(
        || answer::lone(unfit.status, unfit.title, &unfit.words),
        |viewer| frame::refusal(&viewer, unfit.status, unfit.title, &unfit.words),
    );
    let mut response = answer.plain();
    if unfit.status == NO_SUCH_METHOD.status {
        response.headers_mut().insert("allow", HeaderValue::from_static("GET, HEAD, POST, OPTIONS"));
    }
    response
}
