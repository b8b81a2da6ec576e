//! What an app's answer means: acknowledged, already received, or refused.
//!
//! The `postback` form was made for endpoints that already exist, and those answer as they like: `OK`, `"1"`,
//! `OK - credited`. An error page, a refusal in words or a transaction number with a 1 in it must never be taken for a
//! yes, because nothing is sent again after it. So the first word decides, and only of a short answer; an app whose yes
//! looks different names it in the settings.

#[cfg(test)]
mod tests;

use super::schedule::{Class, Form};

/// The longest answer that the built-in words are looked for in, in bytes: a page is no yes.
pub const MAX_WORDS_BYTES: usize = 256;
/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 256;
/// The most patterns of one app.
pub const MAX_PATTERNS: usize = 16;

/// The first word of a yes.
const YES: [&str; 2] = ["1", "ok"];
/// The first word of an app that knows a repeat as one.
const DUPLICATE: [&str; 2] = ["dup", "duplicate"];
/// The same in two words.
const ALREADY: [&str; 2] = ["already", "credited"];

/// How the answers of one app are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The form of the calls to the app.
    pub form: Form,
    /// Patterns that acknowledge; empty: the first word is `1` or `OK`.
    pub acknowledged: Vec<Pattern>,
    /// True if "already received" fails the attempt even when the call is a repeat.
    pub duplicate_fails: bool,
}

impl Answers {
    /// The class of an answer. `repeat` says whether the app may have booked an earlier attempt.
    pub fn class(&self, status: u16, body: &str, repeat: bool) -> Class {
        let acknowledged = match self.form {
            Form::Postback => status == 200 && self.is_yes(body),
            Form::StandardWebhooks => (200..300).contains(&status),
        };
        match status {
            _ if acknowledged => Class::Delivered,
            _ if !self.duplicate_fails && is_duplicate(status, body) => {
                // If nothing was sent before, the app has something else under this id: a person decides.
                if repeat { Class::Duplicate } else { Class::Rejected }
            }
            410 => Class::Gone,
            429 => Class::SlowDown,
            300..=399 => Class::Redirected,
            400..=499 => Class::Rejected,
            500.. => Class::ServerError,
            _ => Class::NotAcknowledged,
        }
    }

    /// What the answer should have been, for the error message.
    pub fn expected(&self) -> String {
        if self.acknowledged.is_empty() {
            return format!(
                "the first word of the body is neither `1` nor `OK`, or the body is longer than {MAX_WORDS_BYTES} bytes"
            );
        }
        let patterns: Vec<_> = self.acknowledged.iter().map(|pattern| format!("`{}`", pattern.0)).collect();
        format!("the body does not match `acknowledged`: {}", patterns.join(", "))
    }

    fn is_yes(&self, body: &str) -> bool {
        if self.acknowledged.is_empty() {
            return first_words(body).first().is_some_and(|word| YES.contains(&word.as_str()));
        }
        let body = trimmed(body);
        self.acknowledged.iter().any(|pattern| pattern.matches(body))
    }
}

/// True if the app says that it has this already. Not with 410 and 429, which speak of something else, and not with a
/// 5xx: whoever fails does not know.
fn is_duplicate(status: u16, body: &str) -> bool {
    match status {
        409 => true,
        200..=299 | 400..=409 | 411..=428 | 430..=499 => {
            let words = first_words(body);
            words.first().is_some_and(|word| DUPLICATE.contains(&word.as_str())) || words == ALREADY
        }
        _ => false,
    }
}

/// The first two words of a short body in lower case, without quotes and punctuation around them; none of a long body.
fn first_words(body: &str) -> Vec<String> {
    if body.len() > MAX_WORDS_BYTES {
        return Vec::new();
    }
    let bare = |word: &str| {
        let word = word.trim_matches(is_quote).trim_end_matches(['.', ',', ';', ':', '!']);
        word.trim_matches(is_quote).to_ascii_lowercase()
    };
    trimmed(body).split_whitespace().map(bare).filter(|word| !word.is_empty()).take(2).collect()
}

/// Without blanks and byte order marks around it.
fn trimmed(body: &str) -> &str {
    body.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}')
}

/// What an app says for a yes: the whole body without blanks around it, where `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It would match an empty answer, or nothing.
    #[error("is empty; write what the app answers, e.g. '{{\"status\":\"ok\"*}}'")]
    Empty,
    /// It would take `NOT OK` for a yes.
    #[error("begins with `*`, so `*OK` would take `NOT OK` for a yes; write how the answer begins")]
    BeginsOpen,
    /// Answers have no blanks around them when they are looked at.
    #[error("begins or ends with a blank, but blanks around answers are ignored; remove it")]
    Blank,
    /// No answer that is worth a pattern is so long.
    #[error("is longer than {MAX_PATTERN_BYTES} bytes; shorten it with `*`")]
    TooLong,
}

impl Pattern {
    /// Reads a pattern of the settings.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if text.trim().is_empty() {
            return Err(BadPattern::Empty);
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err(BadPattern::TooLong);
        }
        if text.starts_with('*') {
            return Err(BadPattern::BeginsOpen);
        }
        if trimmed(text) != text {
            return Err(BadPattern::Blank);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether all of `body` is as this says. What stands between two `*` is looked for from left to right, which
    /// finds a match if there is one, in time that grows with the body only.
    fn matches(&self, body: &str) -> bool {
        let Some((begins, rest)) = self.0.split_once('*') else { return body == self.0 };
        let Some(body) = body.strip_prefix(begins) else { return false };
        let (middle, ends) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(body) = body.strip_suffix(ends) else { return false };
        let left = middle.split('*').try_fold(body, |left, part| {
            let at = left.find(part)?;
            left.get(at + part.len()..)
        });
        left.is_some()
    }
}
