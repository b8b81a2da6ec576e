//! T2: which offers belong to a class, by id or pattern.

use serde::{Deserialize, Serialize};

use super::OfferClass;

/// Ids and patterns of one class.
const MAX_PATTERNS: usize = 200;
/// The length of one, in bytes.
const MAX_PATTERN_BYTES: usize = 128;

/// Ids of offers by class. `*` stands for any text: `surv-*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfferClasses {
    /// Surveys.
    pub survey: Vec<String>,
    /// Purchases, deposits, levels.
    pub step: Vec<String>,
    /// Installs, registrations, leads.
    pub install: Vec<String>,
    /// Everything else.
    #[serde(rename = "default")]
    pub other: Vec<String>,
}

impl OfferClasses {
    /// The class of the offer `id`; the first that names it.
    pub fn of(&self, id: &str) -> Option<OfferClass> {
        let classes = self.each().into_iter();
        classes.into_iter().find_map(|(_, patterns, class)| {
            patterns.iter().any(|pattern| matches(pattern, id)).then_some(class)
        })
    }

    fn each(&self) -> [(&'static str, &[String], OfferClass); 4] {
        [
            ("survey", &self.survey, OfferClass::Survey),
            ("step", &self.step, OfferClass::Step),
            ("install", &self.install, OfferClass::Install),
            ("default", &self.other, OfferClass::Default),
        ]
    }

    /// What is wrong, as `T2.classes.CLASS` and why.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, patterns, _) in self.each() {
            if patterns.len() > MAX_PATTERNS {
                faults.push(format!("T2.classes.{name}` has more than {MAX_PATTERNS} ids"));
            }
            if patterns.iter().any(|pattern| pattern.is_empty() || pattern.len() > MAX_PATTERN_BYTES) {
                faults.push(format!("T2.classes.{name}`: an id has 1 to {MAX_PATTERN_BYTES} bytes"));
            }
        }
        faults
    }
}

/// True if `text` is `pattern`, where each `*` stands for any text. Its parts are looked for from left to right, so the
/// work grows with the length of both, however many `*` there are.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text.strip_suffix(end) else { return false };
    for part in middle.split('*') {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in
            [("12", "12"), ("*", ""), ("a*", "abc"), ("*c", "abc"), ("a*b*c", "a-b-c"), ("**", "x")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("12", "123"), ("a*", "ba"), ("a*a", "a"), ("a*b*c", "a-c"), ("", "x")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
