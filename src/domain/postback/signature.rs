//! Secrets, and URLs signed as offerwalls do: hexadecimal HMAC-SHA1 over the whole URL exactly as it was received.
//!
//! Deliveries to apps are signed like that; postbacks of networks in many ways ([`crate::postback::networks::signature`]).
//! Source: `TarGo`'s postback security page. Two forms exist in the wild.

use serde::{Deserialize, Serialize};

use crate::postback::networks::signature::Digest;
use crate::postback::networks::signature::digest::are_equal;
use crate::text::hex;

/// The parameter that carries the signature; the network appends it itself, always last.
pub const HASH_PARAM: &str = "hash";

/// What of the URL is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureForm {
    /// The URL with `hash=` present but empty: `…&status=1&hash=` (the documented form).
    #[default]
    Empty,
    /// The URL cut before `&hash=`: `…&status=1`.
    Cut,
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// There is no `hash` parameter.
    #[error("the hash parameter is missing")]
    Missing,
    /// `hash` is not the last parameter, appears twice, or is not 40 lowercase hexadecimal digits.
    #[error("the hash is malformed: it must be the last parameter and 40 lowercase hexadecimal digits")]
    Malformed,
    /// It is well formed and no secret of the source produces it.
    #[error("the hash does not match any secret of this source")]
    Wrong,
}

/// Checks `target` (path and query, as received) under `origin` (`https://gw.example.com`, without a slash at the
/// end) against every secret, in constant time.
pub fn verify(
    origin: &str,
    target: &str,
    form: SignatureForm,
    secrets: &[Secret],
) -> Result<(), BadSignature> {
    let (signed, digest) = split_hash(target)?;
    let matches = secrets
        .iter()
        .map(|secret| are_equal(&mac(secret, origin, signed, form), &digest))
        .fold(false, |found, matched| found | matched);
    if matches { Ok(()) } else { Err(BadSignature::Wrong) }
}

/// `target` with its hash appended, as the network would send it. `target` must not carry a hash yet.
pub fn sign(origin: &str, target: &str, form: SignatureForm, secret: &Secret) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    let digest = mac(secret, origin, Signed { target, separator }, form);
    format!("{target}{separator}{HASH_PARAM}={}", hex(&digest))
}

/// A source's key. Never shown: its `Debug` is empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The key, unless it is empty: an empty key would let anyone sign.
    pub fn new(key: impl Into<Vec<u8>>) -> Option<Self> {
        let key = key.into();
        (!key.is_empty()).then_some(Self(key))
    }

    /// The key bytes, for signing.
    pub(crate) fn key(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// What precedes the hash parameter, and the `?` or `&` that introduces it.
#[derive(Clone, Copy)]
struct Signed<'a> {
    target: &'a str,
    separator: char,
}

fn mac(secret: &Secret, origin: &str, signed: Signed<'_>, form: SignatureForm) -> Vec<u8> {
    let mut message = format!("{origin}{}", signed.target);
    if form == SignatureForm::Empty {
        message.push(signed.separator);
        message.push_str(HASH_PARAM);
        message.push('=');
    }
    Digest::HmacSha1.of(&secret.0, message.as_bytes())
}

fn split_hash(target: &str) -> Result<(Signed<'_>, [u8; 20]), BadSignature> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut hashes = query.split('&').filter_map(|pair| pair.strip_prefix("hash="));
    let Some(hex) = hashes.next() else { return Err(BadSignature::Missing) };
    if hashes.next().is_some() || !target.ends_with(hex) {
        return Err(BadSignature::Malformed);
    }
    let digest = decode_hex(hex).ok_or(BadSignature::Malformed)?;
    let before = &target[..target.len() - hex.len() - HASH_PARAM.len() - 1];
    let Some(separator) = before.chars().next_back().filter(|last| matches!(last, '?' | '&')) else {
        return Err(BadSignature::Malformed);
    };
    Ok((Signed { target: &before[..before.len() - 1], separator }, digest))
}

fn decode_hex(hex: &str) -> Option<[u8; 20]> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; 20];
    if hex.len() != 40 {
        return None;
    }
    for (slot, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *slot = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: &str = "https://gw.example.com";
    const TARGET: &str = "/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1";
    const EMPTY: &str = "be5b54b732274ab3cec8a049180c94560a782826";
    const CUT: &str = "3a99d7d440d365d1035c22e7113ade39396de9fd";

    fn secrets() -> Vec<Secret> {
        ["retired", "test-secret"].into_iter().filter_map(Secret::new).collect()
    }

    #[test]
    fn the_vectors_verify_in_their_own_form_only() {
        let check = |hash: &str, form| verify(ORIGIN, &format!("{TARGET}&hash={hash}"), form, &secrets());
        assert_eq!(check(EMPTY, SignatureForm::Empty), Ok(()));
        assert_eq!(check(CUT, SignatureForm::Cut), Ok(()));
        assert_eq!(check(CUT, SignatureForm::Empty), Err(BadSignature::Wrong));
        assert_eq!(check(EMPTY, SignatureForm::Cut), Err(BadSignature::Wrong));
        let encoded = "/pb/targo?uid=a%20b%2Bc&name=Caf%C3%A9+Quest&reward=500&status=2\
                       &hash=6b70f9e0852c095315102b3f0514a715e1273733";
        assert_eq!(verify(ORIGIN, encoded, SignatureForm::Empty, &secrets()), Ok(()));
    }

    #[test]
    fn the_scheme_behind_a_proxy_is_part_of_what_is_signed() {
        let target = format!("{TARGET}&hash=ac7982bfb3c13cd2ba8e0bc8cb7c460d6464dd00");
        assert_eq!(verify("http://gw.example.com", &target, SignatureForm::Cut, &secrets()), Ok(()));
        assert_eq!(verify(ORIGIN, &target, SignatureForm::Cut, &secrets()), Err(BadSignature::Wrong));
    }

    #[test]
    fn a_missing_or_malformed_hash_is_refused() {
        for (query, error) in [
            (String::new(), BadSignature::Missing),
            ("?status=1".into(), BadSignature::Missing),
            ("?status=1&xhash=1".into(), BadSignature::Missing),
            ("?status=1&hash=".into(), BadSignature::Malformed),
            // The network's own published sample: 31 digits.
            ("?status=1&hash=dbcd6bb892842a52b4fca9bec36cd4b".into(), BadSignature::Malformed),
            (format!("?status=1&hash={}", EMPTY.to_uppercase()), BadSignature::Malformed),
            (format!("?hash={EMPTY}&status=1"), BadSignature::Malformed),
            (format!("?hash={EMPTY}&hash={EMPTY}"), BadSignature::Malformed),
        ] {
            let result = verify(ORIGIN, &format!("/pb/targo{query}"), SignatureForm::Empty, &secrets());
            assert_eq!(result, Err(error), "{query}");
        }
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let signed = format!("{TARGET}&hash={EMPTY}");
        for position in 0..signed.len() {
            let mut bytes = signed.clone().into_bytes();
            bytes[position] ^= 1;
            let changed = String::from_utf8(bytes).expect("flipping the lowest bit of ASCII stays ASCII");
            assert!(verify(ORIGIN, &changed, SignatureForm::Empty, &secrets()).is_err(), "{changed}");
        }
    }

    #[test]
    fn an_empty_secret_cannot_be_made() {
        assert_eq!(Secret::new(""), None);
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies(target in "/pb/[a-z]{1,8}(\\?[a-z]=[a-z%0-9&=]{0,20})?", cut in any::<bool>()) {
            prop_assume!(!target.contains("hash="));
            let form = if cut { SignatureForm::Cut } else { SignatureForm::Empty };
            let secret = Secret::new("test-secret").expect("not empty");
            let signed = sign(ORIGIN, &target, form, &secret);
            prop_assert_eq!(verify(ORIGIN, &signed, form, &[secret]), Ok(()));
        }

        #[test]
        fn no_target_makes_the_check_panic(target in "\\PC{0,60}") {
            let _ = verify(ORIGIN, &target, SignatureForm::Empty, &secrets());
        }
    }
}
