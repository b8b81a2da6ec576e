//! The secrets and keys of one source.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey;

use crate::postback::signature::Secret;

/// What a source has to check signatures with. Several secrets are valid at once while one is rotated.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// The secret that the network shares with the publisher.
    pub secrets: Vec<Secret>,
    /// A second one that some networks mix in: an app key or a placement id.
    pub second: Vec<Secret>,
    /// The network's public keys, for ECDSA.
    pub public: Vec<PublicKey>,
}

/// A public key of a network, with the id that calls name it by.
#[derive(Clone, Debug)]
pub struct PublicKey {
    /// As in the network's key list.
    pub id: String,
    pub(super) key: VerifyingKey,
}

/// A text that is not a public key on P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a public key on P-256; write its PEM, or the base64 of its DER, from the network's key list")]
pub struct BadPublicKey;

impl PublicKey {
    #[cfg(test)]
    pub(crate) fn of(id: &str, key: VerifyingKey) -> Self {
        Self { id: id.to_owned(), key }
    }

    /// Reads `key` as PEM (`-----BEGIN PUBLIC KEY-----`), or as the base64 between those lines.
    pub fn read(id: &str, key: &str) -> Result<Self, BadPublicKey> {
        let lines = key.lines().filter(|line| !line.trim_start().starts_with("-----"));
        let text: String = lines.flat_map(str::split_whitespace).collect();
        let der = STANDARD.decode(text).map_err(|_| BadPublicKey)?;
        let key = VerifyingKey::from_public_key_der(&der).map_err(|_| BadPublicKey)?;
        Ok(Self { id: id.to_owned(), key })
    }
}
