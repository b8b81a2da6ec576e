//! Rewards: processing batches of postbacks, lists.
//!
//! | module | contents |
//! |---|---|
//! | [`process`] | claiming, loading and saving a batch in one transaction |
//! | `existing` | loading the rewards that a batch touches |
//! | `save`, `steps` | saving the outcome of a batch; steps with their transfers |
//! | [`history`] | what is remembered of users, addresses and times |
//! | `repeated` | policies and geo databases that verdicts rest on, by id |
//! | [`completions`] | completions that nobody disputed, for baselines |
//! | [`past`] | all rewards in the order of their rows, for those who add them up |
//! | [`list`], `explained` | lists of rewards; their verdicts, with signals computed from the stored facts |

pub mod completions;
pub(crate) mod existing;
pub mod explained;
pub mod history;
pub mod list;
pub mod past;
pub mod process;
pub(crate) mod repeated;
pub(crate) mod save;
pub(crate) mod steps;
