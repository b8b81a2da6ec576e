//! Answers to browsers. Security headers forbid other origins, inline scripts and frames; pages are not cached.

use askama::Template;
use tracing::error;
use warp::Reply;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::Response;

use crate::console::shell::hashing::NotHashed;
use crate::console::shell::request::{LOGIN_COOKIE, Request, SESSION_COOKIE, cookie_name};
use domain::text::sha256;

/// The stylesheet of every page.
pub(crate) const STYLE: &str = include_str!("../style.css");
const SCRIPT: &str = include_str!("../console.js");

/// Path of the stylesheet. Its name contains a hash of the content, so that caches never serve an old one.
pub(crate) fn style_path() -> String {
    format!("/static/{}.css", &sha256(STYLE.as_bytes())[..12])
}

/// Path of the script, with its hash.
pub(crate) fn script_path() -> String {
    format!("/static/{}.js", &sha256(SCRIPT.as_bytes())[..12])
}

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The result of a page handler, before it becomes a response.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Status and HTML.
    Page(u16, String),
    /// Redirect to this path.
    To(String),
    /// Redirect with a new session token; an empty token ends the session.
    WithSession(String, String),
    /// HTML with a new session token.
    PageWithSession(String, String),
    /// Status, HTML, and the token of the sign-in form.
    Login(u16, String, String),
    /// Content type and text of the stylesheet or the script.
    File(&'static str, &'static str),
    /// JSON for the script.
    Json(String),
    /// Status and plain text.
    Plain(u16, String),
    /// A file that the browser saves.
    Download(Response),
    /// Seconds for `Retry-After`, and the answer.
    Later(u64, Box<Self>),
}

/// A page failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the page cannot be written: {0}")]
    Template(#[from] askama::Error),
    #[error("{0}")]
    Chart(String),
    #[error(transparent)]
    NotHashed(#[from] NotHashed),
    #[error("the file cannot be written: {0}")]
    File(String),
}

/// The result of a page handler.
pub(crate) type Answered = Result<Answer, PageError>;

/// A page of a template.
pub(crate) fn page(template: &impl Template) -> Answered {
    Ok(Answer::Page(200, template.render()?))
}

/// `answer` with `Retry-After` in seconds.
pub(crate) fn later(seconds: u64, answer: Answer) -> Answer {
    Answer::Later(seconds, Box::new(answer))
}

/// A page with another status.
pub(crate) fn with_status(status: u16, answer: Answer) -> Answer {
    match answer {
        Answer::Page(_, page) => Answer::Page(status, page),
        other => other,
    }
}

/// The page after a failure: nothing was changed, and what to do.
pub(crate) fn fault(fault: &PageError) -> Answer {
    if let PageError::NotHashed(NotHashed::Busy { retry_after_s }) = fault {
        let words = "Nothing was changed: too many people are signing in. Try again in a few seconds.";
        return later(*retry_after_s, lone(429, "Too many requests", words));
    }
    let (status, title, words) = match fault {
        PageError::Store(error) if error.is_transient() => (
            503,
            "Temporarily unavailable",
            "The database does not respond. Nothing was changed. Postbacks are answered with 503, and networks send them \
             again. Reload this page in a moment.",
        ),
        _ => (
            500,
            "Internal error",
            "This page could not be created. Nothing was changed. The log of the process shows the cause.",
        ),
    };
    error!(error = %fault, "a page could not be made");
    lone(status, title, words)
}

/// A page without the side bar, for requests without a session.
pub(crate) fn lone(status: u16, title: &str, words: &str) -> Answer {
    let body = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width, initial-scale=1\">\
         <title>{title} · RewardGate</title><link rel=stylesheet href=\"{}\"><main id=main class=lone><p class=brand>RewardGate</p>\
         <h1>{title}</h1><p>{words}</p><p><a href=\"/\">Go to Today</a></p></main></html>",
        style_path()
    );
    Answer::Page(status, body)
}

/// A file of this crate.
pub(crate) fn file(name: &str) -> Answer {
    if style_path().ends_with(name) && !name.is_empty() {
        Answer::File("text/css; charset=utf-8", STYLE)
    } else if script_path().ends_with(name) && !name.is_empty() {
        Answer::File("text/javascript; charset=utf-8", SCRIPT)
    } else {
        Answer::Plain(404, "not found".into())
    }
}

impl Answer {
    /// The response when the request could not be read; cookies are set without `Secure`.
    pub(crate) fn plain(self) -> Response {
        self.with_cookie_of(false)
    }

    pub(crate) fn into_response(self, request: &Request) -> Response {
        self.with_cookie_of(request.is_https)
    }

    fn with_cookie_of(self, is_https: bool) -> Response {
        if let Self::Download(mut response) = self {
            guard(response.headers_mut());
            return response;
        }
        if let Self::Later(seconds, answer) = self {
            let mut response = answer.with_cookie_of(is_https);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return response;
        }
        let (status, kind, body) = match &self {
            Self::Page(status, body) | Self::Login(status, body, _) => {
                (*status, "text/html; charset=utf-8", body.clone())
            }
            Self::PageWithSession(body, _) => (200, "text/html; charset=utf-8", body.clone()),
            Self::To(_) | Self::WithSession(..) => (303, "text/plain; charset=utf-8", String::new()),
            Self::File(kind, body) => (200, *kind, (*body).to_owned()),
            Self::Json(body) => (200, "application/json", body.clone()),
            Self::Plain(status, body) => (*status, "text/plain; charset=utf-8", body.clone()),
            Self::Download(_) | Self::Later(..) => (200, "text/plain; charset=utf-8", String::new()),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = warp::reply::with_status(body, status).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let cache =
            if matches!(self, Self::File(..)) { "public, max-age=31536000, immutable" } else { "no-store" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        guard(headers);
        let cookie = match &self {
            Self::WithSession(_, token) | Self::PageWithSession(_, token) => Some((SESSION_COOKIE, token)),
            Self::Login(_, _, token) => Some((LOGIN_COOKIE, token)),
            _ => None,
        };
        if let Some((name, token)) = cookie {
            let secure = if is_https { "; Secure" } else { "" };
            let gone = if token.is_empty() { "; Max-Age=0" } else { "" };
            let name = cookie_name(name, is_https);
            let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{secure}{gone}");
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                headers.insert(header::SET_COOKIE, cookie);
            }
        }
        if let Self::To(location) | Self::WithSession(location, _) = &self
            && let Ok(location) = HeaderValue::from_str(location)
        {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

/// Adds the security headers of every answer.
fn guard(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
}
