//! Test doubles: a minimal HTTP server, a client without TLS, and a gateway in memory.

mod gateway;

use std::net::SocketAddr;
use std::sync::Arc;

use domain::postback::networks::Method;
use domain::postback::signature::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) use gateway::{Flaw, Gateway, TOKEN};

use super::http::{Http, NoReply, Reply, Request};
use super::{
    Answer, Heard, Mix, Network, Plan, PlanOptions, Retries, Secrets, SendOptions, Signer, Template,
};

/// The signed origin; calls go elsewhere.
pub(super) const PUBLIC_URL: &str = "https://gw.example.com";

const QUERY: &str = "uid={user_id}&tx={tx_id}&reward={reward}&payout={payout}&status={status}&offer_id={offer_id}\
                     &offer_name={offer_name}&event_id={event_id}&event_name={event_name}&ip={ip}\
                     &country_code={country_code}&timestamp={timestamp}&sub1={sub1}&sub2={sub2}";

pub(super) fn secret() -> Secret {
    Secret::new("test-secret").expect("not empty")
}

pub(super) fn network() -> Network {
    Network::shipped("targo").expect("it ships")
}

pub(super) fn secrets() -> Secrets {
    Secrets { secret: b"test-secret".into(), second: Vec::new() }
}

pub(super) fn template(address: SocketAddr) -> Template {
    Template::parse(&format!("http://{address}/pb/targo-main?{QUERY}"), &network()).expect("a good template")
}

pub(super) fn plan(seed: u64, count: u64, mix: &str) -> Plan {
    let mix: Mix = mix.parse().expect("a good mix");
    let options =
        PlanOptions { mix, ..PlanOptions::new(seed, Some(count), template(([127, 0, 0, 1], 1).into())) };
    Plan::new(&options).expect("a good plan")
}

pub(super) fn options(address: SocketAddr) -> SendOptions {
    let template = template(address);
    let signer = Signer::new(&template, Some(PUBLIC_URL), &secrets()).expect("an origin");
    let retries = Retries::default();
    SendOptions { template, signer, connections: 8, rate_per_s: 0, retries, remember: true }
}

/// An answer with `status` and the body of a healthy gateway.
pub(super) fn answer(status: u16) -> Answer {
    let text = if status == 200 { "OK" } else { "no" }.into();
    let heard = match status {
        200 => Heard::Acknowledged,
        403 => Heard::Refused,
        503 => Heard::Later,
        _ => Heard::Other,
    };
    Answer {
        attempt: 1,
        status: Some(status),
        heard,
        text,
        sent_at_ms: 0,
        answered_at_ms: 1,
        latency_us: 1_000,
    }
}

/// Answers every request, given as its head, with the status and body of `handle`, until the test ends.
pub(super) async fn serve<F>(handle: impl Fn(String) -> F + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = (u16, String)> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let handle = Arc::new(handle);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let handle = Arc::clone(&handle);
            tokio::spawn(async move {
                while let Some((head, _)) = read_head(&mut stream).await {
                    let (status, body) = handle(head).await;
                    let len = body.len();
                    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {len}\r\n\r\n{body}");
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// The target in the head of a request.
pub(super) fn target(head: &str) -> &str {
    head.split(' ').nth(1).expect("a request line")
}

/// Everything up to the empty line, and the bytes read after it.
async fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Some((String::from_utf8(read).expect("ASCII"), rest));
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// A client with a new connection per call.
#[derive(Clone)]
pub(super) struct PlainHttp;

impl Http for PlainHttp {
    async fn send(&self, request: Request<'_>) -> Result<Reply, NoReply> {
        assert_eq!(request.method, Method::Get);
        let no_reply =
            |unreachable| move |error: std::io::Error| NoReply { reason: error.to_string(), unreachable };
        let (host, target) =
            request.url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a plain URL");
        let mut stream = TcpStream::connect(host).await.map_err(no_reply(true))?;
        let bearer =
            request.bearer.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let text = format!("GET /{target} HTTP/1.1\r\nhost: {host}\r\n{bearer}\r\n");
        stream.write_all(text.as_bytes()).await.map_err(no_reply(false))?;
        let gone = || NoReply { reason: "the connection was closed".into(), unreachable: false };
        let (head, mut body) = read_head(&mut stream).await.ok_or_else(gone)?;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let len = field("content-length:").and_then(|len| len.parse().ok()).expect("a length");
        while body.len() < len {
            if stream.read_buf(&mut body).await.map_err(no_reply(false))? == 0 {
                return Err(gone());
            }
        }
        Ok(Reply { status: head[9..12].parse().expect("a status"), body })
    }
}
