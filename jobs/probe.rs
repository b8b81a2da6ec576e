//! Checks from outside that the public URL leads to a RewardGate process with every byte of the URL unchanged.

use std::time::Duration;

use domain::postback::networks::signature::Keys;
use domain::postback::networks::{Call, Definition};
use domain::time::TimestampMs;
use reqwest::header::DATE;
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};

use crate::causes::sentence;

/// Time-out of the call.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Parts that proxies tend to rewrite: a lower-case escape, an encoded slash, a plus, an empty value, two slashes.
const ODD_QUERY: &str = "probe=a%2fb%20c%2Bd+e&empty=&path=//x/../y";

/// A header of every RewardGate answer to a network.
const REQUEST_ID: &str = "x-request-id";

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// A RewardGate process answered that knows the source.
    Understood {
        /// True if the URL reached it as signed; false if its network does not sign URLs.
        unchanged: bool,
        /// The clock of the answering process, accurate to a second.
        date: Option<TimestampMs>,
    },
    /// A RewardGate process answered, but the signature did not match: something on the way rewrites URLs, or that
    /// process uses another secret, form or `public_url`.
    Rewritten,
    /// A RewardGate process answered that does not know the source.
    UnknownSource,
    /// Another server answered, or an older version.
    Other {
        /// HTTP status.
        status: u16,
    },
    /// There was no answer.
    NoAnswer {
        /// The error.
        reason: String,
    },
}

/// Probes `{origin}/pb/{source}`; this records nothing.
///
/// The executable must have installed a rustls provider first: without one, the HTTP client panics.
pub async fn probe(
    origin: &str,
    source: &str,
    definition: &Definition,
    keys: &Keys,
    now: TimestampMs,
) -> Probed {
    let odd = format!("/pb/{source}?{ODD_QUERY}");
    // Other messages lack their parts here.
    let signs_url = definition.signature.url_form().is_some();
    let signed = definition.sign(&Call::get(origin, &odd), keys, now).ok().filter(|_| signs_url);
    let unchanged = signed.is_some();
    let (method, target) = match signed {
        Some(signed) => (Method::OPTIONS, signed.target),
        None => (Method::HEAD, odd),
    };
    let asked = async {
        let client =
            reqwest::ClientBuilder::new().timeout(TIMEOUT).redirect(Policy::none()).no_proxy().build()?;
        client.request(method, format!("{origin}{target}")).send().await
    };
    match asked.await {
        // Any server may answer a preflight or an unknown path; only RewardGate gives every call an id.
        Ok(answer) if !answer.headers().contains_key(REQUEST_ID) => {
            Probed::Other { status: answer.status().as_u16() }
        }
        Ok(answer) => match answer.status() {
            StatusCode::OK => {
                let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
                let date = date.and_then(TimestampMs::parse_http_date);
                Probed::Understood { unchanged, date }
            }
            StatusCode::FORBIDDEN => Probed::Rewritten,
            StatusCode::NOT_FOUND => Probed::UnknownSource,
            status => Probed::Other { status: status.as_u16() },
        },
        Err(error) => Probed::NoAnswer { reason: sentence(&error.without_url()) },
    }
}
