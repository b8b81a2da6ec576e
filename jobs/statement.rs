//! The network's statements: read and matched step by step once they are received.
//!
//! Every step is saved with the note that it is done, so that an import can be killed at any moment and goes on where
//! it was.

use store::Store;
use store::statements::{MatchTerms, Step};

/// How often a step is tried that another writer came before.
const MAX_TRIES: u32 = 5;

/// Reads and matches a statement to its end, or until `go_on` says no. Safe to run twice, and at the same time.
pub async fn work_off(
    store: &Store,
    id: i64,
    terms: MatchTerms,
    go_on: impl Fn() -> bool,
) -> Result<(), store::Error> {
    let mut tries = 0;
    while go_on() {
        match store.statement_step(id, terms).await {
            Ok(Step::Done) => return Ok(()),
            Ok(Step::More) => tries = 0,
            Err(store::Error::Contended(_)) if tries < MAX_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
