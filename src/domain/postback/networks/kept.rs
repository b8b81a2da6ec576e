//! A call as it is stored: text in which any bytes survive.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

use crate::postback::networks::call::{Call, Method};
use crate::postback::networks::definition::{Definition, ParameterSource};
use crate::postback::networks::signature::Place;

/// Everything that could not be read back from text: controls and the escape itself. Bytes that are not ASCII are
/// always encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
/// Says how a body is written.
const CONTENT_TYPE: &str = "content-type";

/// The stored form of a body: percent-encoded; `None` if it is empty.
pub fn kept_body(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| percent_encode(bytes, ENCODED).to_string())
}

/// The stored form of headers: one `name: value` in a line; `None` if there are none.
pub fn kept_headers(headers: &[(&str, &[u8])]) -> Option<String> {
    let lines = headers.iter().map(|(name, value)| format!("{name}: {}", percent_encode(value, ENCODED)));
    (!headers.is_empty()).then(|| lines.collect::<Vec<_>>().join("\n"))
}

/// A stored call.
#[derive(Clone, Debug)]
pub struct KeptCall<'a> {
    method: Method,
    target: &'a str,
    headers: Vec<(&'a str, Cow<'a, [u8]>)>,
    body: Cow<'a, [u8]>,
}

impl<'a> KeptCall<'a> {
    /// Reads what [`kept_headers`] and [`kept_body`] made. Any other method than POST has no body.
    pub fn of(method: &str, target: &'a str, headers: Option<&'a str>, body: Option<&'a str>) -> Self {
        let lines = headers.into_iter().flat_map(str::lines).filter_map(|line| line.split_once(": "));
        Self {
            method: if method.eq_ignore_ascii_case("POST") { Method::Post } else { Method::Get },
            target,
            headers: lines.map(|(name, value)| (name, percent_decode_str(value).into())).collect(),
            body: body.map_or(Cow::Borrowed(&[]), |body| percent_decode_str(body).into()),
        }
    }

    /// The call, under the `origin` that the network signs.
    pub fn with<T>(&self, origin: &str, use_it: impl FnOnce(&Call<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        use_it(&Call {
            origin,
            method: self.method,
            target: self.target,
            headers: &headers,
            body: &self.body,
        })
    }
}

impl Definition {
    /// The headers of a call that count: where its signature stands, and how its body is written.
    pub fn headers_that_count(&self) -> Vec<&str> {
        let mut names = Vec::new();
        if let Some(Place::Header { name, .. }) = self.signature.place() {
            names.push(name.as_str());
        }
        if self.parameters == ParameterSource::Form {
            names.push(CONTENT_TYPE);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_come_back(
            body in prop::collection::vec(any::<u8>(), 0..60), value in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            let (headers, kept) = (kept_headers(&[("x-sign", &value)]), kept_body(&body));
            let call = KeptCall::of("POST", "/pb/x?a", headers.as_deref(), kept.as_deref());
            call.with("https://gw", |call| {
                assert_eq!((call.body, call.method, call.target), (body.as_slice(), Method::Post, "/pb/x?a"));
                assert_eq!(call.header("X-Sign").collect::<Vec<_>>(), [value.as_slice()]);
            });
        }
    }

    #[test]
    fn nothing_is_kept_of_nothing() {
        assert_eq!((kept_body(b""), kept_headers(&[])), (None, None));
    }
}
