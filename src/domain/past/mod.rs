//! What a publisher already has of earlier calls: access logs, URLs, or lines of their own, read line by line.
//!
//! | module | what it reads |
//! |---|---|
//! | [`mod@format`] | tells which of these a file is, from its first line |
//! | `combined` | access logs of nginx and Apache: common, combined, and either with the virtual host in front |
//! | `object` | a JSON object in a line: access logs in JSON, or our own `received_at`, `source`, `target`, `remote_ip` |
//! | `table` | CSV with a header |
//! | `urls` | URLs, one in a line, each with a time in front if there is one |
//! | `instant` | times as logs write them |
//!
//! Nothing here fails: a line that cannot be read says why, and the next one is read.

mod combined;
pub mod format;
mod instant;
mod object;
mod table;
#[cfg(test)]
mod tests;
mod urls;

pub use format::Reader;

use crate::time::TimestampMs;

/// The longest line that is read, in bytes: a target of 8 KiB and its escapes fit several times.
pub const MAX_LINE_LEN: usize = 64 * 1024;
/// The longest path and query of a call, in bytes: the gateway takes no longer one.
pub const MAX_TARGET_LEN: usize = 8 * 1024;

/// A call as a line describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCall {
    /// When it came; `None` if the line has no time.
    pub received_at: Option<TimestampMs>,
    /// The source that the line names.
    pub source: Option<String>,
    /// Scheme and host in front of the path, where they are known: `https://example.com`.
    pub origin: Option<String>,
    /// As in HTTP.
    pub method: String,
    /// Path and query as they were sent.
    pub target: String,
    /// Address of the caller; empty if it is not known.
    pub remote_ip: String,
    /// The body; logs of servers have none.
    pub body: Option<String>,
}

impl PastCall {
    /// A GET of `target`, which may be an absolute URL.
    fn get(target: &str) -> Self {
        let (origin, target) = split_origin(target);
        Self {
            received_at: None,
            source: None,
            origin: origin.map(str::to_owned),
            method: "GET".into(),
            target: target.to_owned(),
            remote_ip: String::new(),
            body: None,
        }
    }

    /// Refuses what the gateway would refuse too.
    fn checked(self) -> Result<Self, BadLine> {
        if !self.target.starts_with('/') {
            return Err(BadLine::NoTarget);
        }
        if self.target.len() > MAX_TARGET_LEN {
            return Err(BadLine::LongTarget);
        }
        Ok(self)
    }
}

/// Why a line is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum BadLine {
    /// It is longer than [`MAX_LINE_LEN`].
    #[error("longer than 64 KiB")]
    Long,
    /// Its path and query are longer than [`MAX_TARGET_LEN`].
    #[error("a URL longer than 8 KiB")]
    LongTarget,
    /// It does not have the form of the lines before it.
    #[error("not in the format of the file")]
    Format,
    /// It has no request, or the request has no path.
    #[error("no request with a path")]
    NoTarget,
    /// Its time cannot be read.
    #[error("a time that cannot be read")]
    Time,
}

/// `https://host/path?query` → `https://host` and `/path?query`; anything else stays whole.
fn split_origin(url: &str) -> (Option<&str>, &str) {
    let Some(scheme) = ["https://", "http://"]
        .into_iter()
        .find(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
    else {
        return (None, url);
    };
    match url[scheme.len()..].find('/') {
        Some(at) => (Some(&url[..scheme.len() + at]), &url[scheme.len() + at..]),
        None => (None, url),
    }
}
