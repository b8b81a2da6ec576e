//! One value of a call, made usable: decoded, blanks around it dropped, broken characters replaced.
//!
//! It reports what it did; the caller decides whether that is allowed: a name may lose a broken character, an id may
//! not, because two ids could become one.

use crate::postback::networks::parameters;
use crate::postback::query::Plus;
use crate::postback::unfilled::is_unfilled;

/// A cleaned value, and how it was cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// The text; never empty, without control characters but tabs and breaks.
    pub text: String,
    /// Blanks or the like around it were removed.
    pub trimmed: bool,
    /// Bytes that are not UTF-8 were replaced by U+FFFD.
    pub broken: bool,
    /// Control characters or byte order marks inside it were dropped.
    pub controls: bool,
}

/// The value of one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Empty or only blanks.
    Blank,
    /// A macro that the network did not fill in, as decoded.
    Unfilled(String),
    /// A usable value.
    Text(Cleaned),
}

/// Cleans one value of a call, where `+` stands for `plus`.
pub fn clean(value: &parameters::Value<'_>, plus: Plus) -> Value {
    let bytes = value.decoded(plus);
    let (decoded, broken) = match String::from_utf8(bytes.into_owned()) {
        Ok(text) => (text, false),
        Err(bytes) => (String::from_utf8_lossy(bytes.as_bytes()).into_owned(), true),
    };
    let inside = decoded.trim_matches(is_nothing);
    if inside.is_empty() {
        return Value::Blank;
    }
    let controls = inside.contains(is_dropped);
    // `[%DATE%]` sent without encoding: decoding has spoilt it already.
    let raw = || String::from_utf8_lossy(value.received());
    if is_unfilled(inside) || ((broken || controls) && is_unfilled(&raw())) {
        return Value::Unfilled(inside.to_owned());
    }
    let trimmed = inside.len() < decoded.len();
    let text = match (controls, trimmed) {
        (true, _) => inside.replace(is_dropped, ""),
        (false, true) => inside.to_owned(),
        (false, false) => decoded,
    };
    Value::Text(Cleaned { text, trimmed, broken, controls })
}

/// Characters that are removed at both ends of a value.
pub fn is_nothing(c: char) -> bool {
    c.is_whitespace() || is_dropped(c) || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}')
}

fn is_dropped(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || c == '\u{feff}'
}

/// `text` cut to at most `max` bytes, never inside a character.
pub fn shortened(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Bytes of a value that a sentence shows.
pub(crate) const SHOWN_BYTES: usize = 60;

/// A value for a sentence: quoted, shortened, without control characters.
pub(crate) fn shown(text: &str) -> String {
    let start = shortened(text, SHOWN_BYTES).replace(char::is_control, " ");
    let end = if start.len() < text.len() { "\u{2026}" } else { "" };
    format!("\u{201c}{start}{end}\u{201d}")
}

/// Hexadecimal digits in the mark of a shortened id.
const MARK_DIGITS: usize = 16;

/// A substitute for an id that cannot be stored unchanged: its beginning, and a hash of everything that was sent
/// (`raw`, decoded). Two different ids never get the same one.
pub fn marked(text: &str, raw: &[u8], max: usize) -> String {
    let digest = crate::text::sha256(raw);
    format!("{}~{}", shortened(text, max.saturating_sub(MARK_DIGITS + 1)), &digest[..MARK_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(raw: &str) -> Value {
        clean(&parameters::Value::encoded(raw), Plus::Space)
    }

    fn text(raw: &str) -> (String, bool, bool, bool) {
        match cleaned(raw) {
            Value::Text(cleaned) => (cleaned.text, cleaned.trimmed, cleaned.broken, cleaned.controls),
            other => panic!("{raw}: {other:?}"),
        }
    }

    #[test]
    fn blanks_of_every_kind_around_a_value_are_nothing() {
        for raw in ["a%20", "+a", "%09a%0D%0A", "%C2%A0a", "a%E3%80%80", "%EF%BB%BFa", "a%E2%80%8B", "a%00"] {
            assert_eq!(text(raw), ("a".into(), true, false, false), "{raw}");
        }
        for raw in ["", "%20", "+", "%09%0A", "%C2%A0", "%EF%BB%BF", "%00", "%E2%80%8B"] {
            assert_eq!(cleaned(raw), Value::Blank, "{raw}");
        }
        assert_eq!(text("a%20b"), ("a b".into(), false, false, false));
    }

    #[test]
    fn broken_characters_are_replaced_and_control_characters_dropped() {
        assert_eq!(text("Caf%E9"), ("Caf\u{fffd}".into(), false, true, false));
        assert_eq!(text("%E9"), ("\u{fffd}".into(), false, true, false));
        assert_eq!(text("a%00b%07c"), ("abc".into(), false, false, true));
        assert_eq!(text("a%0Ab"), ("a\nb".into(), false, false, false), "people write in lines");
        assert_eq!(text("a%EF%BB%BFb"), ("ab".into(), false, false, true));
        assert_eq!(text("%ED%A0%80x").0, "\u{fffd}\u{fffd}\u{fffd}x", "half of a pair");
    }

    #[test]
    fn a_macro_that_decoding_spoils_is_still_a_macro() {
        for raw in ["[%DATE%]", "[%ADD%]", "%7Btx_id%7D", "%257Btx_id%257D", "{tx_id}%20", "%DEVICE_ID%"] {
            assert!(matches!(cleaned(raw), Value::Unfilled(_)), "{raw}");
        }
    }

    #[test]
    fn a_text_is_never_cut_inside_a_character_and_ids_stay_apart() {
        assert_eq!(shortened("aé", 2), "a");
        assert_eq!(shortened("aé", 3), "aé");
        let long = |end: char| format!("{}{end}", "x".repeat(300));
        let [one, two] = ['1', '2'].map(|end| marked(&long(end), long(end).as_bytes(), 256));
        assert!(one != two && one.len() == 256 && two.len() == 256, "{one} {two}");
    }
}
