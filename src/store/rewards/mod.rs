//! Rewards: a batch of postbacks is processed, its outcome saved, and rewards are listed.
//!
//! | module | what stands there |
//! |---|---|
//! | [`process`] | a batch is claimed, loaded and saved in one transaction |
//! | `existing` | what exists before a batch |
//! | `save`, `steps` | saving what the domain decided; steps with what they move |
//! | [`list`] | reading rewards back, page by page |

pub(crate) mod existing;
pub mod list;
pub mod process;
pub(crate) mod save;
pub(crate) mod steps;
