//! The database: opening, migrations, transactions.
//!
//! | module | contents |
//! |---|---|
//! | [`connect`] | opening either database, and checking that its commits are durable |
//! | [`migrate`] | the schema |
//! | [`error`] | why something failed, and whether a retry helps |
//! | `sql`, `rows` | one SQL text for two databases, and the rows passed to it |
//! | `conditions` | conditions of a query built at run time |
//! | `remembered` | what was looked up once and never changes |
//! | `turns` | whose turn it is to write on SQLite |
//! | `checkpoint` | keeping the log of SQLite short |
//! | `tx` | one transaction in one task |
//! | [`moment`] | several reads on one snapshot |
//! | [`deadline`], `line` | deadlines for every use; connections that stop answering or are read-only are replaced |
//! | [`integrity`] | damage below the tables, and the newest postback |
//! | [`notify`] | waking workers |

pub(crate) mod checkpoint;
pub(crate) mod conditions;
pub mod connect;
pub mod deadline;
pub mod error;
pub mod integrity;
pub(crate) mod line;
pub mod migrate;
pub mod moment;
pub mod notify;
pub(crate) mod remembered;
pub(crate) mod rows;
pub(crate) mod sql;
pub(crate) mod turns;
pub(crate) mod tx;
