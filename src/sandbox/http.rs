//! The HTTP client: requests with time-outs and a maximum answer.

use std::error::Error;
use std::time::Duration;

use domain::postback::networks::Method;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

/// Time-out of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// From sending to the last byte of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A request.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    /// Names and values.
    pub(super) headers: &'a [(String, String)],
    /// Empty for a GET.
    pub(super) body: &'a [u8],
    /// The API's token; postbacks carry none.
    pub(super) bearer: Option<&'a str>,
    /// A longer body is an error.
    pub(super) max_body_bytes: usize,
}

impl<'a> Request<'a> {
    /// A GET of `url` without headers of its own.
    pub(super) fn get(url: &'a str, bearer: Option<&'a str>, max_body_bytes: usize) -> Self {
        Self { method: Method::Get, url, headers: &[], body: &[], bearer, max_body_bytes }
    }
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct NoReply {
    /// The chain of causes, without the URL, which contains a hash.
    pub(super) reason: String,
    /// True if no connection was made.
    pub(super) unreachable: bool,
}

/// Sends requests. Tests use an implementation without TLS.
pub(super) trait Http: Clone + Send + Sync + 'static {
    fn send(&self, request: Request<'_>) -> impl Future<Output = Result<Reply, NoReply>> + Send;
}

/// A client that keeps up to `connections` connections open, follows no redirect and uses no proxy.
///
/// The executable must have installed a rustls provider first, even for plain `http`: without one, reqwest panics
/// here.
pub(super) fn client(connections: usize) -> Result<Client, NoReply> {
    ClientBuilder::new()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .pool_max_idle_per_host(connections)
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .http1_only()
        .user_agent(concat!("rewardgate-sandbox/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(NoReply::from)
}

impl Http for Client {
    async fn send(&self, request: Request<'_>) -> Result<Reply, NoReply> {
        let mut outgoing = match request.method {
            Method::Get => Self::get(self, request.url),
            Method::Post => Self::post(self, request.url).body(request.body.to_vec()),
        };
        for (name, value) in request.headers {
            outgoing = outgoing.header(name, value);
        }
        if let Some(token) = request.bearer {
            outgoing = outgoing.bearer_auth(token);
        }
        let mut response = outgoing.send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > request.max_body_bytes {
                let reason = format!("the answer is longer than {} bytes", request.max_body_bytes);
                return Err(NoReply { reason, unreachable: false });
            }
        }
        Ok(Reply { status: response.status().as_u16(), body })
    }
}

impl From<reqwest::Error> for NoReply {
    fn from(error: reqwest::Error) -> Self {
        let (unreachable, error) = (error.is_connect(), error.without_url());
        let causes = std::iter::successors(Some(&error as &dyn Error), |&cause| cause.source());
        let reason = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        Self { reason, unreachable }
    }
}
