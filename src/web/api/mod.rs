//! `/api/v1`: rewards, balances, postbacks, reviews, deliveries, ledger proof. JSON, bearer token, a role for each.
//!
//! Money is a decimal string without trailing zeros, times are RFC 3339 in UTC, lists are
//! `{"items":[…],"next":cursor}`, errors are `{"error":{"code","message"}}`. The document at `openapi.json` is made
//! from the types and handlers here.

pub(crate) mod access;
mod answers;
mod deliveries;
pub(crate) mod error;
mod known;
mod ledger;
mod openapi;
mod page;
mod postbacks;
mod quarantine;
mod reports;
mod reversals;
mod reviews;
mod rewards;
mod shape;
pub(crate) mod statements;
mod terms;
mod users;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use chrono_tz::Tz;
use domain::proxies::Proxies;
use domain::time::Clock;
use futures_util::Stream;
use serde::Serialize;
use store::Store;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::body::{BadBody, content_type, whole};
use crate::caller::{self, Peer};
use crate::refusals::Refusals;
use crate::statements::Readings;
use crate::stating::Stating;
use crate::texts;
use access::Authorization;
use error::ApiError;
pub(crate) use known::allowed;
use quarantine::Doing;
use reviews::Decision;
use statements::ListFile;

/// Made once: it is asked for by strangers.
static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(openapi::document);

/// The largest JSON body of a request: the longest words and the longest key, each character escaped as two of six.
const MAX_REQUEST_BODY_LEN: usize = 64 * 1024;

/// Everything that the API needs.
#[derive(Debug)]
pub struct Api {
    /// The database.
    pub store: Store,
    /// The apps of the settings.
    pub apps: BTreeSet<String>,
    /// The zone of plain dates and of the business day.
    pub timezone: Tz,
    /// What time it is.
    pub clock: Clock,
    /// How statements are read.
    pub statements: Arc<Readings>,
    /// How quarantined postbacks are finished.
    pub stating: Arc<Stating>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Proxies,
    /// Which refusals stand in the audit.
    pub refusals: Arc<Refusals>,
}

/// The routes of this module.
pub fn routes(api: Arc<Api>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let v1 = warp::path!("api" / "v1" / ..);
    let get = warp::get().and(call(api.clone()));
    let post = warp::post().and(call(api.clone()));
    let body = json_body();

    let document = warp::path!("openapi.json").and(warp::get()).map(|| json(StatusCode::OK, &*DOCUMENT));
    let list_rewards = warp::path!("rewards")
        .and(get.clone())
        .and(query())
        .then(|call, query| answer(rewards::list(call, query)));
    let one_reward =
        warp::path!("rewards" / i64).and(get.clone()).then(|id, call| answer(rewards::one(call, id)));
    let review = warp::path!("rewards" / i64 / Decision)
        .and(post.clone())
        .and(body.clone())
        .then(|id, decision, call, body| answer(reviews::review(call, id, decision, body)));
    let balance = warp::path!("users" / String / "balance")
        .and(get.clone())
        .and(query())
        .then(|user_id, call, query| answer(users::balance(call, user_id, query)));
    let list_postbacks = warp::path!("postbacks")
        .and(get.clone())
        .and(query())
        .then(|call, query| answer(postbacks::list(call, query)));
    let replay = warp::path!("postbacks" / i64 / "replay")
        .and(post.clone())
        .then(|id, call| answer(postbacks::replay(call, id)));
    let list_deliveries = warp::path!("deliveries")
        .and(get.clone())
        .and(query())
        .then(|call, query| answer(deliveries::list(call, query)));
    let resend = warp::path!("deliveries" / "resend")
        .and(post.clone())
        .and(body.clone())
        .then(|call, body| answer(deliveries::resend(call, body)));
    let resend_one = warp::path!("deliveries" / i64 / "resend")
        .and(post.clone())
        .then(|id, call| answer(deliveries::resend_one(call, id)));
    let give_up = warp::path!("deliveries" / i64 / "give-up")
        .and(post.clone())
        .and(body.clone())
        .then(|id, call, body| answer(deliveries::give_up(call, id, body)));
    let apps = warp::path!("apps").and(get.clone()).then(|call| answer(deliveries::apps(call)));
    let enable = warp::path!("apps" / String / "enable")
        .and(post.clone())
        .then(|app, call| answer(deliveries::enable(call, app)));
    let proof = warp::path!("ledger" / "proof").and(get).then(|call| answer(ledger::proof(call)));

    let known = document
        .or(list_rewards)
        .unify()
        .or(one_reward)
        .unify()
        .or(review)
        .unify()
        .or(balance)
        .unify()
        .or(list_postbacks)
        .unify()
        .or(replay)
        .unify()
        .or(list_deliveries)
        .unify()
        .or(resend)
        .unify()
        .or(resend_one)
        .unify()
        .or(give_up)
        .unify()
        .or(apps)
        .unify()
        .or(enable)
        .unify()
        .or(proof)
        .unify()
        .boxed();
    // Boxed by themselves: each further route makes one chain of types much longer to compile.
    let clean = warp::path::full()
        .and(query())
        .and_then(|path: FullPath, query: String| async move {
            let looked = texts::path(path.as_str()).and_then(|()| texts::pairs(query.as_bytes()));
            looked.map_err(|bad| warp::reject::custom(Unclean(bad)))
        })
        .untuple_one();
    v1.and(
        clean
            .and(
                known
                    .or(report_routes(api.clone()))
                    .unify()
                    .or(statement_routes(api.clone()))
                    .unify()
                    .or(reversal_routes(api.clone()))
                    .unify()
                    .or(quarantine_routes(api))
                    .unify(),
            )
            .recover(refuse)
            .unify(),
    )
}

/// What finance reads every morning.
fn report_routes(api: Arc<Api>) -> BoxedFilter<(Response,)> {
    let get = warp::get().and(call(api.clone()));
    let post = warp::post().and(call(api));
    let body = json_body();
    let list_reports = warp::path!("reports")
        .and(get.clone())
        .and(query())
        .then(|call, query| answer(reports::list(call, query)));
    let report = warp::path!("reports" / String)
        .and(get.clone())
        .and(query())
        .then(|name: String, call, query: String| async move { reports::one(call, &name, &query).await });
    let sign_off = warp::path!("reports" / String / "sign-off")
        .and(post.clone())
        .and(body.clone())
        .then(|date, call, body| answer(reports::sign_off(call, date, body)));
    list_reports.or(report).unify().or(sign_off).unify().boxed()
}

/// Reversals that a person must look at.
fn reversal_routes(api: Arc<Api>) -> BoxedFilter<(Response,)> {
    let get = warp::get().and(call(api.clone()));
    let post = warp::post().and(call(api));
    let body = json_body();
    let list = warp::path!("reversals")
        .and(get)
        .and(query())
        .then(|call, query| answer(reversals::list(call, query)));
    let resolve = warp::path!("reversals" / i64 / "resolve")
        .and(post)
        .and(body.clone())
        .then(|id, call, body| answer(reversals::resolve(call, id, body)));
    list.or(resolve).unify().boxed()
}

/// The networks' own statements.
fn statement_routes(api: Arc<Api>) -> BoxedFilter<(Response,)> {
    let get = warp::get().and(call(api.clone()));
    let post = warp::post().and(call(api));
    let body = json_body();
    let list_statements = warp::path!("statements")
        .and(get.clone())
        .and(query())
        .then(|call, query| answer(statements::list(call, query)));
    let upload = warp::path!("statements")
        .and(post.clone())
        .and(query())
        .and(file())
        .and(warp::body::stream())
        .then(statements::upload);
    let statement = warp::path!("statements" / String)
        .and(get.clone())
        .then(|name: String, call| async move { statements::one(call, &name).await });
    let statement_lines = warp::path!("statements" / i64 / "lines")
        .and(get.clone())
        .and(query())
        .then(|id, call, query| answer(statements::lines(call, id, query)));
    let statement_file =
        warp::path!("statements" / i64 / ListFile).and(get.clone()).and(query()).then(
            |id, file: ListFile, call, query: String| async move {
                statements::file(call, id, file, &query).await
            },
        );
    let accept = warp::path!("statements" / i64 / "accept")
        .and(post.clone())
        .and(body.clone())
        .then(|id, call, body| answer(statements::accept(call, id, body)));
    let paid = warp::path!("statements" / i64 / "paid")
        .and(post.clone())
        .and(warp::header::optional::<String>("idempotency-key"))
        .and(body.clone())
        .then(|id, call, key, body| answer(statements::paid(call, id, key, body)));
    let take_back = warp::path!("statements" / i64 / "take-back")
        .and(post.clone())
        .and(body.clone())
        .then(|id, call, body| answer(statements::take_back(call, id, body)));
    let payments = warp::path!("statements" / i64 / "payments")
        .and(get.clone())
        .then(|id, call| answer(statements::payments(call, id)));
    let import = warp::path!("statements" / i64 / "import")
        .and(post.clone())
        .and(query())
        .then(|id, call, query| answer(statements::import(call, id, query)));
    let discard = warp::path!("statements" / i64 / "discard")
        .and(post.clone())
        .then(|id, call| answer(statements::discard(call, id)));
    let restore = warp::path!("statements" / i64 / "restore")
        .and(post.clone())
        .then(|id, call| answer(statements::restore(call, id)));
    let lives = take_back.or(payments).unify().or(discard).unify().or(restore).unify().boxed();
    list_statements
        .or(upload)
        .unify()
        .or(statement)
        .unify()
        .or(statement_lines)
        .unify()
        .or(lives)
        .unify()
        .or(statement_file)
        .unify()
        .or(accept)
        .unify()
        .or(paid)
        .unify()
        .or(import)
        .unify()
        .boxed()
}

/// What people do about quarantined postbacks.
fn quarantine_routes(api: Arc<Api>) -> BoxedFilter<(Response,)> {
    let get = warp::get().and(call(api.clone()));
    let post = warp::post().and(call(api));
    let body = json_body();
    let one = warp::path!("postbacks" / i64).and(get).then(|id, call| answer(postbacks::one(call, id)));
    let act = warp::path!("postbacks" / i64 / Doing).and(post).and(body).then(
        |id, doing: Doing, call, body: bytes::Bytes| async move {
            match doing {
                Doing::State => answer(Box::pin(quarantine::state(call, id, body))).await,
                Doing::Confirm => answer(Box::pin(quarantine::confirm(call, id, body))).await,
                Doing::Decline => answer(Box::pin(quarantine::decline(call, id, body))).await,
                Doing::SetAside => answer(Box::pin(quarantine::set_aside(call, id, body))).await,
                Doing::TakeUp => answer(Box::pin(quarantine::take_up(call, id, body))).await,
            }
        },
    );
    one.or(act).unify().boxed()
}

/// A call of the API before it is known who makes it.
pub(crate) struct Call {
    api: Arc<Api>,
    authorization: Authorization,
    /// From where.
    from: IpAddr,
    method: Method,
    path: FullPath,
    query: String,
}

/// The call of a request.
pub(crate) fn call(api: Arc<Api>) -> impl Filter<Extract = (Call,), Error = Rejection> + Clone {
    warp::header::headers_cloned()
        .and(warp::ext::get::<Peer>())
        .and(warp::method())
        .and(warp::path::full())
        .and(query())
        .map(move |headers: HeaderMap, peer: Peer, method: Method, path: FullPath, query: String| {
            let from = caller::address(peer, &headers, &api.trusted_proxies);
            // What is no text is no token either.
            let header = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
            let authorization = Authorization(header.map(ToOwned::to_owned));
            Call { api: api.clone(), authorization, from, method, path, query }
        })
}

/// The raw query; empty if there is none.
fn query() -> impl Filter<Extract = (String,), Error = std::convert::Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}

/// What a request cannot have sent, as a rejection on its way to [`refuse`].
#[derive(Debug)]
struct Unread(ApiError);

impl warp::reject::Reject for Unread {}

fn unread(error: ApiError) -> Rejection {
    warp::reject::custom(Unread(error))
}

/// The body of a request, which is a JSON object or empty.
fn json_body() -> BoxedFilter<(bytes::Bytes,)> {
    warp::header::headers_cloned().and(warp::body::stream()).and_then(read_json).boxed()
}

async fn read_json<B: bytes::Buf>(
    headers: HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> Result<bytes::Bytes, Rejection> {
    let is_json = |kind: String| kind == "application/json" || kind.ends_with("+json");
    if !content_type(&headers).is_none_or(is_json) {
        let what = "the body must be JSON: send it with Content-Type: application/json";
        return Err(unread(ApiError::UnsupportedType(what)));
    }
    let body = whole(&headers, body, MAX_REQUEST_BODY_LEN).await.map_err(|bad| {
        unread(match bad {
            BadBody::TooLarge => ApiError::TooLarge,
            BadBody::TooSlow => ApiError::TooSlow,
            BadBody::Broken => ApiError::invalid("the body ended early"),
        })
    })?;
    match no_object(&body) {
        Some(what) => Err(unread(ApiError::invalid(format!("the body must be a JSON object, not {what}")))),
        None => Ok(body.into()),
    }
}

/// What JSON text is, if it is no object: structures would be read from arrays, too.
fn no_object(body: &[u8]) -> Option<&'static str> {
    Some(match body.trim_ascii_start().first()? {
        b'[' => "an array",
        b'"' => "a text",
        b'-' | b'0'..=b'9' => "a number",
        b't' | b'f' => "a truth value",
        b'n' => "null",
        // An object; or no JSON, of which the parser says where it is wrong.
        _ => return None,
    })
}

/// A file comes as it is, not in an envelope.
fn file() -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::header::headers_cloned()
        .and_then(|headers: HeaderMap| async move {
            let is_envelope = |kind: String| kind.starts_with("multipart/");
            if content_type(&headers).is_some_and(is_envelope) {
                let what = "the body must be the file itself: send it with Content-Type: text/csv";
                return Err(unread(ApiError::UnsupportedType(what)));
            }
            Ok(())
        })
        .untuple_one()
}

/// The refusal of a request that is not even routed.
pub(crate) fn unfit(status: StatusCode, why: String) -> Response {
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::NotFound(why),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::MethodNotAllowed,
        _ => ApiError::Invalid(why),
    };
    error.into_response()
}

async fn answer<T: Serialize>(handled: impl Future<Output = Result<T, ApiError>>) -> Response {
    match handled.await {
        Ok(value) => json(StatusCode::OK, &value),
        Err(error) => error.into_response(),
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let mut response = warp::reply::with_status(warp::reply::json(value), status).into_response();
    // Balances and people: no cache keeps them.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A path or a query that is no text.
#[derive(Debug)]
struct Unclean(texts::BadText);

impl warp::reject::Reject for Unclean {}

/// What no handler took, under `/api/v1`.
async fn refuse(rejection: Rejection) -> Result<Response, Rejection> {
    let error = if let Some(Unread(error)) = rejection.find() {
        error.again()
    } else if let Some(Unclean(bad)) = rejection.find() {
        bad.clone().into()
    } else if let Some(header) = rejection.find::<warp::reject::InvalidHeader>() {
        ApiError::invalid(format!("the header `{}` must be plain text", header.name()))
    } else if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
        ApiError::MethodNotAllowed
    } else {
        ApiError::NotFound("no such resource".into())
    };
    Ok(error.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_is_an_object() {
        for (body, what) in [
            ("{}", None),
            ("", None),
            (" \n{\"note\":1}", None),
            ("[1]", Some("an array")),
            (" 7", Some("a number")),
            ("-7", Some("a number")),
            ("\"x\"", Some("a text")),
            ("null", Some("null")),
            ("true", Some("a truth value")),
            ("x", None),
        ] {
            assert_eq!(no_object(body.as_bytes()), what, "{body}");
        }
    }
}
