//! Postbacks, deliveries, policy, audit and staff.

pub(crate) mod audit;
pub(crate) mod deliveries;
pub(crate) mod people;
pub(crate) mod policy;
pub(crate) mod postbacks;
pub(crate) mod quarantine;
