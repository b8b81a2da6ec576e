//! The secrets and keys of one source.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey;
use serde::Deserialize;

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

/// A file that is no list of public keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyList {
    /// Neither JSON in this form nor PEM.
    #[error(
        "is neither a key list in JSON (`{{\"keys\": [{{\"keyId\": 1, \"pem\": \"…\"}}]}}`) nor a PEM file: {0}"
    )]
    NotJson(String),
    /// No key at all.
    #[error("has no keys")]
    Empty,
    /// One of its keys: its id, and what is wrong.
    #[error("has the key {0}, which {1}")]
    Key(String, BadPublicKey),
}

#[derive(Deserialize)]
struct KeyList {
    keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyEntry {
    key_id: serde_json::Value,
    pem: Option<String>,
    base64: Option<String>,
}

impl PublicKey {
    #[cfg(test)]
    pub(crate) fn of(id: &str, key: VerifyingKey) -> Self {
        Self { id: id.to_owned(), key }
    }

    /// Reads a network's key list: JSON as `AdMob` publishes it (`{"keys": [{"keyId": 1, "pem": "…"}]}`), or one PEM, whose
    /// key has the id `1`.
    pub fn read_list(text: &str) -> Result<Vec<Self>, BadKeyList> {
        if text.trim_start().starts_with("-----") {
            return Ok(vec![Self::read("1", text).map_err(|bad| BadKeyList::Key("1".into(), bad))?]);
        }
        let list: KeyList = serde_json::from_str(text).map_err(|why| BadKeyList::NotJson(why.to_string()))?;
        if list.keys.is_empty() {
            return Err(BadKeyList::Empty);
        }
        let read = |entry: KeyEntry| {
            let id = match entry.key_id {
                serde_json::Value::String(id) => id,
                other => other.to_string(),
            };
            let key = entry.pem.or(entry.base64).unwrap_or_default();
            Self::read(&id, &key).map_err(|bad| BadKeyList::Key(id, bad))
        };
        list.keys.into_iter().map(read).collect()
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
