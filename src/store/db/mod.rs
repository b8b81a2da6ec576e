//! The database: opened, brought up to date, and spoken to.
//!
//! | module | what stands there |
//! |---|---|
//! | [`connect`] | opening either database, and proving that what it acknowledges is durable |
//! | [`migrate`] | the schema |
//! | [`error`] | why something failed, and whether another attempt helps |
//! | `sql`, `rows` | one SQL text for two databases, and the rows it is given |
//! | `conditions` | conditions that depend on what is asked |
//! | `tx` | one transaction in one task |
//! | [`moment`] | an answer made of several readings is of one moment |
//! | [`deadline`], `line` | nothing waits for ever: what misses its deadline, what gives no sign of life, what takes no writes |
//! | [`integrity`] | whether the database itself is whole, and up to where it reaches |
//! | [`notify`] | waking workers when something waits |

pub(crate) mod conditions;
pub mod connect;
pub mod deadline;
pub mod error;
pub mod integrity;
pub(crate) mod line;
pub mod migrate;
pub mod moment;
pub mod notify;
pub(crate) mod rows;
pub(crate) mod sql;
pub(crate) mod tx;
