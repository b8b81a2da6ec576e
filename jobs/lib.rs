//! # jobs: does the work behind the acknowledgement, and plays the network
//!
//! The only crate that runs apalis workers and makes outgoing HTTP calls. It holds no rule and no SQL: every job is
//! the same sandwich of load (`store`), decide (`domain`), save (`store`), and is safe to run twice.
//!
//! | module | what it does |
//! |---|---|
//! | [`process`] | the inbox: postbacks become rewards, verdicts and books |
//! | [`worker`] | runs it on apalis, supervised |
//! | [`sandbox`] | plays the network: signs, sends, and checks that every acknowledged event had one effect |
//!
//! Deliveries to the app will stand beside `process`, work by the clock beside `worker`.

pub mod process;
pub mod sandbox;
pub mod worker;
