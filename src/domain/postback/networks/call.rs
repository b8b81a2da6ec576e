//! One call of a network as it was received.

/// A call, every byte as received.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The public origin that the network calls, without a slash at the end: `https://gw.example.com`. Pinned in the
    /// settings: behind a proxy the received scheme and host are others.
    pub origin: &'a str,
    /// GET or POST.
    pub method: Method,
    /// Path and query, not decoded.
    pub target: &'a str,
    /// Names in any case, with their values.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Empty for a GET.
    pub body: &'a [u8],
}

/// The method of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

impl Method {
    /// Every method with its name in a definition.
    pub const ALL: [(&'static str, Self); 2] = [("GET", Self::Get), ("POST", Self::Post)];

    /// As in HTTP.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl<'a> Call<'a> {
    /// A GET of `target`.
    pub fn get(origin: &'a str, target: &'a str) -> Self {
        Self { origin, method: Method::Get, target, headers: &[], body: &[] }
    }

    /// The query without its `?`; empty if there is none.
    pub fn query(&self) -> &'a str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The values of a header.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let of_name = move |(given, _): &&(&str, &[u8])| given.eq_ignore_ascii_case(name);
        self.headers.iter().filter(of_name).map(|(_, value)| *value)
    }
}
