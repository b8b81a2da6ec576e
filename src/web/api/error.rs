//! Errors of the API: `{"error":{"code","message"}}`.

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

/// Seconds after which to retry when the database does not respond.
const RETRY_AFTER: &str = "1";

/// A call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The request is invalid.
    #[error("{0}")]
    Invalid(String),
    /// The token is missing or unknown.
    #[error(
        "a bearer token is required: create one with `rewardgate token add NAME --role risk|finance|admin`"
    )]
    Unauthorized,
    /// The role of the token does not allow the call.
    #[error("{0}")]
    Forbidden(String),
    /// The thing named in the path does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The path does not support the method.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The current state does not allow the call.
    #[error("{0}")]
    Conflict(String),
    /// The JSON body is larger than [`super::MAX_REQUEST_BODY_LEN`].
    #[error("the request body is larger than {} KiB", super::MAX_REQUEST_BODY_LEN / 1024)]
    TooLarge,
    /// The uploaded file is too large.
    #[error("{0}")]
    FileTooLarge(String),
    /// The body did not arrive in time.
    #[error("the request body took too long to arrive")]
    TooSlow,
    /// The content type is not supported.
    #[error("{0}")]
    UnsupportedType(&'static str),
    /// An internal error, described by the text.
    #[error("{0}")]
    Failed(String),
    /// The database failed or does not respond.
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
    /// Stable; for programs.
    #[schema(value_type = ErrorCode, example = "not_found")]
    code: &'static str,
    /// For people: the problem, and what to do.
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

    /// A copy, for errors found before a handler runs: warp only lends a rejection.
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
                "the database does not respond; nothing was changed: try again".to_owned()
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
