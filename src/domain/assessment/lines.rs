//! The lines of the files, and what of them is no call.

use std::collections::BTreeMap;

use serde::Serialize;

/// Different reasons that are told apart.
const MAX_REASONS: usize = 50;
/// Characters of an example that are kept.
const MAX_EXAMPLE_LEN: usize = 240;
/// In place of reasons beyond the limit.
const OTHER_REASONS: &str = "other reasons";

/// How often something was met, with the first example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Noted {
    /// How often.
    pub count: u64,
    /// The first one, shortened, with where it stands.
    pub example: String,
}

/// Reasons, each with how often it was met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reasons(BTreeMap<String, Noted>);

impl Reasons {
    /// Counts `reason`; `example` is asked for the first time only.
    pub fn note(&mut self, reason: &str, example: impl FnOnce() -> String) {
        let reason =
            if self.0.contains_key(reason) || self.0.len() < MAX_REASONS { reason } else { OTHER_REASONS };
        if let Some(noted) = self.0.get_mut(reason) {
            noted.count += 1;
        } else {
            let example = example().chars().take(MAX_EXAMPLE_LEN).collect();
            self.0.insert(reason.to_owned(), Noted { count: 1, example });
        }
    }

    /// How often altogether.
    pub fn total(&self) -> u64 {
        self.0.values().map(|noted| noted.count).sum()
    }

    /// The reasons, the most frequent first.
    pub fn ranked(&self) -> Vec<(&str, &Noted)> {
        let mut ranked: Vec<_> = self.0.iter().map(|(reason, noted)| (reason.as_str(), noted)).collect();
        ranked.sort_by_key(|(_, noted)| std::cmp::Reverse(noted.count));
        ranked
    }
}

/// The lines of all files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// All that are not empty.
    pub read: u64,
    /// Requests that are no calls of a network: pages, pictures, scanners.
    pub other_requests: u64,
    /// Calls without a time of their own: they got that of the call before them.
    pub without_time: u64,
    /// Lines that cannot be read, by reason.
    pub unreadable: Reasons,
    /// Calls of sources that nobody knows, by the source's name.
    pub unknown_sources: Reasons,
}
