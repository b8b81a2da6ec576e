//! Pages for finance.

pub(crate) mod report;
pub(crate) mod reports;
pub(crate) mod statement;
pub(crate) mod tables;
pub(crate) mod upload;
