//! Calls that cannot be postbacks because of their request line: it cannot be parsed, or has an unknown source, a wrong
//! path or a wrong method. A network that sends them loses rewards unnoticed, so they are kept as refused calls under the
//! same limits, counted, and logged once a minute.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::location::shortened;
use domain::text::readable;
use metrics::counter;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use store::postbacks::inbox::NewPostback;
use store::postbacks::refused::{NewRefused, UNKNOWN_SOURCE};
use tracing::warn;
use warp::http::Method;

use super::{Answer, Ingest};
use crate::tap::MAX_LINE_LEN;

/// Pause between two log lines about stray calls.
const LOGGED_EVERY: Duration = Duration::from_mins(1);
/// The longest name of a source, in bytes.
const MAX_SOURCE_LEN: usize = 64;

/// Stray calls since the last log line about them.
#[derive(Debug, Default)]
pub struct Strays(Mutex<(Option<Instant>, u64)>);

impl Strays {
    /// Counts one call. If a log line is due, returns the number of calls since the last one.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        if state.0.is_some_and(|at| now.duration_since(at) < LOGGED_EVERY) {
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

impl Ingest {
    /// Keeps a request that could not be parsed; `line` is its raw request line, if known.
    pub fn keep_unparsed(&self, line: Option<&[u8]>, remote_ip: IpAddr, why: &str) {
        let answer = Answer::Unparsable;
        counter!("rewardgate_calls_total", "source" => "unknown", "answer" => answer.name()).increment(1);
        let call = line.and_then(Line::of).filter(|line| is_ours(&line.target));
        let Some(Line { method, target, is_cut }) = call else {
            // Not for /pb: a scanner, or TLS on a plain port. Counted and logged, but not kept.
            return self.log(remote_ip, &format!("a request that cannot be parsed ({why})"));
        };
        let mut reason = offence(&target).unwrap_or_else(|| format!("the request cannot be parsed: {why}"));
        if is_cut {
            reason = format!("{reason}; it is longer than 8 KiB, and only its beginning is kept");
        }
        let call = NewPostback {
            source: source_in(&target),
            received_at: self.clock.now(),
            method,
            target,
            body: None,
            body_counts: false,
            headers: None,
            body_left_out: None,
            remote_ip: remote_ip.to_string(),
            request_id: format!("{:016x}", rand::random::<u64>()),
        };
        self.keep_stray(remote_ip, call, reason);
    }

    /// Keeps a call that was refused before its signature was checked.
    pub(super) fn keep_answered(&self, remote_ip: IpAddr, mut call: NewPostback, answer: Answer) {
        let reason = match answer {
            Answer::UnknownSource => format!("{UNKNOWN_SOURCE} `{}`", call.source),
            Answer::WrongPath => "the path is not /pb/NAME".to_owned(),
            Answer::MethodNotAllowed => {
                format!("the method is {}: only GET and POST are accepted", call.method)
            }
            Answer::TargetTooLong => "the URL is longer than 8 KiB; only its beginning is kept".to_owned(),
            Answer::BodyTooLarge => "the body is larger than 64 KiB".to_owned(),
            Answer::BodyTooSlow => "the body took too long".to_owned(),
            Answer::BodyBroken => "the body ended early".to_owned(),
            // Other calls are recorded, refused by their signature, or not kept.
            _ => return,
        };
        cut(&mut call.target, MAX_LINE_LEN);
        cut(&mut call.source, MAX_SOURCE_LEN);
        self.keep_stray(remote_ip, call, reason);
    }

    fn keep_stray(&self, remote_ip: IpAddr, call: NewPostback, mut reason: String) {
        let is_known = call.source.is_empty() || self.sources.contains_key(&call.source);
        if !is_known && !reason.starts_with(UNKNOWN_SOURCE) {
            reason = format!("{UNKNOWN_SOURCE} `{}`, and {reason}", call.source);
        }
        self.log(remote_ip, &reason);
        self.keep(remote_ip, NewRefused { call, reason });
    }

    fn log(&self, remote_ip: IpAddr, reason: &str) {
        if let Some(calls) = self.strays.count(Instant::now()) {
            warn!(
                calls,
                remote_net = %shortened(remote_ip),
                reason,
                "calls that cannot be postbacks; run `rewardgate diagnose --last-refused` to see the newest"
            );
        }
    }
}

/// A request line; cut if it was longer than [`MAX_LINE_LEN`].
struct Line {
    method: String,
    target: String,
    is_cut: bool,
}

impl Line {
    /// Parses `METHOD TARGET HTTP/1.1`. The target may contain anything, also blanks; the version may be missing.
    fn of(line: &[u8]) -> Option<Self> {
        let is_cut = line.len() >= MAX_LINE_LEN;
        let text = readable(line);
        let (method, rest) = text.split_once([' ', '\t'])?;
        let is_method =
            (1..=16).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_alphabetic());
        let target = match rest.rsplit_once(" HTTP/") {
            Some((target, _)) => target,
            None => rest,
        };
        let target = target.trim_matches([' ', '\t']).to_owned();
        Some(Self { method: method.to_owned(), target, is_cut }).filter(|_| is_method)
    }
}

/// The target of a request line that hyper parsed, byte for byte.
pub(super) fn target_of(line: &[u8]) -> Option<String> {
    Line::of(line).map(|line| line.target).filter(|target| target.starts_with('/'))
}

/// True if the target is meant for `/pb`, in any spelling.
fn is_ours(target: &str) -> bool {
    first_segment(target).is_some_and(|segment| segment.eq_ignore_ascii_case("pb"))
}

/// The first segment of the path; `target` may be an absolute URL.
fn first_segment(target: &str) -> Option<&str> {
    segments(target).next()
}

fn segments(target: &str) -> impl Iterator<Item = &str> {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            rest.find('/').map_or("", |at| &rest[at..])
        }
        _ => target,
    };
    let path = path.split(['?', '#', ' ']).next().unwrap_or_default();
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The source in a target; empty if there is none or it is not a valid name.
pub(super) fn source_in(target: &str) -> String {
    let is_name = |name: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        name.len() <= MAX_SOURCE_LEN && name.bytes().all(plain)
    };
    segments(target).nth(1).filter(is_name).unwrap_or_default().to_owned()
}

/// True if a path without a route is meant for `/pb`: `/pb`, `/PB/x`, `/pb/x/y`.
pub(super) fn means_us(path: &str) -> bool {
    is_ours(path)
}

/// Describes the first character that must be encoded in a URL; `None` if there is none.
fn offence(target: &str) -> Option<String> {
    let cannot = |letter: &char| {
        !letter.is_ascii() || letter.is_ascii_control() || matches!(letter, ' ' | '"' | '<' | '>')
    };
    let (at, letter) = target.char_indices().find(|(_, letter)| cannot(letter))?;
    let mut bytes = [0; 4];
    let encoded: String =
        percent_encode(letter.encode_utf8(&mut bytes).as_bytes(), NON_ALPHANUMERIC).collect();
    let letter = if letter == ' ' { "a blank".to_owned() } else { format!("`{letter}`") };
    Some(format!("the URL holds {letter} at byte {at}, which must be sent as {encoded}"))
}

/// Cuts `text` to at most `most` bytes, at the end of a character.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}

/// The name of a method, cut to 16 bytes.
pub(super) fn method_name(method: &Method) -> String {
    let mut name = method.to_string();
    cut(&mut name, 16);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[u8]) -> Option<(String, String)> {
        Line::of(line).map(|line| (line.method, line.target))
    }

    #[test]
    fn a_line_is_kept_byte_for_byte_where_it_is_text() {
        for (line, target) in [
            (&b"GET /pb/a?x=1 HTTP/1.1"[..], "/pb/a?x=1"),
            (b"GET /pb/a?n=Nord bank&x=1 HTTP/1.1", "/pb/a?n=Nord bank&x=1"),
            (b"GET /pb/a?n=\"<>&x=1 HTTP/1.1", "/pb/a?n=\"<>&x=1"),
            ("GET /pb/a?n=Café HTTP/1.1".as_bytes(), "/pb/a?n=Café"),
            (b"GET /pb/a?n=Caf\xe9&x=1 HTTP/1.1", "/pb/a?n=Caf%E9&x=1"),
            (b"GET /pb/a?n=a\0b\x07 HTTP/1.1", "/pb/a?n=a%00b%07"),
            (b"GET /pb/a?n=%22 HTTP/1.1", "/pb/a?n=%22"),
            (b"GET /pb/a", "/pb/a"),
            (b"POST  /pb/a  HTTP/9.9", "/pb/a"),
        ] {
            assert_eq!(parsed(line).map(|(_, target)| target).as_deref(), Some(target));
        }
        for nothing in
            [&b""[..], b"\x16\x03\x01\x02", b"GET", b"\xff\xfe /pb/a", b"HELLO-MY-DEAR /pb/a HTTP/1.1"]
        {
            assert_eq!(parsed(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_target_for_pb_is_recognised_in_any_spelling() {
        for ours in [
            "/pb",
            "/pb/",
            "/PB/x",
            "//pb/x",
            "/pb/x/",
            "/pb/x/y?z",
            "http://gw.example/pb/x",
            "pb/x",
            "/pb?x",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["/", "", "/pbx", "/x/pb", "/postbacks", "http://pb", "/x?y=/pb/z", "*"] {
            assert!(!is_ours(other), "{other}");
        }
        for (target, source) in [
            ("/pb/targo?x", "targo"),
            ("/PB/Targo/", "Targo"),
            ("https://gw.example/pb/targo", "targo"),
            ("/pb", ""),
            ("/pb/a%20b", ""),
            ("/pb/<x>", ""),
        ] {
            assert_eq!(source_in(target), source, "{target}");
        }
        assert_eq!(source_in(&format!("/pb/{}", "x".repeat(65))), "");
    }

    #[test]
    fn a_character_to_encode_is_named_with_its_encoding() {
        let said = |target: &str| offence(target).unwrap_or_default();
        assert_eq!(said("/pb/a?n=\"x"), "the URL holds `\"` at byte 8, which must be sent as %22");
        assert_eq!(said("/pb/a?n=N b"), "the URL holds a blank at byte 9, which must be sent as %20");
        assert!(said("/pb/a?n=é").ends_with("%C3%A9"));
        assert_eq!(said("/pb/a?n=%22#"), "");
    }

    #[test]
    fn all_strays_are_logged_once_a_minute() {
        let (strays, now) = (Strays::default(), Instant::now());
        let at = |s| now + Duration::from_secs(s);
        let logged: Vec<_> = [0, 1, 30, 59, 60, 61, 200].map(|s| strays.count(at(s))).into();
        assert_eq!(logged, [Some(1), None, None, None, Some(4), None, Some(2)]);
    }
}
