//! Operations: what runs by the clock, what is deleted, and which policy decides.
//!
//! | module | what stands there |
//! |---|---|
//! | [`jobs`] | work by the clock or by a click, in apalis's own storage |
//! | [`retention`] | expired data is deleted in small steps |
//! | [`policies`] | the content behind each policy version |

pub mod jobs;
pub mod policies;
pub mod retention;
