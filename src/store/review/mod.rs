//! Review: what waits for a person, who has it open, what they see beside it, and what they decide.
//!
//! | module | what stands there |
//! |---|---|
//! | [`holds`] | the queue of held rewards, its filters and clusters |
//! | [`claims`] | who has a reward open |
//! | [`context`] | what pages show beside a reward or a user, and of today |
//! | [`decisions`] | one click that decides on many, or on one as a batch of one; taking it back |
//! | [`cases`] | reversals that a person must look at, and the decision on each |

pub mod cases;
pub mod claims;
pub mod context;
pub mod decisions;
pub mod holds;
