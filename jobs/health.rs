//! Asks another process of ours whether it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use serde::Deserialize;

use crate::causes::sentence;

/// How long a process may take to say whether it is ready; its own look at the database ends before.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a process says of itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Health {
    /// True if it can do its work.
    pub ready: bool,
    /// What it looked at.
    pub checks: Vec<HealthCheck>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Deserialize)]
pub struct HealthCheck {
    /// What.
    pub name: String,
    /// False if something is wrong with it.
    pub ok: bool,
    /// A sentence for a person.
    pub detail: String,
}

/// No answer that could be understood.
#[derive(Debug, thiserror::Error)]
#[error("{url} does not answer: {reason}")]
pub struct NoHealth {
    url: String,
    reason: String,
}

/// Asks the process that listens on `address`.
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
