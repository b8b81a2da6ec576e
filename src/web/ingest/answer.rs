//! Every answer that a network can get.

use domain::postback::networks::{Call, Definition, signature};
use metrics::counter;
use warp::Reply;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::Refusal;

/// `Retry-After` of a 503, in seconds.
const RETRY_AFTER_S: &str = "10";

/// Every answer that a network can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Recorded,
    /// Recorded, and known before.
    Repeated,
    Understood,
    BadSignature,
    CallerNotListed,
    /// Signed or not, its body is none of this network.
    Unreadable,
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

/// An answer in the words of a network.
#[derive(Debug)]
pub(super) struct Said {
    status: StatusCode,
    body: String,
}

impl Said {
    /// How the network of `definition` is told `answer`; `None` if it has no words of its own for it.
    pub(super) fn of(definition: &Definition, answer: Answer, call: &Call<'_>) -> Option<Self> {
        let answers = &definition.answers;
        let own = match answer {
            Answer::Recorded => &answers.recorded,
            Answer::Repeated => &answers.repeat,
            Answer::NotRecorded => &answers.later,
            Answer::Unreadable => &answers.invalid,
            Answer::BadSignature => &answers.refused,
            Answer::CallerNotListed if answers.say_refused() => &answers.refused,
            _ => return None,
        };
        let status = StatusCode::from_u16(own.status).ok()?;
        Some(Self { status, body: definition.answer_body(own, call) })
    }
}

impl Answer {
    /// The answer to a call that is refused.
    pub(super) fn refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::BadSignature(signature::Refusal::Body(_)) => Self::Unreadable,
            Refusal::BadSignature(_) => Self::BadSignature,
            Refusal::CallerNotListed | Refusal::CallerNotReported => Self::CallerNotListed,
        }
    }

    /// The label in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Repeated => "repeated",
            Self::Understood => "understood",
            Self::Unreadable => "unreadable",
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

    /// `said`: as the network's definition has it.
    pub(super) fn into_response(self, said: Option<Said>) -> Response {
        if let Some(Said { status, body }) = said {
            return self.with_headers(warp::reply::with_status(body, status).into_response());
        }
        let (status, text) = match self {
            Self::Recorded | Self::Repeated => (StatusCode::OK, "OK"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "cannot be read"),
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
        self.with_headers(warp::reply::with_status(text, status).into_response())
    }

    fn with_headers(self, mut response: Response) -> Response {
        let header = match self {
            Self::MethodNotAllowed => Some((header::ALLOW, "GET, POST, HEAD")),
            Self::NotRecorded if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                Some((header::RETRY_AFTER, RETRY_AFTER_S))
            }
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
