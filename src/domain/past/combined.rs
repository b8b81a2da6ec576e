//! Access logs of nginx and Apache: `ADDRESS - USER [TIME] "METHOD TARGET HTTP/1.1" STATUS BYTES …`.

use std::net::IpAddr;

use super::{BadLine, PastCall, instant};
use crate::text::readable;

/// Reads a line. In front of the address there may be the virtual host, as in Apache's `vhost_combined`.
pub(super) fn read(line: &str) -> Result<PastCall, BadLine> {
    let (front, rest) = line.split_once('[').ok_or(BadLine::Format)?;
    let (time, rest) = rest.split_once(']').ok_or(BadLine::Format)?;
    let (remote_ip, host) = caller(front).ok_or(BadLine::Format)?;
    let received_at = instant::read(time).ok_or(BadLine::Time)?;
    let request = quoted(rest).ok_or(BadLine::Format)?;
    let (method, target) = request_line(&request).ok_or(BadLine::NoTarget)?;
    let call = PastCall::get(target);
    PastCall {
        received_at: Some(received_at),
        origin: call.origin.clone().or_else(|| host.map(|host| format!("https://{host}"))),
        method: method.to_owned(),
        remote_ip,
        ..call
    }
    .checked()
}

/// Whether `line` looks like one.
pub(super) fn fits(line: &str) -> bool {
    let is_bad_target = |bad: &BadLine| matches!(bad, BadLine::NoTarget | BadLine::LongTarget);
    read(line).map_or_else(|bad| is_bad_target(&bad), |_| true)
}

/// The address of the caller, and the host in front of it.
fn caller(front: &str) -> Option<(String, Option<&str>)> {
    let mut words = front.split_whitespace();
    let first = words.next()?;
    if let Ok(address) = first.parse::<IpAddr>() {
        return Some((address.to_string(), None));
    }
    let second = words.next().and_then(|word| word.parse::<IpAddr>().ok());
    match second {
        Some(address) => Some((address.to_string(), Some(first.trim_end_matches(":443")))),
        // With HostnameLookups, the caller's name; of a socket, `unix:`.
        None => Some((String::new(), None)),
    }
}

/// The first text in quotes, with its escapes undone: `\"` and `\\` of Apache, `\xHH` of nginx.
fn quoted(text: &str) -> Option<String> {
    let start = text.find('"')? + 1;
    let bytes = text.as_bytes();
    let (mut unescaped, mut at) = (Vec::new(), start);
    loop {
        match *bytes.get(at)? {
            b'"' => break,
            b'\\' => {
                let hex =
                    bytes.get(at + 1).filter(|byte| **byte == b'x').and_then(|_| text.get(at + 2..at + 4));
                if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    unescaped.push(byte);
                    at += 4;
                } else {
                    unescaped.push(*bytes.get(at + 1)?);
                    at += 2;
                }
            }
            byte => {
                unescaped.push(byte);
                at += 1;
            }
        }
    }
    Some(readable(&unescaped))
}

/// Method and target of `GET /x HTTP/1.1`; the target may contain blanks, the version may be missing.
pub(super) fn request_line(request: &str) -> Option<(&str, &str)> {
    let (method, rest) = request.split_once(' ')?;
    let is_method = (1..=16).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_alphabetic());
    let target = rest.rsplit_once(" HTTP/").map_or(rest, |(target, _)| target).trim();
    is_method.then_some((method, target))
}
