//! The result of a check: what differs, and how much of it there is.

use std::collections::BTreeMap;
use std::fmt;

use crate::template::Template;

/// So many differences are listed; all are counted.
pub const LISTED_DIFFERENCES: usize = 20;

/// The result. Its `Display` is a block for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Events that were compared.
    pub events: usize,
    /// Users whose balances were compared.
    pub users: usize,
    /// How many differences there are.
    pub differing: u64,
    /// The first of them, at most [`LISTED_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// Why genuine postbacks were put aside instead of booked, and how many for each reason; at most
    /// [`LISTED_DIFFERENCES`]. They are counted among the differences, and not listed there: one reason explains many.
    pub quarantined: BTreeMap<String, u64>,
}

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs: a transaction, a user, or the ledger.
    pub subject: String,
    /// What must be.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl Checked {
    /// True if nothing differs.
    pub fn is_clean(&self) -> bool {
        self.differing == 0
    }

    /// Adds to each reason what the URL says instead of what the gateway looks for.
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
