//! Review: held rewards and reversal cases, and people's decisions on them.
//!
//! | module | contents |
//! |---|---|
//! | [`holds`] | the queue of held rewards, its filters and clusters |
//! | [`claims`] | who is working on a held reward |
//! | [`context`] | what pages show beside a reward or a user, and about today |
//! | [`decisions`] | deciding on many rewards, or on one as a batch of one; undo |
//! | [`cases`] | reversals that a person must look at, and their resolution |

pub mod cases;
pub mod claims;
pub mod context;
pub mod decisions;
pub mod holds;
