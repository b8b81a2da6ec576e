//! `POST /reports/statements`: a network's file, sent by a form. It is kept as it comes and shown before it is read.

use std::sync::Arc;

use bytes::Buf;
use domain::access::same_text;
use futures_util::Stream;
use multer::{Constraints, Field, Multipart, SizeLimit};
use store::statements::Then;
use warp::http::{HeaderMap, Method};
use warp::path::FullPath;
use warp::reply::Response;

use crate::caller::{self, Peer};
use crate::console::Console;
use crate::console::finance::reports;
use crate::console::shell::answer::{Answer, Answered, fault};
use crate::console::shell::frame::refusal;
use crate::console::shell::parts::{Allowance, MAX_FIELD_LEN, MAX_HEAD_LEN, MAX_PARTS, Metered, why};
use crate::console::shell::request::Request;
use crate::console::shell::session::{self, Viewer};
use crate::statements::{NotTaken, Upload, take};
use crate::texts;

/// Header that may have the form's token instead of its first field.
const TOKEN_HEADER: &str = "x-csrf-token";

/// Takes the form.
pub(crate) async fn receive<B: Buf>(
    path: FullPath,
    headers: HeaderMap,
    peer: Peer,
    bytes: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
    console: Arc<Console>,
) -> Response {
    let address = caller::address(peer, &headers, &console.trusted_proxies);
    let request = match Request::read(Method::POST, path.as_str(), "", &headers, &[], address, peer.is_https)
    {
        Ok(request) => request,
        Err(bad) => return Answer::Plain(400, bad.to_string()).plain(),
    };
    let viewer = match session::viewer(&console, &request).await {
        Ok(Some(viewer)) => viewer,
        Ok(None) => return session::to_login(&request).into_response(&request),
        Err(error) => return fault(&error).into_response(&request),
    };
    let answered = taken(&console, &viewer, &headers, bytes).await;
    answered.unwrap_or_else(|error| fault(&error)).into_response(&request)
}

/// The fields of the form, which come before the file.
#[derive(Default)]
struct Form {
    source: String,
    from: String,
    to: String,
    supersedes: String,
}

/// Role and token come before everything else: of a form that may not be sent, no more is read than its first part.
async fn taken<B: Buf>(
    console: &Console,
    viewer: &Viewer,
    headers: &HeaderMap,
    bytes: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> Answered {
    let not_changed = |status, title, words: &str| {
        Ok(refusal(viewer, status, title, &format!("Nothing was changed: {words}.")))
    };
    if !viewer.may_settle() {
        return not_changed(
            403,
            "Finance role required",
            "uploading a statement requires the role finance or admin",
        );
    }
    let boundary = headers.get("content-type").and_then(|kind| kind.to_str().ok());
    let Some(boundary) = boundary.and_then(|kind| multer::parse_boundary(kind).ok()) else {
        return not_changed(415, "Unsupported form", "upload the file on the page Reports");
    };
    let allowance = Allowance::default();
    let limits = SizeLimit::new().per_field(MAX_FIELD_LEN as u64).for_field("file", u64::MAX);
    let bytes = Metered::new(bytes, allowance.clone());
    let mut parts = Multipart::with_constraints(bytes, boundary, Constraints::new().size_limit(limits));
    let mut form = Form::default();
    let token = headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok()).unwrap_or_default();
    let mut is_ours = same_text(token, &viewer.csrf);
    for _ in 0..MAX_PARTS {
        allowance.set(MAX_HEAD_LEN);
        let field = match parts.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => return not_changed(400, "No file selected", "choose a CSV file"),
            Err(error) => return not_changed(400, "The form is incomplete", &why(&error)),
        };
        let name = field.name().unwrap_or_default().to_owned();
        if is_ours && name == "file" {
            allowance.lift();
            return file(console, viewer, &form, field).await;
        }
        // The longest field, and the boundary behind it.
        allowance.set(MAX_FIELD_LEN + MAX_HEAD_LEN);
        let text = if name == "file" { Ok(String::new()) } else { field.text().await };
        let text = match text {
            Ok(text) => text.trim().to_owned(),
            Err(error) => return not_changed(400, "The form is incomplete", &why(&error)),
        };
        is_ours |= name == "csrf" && same_text(&text, &viewer.csrf);
        if !is_ours {
            return not_changed(
                403,
                "This form has expired",
                "the form's token is missing, does not come first, or belongs to another session. Reload the page \
                 and try again",
            );
        }
        if let Err(bad) = texts::plain(&name, &text) {
            return not_changed(400, "Invalid form", &bad.to_string());
        }
        match name.as_str() {
            "source" => form.source = text,
            "from" => form.from = text,
            "to" => form.to = text,
            "supersedes" => form.supersedes = text,
            _ => {}
        }
    }
    not_changed(400, "No file selected", "the form has too many fields before the file")
}

async fn file(console: &Console, viewer: &Viewer, form: &Form, field: Field<'_>) -> Answered {
    let file_name = field.file_name().unwrap_or_default().to_owned();
    if let Err(bad) = texts::plain("file", &file_name) {
        let words = format!("Nothing was changed: the name of {bad}.");
        return Ok(refusal(viewer, 400, "Invalid form", &words));
    }
    let filled = |text: &'_ str| -> bool { !text.is_empty() };
    let upload = Upload {
        source: &form.source,
        file_name: &file_name,
        from: Some(form.from.as_str()).filter(|text| filled(text)),
        to: Some(form.to.as_str()).filter(|text| filled(text)),
        supersedes: Some(form.supersedes.as_str()).filter(|text| filled(text)),
        actor: &viewer.actor(),
        now: console.clock.now(),
    };
    match take(&console.store, &console.statements, upload, field, Then::Ask).await {
        Ok(id) => Ok(Answer::To(format!("/reports/statements/{id}"))),
        Err(NotTaken::Before(first, stands)) => {
            let words = format!(
                "This file was received before, as statement {first}, which {stands}: /reports/statements/{first}"
            );
            reports::show(console, viewer, None, &words).await
        }
        Err(NotTaken::Store(error)) => Err(error.into()),
        Err(other) => {
            reports::show(console, viewer, None, &format!("The file was not accepted: {other}.")).await
        }
    }
}
