//! The HTTP client that calls apps: it refuses forbidden addresses when it connects, follows no redirects, and reads only
//! the beginning of an answer.
//!
//! Names are resolved only here, and only checked addresses are connected to, so nothing can change between check and
//! connection. An address in the URL itself never reaches the resolver; it is checked before the call.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::address::{Refused, check};
use domain::delivery::answer::Answers;
use domain::delivery::message::Call;
use domain::delivery::schedule::{Class, retry_after_ms};
use domain::time::Clock;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url};

use crate::causes::{chain, sentence};

/// Time-out of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit of an answer that is read: an acknowledgement is short.
const MAX_READ_BYTES: usize = 16 * 1_024;
/// Limit of an answer that is saved with the attempt.
const MAX_KEPT_BYTES: usize = 1_024;
/// Limit of an error message.
const MAX_DETAIL_CHARS: usize = 300;
/// How long an idle connection stays open.
const IDLE: Duration = Duration::from_mins(1);

/// Makes calls. Cheap to clone; one for each process.
#[derive(Clone, Debug)]
pub struct Outgoing {
    client: Client,
    allowed: Arc<[IpNet]>,
}

/// The result of a call.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) class: Class,
    pub(super) http_status: Option<u16>,
    pub(super) retry_after_ms: Option<i64>,
    pub(super) detail: Option<String>,
    pub(super) answer: Option<String>,
}

/// The HTTP client cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("cannot create the HTTP client: {0}")]
pub struct NoClient(#[from] reqwest::Error);

impl Outgoing {
    /// A client that calls only public addresses and those in `allowed`. The executable must have installed a rustls
    /// provider first.
    pub fn new(allowed: Vec<IpNet>) -> Result<Self, NoClient> {
        let allowed: Arc<[IpNet]> = allowed.into();
        let client = ClientBuilder::new()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .redirect(Policy::none())
            .referer(false)
            // A proxy from the environment would bypass the address check.
            .no_proxy()
            .dns_resolver(Arc::new(Guarded { allowed: allowed.clone() }))
            .user_agent(concat!("rewardgate/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, allowed })
    }

    /// Makes one call. `repeat` says whether the app may have booked an earlier attempt.
    pub(super) async fn call(
        &self,
        call: Call,
        answers: &Answers,
        repeat: bool,
        timeout: Duration,
        clock: &Clock,
    ) -> Answered {
        let Some(url) = Url::parse(&call.url).ok().filter(|url| url.as_str() == call.url) else {
            return Answered::unsendable(
                "the URL would be changed when sent, so its signature would not match",
            );
        };
        if let Err(refused) = self.check_literal(&url) {
            return Answered::refused(&refused);
        }
        let request = match call.body {
            Some(body) => self.client.post(url).body(body),
            None => self.client.get(url),
        };
        let request =
            call.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let answered = match request.timeout(timeout).send().await {
            Ok(response) => read(response, answers, repeat, clock).await,
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(Answered::failed)
    }

    fn check_literal(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => check(address, &self.allowed),
            Err(_) => Ok(()),
        }
    }
}

async fn read(
    mut response: Response,
    answers: &Answers,
    repeat: bool,
    clock: &Clock,
) -> Result<Answered, reqwest::Error> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after_ms = retry_after.and_then(|value| retry_after_ms(value, clock.now()));
    let mut body = Vec::new();
    while body.len() < MAX_READ_BYTES
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(MAX_READ_BYTES);
    // Postgres cannot store a NUL.
    let text = String::from_utf8_lossy(&body).replace('\0', "\u{fffd}");
    let class = answers.class(status, &text, repeat);
    let kept = text.floor_char_boundary(MAX_KEPT_BYTES);
    let detail = match class {
        Class::Rejected if !answers.duplicate_fails && (status < 300 || status == 409) => Some(
            "the app says that it has this already, but it cannot have booked any earlier attempt".to_owned(),
        ),
        Class::NotAcknowledged if status == 200 => Some(answers.expected()),
        Class::NotAcknowledged => Some(format!("the status is {status}; only 200 can be an acknowledgement")),
        Class::Duplicate => Some("the app says that it has this already, from an earlier attempt".to_owned()),
        _ => None,
    };
    Ok(Answered {
        class,
        http_status: Some(status),
        retry_after_ms,
        detail,
        answer: Some(text[..kept].to_owned()),
    })
}

impl Answered {
    /// The call was not made.
    pub(super) fn unsendable(why: &str) -> Self {
        Self::without_answer(Class::Unsendable, why.to_owned())
    }

    fn refused(refused: &Refused) -> Self {
        Self::without_answer(Class::AddressRefused, refused.to_string())
    }

    fn without_answer(class: Class, detail: String) -> Self {
        Self { class, http_status: None, retry_after_ms: None, detail: Some(detail), answer: None }
    }

    fn failed(error: reqwest::Error) -> Self {
        if let Some(refused) = find_cause::<Refused>(&error) {
            return Self::refused(refused);
        }
        let class = if error.is_timeout() {
            Class::Timeout
        } else if is_of_tls(&error) {
            Class::Tls
        } else if error.is_connect() {
            Class::Unreachable
        } else if error.is_builder() {
            Class::Unsendable
        } else {
            Class::Closed
        };
        let detail = sentence(&error.without_url()).replace('\0', "");
        Self::without_answer(class, detail.chars().take(MAX_DETAIL_CHARS).collect())
    }
}

fn find_cause<T: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// An I/O error does not list its inner error as a cause, so that is checked too.
fn is_of_tls(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause.is::<rustls::Error>()
            || inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    })
}

/// Resolves names, and returns only addresses that may be called.
#[derive(Debug)]
struct Guarded {
    allowed: Arc<[IpNet]>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.clone();
        Box::pin(async move {
            // The port is a placeholder; the client uses the URL's.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let (mut may, mut refused) = (Vec::new(), None);
            for address in found {
                match check(address.ip(), &allowed) {
                    Ok(()) => may.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                Some(refused) if may.is_empty() => Err(refused.into()),
                _ => Ok(Box::new(may.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::TimestampMs;

    fn client(allowed: &[&str]) -> Outgoing {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allowed = allowed.iter().filter_map(|text| domain::caller::parse_network(text)).collect();
        Outgoing::new(allowed).expect("a client")
    }

    async fn call(client: &Outgoing, url: &str) -> Answered {
        let call = Call { url: url.into(), headers: vec![], body: None };
        let clock = Clock::new(|| TimestampMs(0));
        client.call(call, &Answers::default(), false, Duration::from_secs(5), &clock).await
    }

    #[tokio::test]
    async fn a_forbidden_address_in_the_url_is_refused_in_every_spelling() {
        let client = client(&[]);
        for (host, named) in [
            ("127.0.0.1", "127.0.0.1"),
            ("10.0.0.1", "10.0.0.1"),
            ("169.254.169.254", "169.254.169.254"),
            ("[::1]", "::1"),
            ("[::ffff:a00:1]", "::ffff:10.0.0.1"),
            ("[64:ff9b::a00:1]", "64:ff9b::a00:1"),
        ] {
            let answered = call(&client, &format!("http://{host}:9/pb?x=1")).await;
            assert_eq!(answered.class, Class::AddressRefused, "{host}: {answered:?}");
            assert!(answered.detail.as_deref().is_some_and(|why| why.contains(named)), "{answered:?}");
        }
        // Spellings that a client would rewrite are never sent at all.
        for host in ["2130706433", "0x7f.1", "127.1", "[::ffff:10.0.0.1]"] {
            assert_eq!(
                call(&client, &format!("http://{host}:9/pb?x=1")).await.class,
                Class::Unsendable,
                "{host}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_of_a_forbidden_address_is_refused_when_connecting() {
        let answered = call(&client(&[]), "http://localhost:9/pb?x=1").await;
        assert_eq!(answered.class, Class::AddressRefused, "{answered:?}");
        assert!(answered.detail.as_deref().is_some_and(|why| why.contains("loopback")), "{answered:?}");
        // Allowed, it is called, and nobody listens.
        let answered = call(&client(&["127.0.0.0/8", "::1"]), "http://localhost:9/pb?x=1").await;
        assert_eq!(answered.class, Class::Unreachable, "{answered:?}");
    }

    #[tokio::test]
    async fn resolving_returns_only_addresses_that_may_be_called() {
        let resolve = async |name: &str, allowed: &[&str]| {
            let allowed = allowed.iter().filter_map(|text| domain::caller::parse_network(text)).collect();
            Guarded { allowed }.resolve(name.parse().expect("a name")).await.map(Iterator::collect::<Vec<_>>)
        };
        for name in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::1"] {
            let refused = resolve(name, &[]).await.expect_err(name);
            assert!(refused.downcast_ref::<Refused>().is_some(), "{name}: {refused}");
        }
        assert_eq!(resolve("10.0.0.1", &["10.0.0.0/8"]).await.expect("listed").len(), 1);
        assert_eq!(resolve("1.1.1.1", &[]).await.expect("public").len(), 1);
    }
}
