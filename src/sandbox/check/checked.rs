//! The result of a check: the differences and their number.

use std::collections::BTreeMap;
use std::fmt;

use crate::template::Template;

/// Differences that are listed; all are counted.
pub const LISTED_DIFFERENCES: usize = 20;

/// The result; `Display` formats it for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Compared events.
    pub events: usize,
    /// Users with compared balances.
    pub users: usize,
    /// Number of differences.
    pub differing: u64,
    /// The first of them, at most [`LISTED_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// Genuine postbacks that were quarantined, by reason; at most [`LISTED_DIFFERENCES`] reasons. `differing` includes
    /// them, `differences` does not: one reason explains many.
    pub quarantined: BTreeMap<String, u64>,
}

/// A difference between the expected and the actual state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs: a transaction, a user, or the ledger.
    pub subject: String,
    /// The expected value.
    pub expected: String,
    /// The actual value.
    pub found: String,
}

impl Checked {
    /// True if nothing differs.
    pub fn is_clean(&self) -> bool {
        self.differing == 0
    }

    /// Adds to each missing parameter the name that the URL has instead.
    pub fn explain(&mut self, template: &Template) {
        let explained = std::mem::take(&mut self.quarantined).into_iter().map(|(reason, number)| {
            let missing = reason.strip_suffix(" is missing").map(|name| name.trim_matches('`'));
            let hint = missing.and_then(|name| template.instead_of(name));
            (hint.map_or(reason.clone(), |hint| format!("{reason}; your URL says {hint}")), number)
        });
        self.quarantined = explained.collect();
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: expected {}, found {}", self.subject, self.expected, self.found)
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "checked {} events and {} balances: {} differences",
            self.events, self.users, self.differing
        )?;
        for (reason, number) in &self.quarantined {
            writeln!(out, "  {number} are quarantined: {reason}")?;
        }
        self.differences.iter().try_for_each(|difference| writeln!(out, "  {difference}"))?;
        let listed = self.quarantined.values().sum::<u64>()
            + u64::try_from(self.differences.len()).unwrap_or_default();
        let unlisted = self.differing.saturating_sub(listed);
        if unlisted > 0 { writeln!(out, "  and {unlisted} more") } else { Ok(()) }
    }
}
