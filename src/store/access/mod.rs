//! Access: staff, sessions, API tokens, and the audit of all acts.
//!
//! | module | contents |
//! |---|---|
//! | [`staff`] | people who may sign in to the pages |
//! | [`sign_ins`], [`sessions`] | signing in, failed sign-ins, and the sessions that follow |
//! | [`tokens`] | tokens for the API |
//! | `names` | every name is used only once |
//! | [`audit`] | who did what |

pub mod audit;
pub(crate) mod names;
pub mod sessions;
pub mod sign_ins;
pub mod staff;
pub mod tokens;
