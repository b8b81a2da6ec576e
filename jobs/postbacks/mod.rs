//! Processing the inbox.

pub mod process;
pub mod worker;
