//! Signing calls to the app, in the network's form and in that of Standard Webhooks.
//!
//! The published crate for Standard Webhooks brings its own HMAC, base64 and calendar. Signing is one line with those
//! that we already have, so it is written here and tested against the reference vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;
use sha2::Sha256;

use crate::postback::signature::{HASH_PARAM, Secret};
use crate::text::hex;

/// What stands before a secret of Standard Webhooks.
const WEBHOOK_SECRET_PREFIX: &str = "whsec_";
/// What the specification asks of a key, in bytes.
const WEBHOOK_KEY_LEN: std::ops::RangeInclusive<usize> = 24..=64;

/// The hash of the `postback` form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashAlgorithm {
    /// HMAC-SHA1: the network's own.
    #[default]
    Sha1,
    /// HMAC-SHA256.
    Sha256,
}

/// `url` with `hash` appended: lowercase hexadecimal digits over the full URL with an empty hash.
pub fn postback(url: &str, algorithm: HashAlgorithm, secret: &Secret) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let unsigned = format!("{url}{separator}{HASH_PARAM}=");
    let digest = match algorithm {
        HashAlgorithm::Sha1 => hex(&mac::<Hmac<Sha1>>(secret.key(), &[unsigned.as_bytes()])),
        HashAlgorithm::Sha256 => hex(&mac::<Hmac<Sha256>>(secret.key(), &[unsigned.as_bytes()])),
    };
    unsigned + &digest
}

/// The value of `webhook-signature`: one signature for each secret, so that the app can change over while both live.
pub fn webhook(id: &str, timestamp_s: i64, body: &str, secrets: &[Secret]) -> String {
    let head = format!("{id}.{timestamp_s}.");
    let signature = |secret: &Secret| {
        let digest = mac::<Hmac<Sha256>>(secret.key(), &[head.as_bytes(), body.as_bytes()]);
        format!("v1,{}", STANDARD.encode(digest))
    };
    secrets.iter().map(signature).collect::<Vec<_>>().join(" ")
}

/// Why a text is no secret of Standard Webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWebhookSecret {
    /// The prefix is missing, or the rest is not base64.
    #[error("must be `whsec_` and base64")]
    NotBase64,
    /// Too short or too long.
    #[error("must hold 24 to 64 bytes in base64")]
    Length,
}

/// Reads `whsec_…`.
pub fn webhook_secret(text: &str) -> Result<Secret, BadWebhookSecret> {
    let encoded = text.strip_prefix(WEBHOOK_SECRET_PREFIX).ok_or(BadWebhookSecret::NotBase64)?;
    let key = STANDARD.decode(encoded).map_err(|_| BadWebhookSecret::NotBase64)?;
    if !WEBHOOK_KEY_LEN.contains(&key.len()) {
        return Err(BadWebhookSecret::Length);
    }
    Secret::new(key).ok_or(BadWebhookSecret::Length)
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes a key of any length, so there always is one; no digest would verify nowhere.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::postback::signature::{SignatureForm, verify};

    fn secret(text: &str) -> Secret {
        Secret::new(text).expect("not empty")
    }

    #[test]
    fn the_networks_vectors_are_made() {
        for (url, hash) in [
            (
                "https://gw.example.com/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1",
                "be5b54b732274ab3cec8a049180c94560a782826",
            ),
            (
                "https://gw.example.com/pb/targo?uid=a%20b%2Bc&name=Caf%C3%A9+Quest&reward=500&status=2",
                "6b70f9e0852c095315102b3f0514a715e1273733",
            ),
        ] {
            let signed = postback(url, HashAlgorithm::Sha1, &secret("test-secret"));
            assert_eq!(signed, format!("{url}&hash={hash}"));
        }
    }

    #[test]
    fn hmac_sha256_is_the_published_one() {
        // RFC 4231, test case 2, whose message cannot be a URL: so the function beneath.
        let digest = mac::<Hmac<Sha256>>(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&digest), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let signed = postback("https://a.example/x", HashAlgorithm::Sha256, &secret("k"));
        let hash = signed.strip_prefix("https://a.example/x?hash=").expect("the first parameter");
        assert_eq!(hash, hex(&mac::<Hmac<Sha256>>(b"k", &[b"https://a.example/x?hash="])));
    }

    #[test]
    fn the_reference_vector_of_standard_webhooks_is_made() {
        let reference = webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(webhook(id, at, body, std::slice::from_ref(&reference)), expected);
        // While rotating both stand there, separated by a space.
        let other = webhook_secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a secret");
        let both = webhook(id, at, body, &[other, reference]);
        let (first, second) = both.split_once(' ').expect("two");
        assert!(first.starts_with("v1,") && first != second && second == expected, "{both}");
    }

    #[test]
    fn a_webhook_secret_is_base64_of_a_fit_length() {
        for (text, why) in [
            ("test-secret", BadWebhookSecret::NotBase64),
            ("whsec_!!!", BadWebhookSecret::NotBase64),
            ("whsec_", BadWebhookSecret::Length),
            ("whsec_c2hvcnQ=", BadWebhookSecret::Length),
        ] {
            assert_eq!(webhook_secret(text), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_app_that_verifies_the_network_verifies_us(target in "/[a-z]{1,8}(\\?[a-z]=[a-zA-Z0-9%&=._~-]{0,40})?") {
            prop_assume!(!target.contains("hash="));
            let origin = "https://app.example.com";
            let signed = postback(&format!("{origin}{target}"), HashAlgorithm::Sha1, &secret("app-secret"));
            let received = signed.strip_prefix(origin).expect("the origin");
            let verified = verify(origin, received, SignatureForm::Empty, &[secret("app-secret")]);
            prop_assert_eq!(verified, Ok(()));
        }
    }
}
