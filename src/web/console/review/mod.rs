//! Pages for the risk team.

pub(crate) mod decide;
pub(crate) mod evidence;
pub(crate) mod going_on;
pub(crate) mod lists;
pub(crate) mod queue;
pub(crate) mod reversals;
pub(crate) mod reward;
pub(crate) mod rewards;
pub(crate) mod scope;
pub(crate) mod today;
mod todos;
pub(crate) mod user;
