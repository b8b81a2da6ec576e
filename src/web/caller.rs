//! The caller's address, behind trusted proxies.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::caller::parse_hop;
use domain::proxies::Proxies;
use metrics::counter;
use warp::http::HeaderMap;

/// Pause between two log lines about unknown callers.
const LOG_EVERY: Duration = Duration::from_mins(1);
/// Characters of an unreadable entry that are logged.
const MAX_LOGGED_CHARS: usize = 60;

/// The other end of the connection; the server attaches it to every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Address of the caller or of a proxy.
    pub address: SocketAddr,
    /// True if a trusted proxy reports https.
    pub is_https: bool,
}

/// The caller of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The caller's address; if it is unknown, that of the other end of the connection.
    pub address: IpAddr,
    /// False if a trusted proxy should have reported the caller and did not.
    pub is_reported: bool,
}

/// The caller's address, from the entry that the outermost trusted proxy wrote into `X-Forwarded-For`. Entries further left
/// are the caller's own claim and never used: if the proxy's entry is missing or unreadable, the caller counts as the proxy.
pub fn address(peer: Peer, headers: &HeaderMap, proxies: &Proxies) -> IpAddr {
    match hop(peer, headers, proxies) {
        Hop::Address(address) => address,
        Hop::NotAsked | Hop::Missing | Hop::Unreadable(_) => peer.address.ip().to_canonical(),
    }
}

/// As [`address`], for postbacks: a call whose caller the proxies do not report is logged and counted.
pub fn find(peer: Peer, headers: &HeaderMap, proxies: &Proxies) -> Found {
    let other_end = peer.address.ip().to_canonical();
    let unreadable = match hop(peer, headers, proxies) {
        Hop::Address(address) => return Found { address, is_reported: true },
        Hop::NotAsked => return Found { address: other_end, is_reported: true },
        Hop::Missing => None,
        Hop::Unreadable(text) => Some(text),
    };
    log_unknown(unreadable.as_deref(), proxies);
    Found { address: other_end, is_reported: false }
}

/// True if a trusted proxy reports https. Only the last entry of `X-Forwarded-Proto` is the proxy's.
pub(crate) fn came_by_https(peer: SocketAddr, headers: &HeaderMap, proxies: &Proxies) -> bool {
    let last = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
    let last = last.and_then(|value| value.rsplit(',').next()).unwrap_or_default().trim();
    proxies.believes(peer.ip()) && last.eq_ignore_ascii_case("https")
}

/// The `X-Forwarded-For` entry of the outermost trusted proxy.
#[derive(Debug)]
enum Hop {
    /// The connection does not come from a trusted proxy.
    NotAsked,
    Missing,
    Unreadable(String),
    Address(IpAddr),
}

fn hop(peer: Peer, headers: &HeaderMap, proxies: &Proxies) -> Hop {
    if !proxies.believes(peer.address.ip()) {
        return Hop::NotAsked;
    }
    // Invalid bytes in the caller's part must not hide the proxy's entry.
    let lines = headers.get_all("x-forwarded-for").iter();
    let lines: Vec<Cow<'_, str>> = lines.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    match proxies.hop(lines.iter().map(AsRef::as_ref)) {
        None => Hop::Missing,
        Some(text) => parse_hop(text).map_or_else(|| Hop::Unreadable(text.to_owned()), Hop::Address),
    }
}

/// Calls from unknown callers since the last log line about them.
#[derive(Debug, Default)]
struct Unknown {
    logged_at: Option<Instant>,
    unlogged: u64,
}

impl Unknown {
    /// Counts one call. If a log line is due, returns the number of calls since the last one.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.unlogged += 1;
        if self.logged_at.is_some_and(|at| now.saturating_duration_since(at) < LOG_EVERY) {
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

/// Counts every call, but logs only once a minute, because callers can send any number.
fn log_unknown(hop: Option<&str>, proxies: &Proxies) {
    static UNKNOWN: Mutex<Unknown> = Mutex::new(Unknown { logged_at: None, unlogged: 0 });
    counter!("rewardgate_callers_untold_total").increment(1);
    let due = UNKNOWN.lock().unwrap_or_else(PoisonError::into_inner).count(Instant::now());
    let Some(calls) = due else { return };
    if let Some(hop) = hop {
        let hop: String = hop.chars().take(MAX_LOGGED_CHARS).collect();
        tracing::warn!(
            hop = ?hop,
            calls,
            "the X-Forwarded-For entry of the trusted proxy is not an address, so these calls count as the proxy's own; \
             make the proxy write the address it sees"
        );
    } else {
        tracing::warn!(
            %proxies,
            calls,
            "X-Forwarded-For has fewer entries than `trusted_proxies` expects, so these calls count as the proxy's own; \
             correct the setting, or make the proxy set the header"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer { address: address.parse().unwrap(), is_https: false }
    }

    #[test]
    fn a_header_from_anyone_but_a_listed_proxy_is_ignored() {
        let network = domain::caller::parse_network("10.0.0.0/24").unwrap();
        let proxies = Proxies::Listed { networks: vec![network], hops: None };
        let mut map = HeaderMap::new();
        map.append("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.0.0.7".parse().unwrap());
        map.append("x-forwarded-proto", "http, https".parse().unwrap());
        for (other_end, expected, is_https) in [
            ("10.0.0.1:5000", "9.9.9.9", true),
            ("[::ffff:10.0.0.1]:5000", "9.9.9.9", true),
            ("10.0.1.1:5000", "10.0.1.1", false),
            ("9.9.9.9:5000", "9.9.9.9", false),
        ] {
            let peer = peer(other_end);
            let expected = Found { address: expected.parse().unwrap(), is_reported: true };
            assert_eq!(find(peer, &map, &proxies), expected, "{other_end}");
            assert_eq!(came_by_https(peer.address, &map, &proxies), is_https, "{other_end}");
            assert!(!came_by_https(peer.address, &map, &Proxies::None));
        }
        map.append("x-forwarded-proto", "http".parse().unwrap());
        assert!(
            !came_by_https(peer("10.0.0.1:5000").address, &map, &proxies),
            "only the last entry is the proxy's"
        );
    }

    #[test]
    fn only_the_hop_written_by_the_outermost_trusted_proxy_is_believed() {
        let peer = peer("10.0.0.1:5000");
        for (headers, trusted, expected) in [
            (vec![], 0, "10.0.0.1"),
            (vec!["9.9.9.9"], 0, "10.0.0.1"),
            (vec!["9.9.9.9"], 1, "9.9.9.9"),
            (vec!["6.6.6.6, 9.9.9.9"], 1, "9.9.9.9"),
            (vec!["6.6.6.6, 9.9.9.9, 10.0.0.2"], 2, "9.9.9.9"),
            (vec!["6.6.6.6", "9.9.9.9, 10.0.0.2"], 2, "9.9.9.9"),
            (vec!["2001:db8::7"], 1, "2001:db8::7"),
            (vec!["nonsense"], 1, "10.0.0.1"),
            (vec!["6.6.6.6, unknown"], 1, "10.0.0.1"),
            (vec!["203.0.113.5:51008"], 1, "203.0.113.5"),
            (vec!["\"[2001:db8::7]:443\""], 1, "2001:db8::7"),
            (vec!["6.6.6.6", "", "9.9.9.9:80, "], 1, "9.9.9.9"),
            (vec!["9.9.9.9"], 2, "10.0.0.1"),
        ] {
            let mut map = HeaderMap::new();
            for header in &headers {
                map.append("x-forwarded-for", header.parse().unwrap());
            }
            let proxies = if trusted == 0 { Proxies::None } else { Proxies::Anyone { hops: trusted } };
            assert_eq!(
                address(peer, &map, &proxies),
                expected.parse::<IpAddr>().unwrap(),
                "{headers:?} {trusted}"
            );
        }
    }

    #[test]
    fn invalid_bytes_of_the_caller_do_not_hide_the_proxys_entry() {
        let (peer, one) = (peer("10.0.0.1:5000"), Proxies::Anyone { hops: 1 });
        let mut map = HeaderMap::new();
        map.append("x-forwarded-for", warp::http::HeaderValue::from_bytes(b"\xff\xfe, 9.9.9.9").unwrap());
        assert_eq!(find(peer, &map, &one), Found { address: "9.9.9.9".parse().unwrap(), is_reported: true });
        map.append("x-forwarded-for", warp::http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(
            find(peer, &map, &one),
            Found { address: "10.0.0.1".parse().unwrap(), is_reported: false }
        );
    }

    #[test]
    fn unknown_callers_are_logged_once_a_minute() {
        let (mut unknown, began) = (Unknown::default(), Instant::now());
        let after = |ms| began + Duration::from_millis(ms);
        assert_eq!(unknown.count(after(0)), Some(1));
        assert_eq!(unknown.count(after(1)), None);
        assert_eq!(unknown.count(after(59_999)), None);
        assert_eq!(unknown.count(after(60_000)), Some(3), "those in between are counted");
        assert_eq!(unknown.count(after(60_001)), None);
    }
}
