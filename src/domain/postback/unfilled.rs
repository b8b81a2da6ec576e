//! Macros that the network did not fill in: `{tx_id}`, `[USER_ID]`, `[%TX%]`, `{{x}}`, encoded or not.
//!
//! Taken for text, one such value makes all users one user, and all transactions one transaction. A value counts as
//! not filled in only if it contains nothing else: names in brackets are names, too.

use percent_encoding::percent_decode_str;

/// No macro has a longer name.
const MAX_NAME_LEN: usize = 64;
/// Names of macros have few digits (`sub1`, `s10`); identifiers in braces have many.
const MAX_DIGITS: usize = 3;
/// How often a value is decoded at most; no real link is encoded more often.
const MAX_DECODINGS: usize = 3;

/// Brackets around a name, the longer ones first. The first group allows anything inside, the second only what can be
/// a name, and the third only names used in postbacks: people write like that, too.
const ANYTHING: [(&str, &str); 9] = [
    ("{{{", "}}}"),
    ("{{", "}}"),
    ("[[", "]]"),
    ("${", "}"),
    ("#{", "}"),
    ("%{", "}"),
    ("@{", "}"),
    ("[%", "%]"),
    ("<%", "%>"),
];
const NAMES: [(&str, &str); 3] = [("{", "}"), ("[", "]"), ("$(", ")")];
const KNOWN_NAMES: [(&str, &str); 6] =
    [("__", "__"), ("%%", "%%"), ("%", "%"), ("##", "##"), ("#", "#"), ("<", ">")];

/// Pairs of brackets, and what they may contain.
type Group = (&'static [(&'static str, &'static str)], fn(&str) -> bool);

/// Words in the names of macros.
const WORDS: [&str; 38] = [
    "user",
    "uid",
    "userid",
    "usr",
    "player",
    "publisher",
    "pub",
    "id",
    "tx",
    "txid",
    "transaction",
    "trans",
    "click",
    "clickid",
    "offer",
    "campaign",
    "event",
    "goal",
    "reward",
    "payout",
    "amount",
    "currency",
    "value",
    "status",
    "ip",
    "country",
    "geo",
    "time",
    "timestamp",
    "date",
    "sub",
    "subid",
    "aff",
    "name",
    "device",
    "hash",
    "token",
    "macro",
];

/// True if `value` is nothing but one macro or several, with or without blanks and dashes between them, as it is or
/// after percent-decoding.
pub fn is_unfilled(value: &str) -> bool {
    if is_macros(value) {
        return true;
    }
    // Most values have nothing to decode.
    if !value.contains('%') {
        return false;
    }
    let mut text = value.to_owned();
    for _ in 0..MAX_DECODINGS {
        let Ok(decoded) = percent_decode_str(&text).decode_utf8() else { return false };
        if decoded == text {
            return false;
        }
        text = decoded.into_owned();
        if is_macros(&text) {
            return true;
        }
    }
    false
}

fn is_macros(text: &str) -> bool {
    let blank =
        |c: char| c.is_whitespace() || matches!(c, '-' | '_' | ':' | '/' | '|' | ',' | '.' | ';' | '+');
    let mut rest = text.trim();
    // Most values begin with a letter or a digit, and are none.
    if rest.starts_with(|c: char| c.is_ascii_alphanumeric()) || rest.is_empty() {
        return false;
    }
    let mut found = false;
    loop {
        match after_macro(rest) {
            Some(after) => {
                found = true;
                rest = after;
            }
            None if found => match rest.trim_start_matches(blank) {
                "" => return true,
                trimmed if trimmed.len() < rest.len() => {
                    // A separator, and after it another macro or something else.
                    match after_macro(trimmed) {
                        Some(after) => rest = after,
                        None => return false,
                    }
                }
                _ => return false,
            },
            None => return false,
        }
        if rest.is_empty() {
            return true;
        }
    }
}

/// What follows the macro that `text` begins with.
fn after_macro(text: &str) -> Option<&str> {
    let groups: [Group; 3] = [(&ANYTHING, is_anything), (&NAMES, is_name), (&KNOWN_NAMES, is_known_name)];
    groups.into_iter().find_map(|(brackets, fits)| {
        brackets.iter().find_map(|(open, close)| {
            let (name, after) = text.strip_prefix(open)?.split_once(close)?;
            fits(name.trim()).then_some(after)
        })
    })
}

fn is_anything(name: &str) -> bool {
    name.len() <= MAX_NAME_LEN && !name.contains(['{', '}', '[', ']', '<', '>'])
}

/// A name as macros have: begins with a letter, has few digits. Empty brackets are a macro without its name.
fn is_name(name: &str) -> bool {
    let part = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '|' | ' ' | '%' | '?' | '=')
    };
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.is_empty()
        || (is_anything(name)
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':' | '%'))
            && name.chars().all(part)
            && digits <= MAX_DIGITS
            && !is_hexadecimal_id(name))
}

/// `{DEADBEEF-CAFE-FEED-FACE-ABCDEFABCDEF}` is an id in braces.
fn is_hexadecimal_id(name: &str) -> bool {
    name.len() >= 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_known_name(name: &str) -> bool {
    !name.is_empty()
        && is_name(name)
        && name
            .to_ascii_lowercase()
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macro_in_any_brackets_encoded_or_not_is_not_filled_in() {
        for text in [
            "{tx_id}",
            " {tx_id} ",
            "{{tx_id}}",
            "{{ user.id | default: 'x' }}",
            "{{{uid}}}",
            "${user_id}",
            "#{id}",
            "%{uid}",
            "$(UID)",
            "[USER_ID]",
            "[[uid]]",
            "[%TX%]",
            "[%USER:UID%]",
            "<%= user_id %>",
            "<user_id>",
            "#USER_ID#",
            "%USER_ID%",
            "%%USERID%%",
            "__CLICK_ID__",
            "{aff_sub2}",
            "{click-id}",
            "{user id}",
            "{}",
            "[]",
            "{{}}",
            "[object Object]",
            "%7Btx_id%7D",
            "%257Btx_id%257D",
            "%5BUSER_ID%5D",
            "{offer_id}-{event_id}",
            "{offer_id}{event_id}",
            "[A][B]",
        ] {
            assert!(is_unfilled(text), "{text}");
        }
    }

    #[test]
    fn whatever_else_stands_in_it_a_value_is_text() {
        for text in [
            "",
            "u1",
            "tx_id",
            "user-{tx_id}",
            "{tx_id}x",
            "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
            "{DEADBEEF-CAFE-FEED-FACE-ABCDEFABCDEF}",
            "{12345}",
            "[1]",
            "{\"user\":1}",
            "{a",
            "a}",
            "}{",
            "<3",
            "<Anna>",
            "#1#",
            "#gold#",
            "__ann__",
            "100%",
            "%zz%",
            "50% off",
            "Caf\u{e9}",
            "[VIP] Nordbank",
            "-",
            "--",
        ] {
            assert!(!is_unfilled(text), "{text}");
        }
    }
}
