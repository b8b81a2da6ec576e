//! Deliveries: what apps are told, in order of each user, until they have acknowledged it.
//!
//! | module | what stands there |
//! |---|---|
//! | `outbox` | created in the transaction of their cause |
//! | [`lease`] | taken by workers, one attempt each, and completed |
//! | [`list`] | looked at by people |
//! | [`resend`] | sent again by people |
//! | [`giving_up`] | not sent any more, by a person's decision |
//! | `gone` | apps that are switched off because they answer 410 |

pub mod giving_up;
pub(crate) mod gone;
pub mod lease;
pub mod list;
pub(crate) mod outbox;
pub mod resend;
