//! The beginning of a request as it came off the socket, for requests that hyper answers by itself (400, 414, 431) and
//! for what it leaves out (`#` and what follows): both would be lost without a trace, and with them a reward.
//!
//! Costs a copy of each head into a buffer that is used again, and no allocation after the first request.

use std::sync::{Arc, Mutex, PoisonError};

/// How much of a request line is kept as evidence.
pub(crate) const MAX_LINE_LEN: usize = 8 * 1_024;
/// How much of what is read is remembered, in bytes: a line and the heads of requests that came together with it.
const MAX_HELD: usize = 2 * MAX_LINE_LEN;

/// Shared between a connection's stream, which fills it, and whoever asks for the line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tap(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// How many heads at the beginning of `bytes` were understood.
    understood: usize,
    /// The request in hand has a body: what follows its head is no line.
    has_body: bool,
}

impl Tap {
    /// A request begins: nothing of the one before is left to be read.
    pub(crate) fn begin(&self) {
        self.with(|held| {
            held.bytes.clear();
            (held.understood, held.has_body) = (0, false);
        });
    }

    /// `bytes` were read, of a head that is not whole yet.
    pub(crate) fn read(&self, bytes: &[u8]) {
        self.with(|held| {
            held.forget_understood();
            let room = MAX_HELD.saturating_sub(held.bytes.len()).min(bytes.len());
            held.bytes.extend_from_slice(&bytes[..room]);
        });
    }

    /// Another head was understood. Answers with its line, if that holds what a parsed URL does not: a `#`.
    pub(crate) fn understood(&self, has_body: bool) -> Option<Vec<u8>> {
        self.with(|held| {
            let line = held.line();
            let odd = line.filter(|line| line.contains(&b'#')).map(<[u8]>::to_vec);
            held.understood += 1;
            held.has_body |= has_body;
            odd
        })
    }

    /// The line of the request that was not understood, at most [`MAX_LINE_LEN`] of it; `None` if it cannot be told
    /// from a body.
    pub(crate) fn line(&self) -> Option<Vec<u8>> {
        self.with(|held| held.line().map(<[u8]>::to_vec))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Held) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    /// Drops the heads that were understood, and a body with them.
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

    /// Where the first head begins that was not understood; `None` if that is not known.
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
    fn the_line_is_known_however_it_comes() {
        let tap = Tap::default();
        assert_eq!(line(&tap), None);
        tap.begin();
        for byte in b"\r\nGET /pb/a?x=\" HTTP/1.1\r\nHost: h\r\n\r\n".chunks(1) {
            tap.read(byte);
        }
        assert_eq!(line(&tap).as_deref(), Some("GET /pb/a?x=\" HTTP/1.1"));
    }

    #[test]
    fn of_a_line_that_never_ends_the_beginning_is_kept() {
        let tap = Tap::default();
        tap.begin();
        for _ in 0..100 {
            tap.read(&[b'x'; 1_000]);
        }
        assert_eq!(tap.line().map(|line| line.len()), Some(MAX_LINE_LEN));
    }

    #[test]
    fn the_second_request_of_a_connection_is_told_from_the_first() {
        let first = b"GET /pb/a HTTP/1.1\r\nHost: h\r\n\r\n";
        let tap = Tap::default();
        tap.begin();
        tap.read(first);
        assert_eq!(tap.understood(false), None);
        tap.begin();
        tap.read(b"GET /pb/<b> HTTP/1.1\r\n");
        assert_eq!(line(&tap).as_deref(), Some("GET /pb/<b> HTTP/1.1"));
        // Answered before anything else was read, and so without an idle moment in between.
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
    fn what_a_parsed_url_leaves_out_is_told() {
        let tap = Tap::default();
        tap.begin();
        tap.read(b"GET /pb/a?name=Level#5&hash=0 HTTP/1.1\r\n\r\n");
        assert_eq!(tap.understood(false).as_deref(), Some(&b"GET /pb/a?name=Level#5&hash=0 HTTP/1.1"[..]));
    }
}
