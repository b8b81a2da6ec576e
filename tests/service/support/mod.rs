//! What tests share: no rule stands here.

pub(crate) mod api;
pub(crate) mod app;
pub(crate) mod database;
pub(crate) mod effects;
pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod mailbox;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod scale;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod signed_in;
pub(crate) mod wait;
