//! Large databases, filled by the database itself; the benchmark `volume` makes much larger ones of them.

pub(crate) mod holds;
pub(crate) mod rewards;
