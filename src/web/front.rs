//! Checks of every request before routing, and headers of every answer.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use warp::http::uri::Authority;
use warp::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use warp::reply::Response;
use warp::{Reply, http};

use crate::api;

/// Browsers use https for a year.
const HSTS: &str = "max-age=31536000";
/// CSP of answers that are not pages: nothing may be loaded, nobody may frame them.
const NO_CONTENT: &str = "default-src 'none'; frame-ancestors 'none'";
/// Default headers of every answer.
const USUAL: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", NO_CONTENT),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// A request is refused before routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the request has more than one Host header")]
    TwoHosts,
    #[error("the Host header is not the name of a host")]
    BadHost,
    #[error("the Host header names another host than the request line")]
    OtherHost,
    #[error("not found")]
    OtherPath,
    #[error("the method CONNECT is not known here")]
    Tunnel,
}

impl Unfit {
    /// The answer: JSON for the API, else text.
    pub(crate) fn answer(self, path: &str) -> Response {
        let status = match self {
            Self::TwoHosts | Self::BadHost | Self::OtherHost => StatusCode::BAD_REQUEST,
            Self::OtherPath => StatusCode::NOT_FOUND,
            Self::Tunnel => StatusCode::METHOD_NOT_ALLOWED,
        };
        if first(path) == Some("api") {
            return api::unfit(status, self.to_string());
        }
        warp::reply::with_status(self.to_string(), status).into_response()
    }
}

/// Refuses requests that a proxy and this server could read differently.
pub(crate) fn examine(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Unfit> {
    if method == Method::CONNECT {
        return Err(Unfit::Tunnel);
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Unfit::TwoHosts);
    }
    let host = match host.map(HeaderValue::as_bytes) {
        None | Some(b"") => None,
        Some(bytes) => Some(Authority::try_from(bytes).map_err(|_| Unfit::BadHost)?),
    };
    // Postbacks are verified by signature, whatever the host; refusing one would lose a reward.
    if !is_for_networks(uri.path())
        && let (Some(host), Some(target)) = (&host, uri.authority())
        && !is_same(host, target)
    {
        return Err(Unfit::OtherHost);
    }
    if leads_elsewhere(uri.path()) { Err(Unfit::OtherPath) } else { Ok(()) }
}

fn is_same(one: &Authority, other: &Authority) -> bool {
    let port = |authority: &Authority| authority.port_u16().unwrap_or(80);
    one.host().eq_ignore_ascii_case(other.host()) && port(one) == port(other)
}

/// True if a path is meant for ingest, in any spelling.
pub(crate) fn is_for_networks(path: &str) -> bool {
    first(path).is_some_and(|first| first.eq_ignore_ascii_case("pb"))
}

/// True if a path is served by the ingest threads. Health checks are included: they must be answered when pages are slow.
pub(crate) fn is_of_ingest(path: &str) -> bool {
    is_for_networks(path) || matches!(first(path), Some("healthz" | "readyz"))
}

fn first(path: &str) -> Option<&str> {
    path.split('/').find(|part| !part.is_empty())
}

/// True if the first segment changes when the path is decoded and `..` is resolved. Many proxies filter by the decoded path:
/// `/reports/..%2fpb%2fx` would pass as `/pb/x` and be forwarded as it is.
fn leads_elsewhere(path: &str) -> bool {
    if !path.contains(['%', ';', '\\']) && !path.contains("/.") {
        return false;
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy().replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in decoded.split('/') {
        // Some servers treat the text after a semicolon as a parameter.
        match part.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let written = first(path).map(|first| percent_decode_str(first).decode_utf8_lossy());
    let written = written.as_ref().map(Cow::as_ref);
    parts.first().copied() != written
}

/// True if the answer shows that the caller is no stranger: a recorded postback, a valid token or a session.
pub(crate) fn is_business(method: &Method, path: &str, has_session: bool, status: StatusCode) -> bool {
    if status != StatusCode::OK && status != StatusCode::ACCEPTED {
        return false;
    }
    match first(path) {
        Some("pb") => method == Method::GET || method == Method::POST,
        Some("api") => !path.ends_with("/openapi.json"),
        Some("login" | "static" | "healthz" | "readyz" | "metrics") => false,
        _ => has_session,
    }
}

/// Puts what every answer carries onto this one. `path` is that of the request, which came by https or not.
pub(crate) fn finish(response: &mut Response, method: &Method, path: &str, is_https: bool) {
    let status = response.status();
    let headers = response.headers_mut();
    for (name, value) in USUAL {
        if !headers.contains_key(name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    if status == StatusCode::UNAUTHORIZED && !headers.contains_key(header::WWW_AUTHENTICATE) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status != StatusCode::METHOD_NOT_ALLOWED {
        return;
    }
    if !headers.contains_key(header::ALLOW)
        && let Ok(allowed) = HeaderValue::from_str(&allowed(path))
    {
        headers.insert(header::ALLOW, allowed);
    }
    // OPTIONS lists the allowed methods.
    if method == Method::OPTIONS {
        let mut options = http::StatusCode::NO_CONTENT.into_response();
        *options.headers_mut() = std::mem::take(headers);
        options.headers_mut().remove(header::CONTENT_TYPE);
        options.headers_mut().remove(header::CONTENT_LENGTH);
        *response = options;
    }
}

/// The methods of a path of which nobody else says them.
fn allowed(path: &str) -> String {
    match first(path) {
        Some("healthz" | "readyz" | "metrics") => "GET, HEAD, OPTIONS".to_owned(),
        Some("pb") => "GET, POST".to_owned(),
        Some("api") => api::allowed(path),
        _ => "GET, HEAD, POST, OPTIONS".to_owned(),
    }
}

/// The default headers as lines, for answers that hyper gives by itself.
pub(crate) fn bare_headers() -> String {
    USUAL.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(target: &str, hosts: &[&str]) -> Result<(), Unfit> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_str(host).expect("a value"));
        }
        examine(&Method::GET, &target.parse().expect("a target"), &headers)
    }

    #[test]
    fn a_request_names_one_host() {
        for (target, hosts, result) in [
            ("/review", &["gw.example.com"][..], Ok(())),
            ("/review", &[], Ok(())),
            ("/review", &["a.example", "b.example"], Err(Unfit::TwoHosts)),
            ("/review", &["a.example", "a.example"], Err(Unfit::TwoHosts)),
            ("/pb/targo", &["a.example", "a.example"], Err(Unfit::TwoHosts)),
            ("/review", &["a b"], Err(Unfit::BadHost)),
            ("/review", &["a.example/x"], Err(Unfit::BadHost)),
            ("http://a.example/review", &["A.example:80"], Ok(())),
            ("http://a.example/review", &["b.example"], Err(Unfit::OtherHost)),
            ("http://a.example:81/review", &["a.example"], Err(Unfit::OtherHost)),
            ("http://a.example/pb/targo", &["b.example"], Ok(())),
        ] {
            assert_eq!(examined(target, hosts), result, "{target} {hosts:?}");
        }
    }

    #[test]
    fn a_path_that_a_proxy_takes_for_another_is_not_found() {
        for path in [
            "/reports/..%2fpb%2fx",
            "/reports/..%2Fpb%2Fx",
            "/reports/%2e%2e/pb/x",
            "/reports/../pb/x",
            "/reports/..\\pb\\x",
            "/reports/..%5cpb%5cx",
            "/reports/..;/pb/x",
            "/users/a/b/../../../pb",
            "/..%2f..%2f",
            "/api;x/v1/rewards",
            "/review/..",
        ] {
            assert!(leads_elsewhere(path), "{path}");
        }
        for path in [
            "/",
            "/pb/targo",
            "//pb/targo",
            "/users/main/a%2Fb",
            "/users/main/a%2F..%2Fb",
            "/users/main/..a",
            "/%FF",
            "/rewards/1;x",
            "/reports/./2026-11-23",
        ] {
            assert!(!leads_elsewhere(path), "{path}");
        }
    }

    #[test]
    fn only_what_a_stranger_cannot_do_shows_business() {
        for (method, path, has_session, status, expected) in [
            (Method::GET, "/pb/targo", false, 200, true),
            (Method::OPTIONS, "/pb/targo", false, 200, false),
            (Method::GET, "/pb/targo", false, 403, false),
            (Method::GET, "/api/v1/rewards", false, 200, true),
            (Method::GET, "/api/v1/openapi.json", false, 200, false),
            (Method::GET, "/api/v1/rewards", false, 401, false),
            (Method::GET, "/review", true, 200, true),
            (Method::GET, "/review", true, 303, false),
            (Method::GET, "/login", true, 200, false),
            (Method::GET, "/static/x.css", true, 200, false),
            (Method::GET, "/healthz", true, 200, false),
            (Method::GET, "/review", false, 200, false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(is_business(&method, path, has_session, status), expected, "{method} {path} {status}");
        }
    }
}
