//! URLs, one in a line, complete or from the path on: `[TIME] URL`.

use super::{BadLine, PastCall, instant};

/// Reads a line.
pub(super) fn read(line: &str) -> Result<PastCall, BadLine> {
    let line = line.trim();
    if is_url(line) {
        return PastCall::get(line).checked();
    }
    let (time, url) = line.split_once([' ', '\t', ',']).ok_or(BadLine::Format)?;
    let url = url.trim();
    if !is_url(url) {
        return Err(BadLine::Format);
    }
    let received_at = instant::read(time).ok_or(BadLine::Time)?;
    PastCall { received_at: Some(received_at), ..PastCall::get(url) }.checked()
}

fn is_url(text: &str) -> bool {
    text.starts_with('/') || text.starts_with("https://") || text.starts_with("http://")
}
