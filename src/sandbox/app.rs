//! Plays the publisher's app: verifies each call as the network documents it, books it once, and answers as configured.
//!
//! It shares no code with the sender. Signatures are verified by the code that verifies the network's own calls, which a
//! publisher's app already has.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::delivery::sign;
use domain::money::Micros;
use domain::postback::signature::{Secret, SignatureForm, verify};
use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::clock_ms;

/// Maximum size of a request.
const MAX_REQUEST_BYTES: usize = 64 * 1_024;

/// The `url` of `[apps.forward]` for an app at `origin`.
pub fn postback_url(origin: &str) -> String {
    format!(
        "{origin}/postback?user_id={{user_id}}&tx_id={{tx_id}}&reward={{reward}}&status={{status}}\
         &reward_id={{reward_id}}&sequence={{sequence}}&reason={{reason}}&balance={{balance}}"
    )
}

/// What the app does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Books it, and answers 200.
    Acknowledge,
    /// Books nothing, and answers with this status.
    Refuse(u16),
    /// Books nothing, and answers 200 with a body that does not acknowledge.
    WrongBody,
    /// Books nothing, and answers with this status and body.
    Say(u16, &'static str),
    /// Books it, and closes the connection without an answer.
    BookAndClose,
    /// Books nothing, and closes the connection.
    Close,
    /// Books it, and answers 200 after this time.
    Slow(Duration),
    /// Answers 302.
    Redirect,
}

/// One call as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Path and query of a postback, body of a webhook.
    pub content: String,
    /// The idempotency key: `REWARD-SEQUENCE`, or the `webhook-id`.
    pub id: String,
    /// True if the signature matches.
    pub verified: bool,
    /// User ID in the app.
    pub user_id: String,
    /// Transaction ID of the network.
    pub tx_id: String,
    /// Reward ID; -1 if missing.
    pub reward_id: i64,
    /// Number of the event within the reward; -1 if missing.
    pub sequence: i64,
    /// 1 credited, 2 reversed, 3 held, 4 rejected, 0 unknown.
    pub status: u8,
    /// Amount in the user's currency.
    pub reward: Micros,
    /// The balance that the sender reports.
    pub balance: String,
    /// As sent, e.g. `completed`.
    pub reason: String,
}

/// The app's own books.
#[derive(Debug, Default)]
struct Books {
    arrivals: Vec<Arrival>,
    booked: BTreeSet<String>,
    balances: BTreeMap<String, i64>,
}

/// Chooses the reply to a call.
type Behaviour = Box<dyn FnMut(&Arrival) -> Reply + Send>;

/// An app that runs until its runtime ends.
#[derive(Clone)]
pub struct App {
    /// Address that it listens on.
    pub address: SocketAddr,
    secrets: Arc<Vec<Secret>>,
    books: Arc<Mutex<Books>>,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl App {
    /// Starts an app at `listener` that verifies with these secrets and acknowledges every call.
    pub fn start(listener: TcpListener, secrets: Vec<Secret>) -> io::Result<Self> {
        let app = Self {
            address: listener.local_addr()?,
            secrets: Arc::new(secrets),
            books: Arc::default(),
            behaviour: Arc::new(Mutex::new(Box::new(|_| Reply::Acknowledge))),
        };
        let serving = app.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let app = serving.clone();
                // If a connection breaks, the sender retries.
                tokio::spawn(async move { app.serve(stream).await.ok() });
            }
        });
        Ok(app)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, `behaviour` chooses the replies.
    pub fn answer_with(&self, behaviour: impl FnMut(&Arrival) -> Reply + Send + 'static) {
        *lock(&self.behaviour) = Box::new(behaviour);
    }

    /// All calls so far, in the order of arrival.
    pub fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.books).arrivals.clone()
    }

    /// Number of calls so far.
    pub fn calls(&self) -> usize {
        lock(&self.books).arrivals.len()
    }

    /// Number of booked events.
    pub fn booked(&self) -> usize {
        lock(&self.books).booked.len()
    }

    /// Balance of each user in the books of the app.
    pub fn balances(&self) -> BTreeMap<String, Micros> {
        lock(&self.books).balances.iter().map(|(user, balance)| (user.clone(), Micros(*balance))).collect()
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut read = Vec::with_capacity(2_048);
        while let Some(request) = Request::read(&mut stream, &mut read).await? {
            let arrival = self.arrival(&request);
            let reply = (*lock(&self.behaviour))(&arrival);
            let reply = if arrival.verified { reply } else { Reply::Refuse(403) };
            self.book(arrival, reply);
            let (status, body) = match reply {
                Reply::Close | Reply::BookAndClose => return Ok(()),
                Reply::Acknowledge => (200, "OK"),
                Reply::WrongBody => (200, "later"),
                Reply::Say(status, body) => (status, body),
                Reply::Redirect => (302, ""),
                Reply::Refuse(status) => (status, "no"),
                Reply::Slow(pause) => {
                    tokio::time::sleep(pause).await;
                    (200, "OK")
                }
            };
            let elsewhere = if reply == Reply::Redirect { "location: /elsewhere\r\n" } else { "" };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} x\r\n{elsewhere}content-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }

    /// Books the call if `reply` says so, once per ID.
    fn book(&self, arrival: Arrival, reply: Reply) {
        let mut books = lock(&self.books);
        let books_it = matches!(reply, Reply::Acknowledge | Reply::BookAndClose | Reply::Slow(_));
        if books_it && books.booked.insert(arrival.id.clone()) {
            let sign = match arrival.status {
                1 => 1,
                2 => -1,
                _ => 0,
            };
            *books.balances.entry(arrival.user_id.clone()).or_default() += sign * arrival.reward.0;
        }
        books.arrivals.push(arrival);
    }

    fn arrival(&self, request: &Request) -> Arrival {
        match request.header("webhook-id") {
            Some(id) => self.webhook(request, id),
            None => self.postback(request),
        }
    }

    fn postback(&self, request: &Request) -> Arrival {
        let origin = format!("http://{}", request.header("host").unwrap_or_default());
        let verified = verify(&origin, &request.target, SignatureForm::Empty, &self.secrets).is_ok();
        let url = Url::parse(&format!("{origin}{}", request.target)).ok();
        let text = |name: &str| {
            let mut pairs = url.iter().flat_map(Url::query_pairs);
            pairs.find(|(own, _)| own == name).map_or(String::new(), |(_, value)| value.into_owned())
        };
        let number = |name: &str| text(name).parse().unwrap_or(-1);
        Arrival {
            at_ms: clock_ms(),
            content: request.target.clone(),
            id: format!("{}-{}", text("reward_id"), text("sequence")),
            verified,
            user_id: text("user_id"),
            tx_id: text("tx_id"),
            reward_id: number("reward_id"),
            sequence: number("sequence"),
            status: text("status").parse().unwrap_or_default(),
            reward: Micros::parse(&text("reward")).map(|parsed| parsed.amount).unwrap_or_default(),
            balance: text("balance"),
            reason: text("reason"),
        }
    }

    fn webhook(&self, request: &Request, id: &str) -> Arrival {
        let timestamp_s = request.header("webhook-timestamp").and_then(|text| text.parse().ok()).unwrap_or(0);
        let given = request.header("webhook-signature").unwrap_or_default();
        // Any known secret may match any of the given signatures.
        let verified = self.secrets.iter().any(|secret| {
            let expected = sign::webhook(id, timestamp_s, &request.body, std::slice::from_ref(secret));
            given.split(' ').any(|signature| signature == expected)
        });
        let json: serde_json::Value = serde_json::from_str(&request.body).unwrap_or_default();
        let data = &json["data"];
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        Arrival {
            at_ms: clock_ms(),
            content: request.body.clone(),
            id: id.to_owned(),
            verified,
            user_id: text("user_id"),
            tx_id: text("tx_id"),
            reward_id: data["reward_id"].as_i64().unwrap_or(-1),
            sequence: data["sequence"].as_i64().unwrap_or(-1),
            status: match json["type"].as_str() {
                Some("reward.credited") => 1,
                Some("reward.reversed") => 2,
                Some("reward.held") => 3,
                Some("reward.rejected") => 4,
                _ => 0,
            },
            reward: Micros::parse(&text("reward")).map(|parsed| parsed.amount).unwrap_or_default(),
            balance: text("balance"),
            reason: text("reason"),
        }
    }
}

/// Ignores poisoning: no code leaves the data inconsistent when it panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parts of a request that the app needs.
struct Request {
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    /// The next request; `None` if the connection ends before it.
    async fn read(stream: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let head_len = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if read.len() > MAX_REQUEST_BYTES {
                return Err(invalid());
            }
            if stream.read_buf(read).await? == 0 {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&read[..head_len]).into_owned();
        let mut lines = head.lines();
        let target = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or_else(invalid)?.to_owned();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Self { target, headers, body: String::new() };
        let length =
            request.header("content-length").map_or(Ok(0), |text| text.parse().map_err(|_| invalid()))?;
        if length > MAX_REQUEST_BYTES {
            return Err(invalid());
        }
        while read.len() < head_len + length {
            if stream.read_buf(read).await? == 0 {
                return Err(invalid());
            }
        }
        request.body = String::from_utf8_lossy(&read[head_len..head_len + length]).into_owned();
        read.drain(..head_len + length);
        Ok(Some(request))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}
