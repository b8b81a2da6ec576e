//! # jobs: the work behind the acknowledgement
//!
//! The only crate that runs apalis workers and makes outgoing calls. It contains no rules and no SQL: every job loads
//! (`store`), decides (`domain`) and saves (`store`), and is safe to run twice.
//!
//! | module | what it does |
//! |---|---|
//! | [`postbacks`] | processes the inbox: postbacks become rewards, verdicts and ledger entries |
//! | [`deliveries`] | notifies apps of credits and reversals |
//! | [`current`] | what a process decides by, and replaces while it decides |
//! | [`lists`] | keeps the lists of people in memory, as they are in the database |
//! | [`scheduler`] | runs scheduled jobs, on apalis's own storage |
//! | [`reports`] | makes the reconciliation reports of past days |
//! | [`mail`] | sends them to finance, and notices about silent sources |
//! | [`statements`] | imports and matches received statements of the networks |
//! | [`silence`] | notices that a source fell silent |
//! | [`baselines`] | makes baselines of what is normal, and takes them up |
//! | [`retention`] | deletes expired data |
//! | [`health`] | asks another process whether it is ready |
//! | [`probe`] | checks from outside that the public URL leads here unchanged |
//! | [`metrics`] | metrics and log lines about processed postbacks |
//! | `supervise`, `shutdown` | restarting failed workers; stopping |
//! | `causes` | error messages with their causes |

pub mod baselines;
mod causes;
pub mod current;
pub mod deliveries;
pub mod health;
pub mod lists;
pub mod mail;
pub mod metrics;
pub mod postbacks;
pub mod probe;
pub mod reports;
pub mod retention;
pub mod scheduler;
mod shutdown;
pub mod silence;
pub mod statements;
mod supervise;
