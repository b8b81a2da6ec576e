//! Processing the inbox.

mod pace;
pub mod past;
pub mod process;
pub mod worker;
