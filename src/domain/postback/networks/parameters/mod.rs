//! The parameters of a call: from the URL, a form, a multipart body or JSON.
//!
//! Read in two ways. As received, for signatures: not a byte is guessed. Tolerant, for mapping: `&amp;` separates like
//! `&`, and a second `?` before the first name is passed over.

mod json;
mod multipart;

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde_json::value::RawValue;

pub(super) use json::{members, object};

use crate::postback::networks::call::{Call, Method};
use crate::postback::networks::definition::ParameterSource;
use crate::postback::query::{Plus, without_entities};

/// The content type of a multipart form.
const MULTIPART: &str = "multipart/form-data";

/// Why the body of a call cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// It has no body at all.
    #[error("the body is empty, and this network sends its parameters there")]
    Empty,
    /// It is not JSON, or not an object.
    #[error("the body is not a JSON object: {0}")]
    NotJson(String),
    /// It breaks the format of multipart forms.
    #[error("the multipart body {0}")]
    Multipart(&'static str),
}

/// The parameters of one call.
#[derive(Debug)]
pub struct Parameters<'a> {
    held: Held<'a>,
    have_entities: bool,
}

#[derive(Debug)]
enum Held<'a> {
    Pairs(Vec<(Cow<'a, [u8]>, Value<'a>)>),
    Json(&'a RawValue),
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    bytes: Cow<'a, [u8]>,
    is_encoded: bool,
}

impl<'a> Value<'a> {
    /// A value that is not encoded.
    pub fn plain(text: &'a str) -> Self {
        Self { bytes: Cow::Borrowed(text.as_bytes()), is_encoded: false }
    }

    /// A value as it stands in a URL.
    #[cfg(test)]
    pub(crate) fn encoded(text: &'a str) -> Self {
        Self { bytes: Cow::Borrowed(text.as_bytes()), is_encoded: true }
    }

    /// The bytes in the call: percent-encoded in a URL and a form, the text of a string or number in JSON.
    pub fn received(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_received(self) -> Cow<'a, [u8]> {
        self.bytes
    }

    /// The bytes that are meant, where a `+` stands for `plus`.
    pub fn decoded(&self, plus: Plus) -> Cow<'_, [u8]> {
        if self.is_encoded { decoded(&self.bytes, plus) } else { Cow::Borrowed(&self.bytes) }
    }
}

/// Percent-encoded bytes, decoded.
pub(super) fn decoded(bytes: &[u8], plus: Plus) -> Cow<'_, [u8]> {
    if plus == Plus::Space && bytes.contains(&b'+') {
        let spaced: Vec<_> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        return Cow::Owned(percent_decode(&spaced).collect());
    }
    percent_decode(bytes).into()
}

impl<'a> Parameters<'a> {
    /// As received: what signatures are computed from.
    pub fn received(source: ParameterSource, call: &Call<'a>) -> Result<Self, BadBody> {
        Self::read(source, call, false)
    }

    /// With the tolerances of mapping.
    pub fn tolerant(source: ParameterSource, call: &Call<'a>) -> Result<Self, BadBody> {
        Self::read(source, call, true)
    }

    fn read(source: ParameterSource, call: &Call<'a>, tolerant: bool) -> Result<Self, BadBody> {
        if source == ParameterSource::Json {
            let object = json::object(call.body)?;
            return Ok(Self { held: Held::Json(object), have_entities: false });
        }
        if source == ParameterSource::Query || call.method == Method::Get {
            return Ok(Self::pairs(call.query().as_bytes(), tolerant));
        }
        let content_type = call.header("content-type").next().unwrap_or_default();
        let is_multipart = content_type
            .get(..MULTIPART.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(MULTIPART.as_bytes()));
        if is_multipart {
            let fields = multipart::fields(content_type, call.body)?;
            let pair = |(name, bytes): multipart::Field<'a>| {
                (name, Value { bytes: Cow::Borrowed(bytes), is_encoded: false })
            };
            return Ok(Self {
                held: Held::Pairs(fields.into_iter().map(pair).collect()),
                have_entities: false,
            });
        }
        Ok(Self::pairs(call.body, tolerant))
    }

    /// The pairs of a urlencoded text. Names are decoded, values are not.
    fn pairs(text: &'a [u8], tolerant: bool) -> Self {
        let text = if tolerant { without_leading_marks(text) } else { text };
        let mut have_entities = false;
        let mut pairs = Vec::new();
        for received in text.split(|byte| *byte == b'&') {
            let pair = if tolerant { without_entities(received) } else { received };
            have_entities |= pair.len() < received.len();
            if !pair.is_empty() {
                let (name, value) = split_pair(pair);
                let value = Value { bytes: Cow::Borrowed(value), is_encoded: true };
                pairs.push((decoded(name, Plus::Space), value));
            }
        }
        Self { held: Held::Pairs(pairs), have_entities }
    }

    /// True if `&amp;` was used instead of `&`.
    pub fn have_entities(&self) -> bool {
        self.have_entities
    }

    /// Every value of `name`, in order; in JSON, of the dotted path `name`.
    pub fn values(&self, name: &str) -> Vec<Value<'a>> {
        match &self.held {
            Held::Pairs(pairs) => {
                let named = pairs.iter().filter(|(given, _)| given.as_ref() == name.as_bytes());
                named.map(|(_, value)| value.clone()).collect()
            }
            Held::Json(object) => {
                let plain = |bytes| Value { bytes, is_encoded: false };
                json::values(object, name).into_iter().map(plain).collect()
            }
        }
    }
}

/// Name and value of `name=value`.
pub(super) fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    let Some(at) = pair.iter().position(|byte| *byte == b'=') else { return (pair, &[]) };
    (&pair[..at], &pair[at + 1..])
}

fn without_leading_marks(text: &[u8]) -> &[u8] {
    let marks = text.iter().take_while(|byte| **byte == b'?').count();
    &text[marks..]
}

#[cfg(test)]
mod tests;
