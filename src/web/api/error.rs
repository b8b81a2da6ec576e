//! What the API answers when it says no: `{"error":{"code","message"}}`.

use serde::Serialize;
use utoipa::ToSchema;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::terms::ErrorCode;

/// Every `code` of an error.
pub(super) const CODES: [&str; 11] = [
    "invalid_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "conflict",
    "too_large",
    "too_slow",
    "unsupported_type",
    "unavailable",
    "internal",
];

/// In how many seconds to try again what failed because the database did not answer.
const RETRY_AFTER: &str = "1";

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Something in the request cannot be right.
    #[error("{0}")]
    Invalid(String),
    /// No token, or one that is not known.
    #[error("a bearer token is needed: make one with `rewardgate token add NAME --role risk|finance|admin`")]
    Unauthorized,
    /// The token's role may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The method does not exist here.
    #[error("this method does not exist here")]
    MethodNotAllowed,
    /// The reward does not stand where that is possible.
    #[error("{0}")]
    Conflict(String),
    /// The request's body is too large.
    #[error("the request's body is larger than {} KiB", super::MAX_REQUEST_BODY_LEN / 1024)]
    TooLarge,
    /// A file is too large.
    #[error("{0}")]
    FileTooLarge(String),
    /// The request's body did not come in time.
    #[error("the request's body took too long")]
    TooSlow,
    /// The request's body is of another kind.
    #[error("{0}")]
    UnsupportedType(&'static str),
    /// A fault of ours; the text says which.
    #[error("{0}")]
    Failed(String),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The body of every error.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// For programs.
    #[schema(value_type = ErrorCode, example = "not_found")]
    code: &'static str,
    /// For people: what was wrong, and what to do.
    message: String,
}

impl From<crate::texts::BadText> for ApiError {
    fn from(bad: crate::texts::BadText) -> Self {
        Self::Invalid(bad.to_string())
    }
}

impl ApiError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The same once more, of those that are found before a handler: a rejection is only lent.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::TooLarge => Self::TooLarge,
            Self::TooSlow => Self::TooSlow,
            Self::UnsupportedType(what) => Self::UnsupportedType(what),
            other => Self::Invalid(other.to_string()),
        }
    }

    pub(crate) fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::TooLarge | Self::FileTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
            Self::UnsupportedType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_type"),
            Self::Store(error) if error.is_transient() => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Failed(_) | Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let message = match &self {
            // The caller can do nothing with a database's words; the log can.
            Self::Store(error) => {
                tracing::error!(%error, code, "an API call failed");
                "the database did not answer; nothing was changed, try again".to_owned()
            }
            other => other.to_string(),
        };
        let mut response = super::json(status, &ErrorBody { error: ErrorDetail { code, message } });
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}
