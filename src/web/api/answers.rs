//! Answers that every call of a kind shares, such as 401. They are listed once, so that no handler forgets one.

use std::collections::BTreeMap;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{
    ContentBuilder, Header, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{Modify, ToSchema};
use warp::http::StatusCode;

use super::MAX_REQUEST_BODY_LEN;
use super::error::ErrorBody;

/// The calls that can give this answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    /// Calls with an id in their path.
    Named,
    /// Calls that change something, and so require a role.
    Changing,
    /// Calls with a body.
    WithBody,
    /// Calls whose handler declares it.
    Some,
}

/// A status with the name of its answer, who can answer so, a header that comes with it, and what it means.
struct Kind {
    status: u16,
    name: &'static str,
    of: Of,
    header: Option<(&'static str, &'static str)>,
    about: &'static str,
}

const fn kind(status: u16, name: &'static str, of: Of, about: &'static str) -> Kind {
    Kind { status, name, of, header: None, about }
}

impl Kind {
    const fn with(self, name: &'static str, about: &'static str) -> Self {
        Self { header: Some((name, about)), ..self }
    }
}

const KINDS: [Kind; 13] = [
    kind(400, "Invalid", Of::All, "The request is invalid; the message names the field."),
    kind(401, "Unauthorized", Of::All, "The token is missing, unknown, revoked or expired.")
        .with("WWW-Authenticate", "`Bearer`"),
    kind(403, "Forbidden", Of::Changing, "The role of the token does not allow this call."),
    kind(404, "NotFound", Of::Named, "Not found."),
    kind(405, "MethodNotAllowed", Of::All, "The path does not support this method.")
        .with("Allow", "The methods that the path supports."),
    kind(408, "TooSlow", Of::WithBody, "The body did not arrive in time."),
    kind(409, "Conflict", Of::Some, "The current state does not allow this; nothing was changed."),
    kind(413, "TooLarge", Of::WithBody, ""),
    kind(414, "TargetTooLong", Of::All, "The path and query are too long. The answer has no body."),
    kind(415, "UnsupportedType", Of::WithBody, "The call does not support this content type."),
    kind(
        431,
        "HeadersTooLarge",
        Of::All,
        "The headers are larger than `limits.header_kib`. The answer has no body.",
    ),
    kind(500, "Failed", Of::All, "Internal error; the log of the process shows the cause."),
    kind(503, "Unavailable", Of::All, "The database does not respond. Nothing was changed: try again.")
        .with("Retry-After", "Seconds to wait before the next attempt."),
];

/// Calls, by operation id, whose body is optional.
const MAY_LACK_ITS_BODY: [&str; 1] = ["resend"];

/// Adds to every call of the document what any of its kind can answer, and what OpenAPI wants of it.
pub(super) struct EveryAnswer;

impl Modify for EveryAnswer {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        for kind in &KINDS {
            components.responses.insert(kind.name.to_owned(), kind.response().into());
        }
        for (path, item) in &mut document.paths.paths {
            for (changes, operation) in [(false, &mut item.get), (true, &mut item.post)] {
                let Some(operation) = operation else { continue };
                complete(operation, path.contains('{'), changes);
            }
        }
    }
}

impl Kind {
    fn response(&self) -> Response {
        let about = match self.status {
            413 => format!("The body is larger than {} KiB of JSON.", MAX_REQUEST_BODY_LEN / 1_024),
            _ => self.about.to_owned(),
        };
        let mut response = ResponseBuilder::new().description(about);
        // These two are answered before anything is known of the call.
        if ![414, 431].contains(&self.status) {
            let body = Ref::from_schema_name(ErrorBody::name());
            response = response.content("application/json", ContentBuilder::new().schema(Some(body)).build());
        }
        if let Some((name, about)) = self.header {
            let text = ObjectBuilder::new().schema_type(Type::String);
            let header: Header = HeaderBuilder::new().schema(Some(text)).description(Some(about)).build();
            response = response.header(name, header);
        }
        response.build()
    }
}

fn complete(operation: &mut Operation, is_named: bool, changes: bool) {
    let has_body = operation.request_body.is_some();
    let answers = &mut operation.responses.responses;
    for kind in &KINDS {
        let status = kind.status.to_string();
        let can = match kind.of {
            Of::All => true,
            Of::Named => is_named,
            Of::Changing => changes,
            Of::WithBody => has_body,
            Of::Some => false,
        };
        if can || answers.contains_key(&status) {
            answers.insert(status, RefOr::Ref(Ref::from_response_name(kind.name)));
        }
    }
    say_what_is_fine(answers);
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && MAY_LACK_ITS_BODY.iter().any(|name| operation.operation_id.as_deref() == Some(name))
    {
        body.required = Some(Required::False);
    }
    if let (Some(tag), Some(name)) = (operation.tags.iter().flatten().next(), &operation.operation_id) {
        operation.operation_id = Some(format!("{tag}_{name}"));
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        // A form can be sent as it is.
        if parameter.parameter_in == ParameterIn::Query && parameter.required == Required::False {
            let empty = [("allowEmptyValue".to_owned(), true)];
            parameter.extensions.get_or_insert_default().merge(empty.into_iter().collect());
        }
    }
}

/// OpenAPI wants words for every answer.
fn say_what_is_fine(answers: &mut BTreeMap<String, RefOr<Response>>) {
    for (status, answer) in answers {
        if let RefOr::T(answer) = answer
            && answer.description.is_empty()
        {
            let status = status.parse().ok().and_then(|status: u16| StatusCode::from_u16(status).ok());
            let words = status.and_then(|status| status.canonical_reason());
            words.unwrap_or("An answer").clone_into(&mut answer.description);
        }
    }
}
