//! Keeps the raw request line from the socket, for requests that hyper answers by itself (400, 414, 431) and for parts of a
//! URL that it drops (`#` and everything after it). Without it such calls, and their rewards, would be lost unnoticed.
//!
//! Costs a copy of each head into a reused buffer, and no allocation after the first request.

use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a request line that are kept as evidence.
pub(crate) const MAX_LINE_LEN: usize = 8 * 1_024;
/// Size of the buffer in bytes: a request line and the pipelined heads before it.
const MAX_HELD: usize = 2 * MAX_LINE_LEN;

/// Shared between the stream of a connection, which fills it, and the handlers, which read the line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tap(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// Number of heads at the beginning of `bytes` that hyper has parsed.
    understood: usize,
    /// The current request has a body, so the bytes after its head are not a request line.
    has_body: bool,
}

impl Tap {
    /// A request begins; the previous one has been read completely.
    pub(crate) fn begin(&self) {
        self.with(|held| {
            held.bytes.clear();
            (held.understood, held.has_body) = (0, false);
        });
    }

    /// `bytes` of an incomplete head were read.
    pub(crate) fn read(&self, bytes: &[u8]) {
        self.with(|held| {
            held.forget_understood();
            let room = MAX_HELD.saturating_sub(held.bytes.len()).min(bytes.len());
            held.bytes.extend_from_slice(&bytes[..room]);
        });
    }

    /// hyper has parsed another head. Returns its raw line if that has a `#`, which the parsed URL lacks.
    pub(crate) fn understood(&self, has_body: bool) -> Option<Vec<u8>> {
        self.with(|held| {
            let line = held.line();
            let odd = line.filter(|line| line.contains(&b'#')).map(<[u8]>::to_vec);
            held.understood += 1;
            held.has_body |= has_body;
            odd
        })
    }

    /// The line of the request that hyper could not parse, cut to [`MAX_LINE_LEN`]; `None` if it cannot be distinguished
    /// from a body.
    pub(crate) fn line(&self) -> Option<Vec<u8>> {
        self.with(|held| held.line().map(<[u8]>::to_vec))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Held) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    /// Drops the parsed heads, and a body after them.
    fn forget_understood(&mut self) {
        if self.understood == 0 {
            return;
        }
        let rest = if self.has_body { None } else { self.behind_understood() };
        match rest {
            Some(at) => drop(self.bytes.drain(..at)),
            None => self.bytes.clear(),
        }
        (self.understood, self.has_body) = (0, false);
    }

    /// Offset of the first head that is not parsed yet; `None` if unknown.
    fn behind_understood(&self) -> Option<usize> {
        (0..self.understood).try_fold(0, |at, _| {
            let rest = self.bytes.get(at..)?;
            let end = |mark: &[u8]| {
                rest.windows(mark.len()).position(|found| found == mark).map(|at| at + mark.len())
            };
            Some(at + end(b"\r\n\r\n").or_else(|| end(b"\n\n"))?)
        })
    }

    fn line(&self) -> Option<&[u8]> {
        if self.has_body {
            return None;
        }
        let rest = self.bytes.get(self.behind_understood()?..)?;
        let begin = rest.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
        let rest = &rest[begin..];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..end.min(MAX_LINE_LEN)];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(tap: &Tap) -> Option<String> {
        tap.line().map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    #[test]
    fn the_line_is_known_even_if_it_arrives_byte_by_byte() {
        let tap = Tap::default();
        assert_eq!(line(&tap), None);
        tap.begin();
        for byte in b"\r\nGET /pb/a?x=\" HTTP/1.1\r\nHost: h\r\n\r\n".chunks(1) {
            tap.read(byte);
        }
        assert_eq!(line(&tap).as_deref(), Some("GET /pb/a?x=\" HTTP/1.1"));
    }

    #[test]
    fn an_endless_line_is_kept_up_to_the_limit() {
        let tap = Tap::default();
        tap.begin();
        for _ in 0..100 {
            tap.read(&[b'x'; 1_000]);
        }
        assert_eq!(tap.line().map(|line| line.len()), Some(MAX_LINE_LEN));
    }

    #[test]
    fn the_second_request_of_a_connection_has_its_own_line() {
        let first = b"GET /pb/a HTTP/1.1\r\nHost: h\r\n\r\n";
        let tap = Tap::default();
        tap.begin();
        tap.read(first);
        assert_eq!(tap.understood(false), None);
        tap.begin();
        tap.read(b"GET /pb/<b> HTTP/1.1\r\n");
        assert_eq!(line(&tap).as_deref(), Some("GET /pb/<b> HTTP/1.1"));
        // The first was answered before more was read, so the connection was not idle in between.
        let tap = Tap::default();
        tap.begin();
        tap.read(first);
        tap.understood(false);
        tap.read(b"GET /pb/<c> HTTP/1.1\r\n");
        assert_eq!(line(&tap).as_deref(), Some("GET /pb/<c> HTTP/1.1"));
        // Both in one packet.
        let tap = Tap::default();
        tap.begin();
        tap.read(&[&first[..], b"GET /pb/<d> HTTP/1.1\r\n\r\n"].concat());
        tap.understood(false);
        assert_eq!(line(&tap).as_deref(), Some("GET /pb/<d> HTTP/1.1"));
    }

    #[test]
    fn a_body_is_never_taken_for_a_line() {
        let tap = Tap::default();
        tap.begin();
        tap.read(b"POST /pb/a HTTP/1.1\r\nContent-Length: 9\r\n\r\nGET /b c\r\n");
        tap.understood(true);
        assert_eq!(line(&tap), None);
        tap.read(b"GET /pb/<c> HTTP/1.1\r\n");
        assert_eq!(line(&tap).as_deref(), Some("GET /pb/<c> HTTP/1.1"));
    }

    #[test]
    fn a_line_with_a_fragment_is_returned() {
        let tap = Tap::default();
        tap.begin();
        tap.read(b"GET /pb/a?name=Level#5&hash=0 HTTP/1.1\r\n\r\n");
        assert_eq!(tap.understood(false).as_deref(), Some(&b"GET /pb/a?name=Level#5&hash=0 HTTP/1.1"[..]));
    }
}
