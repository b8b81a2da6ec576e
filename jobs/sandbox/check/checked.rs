//! The result of a check: what differs, and how much of it there is.

use std::fmt;

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
        self.differences.iter().try_for_each(|difference| writeln!(out, "  {difference}"))?;
        let unlisted = self.differing - u64::try_from(self.differences.len()).unwrap_or_default();
        if unlisted > 0 { writeln!(out, "  and {unlisted} more") } else { Ok(()) }
    }
}
