//! A call as a person pastes it: a URL, a path, or a whole request with its headers and body.

use crate::postback::networks::{Call, Method};

/// The longest text that is read, in bytes.
pub const MAX_PASTED_LEN: usize = 32 * 1024;

/// A pasted call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastedCall {
    /// POST if the text says so.
    pub method: Method,
    /// Scheme and host, if the text has them.
    pub origin: Option<String>,
    /// Path and query, as pasted.
    pub target: String,
    /// In the order of the text.
    pub headers: Vec<(String, String)>,
    /// As it was; from a form of a browser its line breaks are `\n`, because browsers do not keep others.
    pub body: Vec<u8>,
}

/// A text that is not a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPaste {
    /// Nothing was pasted.
    #[error("nothing was pasted; paste the URL of a call, or the whole request")]
    Empty,
    /// Longer than [`MAX_PASTED_LEN`].
    #[error("the text is longer than {MAX_PASTED_LEN} bytes; paste a single call")]
    TooLong,
    /// The first line is neither a URL nor a path.
    #[error("the first line is not a call; it must be a URL, a path that begins with `/`, or `POST /path`")]
    NoCall,
    /// A line between the first one and the body is no header. Counted from 1.
    #[error(
        "line {0} is neither a header (`name: value`) nor empty; put an empty line between headers and body"
    )]
    NoHeader(usize),
}

impl PastedCall {
    /// Reads a text out of a form.
    pub fn read(text: &str) -> Result<Self, BadPaste> {
        if text.len() > MAX_PASTED_LEN {
            return Err(BadPaste::TooLong);
        }
        Self::of_bytes(text.replace("\r\n", "\n").trim_start().as_bytes())
    }

    /// Reads a file: its body stays byte for byte.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, BadPaste> {
        let mut rest = bytes;
        let mut line = || {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let line = String::from_utf8_lossy(&rest[..end]).trim_end_matches('\r').to_owned();
            rest = rest.get(end + 1..).unwrap_or_default();
            line
        };
        let first = line();
        let first = Some(first.trim()).filter(|line| !line.is_empty()).ok_or(BadPaste::Empty)?;
        let (method, url) = request_line(first);
        let (origin, target) = split(url).ok_or(BadPaste::NoCall)?;
        let mut headers = Vec::new();
        loop {
            let header = line();
            if header.trim().is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').ok_or(BadPaste::NoHeader(headers.len() + 2))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(Self { method, origin, target, headers, body: rest.to_vec() })
    }

    /// Its host with the port: of the URL, else of the header `Host`.
    pub fn host(&self) -> Option<&str> {
        let of_url = self.origin.as_deref().and_then(|origin| Some(origin.split_once("://")?.1));
        let of_header = || self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        of_url.or_else(|| of_header().map(|(_, host)| host.as_str()))
    }

    /// The name in `/pb/NAME`, if its path has that form.
    pub fn source(&self) -> Option<&str> {
        let path = self.target.split('?').next().unwrap_or_default();
        let (_, rest) = path.split_once("/pb/")?;
        rest.split('/').next().filter(|name| !name.is_empty())
    }

    /// The call, under the `origin` that the network signs.
    pub fn with<T>(&self, origin: &str, use_it: impl FnOnce(&Call<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        use_it(&Call {
            origin,
            method: self.method,
            target: &self.target,
            headers: &headers,
            body: &self.body,
        })
    }
}

/// `POST /pb/x HTTP/1.1`, `GET https://…`, or the URL alone, which is a GET. A quote around it is left out, as access logs
/// write it.
fn request_line(line: &str) -> (Method, &str) {
    let line = line.trim_matches('"');
    let (method, rest) = match line.split_once(' ') {
        Some(("POST", rest)) => (Method::Post, rest),
        Some(("GET", rest)) => (Method::Get, rest),
        _ => (Method::Get, line),
    };
    let rest = rest.trim();
    (method, rest.rsplit_once(" HTTP/").map_or(rest, |(url, _)| url))
}

/// Scheme and host of a URL, and its path with the query.
fn split(url: &str) -> Option<(Option<String>, String)> {
    if url.starts_with('/') {
        return Some((None, url.to_owned()));
    }
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(at);
    let slash = if target.starts_with('/') { "" } else { "/" };
    (!host.is_empty()).then(|| (Some(format!("{scheme}://{host}")), format!("{slash}{target}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> PastedCall {
        PastedCall::read(text).expect("a call")
    }

    #[test]
    fn a_url_and_a_path_are_calls() {
        let call = read("  https://gw.example.com/pb/targo?a=1&b=%20x \n");
        assert_eq!(call.origin.as_deref(), Some("https://gw.example.com"));
        assert_eq!((call.method, call.target.as_str()), (Method::Get, "/pb/targo?a=1&b=%20x"));
        assert_eq!(call.source(), Some("targo"));
        for line in ["/pb/x?a=1", "GET /pb/x?a=1 HTTP/1.1", "\"GET /pb/x?a=1 HTTP/2.0\"", "GET /pb/x?a=1"] {
            assert_eq!(read(line).target, "/pb/x?a=1", "{line}");
        }
        assert_eq!(read("/pb/x/SECRET?a=1").source(), Some("x"));
        assert_eq!(read("/elsewhere").source(), None);
        assert_eq!(read("http://h?a=1").target, "/?a=1");
    }

    #[test]
    fn a_whole_request_has_headers_and_a_body() {
        let call = read("POST /pb/x HTTP/1.1\r\nContent-Type: a/b; c=d\r\nX-Sig:abc\r\n\r\n{\"a\":\r\n1}");
        assert_eq!(call.method, Method::Post);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(call.headers, [header("Content-Type", "a/b; c=d"), header("X-Sig", "abc")]);
        assert_eq!(call.body, b"{\"a\":\n1}");
        let file = PastedCall::of_bytes(b"POST /pb/x HTTP/1.1\r\nHost: gw.example\r\n\r\nx=1\r\n\xff")
            .expect("a call");
        assert_eq!((file.body.as_slice(), file.host()), (&b"x=1\r\n\xff"[..], Some("gw.example")));
        call.with("https://o", |call| assert_eq!(call.header("x-sig").next(), Some(&b"abc"[..])));
    }

    #[test]
    fn what_is_no_call_is_refused_with_what_to_do() {
        assert_eq!(PastedCall::read(" \r\n "), Err(BadPaste::Empty));
        assert_eq!(PastedCall::read("uid=1&tx=2"), Err(BadPaste::NoCall));
        assert_eq!(PastedCall::read("ftp://h/x"), Err(BadPaste::NoCall));
        assert_eq!(PastedCall::read("POST /pb/x\nA: b\n{\"a\"}\n"), Err(BadPaste::NoHeader(3)));
        assert_eq!(PastedCall::read(&"/".repeat(MAX_PASTED_LEN + 1)), Err(BadPaste::TooLong));
    }
}
