//! Calls that never were a postback, because of their request line: it cannot be parsed, or it names a source that does
//! not exist, another path or another method. A network that sends them loses rewards, and nobody would know: they are
//! kept beside the calls whose signature is wrong, under the same limits, counted, and logged once a minute.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::location::shortened;
use metrics::counter;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode, percent_encode_byte};
use store::postbacks::inbox::NewPostback;
use store::postbacks::refused::{NewRefused, UNKNOWN_SOURCE};
use tracing::warn;
use warp::http::Method;

use super::{Answer, Ingest};
use crate::tap::MAX_LINE_LEN;

/// How often the log tells of them.
const LOGGED_EVERY: Duration = Duration::from_mins(1);
/// The longest name of a source.
const MAX_SOURCE_LEN: usize = 64;

/// How many there were since the log told of them.
#[derive(Debug, Default)]
pub struct Strays(Mutex<(Option<Instant>, u64)>);

impl Strays {
    /// Counts one more; how many there were, if it is time to tell.
    fn tell(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.1 += 1;
        if told.0.is_some_and(|at| now.duration_since(at) < LOGGED_EVERY) {
            return None;
        }
        told.0 = Some(now);
        Some(std::mem::take(&mut told.1))
    }
}

impl Ingest {
    /// Keeps a request that was not understood, of which this line is known.
    pub fn keep_unparsed(&self, line: Option<&[u8]>, remote_ip: IpAddr, why: &str) {
        let answer = Answer::Unparsable;
        counter!("rewardgate_calls_total", "source" => "unknown", "answer" => answer.name()).increment(1);
        let call = line.and_then(Line::of).filter(|line| is_ours(&line.target));
        let Some(Line { method, target, is_cut }) = call else {
            // Not a call of ours: a scanner, or TLS on a plain port. Counted, and told once a minute.
            return self.tell(remote_ip, &format!("a request that cannot be parsed ({why})"));
        };
        let mut reason = offence(&target).unwrap_or_else(|| format!("the request cannot be parsed: {why}"));
        if is_cut {
            reason = format!("{reason}; it is longer than 8 KiB, of which the beginning is kept");
        }
        let call = NewPostback {
            source: source_in(&target),
            received_at: self.clock.now(),
            method,
            target,
            body: None,
            body_left_out: None,
            remote_ip: remote_ip.to_string(),
            request_id: format!("{:016x}", rand::random::<u64>()),
        };
        self.keep_stray(remote_ip, call, reason);
    }

    /// Keeps a call that is answered with something else than a verdict on its signature.
    pub(super) fn keep_answered(&self, remote_ip: IpAddr, mut call: NewPostback, answer: Answer) {
        let reason = match answer {
            Answer::UnknownSource => format!("{UNKNOWN_SOURCE} `{}`", call.source),
            Answer::WrongPath => "the path is not /pb/NAME".to_owned(),
            Answer::MethodNotAllowed => format!("the method is {}: only GET and POST are taken", call.method),
            Answer::TargetTooLong => "the URL is longer than 8 KiB; its beginning is kept".to_owned(),
            Answer::BodyTooLarge => "the body is larger than 64 KiB".to_owned(),
            Answer::BodyTooSlow => "the body took too long".to_owned(),
            Answer::BodyBroken => "the body ended early".to_owned(),
            // Everything else is recorded, judged by its signature, or leaves nothing.
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
        self.tell(remote_ip, &reason);
        self.keep(remote_ip, NewRefused { call, reason });
    }

    fn tell(&self, remote_ip: IpAddr, reason: &str) {
        if let Some(calls) = self.strays.tell(Instant::now()) {
            warn!(
                calls,
                remote_net = %shortened(remote_ip),
                reason,
                "calls that cannot be postbacks; `rewardgate diagnose --last-refused` looks at the newest"
            );
        }
    }
}

/// A request line, as far as it is known.
struct Line {
    method: String,
    target: String,
    is_cut: bool,
}

impl Line {
    /// `METHOD TARGET HTTP/1.1`, in which the target may hold anything, also blanks; the version may be missing.
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

/// The text of a target out of a request line that hyper understood, byte for byte.
pub(super) fn target_of(line: &[u8]) -> Option<String> {
    Line::of(line).map(|line| line.target).filter(|target| target.starts_with('/'))
}

/// Bytes as text: what is no text, and control characters, which no database need keep, are percent-encoded.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match u8::try_from(letter) {
                Ok(byte) if byte.is_ascii_control() => text.push_str(percent_encode_byte(byte)),
                _ => text.push(letter),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| percent_encode_byte(*byte)));
    }
    text
}

/// Whether a target means us, however it is written.
fn is_ours(target: &str) -> bool {
    first_segment(target).is_some_and(|segment| segment.eq_ignore_ascii_case("pb"))
}

/// The first part of the path, also of a whole URL.
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

/// The name of the source that a target names; empty if it names none that could be one.
pub(super) fn source_in(target: &str) -> String {
    let is_name = |name: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        name.len() <= MAX_SOURCE_LEN && name.bytes().all(plain)
    };
    segments(target).nth(1).filter(is_name).unwrap_or_default().to_owned()
}

/// Whether a path that no route wants means us: `/pb`, `/PB/x`, `/pb/x/y`.
pub(super) fn means_us(path: &str) -> bool {
    is_ours(path)
}

/// The first character that cannot stand in a URL as it is.
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

/// At most `most` bytes, at a character's end.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}

/// The name of a method in a row.
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
    fn a_line_is_kept_byte_for_byte_wherever_that_is_text() {
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
    fn a_target_means_us_however_it_is_written() {
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
    fn the_character_that_cannot_stand_in_a_url_is_named_with_its_cure() {
        let said = |target: &str| offence(target).unwrap_or_default();
        assert_eq!(said("/pb/a?n=\"x"), "the URL holds `\"` at byte 8, which must be sent as %22");
        assert_eq!(said("/pb/a?n=N b"), "the URL holds a blank at byte 9, which must be sent as %20");
        assert!(said("/pb/a?n=é").ends_with("%C3%A9"));
        assert_eq!(said("/pb/a?n=%22#"), "");
    }

    #[test]
    fn the_log_tells_of_them_once_a_minute_and_of_all_of_them() {
        let (strays, now) = (Strays::default(), Instant::now());
        let at = |s| now + Duration::from_secs(s);
        let told: Vec<_> = [0, 1, 30, 59, 60, 61, 200].map(|s| strays.tell(at(s))).into();
        assert_eq!(told, [Some(1), None, None, None, Some(4), None, Some(2)]);
    }
}
