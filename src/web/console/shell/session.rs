//! Signing in and out, and who somebody is.
//!
//! A session is a random token in a cookie, of which only the hash is kept. The token of its forms is derived from it,
//! so it needs no place of its own and ends with it.

use std::net::IpAddr;

use askama::Template;
use domain::access::{Role, csrf_token, same_text, token_hash};
use domain::actor::{Actor, Via};
use rand::RngExt as _;
use store::access::staff::Person;

use crate::console::Console;
use crate::console::shell::answer::{Answer, Answered, PageError, script_path, style_path};
use crate::console::shell::kept::Kept;
use crate::console::shell::request::{Request, SESSION_COOKIE};

/// The signed-in person, with the session.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) person: Person,
    /// From where.
    pub(crate) address: IpAddr,
    /// The token of every form of this session.
    pub(crate) csrf: String,
    pub(crate) token_hash: String,
}

impl Viewer {
    /// Hash of the session's token, its key in the store.
    pub(crate) fn token_hash(&self) -> &str {
        &self.token_hash
    }

    /// True if the form came from a page of this session.
    pub(crate) fn form_is_ours(&self, request: &Request) -> bool {
        request.field("csrf").is_some_and(|token| same_text(token, &self.csrf))
    }

    /// The actor of their actions in the audit.
    pub(crate) fn actor(&self) -> Actor {
        Actor::new(self.person.name.clone(), Via::Page, Some(self.address))
    }

    pub(crate) fn name(&self) -> &str {
        &self.person.name
    }

    pub(crate) fn may_review(&self) -> bool {
        self.person.role.may_review()
    }

    pub(crate) fn may_settle(&self) -> bool {
        self.person.role.may_settle()
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.person.role == Role::Admin
    }
}

/// 256 random bits, as text that may stand in a cookie.
pub(crate) fn new_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill(&mut bytes);
    domain::text::hex(&bytes)
}

/// Whose session the request belongs to.
pub(crate) async fn viewer(console: &Console, request: &Request) -> Result<Option<Viewer>, PageError> {
    let Some(token) = request.cookie(SESSION_COOKIE) else { return Ok(None) };
    let token_hash = token_hash(token);
    let person = console.store.session(&token_hash, console.clock.now()).await?;
    Ok(person.map(|person| Viewer { person, address: request.address, csrf: csrf_token(token), token_hash }))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    style: String,
    script: String,
    csrf: String,
    next: String,
    fault: Option<&'static str>,
    kept: Kept,
}

/// Message after a session has ended.
const ENDED: &str = "Your session has ended. Sign in to continue where you were.";
/// The same to somebody who sent a form.
const ENDED_UNSENT: &str =
    "Your session has ended, and nothing was changed. Sign in to continue where you were.";
/// The same to somebody whose words are kept.
const ENDED_KEPT: &str =
    "Your session has ended, and nothing was changed. What you wrote is kept: sign in to send it.";

/// Sends somebody without a session to the page for signing in, and back afterwards; a form that was sent is answered
/// with that page at once, so that nothing of it is lost.
pub(crate) fn to_login(request: &Request) -> Answer {
    let had_one = request.cookie(SESSION_COOKIE).is_some();
    if request.is_post() {
        let kept = Kept::of(request);
        let words = if kept.is_empty() { ENDED_UNSENT } else { ENDED_KEPT };
        let page = form(401, had_one.then_some(words), place(request), kept);
        return page.unwrap_or_else(|error| crate::console::shell::answer::fault(&error));
    }
    let mut params = Vec::new();
    if request.target != "/" {
        params.push(("next", request.target.as_str()));
    }
    if had_one {
        params.push(("ended", "1"));
    }
    let query = serde_urlencoded::to_string(&params).unwrap_or_default();
    Answer::To(if query.is_empty() { "/login".to_owned() } else { format!("/login?{query}") })
}

/// The page on which a form was sent: where it says, else where the browser was, else the page of its kind.
fn place(request: &Request) -> String {
    let root = request.path.first().map(String::as_str).unwrap_or_default();
    let named = request.came_from.as_deref().or_else(|| request.field("back"));
    let named = named.filter(|place| !place.starts_with("/login"));
    named.map_or_else(|| next_page(Some(&format!("/{root}"))), |place| next_page(Some(place)))
}

/// A page of ours to go on to. Only a path: `//host` and `/\host` would be another site.
pub(crate) fn next_page(wanted: Option<&str>) -> String {
    let is_ours = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains('\\')
            && !path.contains(char::is_control)
    };
    wanted.filter(is_ours).unwrap_or("/").to_owned()
}

/// The form for signing in again, with everything that it carries.
pub(crate) fn again(request: &Request, status: u16, fault: &'static str) -> Answered {
    form(status, Some(fault), next_page(request.field("next")), Kept::of_login(request))
}

fn form(status: u16, fault: Option<&'static str>, next: String, kept: Kept) -> Answered {
    let csrf = new_token();
    let page =
        LoginPage { style: style_path(), script: script_path(), csrf: csrf.clone(), next, fault, kept };
    Ok(Answer::Login(status, page.render()?, csrf))
}

/// `GET /login`
pub(crate) async fn ask(console: &Console, request: &Request) -> Answer {
    match viewer(console, request).await {
        Ok(Some(_)) => Answer::To(next_page(request.query("next"))),
        Ok(None) => {
            let ended = request.query("ended").map(|_| ENDED);
            let page = form(200, ended, next_page(request.query("next")), Kept::default());
            page.unwrap_or_else(|error| crate::console::shell::answer::fault(&error))
        }
        Err(error) => crate::console::shell::answer::fault(&error),
    }
}

/// `POST /logout`
pub(crate) async fn sign_out(console: &Console, viewer: &Viewer, _request: &Request) -> Answered {
    console.store.end_session(viewer.token_hash.clone(), viewer.actor(), console.clock.now()).await?;
    Ok(Answer::WithSession("/login".into(), String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site_after_signing_in() {
        for (wanted, page) in [
            (Some("/review?rule=T1"), "/review?rule=T1"),
            (None, "/"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/a\r\nSet-Cookie: x"), "/"),
        ] {
            assert_eq!(next_page(wanted), page, "{wanted:?}");
        }
    }
}
