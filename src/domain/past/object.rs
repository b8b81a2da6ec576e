//! A JSON object in a line: access logs in JSON, with the names that people give to nginx's variables, or our own form.

use serde_json::{Map, Value};

use super::{BadLine, PastCall, combined, instant};

/// Names of the time, the most exact first.
const TIMES: [&str; 8] =
    ["received_at", "msec", "time_iso8601", "@timestamp", "timestamp", "time", "time_local", "ts"];
/// Names of the caller's address.
const CALLERS: [&str; 5] = ["remote_ip", "remote_addr", "client_ip", "clientip", "ip"];
/// Names of path and query together.
const TARGETS: [&str; 3] = ["target", "request_uri", "url"];
/// Names of the path alone.
const PATHS: [&str; 2] = ["uri", "path"];
/// Names of the query alone.
const QUERIES: [&str; 3] = ["args", "query_string", "query"];
/// Names of the method.
const METHODS: [&str; 2] = ["method", "request_method"];
/// Names of the host.
const HOSTS: [&str; 3] = ["host", "http_host", "server_name"];

/// Reads a line.
pub(super) fn read(line: &str) -> Result<PastCall, BadLine> {
    let Ok(Value::Object(object)) = serde_json::from_str(line) else { return Err(BadLine::Format) };
    let text = |names: &[&str]| names.iter().find_map(|name| text_of(&object, name));
    let time = text(&TIMES).map(|time| instant::read(&time).ok_or(BadLine::Time)).transpose()?;
    let (method, target) = request(&object).ok_or(BadLine::NoTarget)?;
    let call = PastCall::get(&target);
    let scheme = text(&["scheme"]).unwrap_or_else(|| "https".into());
    let host = text(&HOSTS).map(|host| format!("{scheme}://{host}"));
    PastCall {
        received_at: time,
        source: text(&["source"]),
        origin: call.origin.clone().or(host),
        method: method.unwrap_or_else(|| "GET".into()),
        remote_ip: text(&CALLERS).unwrap_or_default(),
        body: text(&["body", "request_body"]).filter(|body| body != "-"),
        ..call
    }
    .checked()
}

/// Whether `line` is an object at all.
pub(super) fn fits(line: &str) -> bool {
    matches!(serde_json::from_str(line), Ok(Value::Object(_)))
}

/// The method, if it is named, and the target.
fn request(object: &Map<String, Value>) -> Option<(Option<String>, String)> {
    let text = |names: &[&str]| names.iter().find_map(|name| text_of(object, name));
    if let Some(target) = text(&TARGETS) {
        return Some((text(&METHODS), target));
    }
    if let Some(line) = text_of(object, "request") {
        let (method, target) = combined::request_line(&line)?;
        return Some((Some(method.to_owned()), target.to_owned()));
    }
    let (path, query) = (text(&PATHS)?, text(&QUERIES).filter(|query| query != "-"));
    let target = match query {
        Some(query) if !path.contains('?') => format!("{path}?{query}"),
        _ => path,
    };
    Some((text(&METHODS), target))
}

fn text_of(object: &Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
