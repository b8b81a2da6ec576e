//! Text for people: durations and counts as a reviewer would say them, untrusted text with nothing hidden in it; and
//! hexadecimal digits.

use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::percent_encode_byte;

/// A span of time in its two largest units: `4 s`, `9 min 3 s`, `2 h 5 min`, `41 days`.
pub fn duration(ms: i64) -> String {
    let seconds = ms.unsigned_abs() / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let pair = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => pair(minutes, "min", seconds % 60, "s"),
        3_600..172_800 => pair(hours, "h", minutes % 60, "min"),
        _ => format!("{days} days"),
    }
}

/// Bytes of a call as text that can be stored: invalid UTF-8 and control characters are percent-encoded.
pub fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match u8::try_from(letter) {
                Ok(byte) if byte.is_ascii_control() => text.push_str(percent_encode_byte(byte)),
                _ => text.push(letter),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| percent_encode_byte(*byte)));
    }
    text
}

/// `1 reward`, `2 rewards`, `2 deliveries`, `2 days`.
pub fn count(number: u64, noun: &str) -> String {
    let consonant_before_y = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, consonant_before_y) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// `text`, which somebody else wrote, so that a person sees all of it and nothing else: control characters, line breaks
/// and tabs, marks without width and those that turn the direction of what follows stand there as `\u{202e}`. For pages,
/// letters, terminals and logs; what programs read stays as it is.
pub fn visible(text: &str) -> Cow<'_, str> {
    shown(text, is_hidden)
}

/// The same for a text that may have lines, such as a note: breaks and tabs stay.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    shown(text, |letter| is_hidden(letter) && !matches!(letter, '\n' | '\r' | '\t'))
}

fn shown(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if hidden(letter) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

/// Whether a character does something without being seen.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// `bytes` as lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// SHA-256 in lowercase hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex(&Sha256::digest(bytes))
}

/// True if at most two letters differ, and not half of the word: `other` may be what was meant by `one`.
pub fn is_similar(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let other: Vec<_> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for column in 1..row.len() {
            let change = diagonal + usize::from(letter != other[column - 1]);
            diagonal = row[column];
            row[column] = change.min(row[column] + 1).min(row[column - 1] + 1);
        }
    }
    let distance = row[other.len()];
    distance <= 2 && distance * 2 < other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_in_a_text_is_shown_and_everything_else_stays() {
        for (text, shown) in [
            ("a\0b", "a\\u{0}b"),
            ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{85}", "\\u{85}"),
            ("\u{7f}", "\\u{7f}"),
            ("u\u{202e}gpj", "u\\u{202e}gpj"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("a\u{200b}b\u{200d}c\u{feff}", "a\\u{200b}b\\u{200d}c\\u{feff}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(visible(text), shown);
        }
        for plain in ["", "Nordbank", "Café 😀 日本語 العربية", "a\\u{202e}", "<b>&\"'"] {
            assert!(matches!(visible(plain), Cow::Borrowed(same) if same == plain), "{plain}");
        }
        assert_eq!(visible_lines("a\r\n\tb\u{1b}\u{85}"), "a\r\n\tb\\u{1b}\\u{85}");
    }

    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in [
            (0, "0 s"),
            (4_900, "4 s"),
            (60_000, "1 min"),
            (543_000, "9 min 3 s"),
            (7_500_000, "2 h 5 min"),
            (3_542_400_000, "41 days"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }
}
