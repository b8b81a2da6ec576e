//! Parts that all pages share: frame, requests and answers, signing in, formats.

pub(crate) mod account;
pub(crate) mod answer;
pub(crate) mod chart;
pub(crate) mod frame;
pub(crate) mod hashing;
pub(crate) mod help;
pub(crate) mod kept;
pub(crate) mod logins;
pub(crate) mod parts;
pub mod password;
pub(crate) mod request;
pub(crate) mod said;
pub(crate) mod session;
pub(crate) mod show;
pub(crate) mod sign_in;
pub(crate) mod throttle;
pub(crate) mod visible;
#[cfg(test)]
mod words;
