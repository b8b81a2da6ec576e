//! A URL as it is shown: without anything that lets its reader call it again.
//!
//! Whoever knows a valid signature can repeat the call, so nobody is shown one, whatever their role; nor a secret
//! that somebody put into a URL or that a network sends there. The raw bytes stay in the database, for replays and diagnoses.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Parameters that carry a signature, in small letters and without `-` and `_`.
const SIGNATURE_NAMES: [&str; 15] = [
    "hash",
    "sig",
    "sign",
    "signature",
    "hmac",
    "mac",
    "digest",
    "checksum",
    "chk",
    "verify",
    "verifier",
    "md5",
    "sha1",
    "sha256",
    "sha512",
];

/// Parameters that carry a secret itself, of which not even the beginning is shown.
const SECRET_NAMES: [&str; 21] = [
    "key",
    "apikey",
    "appkey",
    "secretkey",
    "privatekey",
    "accesskey",
    "securitykey",
    "secret",
    "appsecret",
    "clientsecret",
    "sharedsecret",
    "token",
    "apitoken",
    "accesstoken",
    "securitytoken",
    "auth",
    "authorization",
    "password",
    "passwd",
    "pass",
    "pwd",
];

/// Characters of a value that stay visible, to tell two values apart.
const SHOWN_CHARS: usize = 4;
/// A value must be at least this many times longer to show any.
const TIMES_LONGER: usize = 4;

/// Why a value is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Masked {
    Signature,
    Secret,
}

/// `target` (path and query, as received) with signatures and secrets cut to their first characters.
pub fn masked(target: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut taken = 0;
    let mut place = 0;
    let secret_segment = secret_segment(target);
    for part in target.split_inclusive(['/', '?', '&', '#']) {
        let pair = part.trim_end_matches(['/', '?', '&', '#']);
        let (value_at, kind) = match pair.split_once('=') {
            _ if secret_segment == Some(place) => (0, Some(Masked::Secret)),
            Some((name, value)) => (pair.len() - value.len(), kind_of(name, value)),
            None => (0, is_digest(pair).then_some(Masked::Signature)),
        };
        let value = pair.get(value_at..).unwrap_or_default();
        if let Some(kind) = kind.filter(|_| !value.is_empty()) {
            out.push_str(target.get(taken..place + value_at).unwrap_or_default());
            let long_enough = value.chars().count() >= SHOWN_CHARS * TIMES_LONGER;
            let shows = kind == Masked::Signature && long_enough;
            out.extend(value.chars().take(if shows { SHOWN_CHARS } else { 0 }));
            out.push('…');
            taken = place + pair.len();
        }
        place += part.len();
    }
    if taken == 0 {
        return Cow::Borrowed(target);
    }
    out.push_str(target.get(taken..).unwrap_or_default());
    Cow::Owned(out)
}

/// Where the segment behind `/pb/NAME/` begins: some networks send their secret there.
fn secret_segment(target: &str) -> Option<usize> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let at = path.find("/pb/")? + "/pb/".len();
    let name = path.get(at..)?.find('/')?;
    Some(at + name + 1)
}

fn kind_of(name: &str, value: &str) -> Option<Masked> {
    let name: String = percent_decode_str(name)
        .decode_utf8_lossy()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    // What is left of `&amp;`, which separates too.
    let name = name.strip_prefix("amp").filter(|rest| !rest.is_empty()).unwrap_or(&name);
    if SECRET_NAMES.contains(&name) {
        Some(Masked::Secret)
    } else {
        (SIGNATURE_NAMES.contains(&name) || is_digest(value)).then_some(Masked::Signature)
    }
}

/// Whether a value looks like a digest of 20 bytes or more, in hexadecimal digits or base64. Those of 16 bytes are as
/// often the id of a transaction.
fn is_digest(value: &str) -> bool {
    let text = percent_decode_str(value).decode_utf8_lossy();
    let is_hex =
        matches!(text.len(), 40 | 56 | 64 | 96 | 128) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let in_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_ ".contains(&byte);
    let is_base64 = matches!(text.len(), 28 | 44 | 88)
        && text.ends_with('=')
        && text.trim_end_matches('=').bytes().all(in_base64);
    is_hex || is_base64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "be5b54b732274ab3cec8a049180c94560a782826";

    #[test]
    fn signatures_and_secrets_are_cut_wherever_they_stand_in_a_url() {
        for (target, shown) in [
            (format!("/pb/t?tx=T-1&hash={HASH}"), "/pb/t?tx=T-1&hash=be5b…"),
            (format!("/pb/t?hash={HASH}&tx=T-1"), "/pb/t?hash=be5b…&tx=T-1"),
            (format!("/pb/t?hash={HASH}&hash={HASH}#x"), "/pb/t?hash=be5b…&hash=be5b…#x"),
            (format!("/pb/t?HASH={}", HASH.to_uppercase()), "/pb/t?HASH=BE5B…"),
            (format!("/pb/t?h%61sh={HASH}"), "/pb/t?h%61sh=be5b…"),
            (format!("/pb/t?tx=1&amp;hash={HASH}"), "/pb/t?tx=1&amp;hash=be5b…"),
            (format!("/pb/t?x={HASH}"), "/pb/t?x=be5b…"),
            (format!("/pb/t?x={HASH}{}", &HASH[..24]), "/pb/t?x=be5b…"),
            (format!("/pb/{HASH}/t?{HASH}"), "/pb/be5b…/…?be5b…"),
            (format!("/x/{HASH}/t?{HASH}"), "/x/be5b…/t?be5b…"),
            (format!("https://gw.example/pb/t?sig={HASH}"), "https://gw.example/pb/t?sig=be5b…"),
            ("/pb/t?hash=abc&secret=hunter2".into(), "/pb/t?hash=…&secret=…"),
            ("/pb/t/hunter2?uid=a".into(), "/pb/t/…?uid=a"),
            ("https://gw.example/pb/t/hunter2".into(), "https://gw.example/pb/t/…"),
            ("/pb/t?api_key=0123456789abcdef&API-TOKEN=é".into(), "/pb/t?api_key=…&API-TOKEN=…"),
            ("/pb/t?s=vltUtzInSrPOyKBJGAyUVgp4KCY%3D".into(), "/pb/t?s=vltU…"),
        ] {
            assert_eq!(masked(&target), shown, "{target}");
        }
    }

    #[test]
    fn everything_else_is_shown_as_it_came() {
        for target in [
            "/pb/t",
            "/pb/t?",
            "/pb/t?hash=",
            "/pb/t?uid=a&tx=0123456789abcdef0123456789abcdef&reward=1&status=1",
            "/pb/t?hashes=abc&monkey=x&sub1=%3D&n=Nord bank\"<>&",
            "/pb/t?tx=c0ffee00-0000-4000-8000-000000000000",
            "",
        ] {
            assert_eq!(masked(target), target);
        }
    }

    proptest! {
        #[test]
        fn no_url_makes_it_panic_and_no_hash_gets_through(before in "\\PC{0,40}", after in "\\PC{0,40}") {
            let target = format!("{before}&hash={HASH}&{after}");
            prop_assert!(!masked(&target).contains(HASH));
        }
    }
}
