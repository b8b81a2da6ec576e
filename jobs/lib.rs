//! # jobs: does the work behind the acknowledgement
//!
//! The only crate that runs apalis workers and makes outgoing calls. It holds no rule and no SQL: every job is
//! the same sandwich of load (`store`), decide (`domain`), save (`store`), and is safe to run twice.
//!
//! | module | what it does |
//! |---|---|
//! | [`process`] | the inbox: postbacks become rewards, verdicts and books |
//! | [`worker`] | runs it on apalis, supervised |
//! | [`forward`] | tells apps of credits and reversals |
//! | [`scheduled`] | work by the clock, on apalis's own storage |
//! | [`report`] | the reconciliation of the days that are over |
//! | [`mail`] | tells finance of them |
//! | [`statement`] | the network's statements: read and matched, once received |
//! | [`purge`] | what is at the end of its term leaves |
//! | [`health`] | asks another process of ours whether it is ready |
//! | [`probe`] | asks from outside whether the public URL leads here, unchanged |
//! | [`telling`] | metrics and log lines about what became of postbacks |
//! | `stopping`, `causes` | ending in good order; errors with their causes |

mod causes;
pub mod forward;
pub mod health;
pub mod mail;
pub mod probe;
pub mod process;
pub mod purge;
pub mod report;
pub mod scheduled;
pub mod statement;
mod stopping;
pub mod telling;
pub mod worker;
