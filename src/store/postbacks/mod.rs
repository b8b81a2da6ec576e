//! Postbacks: recorded, listed, put aside and taken up again.
//!
//! | module | what stands there |
//! |---|---|
//! | [`inbox`] | recording postbacks, and claiming the ones that wait |
//! | [`bodies`] | what is kept of bodies that no signature covers |
//! | [`refused`] | calls whose signature did not verify, bounded in number |
//! | [`quarantine`] | what people do about quarantined postbacks |
//! | [`replay`] | processing refused or quarantined postbacks again |
//! | [`list`] | reading them back, page by page |

pub mod bodies;
pub mod inbox;
pub mod list;
pub mod quarantine;
pub mod refused;
pub mod replay;
