//! Operations: scheduled jobs, retention, silent sources, policies.
//!
//! | module | contents |
//! |---|---|
//! | [`jobs`] | scheduled and requested jobs, in apalis's own storage |
//! | [`retention`] | deleting expired data in small steps |
//! | [`silences`] | sources that fell silent |
//! | [`policies`] | the content of each policy version |

pub mod jobs;
pub mod policies;
pub mod retention;
pub mod silences;
