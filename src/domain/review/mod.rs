//! What waits for a person, and what they can decide.
//!
//! | module | what it answers |
//! |---|---|
//! | [`queue`] | how holds are grouped, how long they may wait, when two people must agree |
//! | [`decision`] | which step a decision takes |
//! | [`reversal`] | reversals that do not match their credit, and what a person can do about each |

pub mod decision;
pub mod queue;
pub mod reversal;
