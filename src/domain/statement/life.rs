//! The states of a statement, and every step between them.
//!
//! [`Step`] is the whole state machine, as it is for rewards: each step has one state before and one after. [`Act`] is
//! what a person may do now, so that pages, the API and commands offer the same.

use serde::{Deserialize, Serialize};

/// The state of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The file is being received.
    Receiving,
    /// Waits for a person to start the import or to state its period.
    Received,
    /// Its lines are read and matched by transaction.
    Importing,
    /// Every line is read; lines without a transaction id and bookings without a line are matched.
    Matching,
    /// Done, and it counts.
    Matched,
    /// Done, but another statement counts instead.
    Superseded,
    /// The import failed; the reason is stored.
    Failed,
    /// Discarded by a person; nothing of it counts.
    Discarded,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Receiving,
        Self::Received,
        Self::Importing,
        Self::Matching,
        Self::Matched,
        Self::Superseded,
        Self::Failed,
        Self::Discarded,
    ];

    /// The name on pages and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Received => "received",
            Self::Importing => "importing",
            Self::Matching => "matching",
            Self::Matched => "matched",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// True while a worker processes it.
    pub fn is_worked_on(self) -> bool {
        matches!(self, Self::Importing | Self::Matching)
    }

    /// True if it was read to its end: it has lines to look at.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Matched | Self::Superseded)
    }

    /// What a person may do now.
    pub fn acts(self) -> Vec<Act> {
        Act::ALL.into_iter().filter(|act| act.is_allowed(self)).collect()
    }
}

/// One change of state. There are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// receiving → received: the file is complete, and a person is asked.
    Keep,
    /// receiving → importing: the file is complete, and its days are certain.
    Take,
    /// received → importing, by a person.
    Import,
    /// importing → matching: the last line is read.
    Read,
    /// matching → matched: the last day is looked through.
    Match,
    /// importing → failed.
    FailReading,
    /// matching → failed.
    FailMatching,
    /// failed → importing, by a person: with the settings as they are now.
    Retry,
    /// matched → superseded: another statement counts instead.
    Supersede,
    /// superseded → matched: the other one was taken back, or both count after all.
    Restore,
    /// matched → importing: what another statement counted is free again, or its lines count beside another.
    Reread,
    /// received → discarded, by a person.
    DiscardReceived,
    /// importing → discarded, by a person.
    DiscardImporting,
    /// matching → discarded, by a person.
    DiscardMatching,
    /// matched → discarded, by a person: what it superseded counts again.
    DiscardMatched,
    /// failed → discarded, by a person.
    DiscardFailed,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 16] = [
        Self::Keep,
        Self::Take,
        Self::Import,
        Self::Read,
        Self::Match,
        Self::FailReading,
        Self::FailMatching,
        Self::Retry,
        Self::Supersede,
        Self::Restore,
        Self::Reread,
        Self::DiscardReceived,
        Self::DiscardImporting,
        Self::DiscardMatching,
        Self::DiscardMatched,
        Self::DiscardFailed,
    ];

    /// The state before the step.
    pub fn from(self) -> State {
        match self {
            Self::Keep | Self::Take => State::Receiving,
            Self::Import | Self::DiscardReceived => State::Received,
            Self::Read | Self::FailReading | Self::DiscardImporting => State::Importing,
            Self::Match | Self::FailMatching | Self::DiscardMatching => State::Matching,
            Self::Supersede | Self::Reread | Self::DiscardMatched => State::Matched,
            Self::Restore => State::Superseded,
            Self::Retry | Self::DiscardFailed => State::Failed,
        }
    }

    /// The state after the step.
    pub fn to(self) -> State {
        match self {
            Self::Keep => State::Received,
            Self::Take | Self::Import | Self::Retry | Self::Reread => State::Importing,
            Self::Read => State::Matching,
            Self::Match | Self::Restore => State::Matched,
            Self::FailReading | Self::FailMatching => State::Failed,
            Self::Supersede => State::Superseded,
            Self::DiscardReceived
            | Self::DiscardImporting
            | Self::DiscardMatching
            | Self::DiscardMatched
            | Self::DiscardFailed => State::Discarded,
        }
    }

    /// True if `from` → `to` is a step.
    pub fn leads(from: State, to: State) -> bool {
        Self::ALL.into_iter().any(|step| (step.from(), step.to()) == (from, to))
    }
}

/// What a person does with a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Starts the import, or restarts it after a failure.
    Import,
    /// Accepts a difference, with a reason.
    Accept,
    /// Books what was paid for it, or takes a payment back.
    Pay,
    /// Makes it count again, beside the one that superseded it.
    Restore,
    /// Discards it: nothing of it counts.
    Discard,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 5] = [Self::Import, Self::Accept, Self::Pay, Self::Restore, Self::Discard];

    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Accept => "accept",
            Self::Pay => "pay",
            Self::Restore => "restore",
            Self::Discard => "discard",
        }
    }

    /// True if it may be done in this state. What only needs a statement that counts changes no state.
    pub fn is_allowed(self, state: State) -> bool {
        match self {
            Self::Import => matches!(state, State::Received | State::Failed),
            Self::Accept | Self::Pay => state == State::Matched,
            Self::Restore => Step::leads(state, State::Matched) && state == State::Superseded,
            Self::Discard => Step::leads(state, State::Discarded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(state: State) -> Vec<&'static str> {
        state.acts().into_iter().map(Act::name).collect()
    }

    #[test]
    fn every_state_is_reached_and_only_discarding_is_the_end() {
        for state in State::ALL {
            assert_eq!(State::parse(state.name()), Some(state));
            let is_reached = Step::ALL.into_iter().any(|step| step.to() == state);
            assert_eq!(is_reached, state != State::Receiving, "{state:?}");
            let goes_on = Step::ALL.into_iter().any(|step| step.from() == state);
            assert_eq!(goes_on, state != State::Discarded, "{state:?}");
        }
    }

    #[test]
    fn a_statement_that_a_worker_has_always_ends_matched_or_failed() {
        for state in State::ALL.into_iter().filter(|state| state.is_worked_on()) {
            assert!(Step::leads(state, State::Failed) && Step::leads(state, State::Discarded), "{state:?}");
        }
        assert!(!Step::leads(State::Failed, State::Matched), "it is read again first");
    }

    #[test]
    fn what_can_be_done_follows_from_the_state() {
        assert_eq!(acts(State::Receiving), [""; 0]);
        assert_eq!(acts(State::Received), ["import", "discard"]);
        assert_eq!(acts(State::Importing), ["discard"]);
        assert_eq!(acts(State::Matched), ["accept", "pay", "discard"]);
        assert_eq!(acts(State::Superseded), ["restore"]);
        assert_eq!(acts(State::Failed), ["import", "discard"]);
        assert_eq!(acts(State::Discarded), [""; 0]);
    }
}
