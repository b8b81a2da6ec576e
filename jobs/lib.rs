//! # jobs: does the work behind the acknowledgement
//!
//! The only crate that runs apalis workers and makes outgoing calls. It holds no rule and no SQL: every job is
//! the same sandwich of load (`store`), decide (`domain`), save (`store`), and is safe to run twice.
//!
//! | module | what it does |
//! |---|---|
//! | [`postbacks`] | processes the inbox: postbacks become rewards, verdicts and books |
//! | [`deliveries`] | notifies apps of credits and reversals |
//! | [`scheduler`] | work by the clock, on apalis's own storage |
//! | [`reports`] | the reconciliation of the days that are over |
//! | [`mail`] | sends it to finance |
//! | [`statements`] | the network's statements: imported and matched, once received |
//! | [`retention`] | deletes expired data |
//! | [`health`] | asks another process of ours whether it is ready |
//! | [`probe`] | asks from outside whether the public URL leads here, unchanged |
//! | [`metrics`] | metrics and log lines about processed postbacks |
//! | `supervise`, `shutdown` | workers that died are started again; ending in good order |
//! | `causes` | errors with their causes |

mod causes;
pub mod deliveries;
pub mod health;
pub mod mail;
pub mod metrics;
pub mod postbacks;
pub mod probe;
pub mod reports;
pub mod retention;
pub mod scheduler;
mod shutdown;
pub mod statements;
mod supervise;
