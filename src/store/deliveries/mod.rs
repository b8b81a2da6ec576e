//! Deliveries: events for apps, sent in order for each user until the app has acknowledged them.
//!
//! | module | contents |
//! |---|---|
//! | `outbox` | creating deliveries in the transaction that causes them, and their order for each user |
//! | [`lease`] | leasing deliveries to workers, and completing attempts |
//! | [`backlog`] | how many deliveries wait |
//! | [`list`] | lists of deliveries and attempts |
//! | [`resend`] | sending deliveries again |
//! | [`giving_up`] | a person gives up a delivery |
//! | [`disabled_apps`] | apps that get no deliveries, usually after too many 410 answers |

pub mod backlog;
pub mod disabled_apps;
pub mod giving_up;
pub mod lease;
pub mod list;
pub(crate) mod outbox;
pub mod resend;
