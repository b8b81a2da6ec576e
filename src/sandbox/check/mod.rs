//! Checks through the API that every acknowledged event had exactly one effect, and forged and broken ones none.

mod api;
mod checked;
mod look;

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::expected::Expected;
use super::http::{Http, client};
use api::Api;
pub use checked::{Checked, Difference, LISTED_DIFFERENCES};
use look::{Findings, Look};

/// Maximum time that `check` waits for the gateway.
pub const MAX_DEADLINE: Duration = Duration::from_hours(1);

/// Balances that are requested concurrently.
const BALANCES_AT_A_TIME: usize = 16;

/// Bounds of the pause between two checks, which lasts as long as the last check.
const POLL: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// Which API to check, and for how long.
#[derive(Clone)]
pub struct CheckOptions {
    /// Scheme, host and port of the API, without a slash at the end.
    pub api_url: String,
    /// API token of any role; not part of `Debug`.
    pub token: String,
    /// Name of the source that was called.
    pub source: String,
    /// The app that owns the users; `None`: the gateway's only one.
    pub app: Option<String>,
    /// True if the URL of a call does not name its transaction ([`crate::Network::hides_transactions`]): quarantined
    /// postbacks are then counted instead of looked for.
    pub is_quarantine_counted: bool,
    /// Time for the gateway to finish, at most [`MAX_DEADLINE`].
    pub deadline: Duration,
}

/// Why the check failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Above [`MAX_DEADLINE`].
    #[error("the deadline must be at most {} s", MAX_DEADLINE.as_secs())]
    Deadline,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
    /// Path and reason.
    #[error("{0}: no answer: {1}")]
    NoAnswer(String, String),
    /// Path, status other than 200, and body.
    #[error("{0}: answered {1}: {2}")]
    Status(String, u16, String),
    /// Path and error of the parser.
    #[error("{0}: unexpected answer: {1}")]
    Malformed(String, String),
    /// Path of a page whose next page is itself.
    #[error("{0}: a page refers to itself as the next page")]
    Endless(String),
}

/// Checks repeatedly until every acknowledged event had its effect, or the deadline has passed.
pub async fn check(options: &CheckOptions, expected: &Expected) -> Result<Checked, CheckError> {
    let http = client(BALANCES_AT_A_TIME).map_err(|error| CheckError::Client(error.reason))?;
    check_over(http, options, expected).await
}

pub(super) async fn check_over<H: Http>(
    http: H,
    options: &CheckOptions,
    expected: &Expected,
) -> Result<Checked, CheckError> {
    if options.deadline > MAX_DEADLINE {
        return Err(CheckError::Deadline);
    }
    let (base, token) = (options.api_url.trim_end_matches('/').to_owned(), options.token.clone());
    let look = Look { api: Api { http, base, token }, options, expected };
    let deadline = Instant::now() + options.deadline;
    loop {
        let began = Instant::now();
        let is_last = began >= deadline;
        match look.take(is_last).await {
            Ok(Findings { checked, may_heal }) if !may_heal || is_last => return Ok(checked),
            Err(error) if !error.may_pass() || is_last => return Err(error),
            Ok(_) | Err(_) => {
                let pause = began.elapsed().clamp(POLL[0], POLL[1]);
                sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            }
        }
    }
}

impl CheckError {
    /// True if a retry may help: the gateway may be starting or overloaded.
    fn may_pass(&self) -> bool {
        matches!(self, Self::NoAnswer(..) | Self::Status(_, 429 | 500.., _))
    }
}

impl fmt::Debug for CheckOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CheckOptions")
            .field("api_url", &self.api_url)
            .field("source", &self.source)
            .field("app", &self.app)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
