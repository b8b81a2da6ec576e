//! Access: who may sign in or call, and what everybody did.
//!
//! | module | what stands there |
//! |---|---|
//! | [`staff`] | people who may sign in to the pages |
//! | [`sign_ins`], [`sessions`] | how they sign in, and for how long |
//! | [`tokens`] | who may call the API |
//! | `names` | names are given once |
//! | [`audit`] | who did what |

pub mod audit;
pub(crate) mod names;
pub mod sessions;
pub mod sign_ins;
pub mod staff;
pub mod tokens;
