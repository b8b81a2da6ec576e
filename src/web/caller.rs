//! The caller's address, behind trusted proxies.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::caller::parse_hop;
use domain::proxies::Proxies;
use metrics::counter;
use warp::http::HeaderMap;

/// Pause between log lines about unknown callers.
const SAY_EVERY: Duration = Duration::from_mins(1);
/// Characters of an unreadable hop that are logged.
const MAX_SAID_CHARS: usize = 60;

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
    pub is_told: bool,
}

/// The address of whoever called, believing what the proxies in front of this listener wrote into `X-Forwarded-For`.
/// What stands further left is the caller's own claim and is never used, whatever is wrong with the hop that counts:
/// then it is the proxy who called, which is on no list.
pub fn address(peer: Peer, headers: &HeaderMap, proxies: &Proxies) -> IpAddr {
    match hop(peer, headers, proxies) {
        Hop::Address(address) => address,
        Hop::NotAsked | Hop::Missing | Hop::Unreadable(_) => peer.address.ip().to_canonical(),
    }
}

/// The same for a call that has to come through the proxies: one of which they do not say who called is logged.
pub fn find(peer: Peer, headers: &HeaderMap, proxies: &Proxies) -> Found {
    let other_end = peer.address.ip().to_canonical();
    let unreadable = match hop(peer, headers, proxies) {
        Hop::Address(address) => return Found { address, is_told: true },
        Hop::NotAsked => return Found { address: other_end, is_told: true },
        Hop::Missing => None,
        Hop::Unreadable(text) => Some(text),
    };
    complain(unreadable.as_deref(), proxies);
    Found { address: other_end, is_told: false }
}

/// Whether a believed proxy says that the caller came by https: the last word is the proxy's.
pub(crate) fn came_by_https(peer: SocketAddr, headers: &HeaderMap, proxies: &Proxies) -> bool {
    let last = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
    let last = last.and_then(|value| value.rsplit(',').next()).unwrap_or_default().trim();
    proxies.believes(peer.ip()) && last.eq_ignore_ascii_case("https")
}

/// What the outermost trusted proxy says.
#[derive(Debug)]
enum Hop {
    /// The connection is none of a trusted proxy.
    NotAsked,
    Missing,
    Unreadable(String),
    Address(IpAddr),
}

fn hop(peer: Peer, headers: &HeaderMap, proxies: &Proxies) -> Hop {
    if !proxies.believes(peer.address.ip()) {
        return Hop::NotAsked;
    }
    // A claim that is no text must not take a proxy's hop away with it.
    let lines = headers.get_all("x-forwarded-for").iter();
    let lines: Vec<Cow<'_, str>> = lines.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    match proxies.hop(lines.iter().map(AsRef::as_ref)) {
        None => Hop::Missing,
        Some(text) => parse_hop(text).map_or_else(|| Hop::Unreadable(text.to_owned()), Hop::Address),
    }
}

/// When callers could not be told, and how often since it was said.
#[derive(Debug, Default)]
struct Complaints {
    said_at: Option<Instant>,
    unsaid: u64,
}

impl Complaints {
    /// One more; how many there were since the last time, if it is to be said now.
    fn add(&mut self, now: Instant) -> Option<u64> {
        self.unsaid += 1;
        if self.said_at.is_some_and(|said_at| now.saturating_duration_since(said_at) < SAY_EVERY) {
            return None;
        }
        self.said_at = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// Once a minute: whoever calls can send as many as they like.
fn complain(hop: Option<&str>, proxies: &Proxies) {
    static COMPLAINTS: Mutex<Complaints> = Mutex::new(Complaints { said_at: None, unsaid: 0 });
    counter!("rewardgate_callers_untold_total").increment(1);
    let due = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner).add(Instant::now());
    let Some(calls) = due else { return };
    if let Some(hop) = hop {
        let hop: String = hop.chars().take(MAX_SAID_CHARS).collect();
        tracing::warn!(
            hop = ?hop,
            calls,
            "the hop of X-Forwarded-For that counts is no address: these calls count as the proxy's own; let the \
             proxy write the address it sees"
        );
    } else {
        tracing::warn!(
            %proxies,
            calls,
            "X-Forwarded-For has fewer hops than `trusted_proxies`: these calls count as from the other end of their \
             connection; correct the setting, or let the proxy set the header"
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
            let expected = Found { address: expected.parse().unwrap(), is_told: true };
            assert_eq!(find(peer, &map, &proxies), expected, "{other_end}");
            assert_eq!(came_by_https(peer.address, &map, &proxies), is_https, "{other_end}");
            assert!(!came_by_https(peer.address, &map, &Proxies::None));
        }
        map.append("x-forwarded-proto", "http".parse().unwrap());
        assert!(
            !came_by_https(peer("10.0.0.1:5000").address, &map, &proxies),
            "the last word is the proxy's"
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
    fn a_claim_that_is_no_text_does_not_take_the_hop_with_it() {
        let (peer, one) = (peer("10.0.0.1:5000"), Proxies::Anyone { hops: 1 });
        let mut map = HeaderMap::new();
        map.append("x-forwarded-for", warp::http::HeaderValue::from_bytes(b"\xff\xfe, 9.9.9.9").unwrap());
        assert_eq!(find(peer, &map, &one), Found { address: "9.9.9.9".parse().unwrap(), is_told: true });
        map.append("x-forwarded-for", warp::http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(find(peer, &map, &one), Found { address: "10.0.0.1".parse().unwrap(), is_told: false });
    }

    #[test]
    fn it_is_said_once_a_minute_that_callers_cannot_be_told() {
        let (mut complaints, began) = (Complaints::default(), Instant::now());
        let after = |ms| began + Duration::from_millis(ms);
        assert_eq!(complaints.add(after(0)), Some(1));
        assert_eq!(complaints.add(after(1)), None);
        assert_eq!(complaints.add(after(59_999)), None);
        assert_eq!(complaints.add(after(60_000)), Some(3), "those in between are counted");
        assert_eq!(complaints.add(after(60_001)), None);
    }
}
