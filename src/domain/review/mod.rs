//! What waits for a person, and what they can decide.
//!
//! | module | what it answers |
//! |---|---|
//! | [`queue`] | in which groups, how long, and when two people must agree |
//! | [`decision`] | which step a decision takes |
//! | [`reversal`] | reversals that do not simply reverse: what a person can do about each |

pub mod decision;
pub mod queue;
pub mod reversal;
