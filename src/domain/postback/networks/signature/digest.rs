//! Digests over a message, with a secret as key or without one.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// A digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// MD5 of a message that contains the secret.
    Md5,
    /// SHA-1 of a message that contains the secret.
    Sha1,
    /// SHA-256 of a message that contains the secret.
    Sha256,
    /// HMAC with MD5.
    HmacMd5,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// ECDSA on P-256 over SHA-256, in DER.
    EcdsaP256Sha256,
}

impl Digest {
    /// Every digest with its name in a definition.
    pub const ALL: [(&'static str, Self); 7] = [
        ("md5", Self::Md5),
        ("sha1", Self::Sha1),
        ("sha256", Self::Sha256),
        ("hmac-md5", Self::HmacMd5),
        ("hmac-sha1", Self::HmacSha1),
        ("hmac-sha256", Self::HmacSha256),
        ("ecdsa-p256-sha256", Self::EcdsaP256Sha256),
    ];

    /// The name in a definition.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, digest)| *digest == self).map_or("", |(name, _)| name)
    }

    /// True if the message has to contain the secret, because the digest has no key.
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1 | Self::Sha256)
    }

    /// The length in bytes; `None` if it varies.
    pub fn len_bytes(self) -> Option<usize> {
        match self {
            Self::Md5 | Self::HmacMd5 => Some(16),
            Self::Sha1 | Self::HmacSha1 => Some(20),
            Self::Sha256 | Self::HmacSha256 => Some(32),
            Self::EcdsaP256Sha256 => None,
        }
    }

    /// The digest of `message`; `key` counts for an HMAC only. Empty for ECDSA, which has no secret that both sides know.
    pub(crate) fn of(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => plain::<Md5>(message),
            Self::Sha1 => plain::<Sha1>(message),
            Self::Sha256 => plain::<Sha256>(message),
            Self::HmacMd5 => keyed::<Hmac<Md5>>(key, message),
            Self::HmacSha1 => keyed::<Hmac<Sha1>>(key, message),
            Self::HmacSha256 => keyed::<Hmac<Sha256>>(key, message),
            Self::EcdsaP256Sha256 => Vec::new(),
        }
    }
}

/// Whether two digests are equal, in a time that tells nothing of where they differ. Empty ones never are.
pub(crate) fn are_equal(one: &[u8], other: &[u8]) -> bool {
    !one.is_empty() && bool::from(one.ct_eq(other))
}

fn plain<D: sha2::Digest>(message: &[u8]) -> Vec<u8> {
    D::digest(message).to_vec()
}

/// HMAC takes a key of any length, so it always has a result; an empty one equals nothing.
fn keyed<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
