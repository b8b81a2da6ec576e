//! Rejects text that no database can store (not UTF-8, NUL, half a surrogate pair) in paths, parameters, forms and JSON.
//! It is checked before anything else, so that the error names the field.

use percent_encoding::percent_decode;
use serde_json::Value;

/// The longest field name that an error repeats, in characters.
const MAX_NAME_LEN: usize = 64;

/// Text in a request that cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {what}")]
pub(crate) struct BadText {
    field: String,
    what: &'static str,
}

const NOT_UTF8: &str = "is not UTF-8: send it in UTF-8, percent-encoded";
const NUL: &str = "contains a NUL character: leave it out";
const SURROGATE: &str = "contains half of a surrogate pair: send the whole character";

impl BadText {
    fn new(field: &str, what: &'static str) -> Self {
        let plain = |letter: &char| letter.is_ascii_alphanumeric() || "_-.[]".contains(*letter);
        let name: String = field.chars().filter(plain).take(MAX_NAME_LEN).collect();
        Self { field: if name.is_empty() { "a name".into() } else { name }, what }
    }
}

/// Checks percent-encoded bytes.
fn encoded(field: &str, bytes: &[u8]) -> Result<(), BadText> {
    let decoded: Vec<u8> = percent_decode(bytes).collect();
    let text = std::str::from_utf8(&decoded).map_err(|_| BadText::new(field, NOT_UTF8))?;
    plain(field, text)
}

/// Checks decoded text.
pub(crate) fn plain(field: &str, text: &str) -> Result<(), BadText> {
    if text.contains('\0') { Err(BadText::new(field, NUL)) } else { Ok(()) }
}

/// Checks a path; an error names the segment before the bad one, as in `users/{id}`.
pub(crate) fn path(path: &str) -> Result<(), BadText> {
    let mut before = "path";
    for part in path.split('/').filter(|part| !part.is_empty()) {
        encoded(before, part.as_bytes())?;
        before = part;
    }
    Ok(())
}

/// Checks a query or a form.
pub(crate) fn pairs(bytes: &[u8]) -> Result<(), BadText> {
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = pair.split_at(at);
        let decoded: Vec<u8> = percent_decode(name).collect();
        let shown_name = String::from_utf8_lossy(&decoded);
        encoded(&shown_name, name)?;
        encoded(&shown_name, value)?;
    }
    Ok(())
}

/// Checks the strings of a JSON document. Invalid JSON is left to its reader.
pub(crate) fn json(bytes: &[u8]) -> Result<(), BadText> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(bad) => return Err(BadText::new(&last_name(&bytes[..bad.valid_up_to()]), NOT_UTF8)),
    };
    match serde_json::from_str::<Value>(text) {
        Ok(value) => inside(&value, "body"),
        Err(error) if error.to_string().contains("surrogate") || error.to_string().contains("hex escape") => {
            let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
            let at = lines.map(str::len).sum::<usize>() + error.column();
            Err(BadText::new(&last_name(&bytes[..at.min(bytes.len())]), SURROGATE))
        }
        Err(_) => Ok(()),
    }
}

fn inside(value: &Value, field: &str) -> Result<(), BadText> {
    match value {
        Value::String(text) => plain(field, text),
        Value::Array(list) => list.iter().try_for_each(|value| inside(value, field)),
        Value::Object(object) => object.iter().try_for_each(|(name, value)| {
            plain(name, name)?;
            inside(value, name)
        }),
        _ => Ok(()),
    }
}

/// The name of the member in which a JSON document ends that was cut there.
fn last_name(bytes: &[u8]) -> String {
    let (mut name, mut string, mut is_inside, mut is_escaped) =
        (String::from("body"), Vec::new(), false, false);
    for byte in bytes {
        match (is_inside, is_escaped, byte) {
            (true, true, _) => is_escaped = false,
            (true, false, b'\\') => is_escaped = true,
            (_, _, b'"') => {
                is_inside = !is_inside;
                if is_inside {
                    string.clear();
                }
            }
            (true, false, byte) => string.push(*byte),
            (false, _, b':') => name = String::from_utf8_lossy(&string).into_owned(),
            _ => {}
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(looked: Result<(), BadText>) -> String {
        looked.err().map(|bad| bad.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_no_database_keeps_is_named_wherever_it_stands() {
        for bad in ["a=1&user_id=x%00", "user_id=%00&b", "user_id=a\0b"] {
            assert!(said(pairs(bad.as_bytes())).starts_with("`user_id` contains a NUL"), "{bad}");
        }
        // Latin 1, half of a pair, too long a form of a slash and of NUL, beyond the last character.
        for bad in ["%E9", "%ED%A0%80", "%C0%AF", "%C0%80", "%F4%90%80%80", "%FF"] {
            assert!(said(pairs(format!("a=1&q={bad}").as_bytes())).starts_with("`q` is not UTF-8"), "{bad}");
            assert!(
                said(path(&format!("/api/v1/users/{bad}/balance"))).starts_with("`users` is not"),
                "{bad}"
            );
        }
        assert!(said(pairs(b"q=\xff")).starts_with("`q` is not UTF-8"));
        assert!(said(pairs(b"a%00b=1")).starts_with("`ab` contains a NUL"));
        assert!(said(path("/users/a%00b")).starts_with("`users` contains a NUL"));
        for (bad, field) in [
            ("{\"note\": \"a\\u0000\"}", "`note` contains a NUL"),
            ("{\"a\": {\"b\": [1, \"\\u0000\"]}}", "`b` contains a NUL"),
            ("\"\\u0000\"", "`body` contains a NUL"),
            ("{\"a\": \"x\", \"note\": \"\\ud800\"}", "`note` contains half"),
            ("{\n\"note\": \"x: \\\"y\\\": \\udc00\"}", "`note` contains half"),
            ("{\"note\": \"\\ud83d\\u0041\"}", "`note` contains half"),
        ] {
            assert!(said(json(bad.as_bytes())).starts_with(field), "{bad}: {}", said(json(bad.as_bytes())));
        }
        assert!(said(json(b"{\"note\": \"Caf\xe9\"}")).starts_with("`note` is not UTF-8"));
        assert!(said(json(b"{\"note\": \"\xc0\x80\"}")).starts_with("`note` is not UTF-8"));
    }

    #[test]
    fn every_other_text_passes() {
        for fine in ["", "a", "a=", "=", "&&", "q=Caf%C3%A9+x&n=%F0%9F%98%80", "q=%zz", "n=%E2%80%AE"] {
            assert_eq!(pairs(fine.as_bytes()), Ok(()), "{fine}");
        }
        for fine in ["{}", "", "{\"note\": \"\\ud83d\\ude00\"}", "{\"note\"", "null", "{\"a\": \"\\u0001\"}"]
        {
            assert_eq!(json(fine.as_bytes()), Ok(()), "{fine}");
        }
        assert_eq!(path("/api/v1/users/Caf%C3%A9%2Fx/balance"), Ok(()));
    }

    #[test]
    fn a_name_that_is_told_holds_nothing_odd() {
        assert!(said(pairs(b"%3Cb%3E=%00")).starts_with("`b` "));
        assert!(said(pairs(b"%E9=%00")).starts_with("`a name` "));
        let long = format!("{}=%00", "x".repeat(1_000));
        assert!(said(pairs(long.as_bytes())).len() < 200);
    }
}
