//! Signs as the network does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::postback::networks::signature::{Keys, PublicKey, Refusal};
use domain::postback::signature::Secret;
use domain::time::TimestampMs;
use p256::SecretKey;
use p256::pkcs8::EncodePublicKey as _;

use super::network::Network;
use super::postback::Postback;
use super::template::{Template, TemplateError, split_origin};

/// Length of a private key, in bytes.
const PRIVATE_KEY_LEN: usize = 32;
/// The id under which the public key of a private one is sent; that of a key list with a single PEM.
const KEY_ID: &str = "1";
/// Signs what is forged; nobody has this key.
const FORGER: [u8; PRIVATE_KEY_LEN] = [b'f'; PRIVATE_KEY_LEN];

/// Signs calls as the network does.
#[derive(Clone, Debug)]
pub struct Signer {
    network: Network,
    origin: String,
    keys: Keys,
    forger: Keys,
}

/// Why calls cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The signed origin is none.
    #[error(transparent)]
    Origin(#[from] TemplateError),
    /// The network signs with a secret, and none was given.
    #[error("this network signs with a secret: pass it")]
    NoSecret,
    /// It signs a second one, too.
    #[error("this network signs a second secret, too, an app key or a placement id: pass it")]
    NoSecondSecret,
    /// Neither 32 bytes nor their 64 hexadecimal digits, or no key on the curve.
    #[error(
        "this network signs with a private key on P-256: pass its 32 bytes, or their 64 hexadecimal digits"
    )]
    BadPrivateKey,
}

/// The secrets of a network.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The secret that the publisher knows, too; for ECDSA the private key. Empty: none.
    pub secret: Vec<u8>,
    /// The second one that some networks sign; empty: none.
    pub second: Vec<u8>,
}

impl Signer {
    /// Signs calls of `template` with `secrets`. `signed_origin`: the gateway's public URL, if calls go to another address,
    /// e.g. behind a proxy.
    pub fn new(
        template: &Template,
        signed_origin: Option<&str>,
        secrets: &Secrets,
    ) -> Result<Self, SignerError> {
        let origin = signed_origin.unwrap_or(template.origin());
        if !matches!(split_origin(origin), Some((_, ""))) {
            return Err(TemplateError::BadOrigin(origin.into()).into());
        }
        let network = template.network().clone();
        let needs = network.definition().signature.proof.needs();
        let second: Vec<_> = Secret::new(secrets.second.clone()).into_iter().collect();
        if needs.second_secret && second.is_empty() {
            return Err(SignerError::NoSecondSecret);
        }
        let keys = if needs.public_keys {
            private_key(&secrets.secret)?
        } else {
            let own: Vec<_> = Secret::new(secrets.secret.clone()).into_iter().collect();
            if needs.secret && own.is_empty() {
                return Err(SignerError::NoSecret);
            }
            Keys { secrets: own, second, public: Vec::new() }
        };
        let forger = Keys { secrets: Secret::new(FORGER).into_iter().collect(), ..keys.clone() };
        Ok(Self { network, origin: origin.into(), keys, forger })
    }

    /// The origin that is signed.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// `unsigned` with its signature. A time in the signature is `now_ms`, in unix milliseconds.
    pub(super) fn sign(&self, unsigned: &Postback, now_ms: i64) -> Result<Postback, Refusal> {
        self.signed_with(&self.keys, unsigned, now_ms)
    }

    /// The same with a secret that is not the network's.
    pub(super) fn forge(&self, unsigned: &Postback, now_ms: i64) -> Result<Postback, Refusal> {
        self.signed_with(&self.forger, unsigned, now_ms)
    }

    fn signed_with(&self, keys: &Keys, unsigned: &Postback, now_ms: i64) -> Result<Postback, Refusal> {
        let definition = self.network.definition();
        let signed = unsigned.with(&self.origin, |call| definition.sign(call, keys, TimestampMs(now_ms)))?;
        let headers = unsigned.headers.iter().cloned().chain(signed.headers).collect();
        Ok(Postback { method: unsigned.method, target: signed.target, headers, body: signed.body })
    }
}

/// The keys of a network that signs with ECDSA.
fn private_key(secret: &[u8]) -> Result<Keys, SignerError> {
    let bytes = match std::str::from_utf8(secret).map(str::trim) {
        Ok(text) if text.len() == 2 * PRIVATE_KEY_LEN => from_hex(text).ok_or(SignerError::BadPrivateKey)?,
        _ => secret.to_vec(),
    };
    let key = SecretKey::from_slice(&bytes).map_err(|_| SignerError::BadPrivateKey)?;
    let der = key.public_key().to_public_key_der().map_err(|_| SignerError::BadPrivateKey)?;
    let public =
        PublicKey::read(KEY_ID, &STANDARD.encode(der.as_bytes())).map_err(|_| SignerError::BadPrivateKey)?;
    let secrets = Secret::new(bytes).into_iter().collect();
    Ok(Keys { secrets, second: Vec::new(), public: vec![public] })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// Never shown.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secrets(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str) -> Template {
        let network = Network::shipped(name).expect("it ships");
        Template::parse(&format!("http://127.0.0.1:8080/pb/a?{}", network.query()), &network)
            .expect("a good template")
    }

    fn signer(name: &str, origin: Option<&str>, secret: &[u8], second: &[u8]) -> Result<Signer, SignerError> {
        Signer::new(&template(name), origin, &Secrets { secret: secret.into(), second: second.into() })
    }

    #[test]
    fn the_signed_origin_may_differ_from_the_address_and_must_be_an_origin() {
        let signer = |origin| signer("targo", origin, b"test-secret", b"");
        let target = "/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1";
        let unsigned = Postback {
            method: domain::postback::networks::Method::Get,
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let signed = signer(Some("https://gw.example.com")).expect("a signer").sign(&unsigned, 0);
        let expected = format!("{target}&hash=be5b54b732274ab3cec8a049180c94560a782826");
        assert_eq!(signed.map(|signed| signed.target), Ok(expected));
        assert!(signer(None).is_ok());
        for origin in ["https://gw.example.com/", "gw.example.com", "https://", "https://gw.example.com/pb"] {
            let bad = signer(Some(origin)).expect_err(origin);
            assert_eq!(bad, SignerError::Origin(TemplateError::BadOrigin(origin.into())));
        }
    }

    #[test]
    fn a_missing_secret_is_named() {
        let error = |name, secret, second| signer(name, None, secret, second).expect_err("it lacks one");
        assert_eq!(error("targo", b"", b""), SignerError::NoSecret);
        assert_eq!(error("playtimeads", b"s", b""), SignerError::NoSecondSecret);
        assert_eq!(error("admob", b"too short", b""), SignerError::BadPrivateKey);
        assert_eq!(error("admob", &[b'x'; 64], b""), SignerError::BadPrivateKey);
        assert!(signer("wannads-new", None, b"", b"").is_ok(), "nothing is signed");
        assert!(signer("admob", None, "07".repeat(32).as_bytes(), b"").is_ok());
        assert!(signer("admob", None, &[7; 32], b"").is_ok());
    }
}
