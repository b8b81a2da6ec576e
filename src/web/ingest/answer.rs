//! Every answer that a network can get.

use metrics::counter;
use warp::Reply;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

/// `Retry-After` of a 503, in seconds.
const RETRY_AFTER_S: &str = "10";

/// Every answer that a network can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Recorded,
    Understood,
    BadSignature,
    CallerNotListed,
    UnknownSource,
    WrongPath,
    MethodNotAllowed,
    TargetTooLong,
    BodyTooLarge,
    BodyTooSlow,
    BodyBroken,
    /// Answered by hyper; listed here for the metric.
    Unparsable,
    NotRecorded,
}

impl Answer {
    /// The label in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Understood => "understood",
            Self::BadSignature => "bad_signature",
            Self::CallerNotListed => "caller_not_listed",
            Self::UnknownSource => "unknown_source",
            Self::WrongPath => "wrong_path",
            Self::Unparsable => "unparsable",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TargetTooLong => "target_too_long",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyBroken => "body_broken",
            Self::NotRecorded => "not_recorded",
        }
    }

    pub(super) fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Recorded => (StatusCode::OK, "OK"),
            Self::Understood => (StatusCode::OK, "understood"),
            Self::BadSignature => (StatusCode::FORBIDDEN, "bad signature"),
            Self::CallerNotListed => (StatusCode::FORBIDDEN, "address not allowed"),
            Self::UnknownSource => (StatusCode::NOT_FOUND, "unknown source"),
            Self::WrongPath => (StatusCode::NOT_FOUND, "not found"),
            Self::Unparsable => (StatusCode::BAD_REQUEST, "bad request"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, "the URL is longer than 8 KiB"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 64 KiB"),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "the body took too long"),
            Self::BodyBroken => (StatusCode::BAD_REQUEST, "the body ended early"),
            Self::NotRecorded => (StatusCode::SERVICE_UNAVAILABLE, "cannot be recorded now"),
        };
        let mut response = warp::reply::with_status(text, status).into_response();
        let header = match self {
            Self::MethodNotAllowed => Some((header::ALLOW, "GET, POST")),
            Self::NotRecorded => Some((header::RETRY_AFTER, RETRY_AFTER_S)),
            _ => None,
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Creates every series of `source` before the first call, so that rates start at 0.
pub(crate) fn announce_metrics(source: &str) {
    for answer in [Answer::Recorded, Answer::BadSignature, Answer::NotRecorded] {
        counter!("rewardgate_calls_total", "source" => source.to_owned(), "answer" => answer.name())
            .absolute(0);
    }
}
