//! Rewards: a batch of postbacks is processed, its outcome saved, and rewards are listed.
//!
//! | module | what stands there |
//! |---|---|
//! | [`process`] | loading what a batch touches, inside the transaction that will save it |
//! | `save` | saving what the domain decided |
//! | [`list`] | reading rewards back, page by page |

pub mod list;
pub mod process;
pub(crate) mod save;
