//! Postbacks, in the order in which they are read.
//!
//! | module | what it answers |
//! |---|---|
//! | [`signature`] | was this URL signed with one of our secrets? |
//! | [`diagnosis`] | if not: what the network must have signed instead |
//! | [`carried`] | which fields came in a body instead, where nothing is signed |
//! | [`query`] | its parameters, decoded |
//! | [`macros`], [`unfilled`] | URLs with macros; whether a value is a macro that nobody filled in |
//! | [`networks`] | networks as definitions out of TOML files: fields, signature, kinds, answers |
//! | [`cleaning`] | a value as it can be used |
//! | [`event`] | a credit or a reversal of one reward, or why it cannot be mapped |
//! | [`mapping`] | parameters become an event |
//! | [`stated`], [`gaps`] | the values a person states for a quarantined postback, and where they are needed |

pub mod carried;
pub mod cleaning;
pub mod diagnosis;
pub mod event;
pub mod gaps;
pub mod macros;
pub mod mapping;
pub mod networks;
pub mod query;
pub mod signature;
pub mod stated;
pub mod unfilled;
