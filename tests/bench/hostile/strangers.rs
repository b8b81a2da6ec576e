//! Strangers: what they send, and how slowly.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Unsigned,
    Forged,
    UnknownSource,
    LongTarget,
    HugeHeaders,
    HugeBody,
    Malformed,
    NoHttp,
}

/// How many requests were answered how.
pub(crate) type Answers = BTreeMap<String, u64>;

#[derive(Clone, Copy)]
pub(crate) struct Stranger {
    pub(crate) from: IpAddr,
    pub(crate) to: SocketAddr,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Unsigned,
        Self::Forged,
        Self::UnknownSource,
        Self::LongTarget,
        Self::HugeHeaders,
        Self::HugeBody,
        Self::Malformed,
        Self::NoHttp,
    ];

    fn request(self) -> Vec<u8> {
        let get =
            |target: &str, rest: &str| format!("GET {target} HTTP/1.1\r\nhost: x\r\n{rest}\r\n").into_bytes();
        match self {
            Self::Unsigned => get("/pb/bench?user_id=u&tx_id=T&reward=1&status=1", ""),
            Self::Forged => get(&format!("/pb/bench?user_id=u&tx_id=T&status=1&hash={}", "a".repeat(40)), ""),
            Self::UnknownSource => get("/pb/nobody?user_id=u", ""),
            Self::LongTarget => get(&format!("/pb/bench?user_id={}", "u".repeat(20_000)), ""),
            Self::HugeHeaders => get("/pb/bench", &format!("x: {}\r\n", "x".repeat(200_000))),
            Self::HugeBody => {
                let mut request =
                    b"POST /pb/bench?x=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n".to_vec();
                request.resize(request.len() + 100_000, b'x');
                request
            }
            Self::Malformed => b"GET /pb/bench HTTP/9.9\r\n\x00\x01: \xff\r\n\r\n".to_vec(),
            Self::NoHttp => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        }
    }
}

impl Stranger {
    pub(crate) async fn connect(self) -> Option<TcpStream> {
        let socket = TcpSocket::new_v4().ok()?;
        // The same address may be used again at once.
        socket.set_reuseaddr(true).ok()?;
        socket.bind(SocketAddr::new(self.from, 0)).ok()?;
        socket.connect(self.to).await.ok()
    }

    /// Sends as fast as it is answered, until none are left.
    pub(crate) async fn quick(self, kind: Kind, left: Arc<AtomicU64>) -> Answers {
        let request = kind.request();
        let mut answers = Answers::new();
        let mut connection = None;
        let mut buffer = [0; 4_096];
        let take = |left: u64| left.checked_sub(1);
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            let stream = if let Some(stream) = &mut connection {
                stream
            } else {
                let Some(stream) = self.connect().await else {
                    *answers.entry(format!("{kind:?}: no connection")).or_default() += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                };
                connection.insert(stream)
            };
            let answer = tokio::time::timeout(Duration::from_secs(15), async {
                // An answer may come before everything is sent.
                let _ = stream.write_all(&request).await;
                stream.read(&mut buffer).await
            });
            let answer = match answer.await {
                Ok(Ok(length @ 12..)) => String::from_utf8_lossy(&buffer[9..12.min(length)]).into_owned(),
                Ok(_) => "closed".to_owned(),
                Err(_) => "nothing in 15 s".to_owned(),
            };
            if matches!(kind, Kind::HugeHeaders | Kind::HugeBody | Kind::Malformed | Kind::NoHttp)
                || answer == "closed"
            {
                connection = None;
            }
            *answers.entry(format!("{kind:?}: {answer}")).or_default() += 1;
        }
        answers
    }

    /// Holds a connection as long as it can: says nothing, drips headers, or drips a body; and comes back.
    pub(crate) async fn slow(self, way: usize, over: Arc<AtomicBool>) {
        while !over.load(Ordering::Relaxed) {
            if let Some(stream) = self.connect().await {
                drip(stream, way).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn drip(mut stream: TcpStream, way: usize) {
    let begin: &[u8] = match way {
        0 => b"",
        1 => b"GET /pb/bench?user_id=",
        _ => b"POST /pb/bench?x=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n",
    };
    if stream.write_all(begin).await.is_err() {
        return;
    }
    let mut buffer = [0; 1_024];
    loop {
        let answered = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut buffer)).await;
        if matches!(answered, Ok(Ok(0) | Err(_))) || (way > 0 && stream.write_all(&[b'x'; 64]).await.is_err())
        {
            return;
        }
    }
}
