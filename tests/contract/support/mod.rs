//! What the tests share, and the benchmark `volume` with them; no rule stands here.

pub(crate) mod bulk;
pub(crate) mod database;
pub(crate) mod place;
pub(crate) mod postbacks;
pub(crate) mod processing;
pub(crate) mod proxy;
pub(crate) mod raw;
