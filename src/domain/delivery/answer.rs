//! What an app's answer means: yes, "I have it already", or no.
//!
//! The `postback` form was made for endpoints that already exist, and those answer as they like: `OK`, `"1"`,
//! `OK - credited`. An error page, a refusal in words or a transaction number with a 1 in it must never be taken for a
//! yes, because nothing is sent again after it. So the first word decides, and only of a short answer; an app whose yes
//! looks different names it in the settings.

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
    /// The form in which the app is told.
    pub form: Form,
    /// What the app says for a yes; empty: the first word is `1` or `OK`.
    pub acknowledged: Vec<Pattern>,
    /// True if "I have it already" fails the attempt even when the call is a repeat.
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
                // What it has and was never sent is something else under the same id: a person looks.
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

    /// What was looked for and not found, in a sentence.
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

/// The first two words of a short body in lower case, without what is put around or behind a word; of a long one none.
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
    #[error("begins or ends with a blank, which answers are compared without; leave it out")]
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POSTBACK: Answers =
        Answers { form: Form::Postback, acknowledged: Vec::new(), duplicate_fails: false };

    fn with(patterns: &[&str]) -> Answers {
        let acknowledged = patterns.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect();
        Answers { acknowledged, ..POSTBACK }
    }

    #[test]
    fn the_first_word_of_a_short_answer_is_a_yes_or_it_is_none() {
        for body in [
            "1",
            "OK",
            "ok",
            "Ok",
            "1\n",
            "\r\n OK \t",
            "\"OK\"",
            "'1'",
            "\u{201c}OK\u{201d}",
            "\u{feff}OK",
            "\u{feff}\u{feff} \"1\"\n",
            "OK - credited",
            "\"OK - credited\"",
            "ok.",
            "\"OK.\"",
            "OK!",
            "OK: 500 coins",
            "1 row inserted",
            "OK\u{a0}credited",
            "OK - already credited",
        ] {
            assert_eq!(POSTBACK.class(200, body, false), Class::Delivered, "{body:?}");
        }
        for body in [
            "",
            " ",
            "\u{feff}",
            "\"\"",
            "NOT OK",
            "not ok",
            "unknown user 1042",
            "1042 unknown",
            "0",
            "11",
            "10",
            "1.5",
            "-1",
            "+1",
            "1/2",
            "#1",
            "OKAY",
            "OK</html>",
            "<html>OK</html>",
            "<p>1</p>",
            "<!-- OK -->",
            "{\"status\":\"OK\"}",
            "{\"ok\":1}",
            "[1]",
            "true",
            "error: OK",
            "ERROR 1",
            "no",
            "N OK",
            "OK\u{fffd}",
            "\u{fffd}OK",
            "\u{ff2f}\u{ff2b}",
            "success",
            "-OK",
            "(OK)",
        ] {
            assert_eq!(POSTBACK.class(200, body, false), Class::NotAcknowledged, "{body:?}");
        }
    }

    #[test]
    fn a_page_is_no_yes_however_it_begins() {
        let of = |len: usize| format!("OK {}", "x".repeat(len - 3));
        assert_eq!(POSTBACK.class(200, &of(MAX_WORDS_BYTES), false), Class::Delivered);
        assert_eq!(POSTBACK.class(200, &of(MAX_WORDS_BYTES + 1), false), Class::NotAcknowledged);
    }

    #[test]
    fn a_status_other_than_200_is_no_yes_to_a_postback() {
        for (status, class) in [
            (201, Class::NotAcknowledged),
            (202, Class::NotAcknowledged),
            (204, Class::NotAcknowledged),
            (206, Class::NotAcknowledged),
            (302, Class::Redirected),
            (400, Class::Rejected),
            (404, Class::Rejected),
            (410, Class::Gone),
            (429, Class::SlowDown),
            (500, Class::ServerError),
            (503, Class::ServerError),
        ] {
            for body in ["OK", "1", ""] {
                assert_eq!(POSTBACK.class(status, body, false), class, "{status} {body}");
                assert_eq!(POSTBACK.class(status, body, true), class, "{status} {body}, repeated");
            }
        }
    }

    #[test]
    fn any_2xx_is_a_yes_to_a_webhook() {
        let webhooks = Answers { form: Form::StandardWebhooks, ..POSTBACK };
        for (status, body, class) in [
            (200, "NOT OK", Class::Delivered),
            (204, "", Class::Delivered),
            (299, "whatever", Class::Delivered),
            (302, "", Class::Redirected),
            (404, "OK", Class::Rejected),
            (410, "", Class::Gone),
            (429, "", Class::SlowDown),
        ] {
            assert_eq!(webhooks.class(status, body, false), class, "{status} {body}");
        }
        assert_eq!(webhooks.class(409, "", true), Class::Duplicate);
        assert_eq!(webhooks.class(409, "", false), Class::Rejected);
    }

    #[test]
    fn an_app_that_has_a_repeat_already_has_it() {
        for (status, body) in [
            (409, ""),
            (409, "<html>Conflict</html>"),
            (409, "{\"error\":\"exists\"}"),
            (200, "DUP"),
            (200, "dup"),
            (200, "\"DUPLICATE\"\n"),
            (200, "Duplicate."),
            (200, "DUPLICATE: tx T-1"),
            (200, "already credited"),
            (200, "\u{feff}Already credited!"),
            (201, "DUP"),
            (400, "duplicate transaction"),
            (422, "already credited"),
        ] {
            assert_eq!(POSTBACK.class(status, body, true), Class::Duplicate, "{status} {body:?}");
            let first = POSTBACK.class(status, body, false);
            assert_eq!(first, Class::Rejected, "{status} {body:?}: nothing was sent before");
            assert!(first.is_not_booked(), "so the next attempt is no repeat either");
            let no = if status < 300 { Class::NotAcknowledged } else { Class::Rejected };
            let strict = Answers { duplicate_fails: true, ..POSTBACK };
            assert_eq!(strict.class(status, body, true), no, "{status} {body:?}: switched off");
        }
    }

    #[test]
    fn what_only_mentions_a_duplicate_is_a_failure_also_of_a_repeat() {
        for (status, body, class) in [
            (200, "not a duplicate", Class::NotAcknowledged),
            (200, "no DUP", Class::NotAcknowledged),
            (200, "already", Class::NotAcknowledged),
            (200, "already banned", Class::NotAcknowledged),
            (200, "DUPLEX", Class::NotAcknowledged),
            (200, "{\"error\":\"DUP\"}", Class::NotAcknowledged),
            (500, "duplicate key value violates unique constraint", Class::ServerError),
            (503, "DUP", Class::ServerError),
            (410, "DUP", Class::Gone),
            (429, "DUP", Class::SlowDown),
            (302, "DUP", Class::Redirected),
        ] {
            assert_eq!(POSTBACK.class(status, body, true), class, "{status} {body:?}");
        }
        let page = format!("DUPLICATE {}", "x".repeat(MAX_WORDS_BYTES));
        assert_eq!(POSTBACK.class(200, &page, true), Class::NotAcknowledged);
    }

    #[test]
    fn an_app_may_name_its_own_yes_and_then_nothing_else_is_one() {
        let json = with(&["{*\"status\":\"ok\"*}"]);
        for body in [
            "{\"status\":\"ok\"}",
            " {\"id\":7,\"status\":\"ok\",\"x\":1}\r\n",
            "\u{feff}{\"status\":\"ok\"}",
        ] {
            assert_eq!(json.class(200, body, false), Class::Delivered, "{body}");
        }
        for body in [
            "OK",
            "1",
            "",
            "{\"status\":\"OK\"}",
            "{\"status\":\"no\"}",
            "x{\"status\":\"ok\"}",
            "{\"status\":\"ok\"} no",
        ] {
            assert_eq!(json.class(200, body, false), Class::NotAcknowledged, "{body}");
        }
        assert_eq!(json.class(201, "{\"status\":\"ok\"}", false), Class::NotAcknowledged);
        assert!(json.expected().contains("`{*\"status\":\"ok\"*}`"), "{}", json.expected());
        let words = with(&["credited", "done*"]);
        for (body, class) in [
            ("credited", Class::Delivered),
            ("not credited", Class::NotAcknowledged),
            ("credited twice", Class::NotAcknowledged),
            ("done, 5 coins", Class::Delivered),
            ("undone", Class::NotAcknowledged),
        ] {
            assert_eq!(words.class(200, body, false), class, "{body}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text_and_ends_never_overlap() {
        for (pattern, body, matches) in [
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("ab*bc", "abc", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**c", "ac", true),
            ("a*", "a", true),
            ("a*é*", "a é", true),
        ] {
            assert_eq!(
                with(&[pattern]).class(200, body, false) == Class::Delivered,
                matches,
                "{pattern} {body}"
            );
        }
    }

    #[test]
    fn a_pattern_that_would_take_a_no_for_a_yes_is_refused() {
        for (text, why) in [
            ("", BadPattern::Empty),
            ("  ", BadPattern::Empty),
            ("*", BadPattern::BeginsOpen),
            ("*OK", BadPattern::BeginsOpen),
            (" OK", BadPattern::Blank),
            ("OK\n", BadPattern::Blank),
        ] {
            assert_eq!(Pattern::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(Pattern::parse(&"x".repeat(MAX_PATTERN_BYTES + 1)), Err(BadPattern::TooLong));
    }

    proptest! {
        #[test]
        fn any_answer_has_a_class_and_a_first_attempt_is_no_duplicate(
            status in 100_u16..600, body in ".{0,300}", repeat in any::<bool>(),
        ) {
            for answers in [POSTBACK, with(&["a*b", "x*y*z"])] {
                let class = answers.class(status, &body, repeat);
                prop_assert!(class != Class::Delivered || status == 200);
                prop_assert!(class != Class::Duplicate || repeat);
            }
        }

        #[test]
        fn a_text_matches_the_pattern_that_was_cut_out_of_it(
            parts in proptest::collection::vec("[a-c]{1,4}", 2..6), fill in "[a-c]{0,5}"
        ) {
            let body = parts.join(&fill);
            prop_assert!(Pattern::parse(&parts.join("*")).expect("a pattern").matches(&body));
        }
    }
}
