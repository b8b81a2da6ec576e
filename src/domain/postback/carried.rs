//! The fields in the body of a call, which this network's signature does not cover.
//!
//! Only names are read, never values: they are shown in diagnoses and lists, and values are personal data.

use std::fmt;

use percent_encoding::percent_decode;

/// How many names are listed at most.
const MAX_NAMES: usize = 20;
/// The longest name that counts as one, in bytes.
const MAX_NAME_LEN: usize = 64;
/// How deep names of JSON go: `data.user.id`.
const MAX_DEPTH: usize = 3;

/// In which form a body carries fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// `user_id=u1&tx_id=T1`
    Form,
    /// `{"user_id": "u1"}`
    Json,
    /// Parts with a name each.
    Multipart,
}

/// The fields that a body carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Encoding of the body.
    pub form: BodyForm,
    /// In the order of the body, at most twenty; empty if the body was cut too early to find any.
    pub names: Vec<String>,
}

impl Carried {
    /// The fields of `body`; `None` if it has none. It may have been cut.
    pub fn of(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with("--") && text.to_ascii_lowercase().contains("form-data") {
            return Some(Self::new(BodyForm::Multipart, parts(text)));
        }
        if text.starts_with(['{', '[']) {
            return Some(Self::new(BodyForm::Json, members(text)));
        }
        let names: Vec<String> = text
            .split(['&', ';', '\n'])
            .filter_map(|pair| Some(pair.split_once('=')?.0))
            .map(decoded)
            .collect();
        let carried = Self::new(BodyForm::Form, names);
        (!carried.names.is_empty()).then_some(carried)
    }

    /// The same for a stored body, which is percent-encoded.
    pub fn of_kept(body: &str) -> Option<Self> {
        Self::of(&percent_decode(body.as_bytes()).collect::<Vec<u8>>())
    }

    fn new(form: BodyForm, names: Vec<String>) -> Self {
        let mut kept: Vec<String> = Vec::new();
        for name in names.into_iter().map(|name| name.trim().to_owned()).filter(|name| is_name(name)) {
            if kept.len() < MAX_NAMES && !kept.contains(&name) {
                kept.push(name);
            }
        }
        Self { form, names: kept }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]:".contains(&byte);
    (1..=MAX_NAME_LEN).contains(&name.len()) && name.bytes().all(plain)
}

fn decoded(name: &str) -> String {
    percent_decode(name.as_bytes()).decode_utf8_lossy().into_owned()
}

/// `name="…"` of every part.
fn parts(text: &str) -> Vec<String> {
    let of_part = |line: &str| {
        let is_head = line.to_ascii_lowercase().starts_with("content-disposition:");
        let attribute = line.split(';').map(str::trim).find_map(|part| part.strip_prefix("name="));
        attribute.filter(|_| is_head).map(|name| name.trim_matches('"').to_owned())
    };
    text.lines().filter_map(of_part).collect()
}

/// The names of an object, dotted; of a list, those of its first element.
fn members(text: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return Vec::new() };
    let mut names = Vec::new();
    collect(&value, "", 0, &mut names);
    names
}

fn collect(value: &serde_json::Value, prefix: &str, depth: usize, names: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(list) => {
            if let Some(first) = list.first() {
                collect(first, prefix, depth, names);
            }
        }
        serde_json::Value::Object(object) => {
            for (name, inner) in object.iter().take(MAX_NAMES) {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                if inner.is_object() && depth < MAX_DEPTH {
                    collect(inner, &path, depth + 1, names);
                } else {
                    names.push(path);
                }
            }
        }
        _ => {}
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.form {
            BodyForm::Form => "as a form",
            BodyForm::Json => "as JSON",
            BodyForm::Multipart => "as multipart form data",
        };
        match &self.names[..] {
            [] => write!(out, "the fields came in the body, {form}"),
            names => write!(out, "the fields came in the body, {form} ({})", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(body: &str) -> Option<(BodyForm, Vec<String>)> {
        Carried::of(body.as_bytes()).map(|carried| (carried.form, carried.names))
    }

    #[test]
    fn fields_in_a_body_are_found_in_every_form_by_name_alone() {
        let found = |form, list: &[&str]| Some((form, list.iter().map(ToString::to_string).collect()));
        let form = found(BodyForm::Form, &["user_id", "tx_id", "hash"]);
        assert_eq!(names("user_id=u1&tx_id=T%3D1&hash=abc"), form);
        assert_eq!(names("\u{feff}user_id=u1&tx_id=&hash=abc\r\n"), form);
        assert_eq!(names("user%5Fid=u1;tx_id=2&hash=x&hash=y"), form);
        let json = found(BodyForm::Json, &["data.user_id", "hash"]);
        assert_eq!(names(r#"{"data": {"user_id": "u1"}, "hash": "abc"}"#), json);
        assert_eq!(names(r#"[{"data": {"user_id": "u1"}, "hash": "abc"}]"#), json);
        assert_eq!(names(r#"{"data": {"user_id": "u"#), found(BodyForm::Json, &[]), "it was cut");
        let multipart = "--x\r\nContent-Disposition: form-data; name=\"user_id\"\r\n\r\nu1\r\n\
                         --x\r\ncontent-disposition: form-data; name=tx_id; filename=\"a\"\r\n\r\nT1\r\n--x--";
        assert_eq!(names(multipart), found(BodyForm::Multipart, &["user_id", "tx_id"]));
        assert_eq!(
            Carried::of_kept("user_id=caf%C3%A9%0A").map(|carried| carried.names),
            Some(vec!["user_id".into()])
        );
    }

    #[test]
    fn a_body_that_carries_no_fields_says_so() {
        for body in ["", "  ", "hello", "<xml/>", "=5", "a b c", "\u{0}\u{1}", "é=1"] {
            assert_eq!(names(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic_and_what_it_tells_is_bounded(body in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(carried) = Carried::of(&body) {
                prop_assert!(carried.to_string().len() < 60 + MAX_NAMES * (MAX_NAME_LEN + 2));
            }
        }
    }
}
