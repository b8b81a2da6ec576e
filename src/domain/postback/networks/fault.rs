//! What is wrong with a definition: file, line, key, fault and cure.

use std::fmt;
use std::sync::Arc;

/// A line of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the publisher named it, or the name of a shipped definition with `.toml`.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
}

/// One fault of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// The key with its section, e.g. `signature.message`; empty for a fault of the syntax.
    pub key: String,
    /// What is wrong, as a clause.
    pub what: String,
    /// What to do, as a clause.
    pub cure: String,
}

/// `mine.toml:12: signature.digest: `sha9` is not a digest; write one of md5, sha1, …`
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: ", self.place.file, self.place.line)?;
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        write!(out, "{}; {}", self.what, self.cure)
    }
}

/// Everything that is wrong with one definition, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadDefinition(pub Vec<Fault>);

impl fmt::Display for BadDefinition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        out.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for BadDefinition {}
