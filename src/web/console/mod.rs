//! The pages: server-rendered, for staff who sign in.
//!
//! | folder | contents |
//! |---|---|
//! | `shell` | requests and answers, signing in, the frame of every page, formats, the handbook |
//! | `review` | for the risk team: today, the queue, decisions, rewards, users, reversals, lists |
//! | `finance` | reports, statements, uploads |
//! | `sources` | each source: its URL, what it sends, who calls; trying a captured call |
//! | `admin` | postbacks, quarantine, deliveries, policy, audit, staff |
//!
//! Every page works with plain links and forms; the script adds keyboard shortcuts and updates pages in place. Nothing is
//! shown without a session, and no form is accepted without its token.

mod admin;
mod finance;
mod pages;
mod review;
pub(crate) mod shell;
mod sources;
mod unfit;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;
use domain::policy::Policy;
use domain::proxies::Proxies;
use domain::review::queue::ReviewTerms;
use domain::time::{Clock, TimestampMs};
use store::Store;
use store::review::holds::Choice;
use tracing::debug;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method};
use warp::path::FullPath;
use warp::reply::Response;

use crate::body::{BadBody, content_type, whole};
use crate::caller::{self, Peer};
use crate::ingest::Ingest;
use crate::refusals::Refusals;
use crate::statements::Readings;
use crate::stating::Stating;
use finance::upload;
use shell::answer::{self, Answer, PageError};
pub use shell::logins::Logins;
pub use shell::password;
use shell::request::Request;
use shell::{session, sign_in};
pub use sources::odd::OddSubIds;
use unfit::{BROKEN, NO_FORM, NO_SUCH_METHOD, NO_SUCH_PAGE, TOO_LARGE, TOO_SLOW, unfit, unreadable};

/// The largest form, in bytes: a note and the ids selected on one page.
const MAX_FORM_LEN: usize = 64 * 1024;
/// The content type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// State shared by all pages.
pub struct Console {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The zone of the business day.
    pub timezone: Tz,
    /// Review targets and thresholds, from the settings.
    pub terms: ReviewTerms,
    /// Undo period of a decision, in milliseconds.
    pub grace_ms: i64,
    /// The rules in force.
    pub policy: Policy,
    /// The apps of the settings.
    pub apps: BTreeSet<String>,
    /// Endpoints of all sources; they also verify a refused call again before its replay.
    pub ingest: Arc<Ingest>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Proxies,
    /// Limits and records failed sign-ins.
    pub logins: Logins,
    /// Choices of the filters of the queue, cached.
    pub choices: Choices,
    /// Sub ids that stand out, cached.
    pub odd_sub_ids: OddSubIds,
    /// Formats of statements by source.
    pub statements: Arc<Readings>,
    /// Settings for quarantined postbacks.
    pub stating: Arc<Stating>,
    /// Limits the audit lines about refusals.
    pub refusals: Arc<Refusals>,
}

/// Choices of the filters of the queue, and when they were counted. Counting a long queue is slow, so all viewers share
/// the result.
pub type Choices = tokio::sync::Mutex<Option<(TimestampMs, Vec<Choice>)>>;

/// Age up to which cached choices are used, in milliseconds.
const CHOICES_MS: i64 = 10_000;

/// First segments of all paths of the pages.
const ROOTS: [&str; 17] = [
    "login",
    "logout",
    "review",
    "rewards",
    "users",
    "postbacks",
    "sources",
    "deliveries",
    "reports",
    "lists",
    "policy",
    "audit",
    "help",
    "people",
    "static",
    "password",
    "decisions",
];

/// First segments of the paths that networks, programs and monitoring call.
const NOT_FOR_PEOPLE: [&str; 5] = ["pb", "api", "healthz", "readyz", "metrics"];

/// The body of a request, as far as it was read.
enum Sent {
    /// A form; empty for GET.
    Form(bytes::Bytes),
    /// A form that was too large, too slow or interrupted.
    Unread(BadBody),
    /// Another content type.
    NoForm,
    /// Neither GET, HEAD nor POST.
    OtherMethod,
}

/// The routes of this module.
pub fn routes(console: Arc<Console>) -> BoxedFilter<(Response,)> {
    let get = warp::get().or(warp::head()).unify().map(|| Sent::Form(bytes::Bytes::new()));
    let post = warp::post().and(warp::header::headers_cloned()).and(warp::body::stream()).then(form);
    let other = warp::any().map(|| Sent::OtherMethod);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let ours = warp::path::full().and(query).and_then(|path: FullPath, query: String| async move {
        if is_ours(path.as_str(), &query) { Ok((path, query)) } else { Err(warp::reject::not_found()) }
    });
    let sender = console.clone();
    // A file is streamed to the store, not read into memory first.
    let upload = warp::path!("reports" / "statements")
        .and(warp::post())
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Peer>())
        .and(warp::body::stream())
        .and(warp::any().map(move || sender.clone()))
        .then(upload::receive)
        .boxed();
    let pages = ours
        .untuple_one()
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Peer>())
        .and(get.or(post).unify().or(other).unify())
        .and(warp::any().map(move || console.clone()))
        .then(respond)
        .boxed();
    upload.or(pages).unify().boxed()
}

/// The page for an unknown address. Only browsers get it: networks and programs get plain text, and a postback that was
/// configured without its path must not receive a page.
pub fn elsewhere(console: Arc<Console>) -> BoxedFilter<(Response,)> {
    let wanted = warp::path::full().and(warp::method()).and(warp::header::headers_cloned()).and_then(
        |path: FullPath, method: Method, headers: HeaderMap| async move {
            let accept = headers.get("accept").and_then(|accept| accept.to_str().ok()).unwrap_or_default();
            let root = path.as_str().split('/').nth(1).unwrap_or_default();
            let looks = method == Method::GET || method == Method::HEAD;
            let is_a_person = looks && accept.contains("text/html") && !NOT_FOR_PEOPLE.contains(&root);
            if is_a_person { Ok((headers,)) } else { Err(warp::reject::not_found()) }
        },
    );
    wanted
        .untuple_one()
        .and(warp::ext::get::<Peer>())
        .and(warp::any().map(move || console.clone()))
        .then(|headers: HeaderMap, peer: Peer, console: Arc<Console>| async move {
            unfit(&console, &headers, peer, &NO_SUCH_PAGE).await
        })
        .boxed()
}

/// True if the address belongs to a page. A postback that was configured without its path must not be redirected to a
/// page: the network would count it as accepted.
fn is_ours(path: &str, query: &str) -> bool {
    let root = path.split('/').nth(1).unwrap_or_default();
    if root.is_empty() { path == "/" && query.is_empty() } else { ROOTS.contains(&root) }
}

/// Reads a form.
async fn form<B: bytes::Buf>(
    headers: HeaderMap,
    body: impl futures_util::Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> Sent {
    if content_type(&headers).is_some_and(|kind| kind != FORM) {
        return Sent::NoForm;
    }
    match whole(&headers, body, MAX_FORM_LEN).await {
        Ok(form) => Sent::Form(form.into()),
        Err(bad) => Sent::Unread(bad),
    }
}

async fn respond(
    path: FullPath,
    query: String,
    method: Method,
    headers: HeaderMap,
    peer: Peer,
    sent: Sent,
    console: Arc<Console>,
) -> Response {
    let form = match sent {
        Sent::Form(form) => form,
        Sent::Unread(bad) => {
            let bad = match bad {
                BadBody::TooLarge => &TOO_LARGE,
                BadBody::TooSlow => &TOO_SLOW,
                BadBody::Broken => &BROKEN,
            };
            return unfit(&console, &headers, peer, bad).await;
        }
        Sent::NoForm => return unfit(&console, &headers, peer, &NO_FORM).await,
        Sent::OtherMethod => return unfit(&console, &headers, peer, &NO_SUCH_METHOD).await,
    };
    let address = caller::address(peer, &headers, &console.trusted_proxies);
    match Request::read(method, path.as_str(), &query, &headers, &form, address, peer.is_https) {
        Ok(request) => Box::pin(console.answer(&request)).await.into_response(&request),
        Err(bad) => {
            debug!(%bad, "a request to the pages cannot be read");
            unfit(&console, &headers, peer, &unreadable(&bad)).await
        }
    }
}

impl Console {
    /// Choices of the filters of the queue, cached.
    async fn choices(&self, now: TimestampMs) -> Result<Vec<Choice>, PageError> {
        let mut kept = self.choices.lock().await;
        if let Some((at, choices)) = &*kept
            && (0..CHOICES_MS).contains(&(now.0 - at.0))
        {
            return Ok(choices.clone());
        }
        let choices = self.store.hold_choices().await?;
        *kept = Some((now, choices.clone()));
        Ok(choices)
    }

    /// Answers a request, signed in or not.
    async fn answer(&self, request: &Request) -> Answer {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let is_post = request.is_post();
        match (is_post, path.as_slice()) {
            (false, ["static", name]) => return answer::file(name),
            (false, ["login"]) => return session::ask(self, request).await,
            (true, ["login"]) => return sign_in::sign_in(self, request).await,
            _ => {}
        }
        let viewer = match session::viewer(self, request).await {
            Ok(Some(viewer)) => viewer,
            Ok(None) => return session::to_login(request),
            Err(error) => return answer::fault(&error),
        };
        // Boxed: the future is as large as the largest page, and requests without a session do not need it.
        Box::pin(self.answer_to(&viewer, request, is_post, &path)).await
    }
}
