//! Rewards: processing batches of postbacks, lists.
//!
//! | module | contents |
//! |---|---|
//! | [`process`] | claiming, loading and saving a batch in one transaction |
//! | `existing` | loading the rewards that a batch touches |
//! | `save`, `steps` | saving the outcome of a batch; steps with their transfers |
//! | `geo_builds` | which geo databases verdicts rest on |
//! | [`list`], `explained` | lists of rewards; their verdicts, with signals computed from the stored facts |

pub(crate) mod existing;
pub mod explained;
pub(crate) mod geo_builds;
pub mod list;
pub mod process;
pub(crate) mod save;
pub(crate) mod steps;
