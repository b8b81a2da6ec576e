//! A slow way to Postgres: what passes takes its time, so that callers go away, or come back, while it is on its way.

use std::net::SocketAddr;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What takes its time.
#[derive(Clone, Copy)]
pub(crate) enum Slow {
    /// Whatever the server says.
    Answers,
    /// What a client says with this word in it.
    Word(&'static str),
}

/// Passes connections on for as long as it lives.
pub(crate) struct Proxy {
    /// The way to the database through the proxy.
    pub(crate) url: String,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before the database at `url` that holds back for `delay` what is `slow`.
    pub(crate) async fn before(url: &str, slow: Slow, delay: Duration) -> Self {
        let database = PgConnectOptions::from_str(url).expect("a URL of Postgres");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("its address");
        let server: Arc<str> = format!("{}:{}", database.get_host(), database.get_port()).into();
        let listening = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass_on(client, server.clone(), slow, delay));
            }
        });
        let through = database.host(&address.ip().to_string()).port(address.port());
        Self { url: through.to_url_lossy().to_string(), listening }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn pass_on(client: TcpStream, server: Arc<str>, slow: Slow, delay: Duration) {
    let server = TcpStream::connect(&*server).await.expect("the server answers");
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("small packets go at once");
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let word = |bytes: &[u8]| match slow {
        Slow::Answers => false,
        Slow::Word(word) => bytes.windows(word.len()).any(|window| window == word.as_bytes()),
    };
    // When one side ends, so does the other: nobody writes to a half that is closed.
    tokio::join!(
        copy(from_client, to_server, |bytes| if word(bytes) { delay } else { Duration::ZERO }),
        copy(from_server, to_client, |_| if matches!(slow, Slow::Answers) { delay } else { Duration::ZERO }),
    );
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: impl Fn(&[u8]) -> Duration) {
    let mut bytes = vec![0; 64 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        tokio::time::sleep(delay(&bytes[..read])).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
