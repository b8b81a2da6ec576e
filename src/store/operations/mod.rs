//! Operations: scheduled jobs, retention, silent sources, policies, baselines.
//!
//! | module | contents |
//! |---|---|
//! | [`jobs`] | scheduled and requested jobs, in apalis's own storage |
//! | [`retention`] | deleting expired data in small steps |
//! | [`silences`] | sources that fell silent |
//! | [`policies`] | the content of each policy version |
//! | [`baselines`] | what was normal, by version |

pub mod baselines;
pub mod jobs;
pub mod policies;
pub mod retention;
pub mod silences;
