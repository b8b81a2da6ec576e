//! Processing the inbox.

mod pace;
pub mod process;
pub mod worker;
