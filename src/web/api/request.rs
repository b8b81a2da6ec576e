//! Reads a request for a handler: the call, its query, its JSON body. An unreadable part becomes a rejection, which
//! [`refuse`] turns into an answer.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::Stream;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method, header};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::access::Authorization;
use super::error::ApiError;
use super::{Api, MAX_REQUEST_BODY_LEN};
use crate::body::{BadBody, content_type, whole};
use crate::caller::{self, Peer};
use crate::texts;

/// A call of the API, before authentication.
pub(crate) struct Call {
    pub(super) api: Arc<Api>,
    pub(super) authorization: Authorization,
    /// The caller's address, as trusted proxies report it.
    pub(super) from: IpAddr,
    pub(super) method: Method,
    pub(super) path: FullPath,
    pub(super) query: String,
}

/// A call by GET.
pub(super) fn get(api: &Arc<Api>) -> BoxedFilter<(Call,)> {
    warp::get().and(call(api.clone())).boxed()
}

/// A call by POST.
pub(super) fn post(api: &Arc<Api>) -> BoxedFilter<(Call,)> {
    warp::post().and(call(api.clone())).boxed()
}

/// Reads the call from a request.
pub(crate) fn call(api: Arc<Api>) -> impl Filter<Extract = (Call,), Error = Rejection> + Clone {
    warp::header::headers_cloned()
        .and(warp::ext::get::<Peer>())
        .and(warp::method())
        .and(warp::path::full())
        .and(query())
        .map(move |headers: HeaderMap, peer: Peer, method: Method, path: FullPath, query: String| {
            let from = caller::address(peer, &headers, &api.trusted_proxies);
            // A header that is not text holds no token.
            let header = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
            let authorization = Authorization(header.map(ToOwned::to_owned));
            Call { api: api.clone(), authorization, from, method, path, query }
        })
}

/// The raw query; empty if there is none.
pub(super) fn query() -> impl Filter<Extract = (String,), Error = std::convert::Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}

/// An error found while reading a request, as a rejection on its way to [`refuse`].
#[derive(Debug)]
struct Unread(ApiError);

impl warp::reject::Reject for Unread {}

fn unread(error: ApiError) -> Rejection {
    warp::reject::custom(Unread(error))
}

/// The body of a request: a JSON object, or empty.
pub(super) fn json_body() -> BoxedFilter<(bytes::Bytes,)> {
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
    let body = whole(&headers, body, MAX_REQUEST_BODY_LEN).await;
    let body = body.map_err(|bad| unread(unread_body(bad, ApiError::TooLarge)))?;
    match no_object(&body) {
        Some(what) => Err(unread(ApiError::invalid(format!("the body must be a JSON object, not {what}")))),
        None => Ok(body.into()),
    }
}

/// Why a body was not read; `too_large` if it is longer than may be.
pub(super) fn unread_body(bad: BadBody, too_large: ApiError) -> ApiError {
    match bad {
        BadBody::TooLarge => too_large,
        BadBody::TooSlow => ApiError::TooSlow,
        BadBody::Broken => ApiError::invalid("the body ended early"),
    }
}

/// The kind of JSON if it is not an object. serde would also read structs from arrays.
fn no_object(body: &[u8]) -> Option<&'static str> {
    Some(match body.trim_ascii_start().first()? {
        b'[' => "an array",
        b'"' => "a string",
        b'-' | b'0'..=b'9' => "a number",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        // An object, or invalid JSON, which the parser reports.
        _ => return None,
    })
}

/// Rejects a multipart body: a file must be the whole body.
pub(super) fn file() -> impl Filter<Extract = (), Error = Rejection> + Clone {
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

/// Rejects a path or a query that is not text.
pub(super) fn clean() -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::path::full()
        .and(query())
        .and_then(|path: FullPath, query: String| async move {
            let looked = texts::path(path.as_str()).and_then(|()| texts::pairs(query.as_bytes()));
            looked.map_err(|bad| warp::reject::custom(Unclean(bad)))
        })
        .untuple_one()
}

/// A path or a query that is not text.
#[derive(Debug)]
struct Unclean(texts::BadText);

impl warp::reject::Reject for Unclean {}

/// The answer to a call under `/api/v1` that no handler took.
pub(super) async fn refuse(rejection: Rejection) -> Result<Response, Rejection> {
    let error = if let Some(Unread(error)) = rejection.find() {
        error.again()
    } else if let Some(Unclean(bad)) = rejection.find() {
        bad.clone().into()
    } else if let Some(header) = rejection.find::<warp::reject::InvalidHeader>() {
        ApiError::invalid(format!("the header `{}` must be printable ASCII", header.name()))
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
            ("\"x\"", Some("a string")),
            ("null", Some("null")),
            ("true", Some("a boolean")),
            ("x", None),
        ] {
            assert_eq!(no_object(body.as_bytes()), what, "{body}");
        }
    }
}
