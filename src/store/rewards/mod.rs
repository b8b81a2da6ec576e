//! Rewards: processing batches of postbacks, lists.
//!
//! | module | contents |
//! |---|---|
//! | [`process`] | claiming, loading and saving a batch in one transaction |
//! | `existing` | loading the rewards that a batch touches |
//! | `save`, `steps` | saving the outcome of a batch; steps with their transfers |
//! | [`list`] | lists of rewards |

pub(crate) mod existing;
pub mod list;
pub mod process;
pub(crate) mod save;
pub(crate) mod steps;
