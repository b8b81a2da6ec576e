//! Asks from outside whether the public URL leads to a process of ours, with every byte of the URL unchanged.

use std::time::Duration;

use domain::postback::signature::{Secret, SignatureForm, sign};
use domain::time::TimestampMs;
use reqwest::header::DATE;
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};

use crate::causes::sentence;

/// How long the way there and back may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What proxies like to rewrite: an escape in small letters, an encoded slash, a plus, an empty value, two slashes.
const ODD_QUERY: &str = "probe=a%2fb%20c%2Bd+e&empty=&path=//x/../y";

/// What every answer of ours to a network carries.
const REQUEST_ID: &str = "x-request-id";

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// A process of ours answered, and the URL reached it as it was signed.
    Understood {
        /// The clock of whoever answered, to the second.
        date: Option<TimestampMs>,
    },
    /// A process of ours answered, but the signature did not match: something on the way rewrites URLs, or that
    /// process runs with another secret, form or `public_url`.
    Rewritten,
    /// A process of ours answered that does not know the source.
    UnknownSource,
    /// Somebody else answered, or an older version.
    Other {
        /// The status.
        status: u16,
    },
    /// Nobody answered.
    NoAnswer {
        /// Why.
        reason: String,
    },
}

/// Probes `{origin}/pb/{source}`. Nothing is recorded by it.
///
/// The executable must have installed a rustls provider first: without one, the HTTP client panics.
pub async fn probe(origin: &str, source: &str, form: SignatureForm, secret: &Secret) -> Probed {
    let target = sign(origin, &format!("/pb/{source}?{ODD_QUERY}"), form, secret);
    let asked = async {
        let client =
            reqwest::ClientBuilder::new().timeout(TIMEOUT).redirect(Policy::none()).no_proxy().build()?;
        client.request(Method::OPTIONS, format!("{origin}{target}")).send().await
    };
    match asked.await {
        // Anybody may answer a preflight, or a path that is not there; only we give every call an id.
        Ok(answer) if !answer.headers().contains_key(REQUEST_ID) => {
            Probed::Other { status: answer.status().as_u16() }
        }
        Ok(answer) => match answer.status() {
            StatusCode::OK => {
                let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
                let date = date.and_then(TimestampMs::parse_http_date);
                Probed::Understood { date }
            }
            StatusCode::FORBIDDEN => Probed::Rewritten,
            StatusCode::NOT_FOUND => Probed::UnknownSource,
            status => Probed::Other { status: status.as_u16() },
        },
        Err(error) => Probed::NoAnswer { reason: sentence(&error.without_url()) },
    }
}
