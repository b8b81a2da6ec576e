//! HTTP/1.1 over a plain socket: what goes out is exactly what a test says, byte for byte.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::support::wait::DEADLINE;

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    target: Vec<u8>,
    host: String,
    headers: String,
    body: Vec<u8>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// A connection that can carry many requests.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Request {
    pub(crate) fn new(method: &str, target: impl AsRef<[u8]>) -> Self {
        let target = target.as_ref().to_vec();
        let host = "localhost".to_owned();
        Self { method: method.into(), target, host, headers: String::new(), body: Vec::new() }
    }

    pub(crate) fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Of this host.
    #[must_use]
    pub(crate) fn host(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    /// With a body and its length.
    #[must_use]
    pub(crate) fn body(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        Self { body: body.clone(), ..self.header("Content-Length", &body.len().to_string()) }
    }

    /// With a body whose length only its end tells.
    #[must_use]
    pub(crate) fn chunked_body(self, body: &[u8]) -> Self {
        let mut chunks = Vec::new();
        for chunk in body.chunks(4_096) {
            chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunks.extend_from_slice(chunk);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        Self { body: chunks, ..self.header("Transfer-Encoding", "chunked") }
    }

    fn bytes(&self) -> Vec<u8> {
        let rest = format!(" HTTP/1.1\r\nHost: {}\r\n{}\r\n", self.host, self.headers);
        [self.method.as_bytes(), b" ", &self.target, rest.as_bytes(), &self.body].concat()
    }
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// True if a network takes it for a yes.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.status == 200 && self.body == "OK"
    }

    /// Status and body, for comparing both at once.
    pub(crate) fn status_and_body(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends `request` and waits for its answer.
    pub(crate) fn call(&mut self, request: &Request) -> io::Result<Answer> {
        self.send(&request.bytes())?;
        self.answer(request.method == "HEAD")
    }

    /// Sends bytes, whatever they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Reads one answer; that to HEAD has no body, whatever its headers say.
    pub(crate) fn answer(&mut self, to_head: bool) -> io::Result<Answer> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid(&format!("not a status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: String::new() };
        if to_head || status < 200 || status == 204 {
            return Ok(answer);
        }
        let body = if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks()?
        } else {
            let length = answer.header("content-length").and_then(|length| length.parse().ok());
            let mut body = vec![0; length.ok_or_else(|| invalid("an answer without a length"))?];
            self.0.read_exact(&mut body)?;
            body
        };
        // Of a workbook only its status is looked at.
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }

    /// A body whose length only its end tells.
    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(&line, 16).map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, format!("no length of a chunk: {line}"))
            })?;
            let mut chunk = vec![0; length + 2];
            self.0.read_exact(&mut chunk)?;
            if length == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    /// One line without its end; the end of the connection is an error.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// Sends one request on a connection of its own.
pub(crate) fn call(address: SocketAddr, request: &Request) -> Answer {
    let answer = Connection::open(address).and_then(|mut connection| connection.call(request));
    answer.unwrap_or_else(|error| panic!("no answer to {} request: {error}", request.method))
}
