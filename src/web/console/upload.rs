//! `POST /reports/statements`: a network's file, sent by a form. It is kept as it comes and shown before it is read.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use domain::access::same_text;
use futures_util::{Stream, StreamExt as _};
use multer::{Constraints, Field, Multipart, SizeLimit};
use store::statements::Then;
use warp::http::{HeaderMap, Method};
use warp::path::FullPath;
use warp::reply::Response;

use super::answer::{Answer, Answered, fault};
use super::frame::refusal;
use super::request::Request;
use super::session::{self, Viewer};
use super::{Console, reports};
use crate::caller::{self, Peer};
use crate::statements::{NotTaken, Upload, take};

/// The longest field of the form but the file, in bytes.
const MAX_FIELD_LEN: u64 = 4_096;

/// Takes the form.
pub(super) async fn receive<B: Buf>(
    path: FullPath,
    headers: HeaderMap,
    peer: Peer,
    bytes: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
    console: Arc<Console>,
) -> Response {
    let address = caller::address(peer, &headers, console.trusted_proxies);
    let request = match Request::read(Method::POST, path.as_str(), "", &headers, &[], address, false) {
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

/// What the form says before the file.
#[derive(Default)]
struct Form {
    csrf: String,
    source: String,
    from: String,
    to: String,
    supersedes: String,
}

async fn taken<B: Buf>(
    console: &Console,
    viewer: &Viewer,
    headers: &HeaderMap,
    bytes: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> Answered {
    let not_changed =
        |title, words: &str| Ok(refusal(viewer, 400, title, &format!("Nothing was changed: {words}.")));
    let boundary = headers.get("content-type").and_then(|kind| kind.to_str().ok());
    let Some(boundary) = boundary.and_then(|kind| multer::parse_boundary(kind).ok()) else {
        return not_changed("This is no form with a file", "send it from the page Reports");
    };
    let limits = SizeLimit::new().per_field(MAX_FIELD_LEN).for_field("file", u64::MAX);
    let bytes = bytes.map(|chunk| chunk.map(|mut chunk| -> Bytes { chunk.copy_to_bytes(chunk.remaining()) }));
    let mut parts = Multipart::with_constraints(bytes, boundary, Constraints::new().size_limit(limits));
    let mut form = Form::default();
    loop {
        let field = match parts.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => return not_changed("There is no file", "choose one"),
            Err(error) => return not_changed("The form did not arrive whole", &error.to_string()),
        };
        if field.name() == Some("file") {
            return file(console, viewer, &form, field).await;
        }
        let name = field.name().unwrap_or_default().to_owned();
        let text = match field.text().await {
            Ok(text) => text.trim().to_owned(),
            Err(error) => return not_changed("The form did not arrive whole", &error.to_string()),
        };
        match name.as_str() {
            "csrf" => form.csrf = text,
            "source" => form.source = text,
            "from" => form.from = text,
            "to" => form.to = text,
            "supersedes" => form.supersedes = text,
            _ => {}
        }
    }
}

async fn file(console: &Console, viewer: &Viewer, form: &Form, field: Field<'_>) -> Answered {
    if !same_text(&form.csrf, &viewer.csrf) {
        return Ok(refusal(
            viewer,
            403,
            "This form is too old",
            "Nothing was changed: the form's token is missing or belongs to another session. Load the page again and \
             repeat what you did.",
        ));
    }
    if !viewer.may_settle() {
        console.note_refused(viewer, "POST /reports/statements".into()).await;
        return Ok(refusal(
            viewer,
            403,
            "This is for finance",
            "Nothing was changed: statements need the role finance or admin.",
        ));
    }
    let file_name = field.file_name().unwrap_or_default().to_owned();
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
            reports::show(console, viewer, None, &format!("The file was not taken: {other}.")).await
        }
    }
}
