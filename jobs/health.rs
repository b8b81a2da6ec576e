//! Asks another RewardGate process whether it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use serde::Deserialize;

use crate::causes::sentence;

/// Time-out of the call; longer than the process's own check of the database.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The answer of `/readyz`.
#[derive(Clone, Debug, Deserialize)]
pub struct Health {
    /// True if no required check failed.
    pub ready: bool,
    /// All checks, also passed and advisory ones.
    pub checks: Vec<HealthCheck>,
}

/// The result of one check.
#[derive(Clone, Debug, Deserialize)]
pub struct HealthCheck {
    /// Such as `database`.
    pub name: String,
    /// False if the check failed.
    pub ok: bool,
    /// An explanation for people.
    pub detail: String,
}

/// No answer, or one that is not from RewardGate.
#[derive(Debug, thiserror::Error)]
#[error("{url} does not answer: {reason}")]
pub struct NoHealth {
    url: String,
    reason: String,
}

/// Asks the process that listens on `address` for its readiness.
///
/// The executable must have installed a rustls provider first: without one, the HTTP client panics.
pub async fn ask(address: SocketAddr) -> Result<Health, NoHealth> {
    let url = format!("http://{address}/readyz");
    let asked = async {
        let client =
            reqwest::ClientBuilder::new().timeout(TIMEOUT).redirect(Policy::none()).no_proxy().build()?;
        client.get(&url).send().await?.json().await
    };
    asked.await.map_err(|error: reqwest::Error| NoHealth {
        url: url.clone(),
        reason: sentence(&error.without_url()),
    })
}
