//! Networks as definitions: TOML instead of code. 42 ship, and a publisher can add its own.
//!
//! | module | what it answers |
//! |---|---|
//! | [`definition`], [`field`] | what a definition says |
//! | `reading`, [`fault`] | a definition out of TOML, or every fault in it |
//! | [`shipped`] | the definitions that ship |
//! | [`call`], [`kept`], [`parameters`] | one call as received, as it is stored, and its parameters |
//! | [`signature`], [`coverage`] | is it the network's, and which fields does that protect? |
//! | [`kinds`], [`identity`] | what it means, and which event and reward it is |
//! | [`answers`], [`template`] | what the network is answered |
//! | [`statement`] | how the network writes its statements |
//! | `shown`, [`words`] | a definition as JSON, and in words |
//! | [`trial`], [`masked`] | what a captured call would become; its URL without what would let it be sent again |

pub mod answers;
pub mod call;
pub mod coverage;
pub mod definition;
pub mod fault;
pub mod field;
pub mod identity;
pub mod kept;
pub mod kinds;
pub mod masked;
pub mod parameters;
pub mod pasted;
mod reading;
pub mod shipped;
mod shown;
pub mod signature;
pub mod statement;
pub mod template;
pub mod trial;
pub mod words;

pub use call::{Call, Method};
pub use definition::Definition;
pub use field::{Field, FieldDefinition, TimeFormat, Unit};
pub use kept::KeptCall;
