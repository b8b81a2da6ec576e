//! The network's statements: read and matched step by step once they are received.
//!
//! Every step is saved with the note that it is done, so that an import can be killed at any moment and goes on where
//! it was. A statement that cannot be read on ends in `failed`, and never stops another one.

use domain::time::TimestampMs;
use store::statements::{MatchTerms, Step};
use store::{Error, Store};
use tracing::warn;

/// How often a step is tried that another writer came before.
const MAX_TRIES: u32 = 5;

/// How far a statement came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// To its end.
    Done,
    /// Until it was told to stop.
    Stopped,
    /// An earlier statement of the source comes first.
    After(i64),
}

/// Reads and matches a statement to its end, or until `go_on` says no. Safe to run twice, and at the same time.
pub async fn work_off(
    store: &Store,
    id: i64,
    terms: MatchTerms,
    go_on: impl Fn() -> bool,
) -> Result<Worked, Error> {
    let mut tries = 0;
    while go_on() {
        match store.statement_step(id, terms).await {
            Ok(Step::Done) => return Ok(Worked::Done),
            Ok(Step::After(earlier)) => return Ok(Worked::After(earlier)),
            Ok(Step::More) => tries = 0,
            Err(Error::Contended(_)) if tries < MAX_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(Worked::Stopped)
}

/// What becomes of a statement whose step failed: for a reason that may pass it is tried again a bounded number of times,
/// for any other it has failed. An error only if the process cannot go on.
pub async fn gave_up(store: &Store, id: i64, error: Error, now: TimestampMs) -> Result<(), Error> {
    if error.is_broken() {
        return Err(error);
    }
    let reason = match &error {
        // Its own words are the reason, without whose they are.
        Error::Unfit(why) => why.clone(),
        Error::Unreadable { why, .. } => why.to_string(),
        other => other.to_string(),
    };
    let noted = if error.is_transient() {
        store.note_statement_try(id, reason.clone(), now).await
    } else {
        store.fail_statement(id, reason.clone(), now).await
    };
    match noted {
        Ok(true) => warn!(id, reason, "a statement cannot be read: it failed"),
        Ok(false) => warn!(id, reason, "a statement cannot be read on; trying again"),
        Err(error) if error.is_broken() => return Err(error),
        Err(error) => {
            warn!(id, reason, %error, "a statement cannot be read on, and that cannot be noted either");
        }
    }
    Ok(())
}
