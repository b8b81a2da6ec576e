//! Who called, behind how many proxies.

use std::net::{IpAddr, SocketAddr};

use warp::http::HeaderMap;

/// The other end of a connection; the server puts it beside every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The address of whoever called, believing exactly `trusted_proxies` hops of `X-Forwarded-For`.
///
/// Each proxy appends the address that it saw, so the entry that counts is the one written by the outermost trusted
/// proxy: `trusted_proxies` from the end. What stands further left is the caller's own claim and is never used.
pub fn address(peer: Peer, headers: &HeaderMap, trusted_proxies: usize) -> IpAddr {
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let hop = match trusted_proxies {
        0 => None,
        hops => forwarded.len().checked_sub(hops).and_then(|index| forwarded.get(index)),
    };
    hop.and_then(|hop| hop.parse().ok()).unwrap_or_else(|| peer.0.ip()).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hop_written_by_the_outermost_trusted_proxy_is_believed() {
        let peer = Peer("10.0.0.1:5000".parse().unwrap());
        for (headers, trusted, expected) in [
            (vec![], 0, "10.0.0.1"),
            (vec!["9.9.9.9"], 0, "10.0.0.1"),
            (vec!["9.9.9.9"], 1, "9.9.9.9"),
            (vec!["6.6.6.6, 9.9.9.9"], 1, "9.9.9.9"),
            (vec!["6.6.6.6, 9.9.9.9, 10.0.0.2"], 2, "9.9.9.9"),
            (vec!["6.6.6.6", "9.9.9.9, 10.0.0.2"], 2, "9.9.9.9"),
            (vec!["2001:db8::7"], 1, "2001:db8::7"),
            (vec!["nonsense"], 1, "10.0.0.1"),
            (vec!["9.9.9.9"], 2, "10.0.0.1"),
        ] {
            let mut map = HeaderMap::new();
            for header in &headers {
                map.append("x-forwarded-for", header.parse().unwrap());
            }
            assert_eq!(
                address(peer, &map, trusted),
                expected.parse::<IpAddr>().unwrap(),
                "{headers:?} {trusted}"
            );
        }
    }
}
