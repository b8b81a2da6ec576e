//! Processing the inbox: load, decide, save.

pub mod process;
pub mod worker;
