//! Imports received statements: reads and matches them in steps.
//!
//! Every step saves its progress, so an import can be killed at any time and continues where it was. A statement that
//! cannot be read ends as `failed` and does not block others.

use domain::time::TimestampMs;
use store::statements::{MatchTerms, Step};
use store::{Error, Store};
use tracing::warn;

/// Retries of a step after another writer was first.
const MAX_TRIES: u32 = 5;

/// How an import ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// The statement is read and matched.
    Done,
    /// Stopped before the end, because `go_on` returned `false`.
    Stopped,
    /// This earlier statement of the source must be matched first.
    After(i64),
}

/// Reads and matches a statement until it is done or `go_on` returns `false`. Safe to run twice, also at the same time.
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

/// Handles a failed step: after a temporary error the statement is retried a limited number of times, after any other it
/// fails. Returns an error only if the process must end.
pub async fn gave_up(store: &Store, id: i64, error: Error, now: TimestampMs) -> Result<(), Error> {
    if error.is_broken() {
        return Err(error);
    }
    let reason = match &error {
        // Without the statement's number, which the reader already sees.
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
        Ok(true) => warn!(id, reason, "a statement cannot be imported and has failed"),
        Ok(false) => warn!(id, reason, "a step of a statement's import failed; trying again"),
        Err(error) if error.is_broken() => return Err(error),
        Err(error) => {
            warn!(id, reason, %error, "a step of a statement's import failed, and saving that failed too; trying again");
        }
    }
    Ok(())
}
