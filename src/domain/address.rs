//! The address in what a network sends as one: alone, with a port, in brackets, or in a list of proxies.

use std::net::{IpAddr, SocketAddr};

use crate::location::is_public;

/// Addresses of a list that are checked; longer lists are not a real path.
const MAX_LISTED: usize = 8;
/// Bytes of the value that are read.
const MAX_LEN: usize = 1_024;

/// The addresses that a text holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The one that counts as the user's: the first of the public internet, else the first.
    pub first: IpAddr,
    /// The other public ones of a list. The user can forge the first, so none of them is trusted alone.
    pub others: Vec<IpAddr>,
    /// How many entries the text has, readable or not.
    pub entries: usize,
}

/// The addresses in `text`; `None` if it holds none. Other entries (`unknown`) are skipped.
pub fn addresses(text: &str) -> Option<Addresses> {
    let mut end = text.len().min(MAX_LEN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if let Some(first) = address(text) {
        return Some(Addresses { first, others: Vec::new(), entries: 1 });
    }
    let separator = |c: char| matches!(c, ',' | ';' | '|') || c.is_whitespace();
    let entries: Vec<_> = text.split(separator).filter(|entry| !entry.is_empty()).collect();
    let found: Vec<_> = entries.iter().filter_map(|entry| address(entry)).take(MAX_LISTED).collect();
    let first = found.iter().copied().find(|address| is_public(*address)).or(found.first().copied())?;
    let mut others = Vec::new();
    for other in found {
        if other != first && is_public(other) && !others.contains(&other) {
            others.push(other);
        }
    }
    Some(Addresses { first, others, entries: entries.len() })
}

/// One address, as it is written in URLs, headers and logs: with blanks, quotes, `for=`, brackets, a port, a zone or
/// the length of a network around it. An IPv4 address inside an IPv6 one is that IPv4 address.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches(['"', '\'']);
    let text = strip_ignoring_case(text, "for=").trim_matches(['"', '\'']);
    let bare = |text: &str| {
        let text = text.split_once('%').map_or(text, |(address, _)| address);
        text.parse::<IpAddr>().ok()
    };
    let in_brackets = || {
        let (inside, after) = text.strip_prefix('[')?.split_once(']')?;
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        (after.is_empty() || after.strip_prefix(':').is_some_and(is_port)).then(|| bare(inside)).flatten()
    };
    let of_network = || {
        let (address, bits) = text.split_once('/')?;
        let full = if address.contains(':') { "128" } else { "32" };
        (bits == full).then(|| bare(address)).flatten()
    };
    let found = bare(text)
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(in_brackets)
        .or_else(of_network)?;
    Some(found.to_canonical())
}

fn strip_ignoring_case<'t>(text: &'t str, prefix: &str) -> &'t str {
    match text.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &text[prefix.len()..],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<String> {
        addresses(text).map(|found| found.first.to_string())
    }

    #[test]
    fn the_address_is_taken_out_of_what_stands_around_it() {
        for (text, expected) in [
            ("8.8.8.8", "8.8.8.8"),
            ("8.8.8.8 ", "8.8.8.8"),
            ("\t8.8.8.8\r\n", "8.8.8.8"),
            ("8.8.8.8:443", "8.8.8.8"),
            ("[2a00:1450::1]:443", "2a00:1450::1"),
            ("[2a00:1450::1]", "2a00:1450::1"),
            ("2A00:1450:0:0::1", "2a00:1450::1"),
            ("::ffff:8.8.8.8", "8.8.8.8"),
            ("[::ffff:8.8.8.8]:1", "8.8.8.8"),
            ("fe80::1%eth0", "fe80::1"),
            ("\"8.8.8.8\"", "8.8.8.8"),
            ("for=\"[2a00:1450::1]:443\"", "2a00:1450::1"),
            ("8.8.8.8/32", "8.8.8.8"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(first(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn of_a_list_the_first_public_address_counts_and_the_others_are_known() {
        let found = addresses("10.0.0.1, unknown, 8.8.8.8:80, 1.1.1.1, 8.8.8.8").expect("addresses");
        assert_eq!(found.first.to_string(), "8.8.8.8");
        assert_eq!(found.others, ["1.1.1.1".parse::<IpAddr>().expect("an address")]);
        assert_eq!(found.entries, 5);
        for text in ["8.8.8.8;10.0.0.1", "10.0.0.1 8.8.8.8", "unknown|8.8.8.8", ",,8.8.8.8,,"] {
            assert_eq!(first(text).as_deref(), Some("8.8.8.8"), "{text}");
        }
        assert_eq!(first("10.0.0.1,192.168.0.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(addresses(&"8.8.8.8,".repeat(5_000)).map(|found| found.others), Some(vec![]));
    }

    #[test]
    fn text_without_an_address_yields_none() {
        for text in [
            "",
            " ",
            "unknown",
            "localhost",
            "8.8.8",
            "256.1.1.1",
            "08.8.8.8",
            "8.8.8.8:99999",
            "8.8.8.0/24",
            "134744072",
            "[8",
            "Ü,é",
        ] {
            assert_eq!(addresses(text), None, "{text}");
        }
    }
}
