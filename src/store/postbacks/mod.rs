//! Postbacks: inbox, refused calls, quarantine, replay, lists.
//!
//! | module | contents |
//! |---|---|
//! | [`inbox`] | recording postbacks, and claiming waiting ones |
//! | [`bodies`] | how much is stored of bodies that no signature covers |
//! | [`refused`] | calls whose signature did not verify, limited in number |
//! | [`quarantine`] | what people do with quarantined postbacks |
//! | [`replay`] | processing refused or quarantined postbacks again |
//! | [`source_tallies`] | how much each source sends, by hour and calling network |
//! | [`past`] | calls of the past, recorded in the transaction that processes them |
//! | [`list`] | lists of postbacks |

pub mod bodies;
pub mod inbox;
pub mod list;
pub mod past;
pub mod quarantine;
pub mod refused;
pub mod replay;
pub mod source_tallies;
