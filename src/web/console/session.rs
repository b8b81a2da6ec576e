//! Signing in and out, and who somebody is.
//!
//! A session is a random token in a cookie, of which only the hash is kept. The token of its forms is derived from it,
//! so it needs no place of its own and ends with it. Guessing passwords is slowed down for each name and each address.

use std::net::IpAddr;
use std::num::NonZeroU32;

use askama::Template;
use domain::access::{Role, csrf_token, same_text, token_hash};
use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use rand::RngExt as _;
use store::audit::Line;
use store::people::Person;

use super::answer::{Answer, Answered, PageError, script_path, style_path};
use super::request::{LOGIN_COOKIE, Request, SESSION_COOKIE};
use super::{Console, password};
use crate::limits::Caller;

/// Tries for one name at once, and then one more every twelve seconds.
const TRIES_PER_MINUTE_OF_A_NAME: NonZeroU32 = match NonZeroU32::new(5) {
    Some(tries) => tries,
    None => NonZeroU32::MIN,
};
/// Tries from one address (or /64) at once, and per minute: a whole office may sit behind it.
const TRIES_PER_MINUTE_OF_AN_ADDRESS: NonZeroU32 = match NonZeroU32::new(30) {
    Some(tries) => tries,
    None => NonZeroU32::MIN,
};
/// How many names and addresses are remembered.
const MAX_REMEMBERED: usize = 10_000;

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// Who tried to sign in lately.
#[derive(Debug)]
pub struct Logins {
    names: Limiter<String>,
    addresses: Limiter<Caller>,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            names: RateLimiter::hashmap(Quota::per_minute(TRIES_PER_MINUTE_OF_A_NAME)),
            addresses: RateLimiter::hashmap(Quota::per_minute(TRIES_PER_MINUTE_OF_AN_ADDRESS)),
        }
    }
}

impl Logins {
    /// Whether one more try is admitted.
    pub(crate) fn admits(&self, name: &str, address: IpAddr) -> bool {
        self.names.retain_recent();
        self.addresses.retain_recent();
        self.names.len() < MAX_REMEMBERED
            && self.addresses.len() < MAX_REMEMBERED
            && self.addresses.check_key(&Caller::of(address)).is_ok()
            && self.names.check_key(&name.to_owned()).is_ok()
    }
}

/// Who looks at a page.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) person: Person,
    /// The token of every form of this session.
    pub(crate) csrf: String,
    token_hash: String,
}

impl Viewer {
    /// True if the form came from a page of this session.
    pub(crate) fn form_is_ours(&self, request: &Request) -> bool {
        request.field("csrf").is_some_and(|token| same_text(token, &self.csrf))
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
fn new_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill(&mut bytes);
    domain::text::hex(&bytes)
}

/// Whose session the request belongs to.
pub(crate) async fn viewer(console: &Console, request: &Request) -> Result<Option<Viewer>, PageError> {
    let Some(token) = request.cookie(SESSION_COOKIE) else { return Ok(None) };
    let token_hash = token_hash(token);
    let person = console.store.session(&token_hash, console.clock.now()).await?;
    Ok(person.map(|person| Viewer { person, csrf: csrf_token(token), token_hash }))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    style: String,
    script: String,
    csrf: String,
    next: String,
    fault: Option<&'static str>,
}

/// Sends somebody without a session to the page for signing in, and back afterwards.
pub(crate) fn to_login(request: &Request) -> Answer {
    if request.is_post() {
        return Answer::To("/login".into());
    }
    let next = percent_encoding::utf8_percent_encode(&request.target, percent_encoding::NON_ALPHANUMERIC);
    Answer::To(if request.target == "/" { "/login".to_owned() } else { format!("/login?next={next}") })
}

/// A page of ours to go on to. Only a path: `//host` and `/\host` would be another site.
fn next_page(wanted: Option<&str>) -> String {
    let is_ours = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains('\\')
            && !path.contains(char::is_control)
    };
    wanted.filter(is_ours).unwrap_or("/").to_owned()
}

fn form(request: &Request, status: u16, fault: Option<&'static str>) -> Answered {
    let csrf = new_token();
    let next = next_page(request.field("next").or_else(|| request.query("next")));
    let page = LoginPage { style: style_path(), script: script_path(), csrf: csrf.clone(), next, fault };
    Ok(Answer::Login(status, page.render()?, csrf))
}

/// `GET /login`
pub(crate) async fn ask(console: &Console, request: &Request) -> Answer {
    match viewer(console, request).await {
        Ok(Some(_)) => Answer::To(next_page(request.query("next"))),
        Ok(None) => form(request, 200, None).unwrap_or_else(|error| super::answer::fault(&error)),
        Err(error) => super::answer::fault(&error),
    }
}

/// `POST /login`
pub(crate) async fn sign_in(console: &Console, request: &Request) -> Answer {
    try_to_sign_in(console, request).await.unwrap_or_else(|error| super::answer::fault(&error))
}

async fn try_to_sign_in(console: &Console, request: &Request) -> Answered {
    // No other site can send both: a cookie of ours and the same token in the form.
    let cookie = request.cookie(LOGIN_COOKIE).unwrap_or_default();
    if cookie.is_empty() || !request.field("csrf").is_some_and(|token| same_text(token, cookie)) {
        return form(request, 403, Some("This form is too old. Please try again."));
    }
    let name = request.field("name").unwrap_or_default();
    let password = request.password("password");
    if !console.logins.admits(name, request.address) {
        return form(request, 429, Some("Too many tries. Wait a minute, then try again."));
    }
    if password.len() > password::MAX_PASSWORD_LEN {
        return form(request, 401, Some("Name and password do not belong together."));
    }
    let found = console.store.person_to_sign_in(name).await?;
    let (person, hash) = found.map_or((None, None), |(person, hash)| (Some(person), Some(hash)));
    let is_right = password::verify(password.to_owned(), hash).await?;
    let now = console.clock.now();
    let from = domain::location::shortened(request.address).to_string();
    if let Some(person) = person.filter(|_| is_right) {
        let token = new_token();
        console.store.begin_session(token_hash(&token), person, from, now).await?;
        return Ok(Answer::WithSession(next_page(request.field("next")), token));
    }
    // Somebody else's text: kept short, and never as the actor.
    let tried: String = name.chars().take(40).collect();
    let line = Line::new("nobody", "sign_in_refused", format!("person {tried}"), format!("from {from}"));
    console.store.note_in_audit(line, now).await?;
    form(request, 401, Some("Name and password do not belong together."))
}

/// `POST /logout`
pub(crate) async fn sign_out(console: &Console, viewer: &Viewer, _request: &Request) -> Answered {
    console
        .store
        .end_session(viewer.token_hash.clone(), viewer.person.name.clone(), console.clock.now())
        .await?;
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

    #[test]
    fn guessing_is_slowed_down_for_each_name_and_each_address() {
        let logins = Logins::default();
        let address = |last: u8| IpAddr::from([203, 0, 113, last]);
        assert_eq!((0..20).filter(|_| logins.admits("mara", address(1))).count(), 5);
        assert!(!logins.admits("mara", address(2)), "another address does not help");
        assert!(logins.admits("joe", address(2)));
        let names = (0..100).filter(|n| logins.admits(&format!("name {n}"), address(3))).count();
        assert_eq!(names, 30, "many names from one address");
    }
}
